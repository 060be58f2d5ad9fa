"""The encoder's block: mmpretrain's, with the attention of :mod:`.attention`.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; T tokens are the class token and the patches.
"""

from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import Tensor

from . import tokens
from .attention import EncoderAttention
from .position import Grid


class EncoderBlock(TransformerEncoderLayer):
    """Pre-norm block: attention and MLP, each with a residual, and with drop path and layer scale
    where they are asked for.

    Args:
        bias_grid: See :class:`EncoderAttention`.
        window_size: See :class:`EncoderAttention`.
        **kwargs: Those of mmpretrain's ``TransformerEncoderLayer``.
    """

    def __init__(
        self, bias_grid: Grid | None = None, window_size: int | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        drop_path = dict(type='DropPath', drop_prob=kwargs.get('drop_path_rate', 0.0))
        self.attn = EncoderAttention(
            bias_grid,
            window_size,
            embed_dims=self.embed_dims,
            num_heads=kwargs['num_heads'],
            dropout_layer=drop_path,
            layer_scale_init_value=kwargs.get('layer_scale_init_value', 0.0),
        )

    def forward(self, x_BTD: Tensor, grid: Grid, rows_BK: Tensor | None = None) -> Tensor:
        """``(B, T, D)`` to the same; ``grid`` is the patch grid of the tokens.

        With ``rows_BK`` only these rows of the output, ``(B, K, D)``; the others serve as keys and
        values.
        """
        x = x_BTD if rows_BK is None else tokens.gather(x_BTD, rows_BK)
        x = x + self.attn(self.ln1(x_BTD), grid, rows_BK)
        return self.ffn(self.ln2(x), identity=x)
