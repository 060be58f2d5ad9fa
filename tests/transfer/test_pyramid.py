"""The four-scale adapter against the release's numbers, plain loops and functional operations."""

import math

import mmdet.registry
import mmpretrain.registry
import mmseg.registry
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from mmengine.model import revert_sync_batchnorm
from torch import Tensor, nn

from bootmae_mm.checkpoint import pyramid_from_release
from bootmae_mm.transfer import FourScalePyramid
from tests.helpers.paths import GOLDEN

REGISTRIES = mmdet.registry, mmpretrain.registry, mmseg.registry
BN = dict(type='BN')


def double(x: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """A transposed convolution with kernel = stride = 2, pixel by pixel."""
    batch, _, height, width = x.shape
    out = torch.empty(batch, layer.out_channels, 2 * height, 2 * width)
    for row in range(2 * height):
        for column in range(2 * width):
            pixel = x[:, :, row // 2, column // 2]
            out[:, :, row, column] = pixel @ layer.weight[:, :, row % 2, column % 2] + layer.bias
    return out


def pool(x: Tensor, side: int) -> Tensor:
    """The largest value of every whole square of ``side`` pixels."""
    height, width = x.shape[2] // side, x.shape[3] // side
    out = torch.empty(*x.shape[:2], height, width)
    for row in range(height):
        for column in range(width):
            y, z = row * side, column * side
            out[:, :, row, column] = x[:, :, y : y + side, z : z + side].amax((2, 3))
    return out


def expected(pyramid: FourScalePyramid, scale: float, x: Tensor) -> Tensor:
    """Scale 4 in training mode: normalised by the batch's own mean and biased variance."""
    if scale == 4:
        first, norm, _, second = pyramid.upsample_4x
        x = double(x, first)
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), False, keepdim=True)
        x = (x - mean) / (variance + 1e-5).sqrt()
        x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
        return double(x * 0.5 * (1 + torch.erf(x / math.sqrt(2))), second)
    if scale == 2:
        return double(x, pyramid.upsample_2x[0])
    return x if scale == 1 else pool(x, round(1 / scale))


@pytest.mark.parametrize(
    'scales', [(4, 2, 1, 0.5), (0.25, 1, 4), (2, 1, 0.5, 0.25), [1], (0.5, 0.25, 4, 1, 2)]
)
def test_every_scale_matches_plain_loops_in_any_order(scales):
    pyramid = FourScalePyramid(6, scales)
    for p in pyramid.parameters():
        nn.init.normal_(p)
    maps = [torch.randn(2, 6, 5 + level, 9 - level) for level in range(len(scales))]
    outs = pyramid(maps)
    assert isinstance(outs, tuple) and len(outs) == len(scales)
    for scale, x, out in zip(scales, maps, outs, strict=True):
        size = [int(length * scale) for length in x.shape[2:]]
        assert list(out.shape) == [2, 6, *size]
        torch.testing.assert_close(out, expected(pyramid, scale, x), rtol=1e-4, atol=1e-4)


def test_it_is_the_releases_adapter():
    golden = np.load(GOLDEN / 'seg_backbone_tiny.npz')
    release = {
        name.removeprefix('state/'): torch.from_numpy(golden[name])
        for name in golden.files
        if name.startswith('state/fpn')
    }
    pyramid = FourScalePyramid(32, norm_cfg=BN).eval()
    pyramid.load_state_dict(pyramid_from_release(release))
    level_2 = torch.from_numpy(golden['level2'])  # scale 1: the only map known before scaling
    up4, up2, same, half = pyramid([level_2] * 4)

    def transposed(name: str, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, release[f'{name}.weight'], release[f'{name}.bias'], stride=2)

    norm = [release[f'fpn1.1.{leaf}'] for leaf in ('running_mean', 'running_var', 'weight', 'bias')]
    middle = F.gelu(F.batch_norm(transposed('fpn1.0', level_2), *norm))
    torch.testing.assert_close(up4, transposed('fpn1.3', middle))
    torch.testing.assert_close(up2, transposed('fpn2.0', level_2))
    torch.testing.assert_close(same, level_2)
    torch.testing.assert_close(half, F.max_pool2d(level_2, 2))


@pytest.mark.parametrize('registry', REGISTRIES)
def test_every_toolbox_finds_it_also_in_a_list_of_necks(registry):
    necks = registry.MODELS.build([dict(type='FourScalePyramid', embed_dims=4, scales=(2, 0.5))])
    up, down = necks([torch.ones(1, 4, 4, 6)] * 2)
    assert (up.shape, down.shape) == ((1, 4, 8, 12), (1, 4, 2, 3))


@pytest.fixture
def gloo(tmp_path):
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/group', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def on(device: str, monkeypatch) -> None:
    monkeypatch.setattr('bootmae_mm.transfer.pyramid.get_device', lambda: device)


def test_a_distributed_cpu_trains_with_plain_batch_norm(gloo, monkeypatch):
    x = torch.randn(2, 4, 3, 3)
    on('cpu', monkeypatch)
    pyramid = FourScalePyramid(4, (4,))
    assert type(pyramid.upsample_4x[1]) is nn.BatchNorm2d
    pyramid([x])[0].square().sum().backward()
    assert pyramid.upsample_4x[0].weight.grad.norm() > 0
    on('cuda', monkeypatch)
    with pytest.raises(ValueError, match='SyncBatchNorm expected input tensor to be on GPU'):
        FourScalePyramid(4, (4,))([x])  # the reason for the fallback


def test_gpus_get_synchronised_batch_norm_with_the_same_names(monkeypatch):
    on('cuda', monkeypatch)
    synchronised = FourScalePyramid(4, (4,))
    assert isinstance(synchronised.upsample_4x[1], nn.SyncBatchNorm)
    on('cpu', monkeypatch)
    local = FourScalePyramid(4, (4,))
    local.load_state_dict(synchronised.state_dict())
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(local([x]), revert_sync_batchnorm(synchronised)([x]))


def test_the_norm_can_be_chosen():
    pyramid = FourScalePyramid(4, (4,), norm_cfg=dict(type='GN', num_groups=2))
    assert type(pyramid.upsample_4x[1]) is nn.GroupNorm


@pytest.mark.parametrize('scales', [(4, 3), (2, 2), ()])
def test_unknown_repeated_or_no_scales_are_refused(scales):
    with pytest.raises(ValueError, match='Expected scales out of 4, 2, 1, 0.5, 0.25, each at most'):
        FourScalePyramid(4, scales)


def test_a_wrong_number_of_maps_is_refused():
    with pytest.raises(ValueError, match='each of the 4 scales, found 3'):
        FourScalePyramid(4)([torch.ones(1, 4, 4, 4)] * 3)


def test_maps_too_small_to_be_pooled_are_refused():
    with pytest.raises(ValueError, match='at least 4 rows and columns, found 3 × 9'):
        FourScalePyramid(4, (0.25,))([torch.ones(1, 4, 3, 9)])
