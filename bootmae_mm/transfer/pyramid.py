"""The paper's four-scale adapter: feature maps of a plain ViT, all of one size, as a pyramid."""

import logging
from collections.abc import Sequence

from mmcv.cnn import build_norm_layer
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn

# Attribute that holds the operation of a scale; the names are those of mmseg's Feature2Pyramid.
NAMES = {
    4: 'upsample_4x',
    2: 'upsample_2x',
    1: 'identity',
    0.5: 'downsample_2x',
    0.25: 'downsample_4x',
}
SYNC_BN = dict(type='SyncBN')


@MODELS.register_module()
class FourScalePyramid(BaseModule):
    """A neck that rescales every feature map by its own factor (paper, appendix C).

    It serves mmseg, mmdet and mmpretrain alike. In front of another neck, give a list:
    ``neck=[dict(type='FourScalePyramid', embed_dims=768), dict(type='FPN', ...)]``.

    =====  ==============================================================================
    scale  operation
    =====  ==============================================================================
    4      transposed convolution 2×2, norm, GELU, transposed convolution 2×2
    2      transposed convolution 2×2
    1      identity
    1/2    max-pooling 2×2; of an odd size the last row or column is left out, as
           the output has ``h // 2`` rows and ``w // 2`` columns
    1/4    max-pooling 4×4; likewise ``h // 4`` and ``w // 4``
    =====  ==============================================================================

    Args:
        embed_dims: Channels C of every map, in and out.
        scales: One factor for every input map, in any order, each at most once.
        norm_cfg: The norm of scale 4. Without a GPU, SyncBN is built as BN: the two are the same
            in one process, and several have no synchronised kernel on CPUs, so that each then
            normalises by its own batch. In one process on a GPU, mmengine's Runner turns SyncBN
            into BN as well.
        init_cfg: Initialisation, see mmengine's ``BaseModule``; the default is PyTorch's own, like
            the authors' release.

    Raises:
        ValueError: If a scale is none of the five or is repeated, or there is none.
    """

    def __init__(
        self,
        embed_dims: int,
        scales: Sequence[float] = (4, 2, 1, 0.5),
        norm_cfg: dict = SYNC_BN,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.scales = tuple(scales)
        if not self.scales or len({*self.scales} & {*NAMES}) < len(self.scales):
            raise ValueError(
                f'Expected scales out of {", ".join(map(str, NAMES))}, each at most once, found '
                f'{list(scales)}; change scales.'
            )
        for scale in self.scales:
            self.add_module(NAMES[scale], _rescaling(scale, embed_dims, norm_cfg))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Rescale every map.

        Args:
            maps: One ``(B, C, h, w)`` per scale; sizes may differ between maps.

        Returns:
            One ``(B, C, h * scale, w * scale)`` per scale, rounded down.

        Raises:
            ValueError: If the number of maps is not that of the scales, or a map is too small to
                be pooled.
        """
        if len(maps) != len(self.scales):
            raise ValueError(
                f'Expected one feature map for each of the {len(self.scales)} scales, found '
                f"{len(maps)}; make scales and the backbone's out_indices equally long."
            )
        return tuple(self._rescale(scale, x) for scale, x in zip(self.scales, maps, strict=True))

    def _rescale(self, scale: float, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if min(height, width) * scale < 1:
            raise ValueError(
                f'Scale {scale} expects a feature map of at least {round(1 / scale)} rows and '
                f'columns, found {height} × {width}; enlarge the images.'
            )
        return getattr(self, NAMES[scale])(x)


def _rescaling(scale: float, embed_dims: int, norm_cfg: dict) -> nn.Module:
    if scale == 1:
        return nn.Identity()
    if scale < 1:
        return nn.MaxPool2d(round(1 / scale))
    if scale == 2:
        return nn.Sequential(_doubling(embed_dims))
    norm = _norm(norm_cfg, embed_dims)
    return nn.Sequential(_doubling(embed_dims), norm, nn.GELU(), _doubling(embed_dims))


def _doubling(embed_dims: int) -> nn.Module:
    return nn.ConvTranspose2d(embed_dims, embed_dims, kernel_size=2, stride=2)


def _norm(norm_cfg: dict, embed_dims: int) -> nn.Module:
    if norm_cfg['type'] == 'SyncBN' and get_device() == 'cpu':
        norm_cfg = {**norm_cfg, 'type': 'BN'}
        print_log(
            'SyncBN needs a GPU, so FourScalePyramid uses BN: every process normalises by the '
            'statistics of its own batch.',
            logger='current',
            level=logging.INFO,
        )
    return build_norm_layer(norm_cfg, embed_dims)[1]
