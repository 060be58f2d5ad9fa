"""The target-aware decoder (paper, sections 3.2 to 3.4): regressor and predictor are two of it.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; E is the decoder's width, D the encoder's.
"""

import torch
from mmengine.model import BaseModule, ModuleList
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..encoder import tokens
from ..encoder.position import sincos_position_embedding
from ..encoder.projection import init_linears_
from .layers import DecoderBlock, PatchProjection


@MODELS.register_module()
class TargetAwareDecoder(BaseModule):
    """Predicts something for every masked patch from the encoder's latent, while each of its blocks
    is handed what the encoder should not have to memorise.

    As the **regressor** it predicts pixels, with the first block's output as context; as the
    **predictor** it predicts teacher features, with the last block's. Only the config differs.
    :class:`~bootmae_mm.pretrain.bootmae.BootMAE` fills in every argument but the first three.

    Args:
        embed_dims: Width of the decoder (Table 4 b); None for the encoder's own.
        depth: Number of blocks (Table 4 a).
        context_layer: Encoder block, from 0, whose output is injected (Table 8: 0 is low, 5
            middle, -1 high, for ViT-B); None for no injection (Table 2).
        encoder_dims: Width of the encoder.
        num_heads: Number of heads, the encoder's by default.
        grid: ``(rows, columns)`` of the patch grid.
        out_channels: Channels to predict: 3 for pixels, the teacher's width for features.
        out_patch_size: Side of the patch to predict; 1 for features.

    Raises:
        ValueError: If ``depth`` is less than 1 or the width is smaller than ``num_heads``.
    """

    def __init__(
        self,
        embed_dims: int | None = None,
        depth: int = 2,
        context_layer: int | None = None,
        *,
        encoder_dims: int,
        num_heads: int,
        grid: tuple[int, int],
        out_channels: int,
        out_patch_size: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        embed_dims = embed_dims or encoder_dims
        if depth < 1 or embed_dims < num_heads:
            raise ValueError(
                f'A decoder needs at least one block and a width of at least its {num_heads} '
                f'heads, found depth={depth} and embed_dims={embed_dims}; change them.'
            )
        self.context_layer = context_layer
        self.embed = nn.Linear(encoder_dims, embed_dims)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.register_buffer('pos_embed', sincos_position_embedding(grid, embed_dims))
        context_dims = None if context_layer is None else encoder_dims
        self.blocks = ModuleList(
            DecoderBlock(embed_dims, context_dims, num_heads) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        if out_patch_size == 1:
            self.head = nn.Linear(embed_dims, out_channels)
        else:
            self.head = PatchProjection(embed_dims, out_channels, out_patch_size)

    def init_weights(self) -> None:
        """Initialise as the authors' release does."""
        super().init_weights()
        init_linears_(self)
        if isinstance(self.head, PatchProjection):
            self.head.reset_parameters()
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)

    def forward(
        self,
        latent_BTD: Tensor,
        context_BTD: Tensor | None,
        ids_masked_BM: Tensor,
        *,
        num_predicted: int | None = None,
        predict_visible: bool = False,
    ) -> Tensor:
        """Predict (eq. 2 and 3).

        Tokens stay in the order [class, visible, masked]: self-attention has no order of its own.

        Args:
            latent_BTD: The encoder's normalised output for [class, visible].
            context_BTD: The injected context for [class, visible]; ignored without injection.
            ids_masked_BM: Indices of the masked patches.
            num_predicted: Predict this many masked patches, the first ones; all by default.
            predict_visible: Predict the visible patches too (for pictures; no loss reads them).

        Returns:
            ``(B, M, out_channels * out_patch_size**2)`` for the M predicted patches in the order of
            ``ids_masked_BM``, after those of the visible ones if ``predict_visible``.
        """
        mask_tokens_BME = self.mask_token + tokens.gather(self.pos_embed[:, 1:], ids_masked_BM)
        x = torch.cat([self.embed(latent_BTD), mask_tokens_BME], dim=1)
        for block in self.blocks[:-1]:
            x = block(x, context_BTD)
        num_encoded = latent_BTD.shape[1]
        end = None if num_predicted is None else num_encoded + num_predicted
        rows = slice(1 if predict_visible else num_encoded, end)
        return self.head(self.norm(self.blocks[-1](x, context_BTD, rows)))
