"""The encoder: a plain pre-norm ViT that sees only the visible patches (paper, section 3.1).

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import ModuleList
from mmengine.registry import WEIGHT_INITIALIZERS
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from . import tokens
from .block import EncoderBlock
from .loading import load_encoder_file
from .position import Grid, sincos_of_new_grid, sincos_position_embedding
from .projection import init_linears_


@MODELS.register_module()
class BootMAEViT(VisionTransformer):
    """ViT of BootMAE: mmpretrain's :class:`VisionTransformer`, with the same keys, so that one
    checkpoint serves pretraining, classification, segmentation and detection.

    What it adds: fixed sin-cos position embedding, no key bias, :meth:`encode` on a subset of the
    patches with named intermediates, the release's initialisation, relative position bias for
    dense tasks, and ``'small'`` meaning ViT-S (384 wide, 12 blocks, 6 heads).

    Args:
        arch: 'small', 'base', 'large', 'huge' or a dict with ``embed_dims``, ``num_layers``,
            ``num_heads`` and ``feedforward_channels``.
        drop_path_rate: Stochastic depth of the last block; it grows linearly from 0.
        layer_scale_init_value: Start of the layer scale; 0 for none.
        relative_position_bias: Add a table of biases to each block's attention scores, starting
            at zero (the release's segmentation model; the paper's text has none).
        train_pos_embed: Train the position embedding (the release's segmentation model does).
        new_grid_pos_embed: Position embedding of images of another grid than that of ``img_size``:
            'resize' the stored one bicubically (paper, release), or 'sincos' for the fixed one of
            that grid, in which neighbours are as far apart as in pretraining.
        window_size: Side, in patches, of the windows that attention is restricted to in all blocks
            but ``global_blocks``, for large images; the weights are the same. None for global
            attention throughout.
        global_blocks: Blocks (from 0) that keep global attention.
        norm_cfg: Config of the norms.
        **kwargs: Settings of :class:`mmpretrain.models.VisionTransformer`: ``img_size``,
            ``patch_size``, ``out_indices``, ``out_type``, ``final_norm``, ``frozen_stages``,
            ``init_cfg``, which may also be a :class:`PretrainedEncoder`.

    Raises:
        ValueError: If ``arch`` is not known or incomplete, the heads do not divide the width or 4
            does not, one of ``out_indices`` or ``global_blocks`` is not one of its blocks,
            windows are combined with relative position bias, or 'sincos' with a trained position
            embedding.
    """

    arch_zoo = {
        **VisionTransformer.arch_zoo,
        **dict.fromkeys(['s', 'small'], VisionTransformer.arch_zoo['deit-small']),
    }

    def __init__(
        self,
        arch: str | dict = 'base',
        drop_path_rate: float = 0.0,
        layer_scale_init_value: float = 0.0,
        relative_position_bias: bool = False,
        train_pos_embed: bool = False,
        new_grid_pos_embed: str = 'resize',
        window_size: int | None = None,
        global_blocks: Sequence[int] = (),
        norm_cfg: dict = dict(type='LN', eps=1e-6),  # noqa: B006  (never changed)
        **kwargs,
    ) -> None:
        settings = self.settings_of(arch)
        num_heads, num_layers = settings['num_heads'], settings['num_layers']
        require_blocks(kwargs.get('out_indices', -1), num_layers)
        super().__init__(arch=arch, norm_cfg=norm_cfg, **kwargs)
        if new_grid_pos_embed not in ('resize', 'sincos'):
            raise ValueError(
                f"new_grid_pos_embed must be 'resize' or 'sincos', found {new_grid_pos_embed!r}."
            )
        self.sincos_for_new_grids = new_grid_pos_embed == 'sincos'
        if not {*global_blocks} <= {*range(self.num_layers)}:
            raise ValueError(
                f'global_blocks are counted from 0 to {self.num_layers - 1} in this encoder, found '
                f'{list(global_blocks)}; change them.'
            )
        self.layers = ModuleList(
            EncoderBlock(
                bias_grid=self.patch_resolution if relative_position_bias else None,
                window_size=None if index in global_blocks else window_size,
                embed_dims=self.embed_dims,
                num_heads=num_heads,
                feedforward_channels=self.arch_settings['feedforward_channels'],
                drop_path_rate=rate,
                layer_scale_init_value=layer_scale_init_value,
                norm_cfg=norm_cfg,
            )
            for index, rate in enumerate(np.linspace(0, drop_path_rate, self.num_layers).tolist())
        )
        self.pos_embed.requires_grad_(train_pos_embed)
        self._fill_pos_embed()
        self._check_fixed_pos_embed()
        if self.frozen_stages > 0:
            self._freeze_stages()

    @classmethod
    def settings_of(cls, arch: str | dict) -> dict[str, int]:
        """``embed_dims``, ``num_layers``, ``num_heads``, ``feedforward_channels`` of an ``arch``.

        Raises:
            ValueError: If it is not known or incomplete, or the heads do not divide the width.
        """
        if isinstance(arch, str) and arch.lower() not in cls.arch_zoo:
            raise ValueError(
                f'Expected arch to be one of {", ".join(sorted(cls.arch_zoo))}, or a dict, found '
                f'{arch!r}; choose one.'
            )
        settings = cls.arch_zoo[arch.lower()] if isinstance(arch, str) else arch
        missing = [name for name in cls.arch_zoo['base'] if name not in settings]
        if missing:
            raise ValueError(
                f'Expected {", ".join(cls.arch_zoo["base"])} in arch, found no '
                f'{", ".join(missing)}; add it.'
            )
        if settings['embed_dims'] % settings['num_heads']:
            raise ValueError(
                f'The number of heads must divide the width, found {settings["num_heads"]} heads '
                f'and width {settings["embed_dims"]}; change num_heads or embed_dims in arch.'
            )
        return settings

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.patch_embed.projection.in_channels

    @torch.no_grad()
    def _fill_pos_embed(self) -> None:
        embedding = sincos_position_embedding(self.patch_resolution, self.embed_dims)
        self.pos_embed.copy_(embedding[:, -self.pos_embed.shape[1] :])

    def _check_fixed_pos_embed(self) -> None:
        if not self.sincos_for_new_grids or self.pos_embed.is_meta:
            return
        fixed = sincos_position_embedding(self.patch_resolution, self.embed_dims)
        fixed = fixed[:, -self.pos_embed.shape[1] :].to(self.pos_embed)
        trained = self.pos_embed.requires_grad
        if trained or not torch.allclose(self.pos_embed, fixed, atol=1e-3):
            raise ValueError(
                "new_grid_pos_embed='sincos' expects the fixed sin-cos position embedding, found a "
                "trained one; use 'resize'."
            )

    def init_weights(self) -> None:
        """Initialise as the authors' release does, or load ``init_cfg``'s weights.

        :class:`PretrainedEncoder` loads every tensor or fails, and so does ``Pretrained`` here,
        with or without its ``prefix``: mmengine's own only logs a warning when nothing fits.
        """
        cfg = self.init_cfg if isinstance(self.init_cfg, dict) else {}
        if cfg.get('type') in ('PretrainedEncoder', 'Pretrained'):
            PretrainedEncoder(cfg['checkpoint'], cfg.get('prefix'))(self)
            return
        super().init_weights()
        init_linears_(self.layers)
        self._fill_pos_embed()
        if self.cls_token is not None:
            nn.init.normal_(self.cls_token, std=1e-6)
        projection = self.patch_embed.projection
        bound = math.sqrt(6 / (projection.weight[0].numel() + self.embed_dims))
        nn.init.uniform_(projection.weight, -bound, bound)
        nn.init.zeros_(projection.bias)

    def encode(
        self,
        images_BCHW: Tensor,
        ids_BK: Tensor | None = None,
        taps: Sequence[int] = (),
        num_blocks: int | None = None,
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Encode the class token and a subset of the patches.

        Args:
            images_BCHW: Normalised images.
            ids_BK: Indices of the patches to encode, row-major; None for all of them. R times as
                many rows as images are R subsets of each image, one after the other.
            taps: Blocks (from 0) whose output is wanted as well.
            num_blocks: How many blocks to run; all of them by default.

        Returns:
            The output of the last block run *before* the final norm, ``(B, 1 + K, D)`` in the order
            of ``ids_BK``, class token first; and ``{block: output}`` for every tap, un-normalised.

        Raises:
            ValueError: If patches are chosen and a block has windowed attention.
        """
        x, grid = self._embed(images_BCHW, ids_BK)
        tapped = {}
        for index, layer in enumerate(self.layers[:num_blocks]):
            x = layer(x, grid)
            if index in taps:
                tapped[index] = x
        return x, tapped

    def encode_patches(self, images_BCHW: Tensor, ids_BK: Tensor) -> Tensor:
        """What :meth:`encode` gives for patches ``ids_BK`` when it sees the whole image,
        ``(B, K, D)``; the last block computes no other rows."""
        x, grid = self._embed(images_BCHW)
        for layer in self.layers[:-1]:
            x = layer(x, grid)
        return self.layers[-1](x, grid, ids_BK + 1)

    def _embed(self, images_BCHW: Tensor, ids_BK: Tensor | None = None) -> tuple[Tensor, Grid]:
        """The first block's input, and the grid of the image."""
        grid = self._grid(images_BCHW)
        pos_embed = self._pos_embed_of(grid)
        places = pos_embed[:, 1:]
        if ids_BK is not None:
            self._require_global_attention()
            places = tokens.gather(places, ids_BK)
        x = self._project(images_BCHW, ids_BK) + places
        class_token = self.cls_token + pos_embed[:, :1]
        x = torch.cat([class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.pre_norm(self.drop_after_pos(x)), grid

    def _require_global_attention(self) -> None:
        if any(layer.attn.window_size for layer in self.layers):
            raise ValueError(
                'Windowed attention expects the whole grid of patches, found a subset of them; '
                'set window_size=None for pretraining.'
            )

    def _project(self, images_BCHW: Tensor, ids_BK: Tensor | None) -> Tensor:
        """The patch projection of patches ``ids_BK`` alone, or of all: a product where the patches
        fill the image, as cuDNN's convolution took 2 % of a step of pretraining on an H200."""
        projection = self.patch_embed.projection
        side, other_side = projection.kernel_size
        if side != other_side or any(length % side for length in images_BCHW.shape[2:]):
            x = self.patch_embed(images_BCHW)[0]
            return x if ids_BK is None else tokens.gather(x, ids_BK)
        patches_BNP = tokens.patchify(images_BCHW, side).flatten(2)
        patches_BKP = patches_BNP if ids_BK is None else tokens.gather(patches_BNP, ids_BK)
        return F.linear(patches_BKP, projection.weight.flatten(1), projection.bias)

    def _pos_embed_of(self, grid: Grid) -> Tensor:
        if self.sincos_for_new_grids and tuple(grid) != tuple(self.patch_resolution):
            return sincos_of_new_grid(
                tuple(grid), self.embed_dims, self.pos_embed.device, self.pos_embed.dtype
            )
        return resize_pos_embed(
            self.pos_embed, self.patch_resolution, grid, self.interpolate_mode, 1
        )

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Features of the blocks ``out_indices`` in the form ``out_type``, as in mmpretrain; the
        last block's go through the final norm unless ``final_norm=False``."""
        _, tapped = self.encode(
            images_BCHW, taps=self.out_indices, num_blocks=max(self.out_indices) + 1
        )
        last, grid = self.num_layers - 1, self._grid(images_BCHW)
        if self.final_norm and last in tapped:
            tapped[last] = self.ln1(tapped[last])
        return tuple(self._format_output(tapped[index], grid) for index in self.out_indices)

    def train(self, mode: bool = True) -> 'BootMAEViT':
        """Set training or evaluation mode; frozen blocks stay in evaluation mode."""
        super().train(mode)
        return self

    def _grid(self, images_BCHW: Tensor) -> tuple[int, int]:
        """Patches per column and row; sides that the patch does not divide are padded."""
        sides = self.patch_embed.projection.kernel_size
        return tuple(
            -(-length // side) for length, side in zip(images_BCHW.shape[2:], sides, strict=True)
        )


@WEIGHT_INITIALIZERS.register_module()
class PretrainedEncoder:
    """``init_cfg=dict(type='PretrainedEncoder', checkpoint=path)``: an encoder starts with all the
    weights of a checkpoint in any layout that :func:`.loading.load_encoder` reads.

    Args:
        checkpoint: A file, or an address on the web.
        prefix: Which encoder of the file is meant, where there are several that cannot be told
            apart (``'teacher.backbone.'``); the layout is recognised without it.
    """

    def __init__(self, checkpoint: str, prefix: str | None = None) -> None:
        self.checkpoint = checkpoint
        self.prefix = prefix

    def __call__(self, encoder: BootMAEViT) -> None:
        """Load and log what was loaded.

        Raises:
            ValueError: If the model is no ``BootMAEViT``, whose parts would be initialised anew
                afterwards, or the checkpoint does not fit.
        """
        if not isinstance(encoder, BootMAEViT):
            raise ValueError(
                'Expected the init_cfg PretrainedEncoder in a BootMAEViT, found it in a '
                f"{type(encoder).__name__}; use mmengine's Pretrained with its prefix there."
            )
        report = load_encoder_file(encoder, self.checkpoint, self.prefix)
        print_log(f'{self.checkpoint}: {report}', logger='current')
        encoder._check_fixed_pos_embed()


def require_blocks(indices: int | Sequence[int], num_layers: int) -> None:
    """Check that ``out_indices`` are blocks of an encoder.

    Raises:
        ValueError: If not.
    """
    indices = [indices] if isinstance(indices, int) else list(indices)
    if not all(-num_layers <= index < num_layers for index in indices):
        raise ValueError(
            f'The encoder has blocks 0 to {num_layers - 1}, found out_indices={indices}; choose '
            'some of them, or -1 for the last.'
        )
