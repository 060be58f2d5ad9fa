"""Whole training steps to be compared: the reference, ours and mmpretrain's MAE.

Every one starts from the same uint8 images, which are on the device already, and ends with the
weights updated: normalising, forward, backward, AdamW and, where there is one, the teacher. Masks
come with the images, on the host, for the reference and ours; MAE draws its own on the device.

All but the reference have the optimiser wrapper of our pretraining config. MAE's own config has
loss scaling and plain AdamW instead, which take longer: what ours gains over MAE is not that.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import NamedTuple

import mmpretrain
import numpy as np
import products
import reference
import torch
from mmcv.cnn.bricks import DropPath
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import FUNCTIONS, DefaultScope
from mmpretrain.registry import DATASETS, HOOKS, MODELS
from PIL import Image
from torch import nn

from bootmae_mm.data.sampling import SampleKey
from bootmae_mm.engine.memory import checkpoint_blocks
from bootmae_mm.pretrain.compiling import compile_blocks

CONFIGS = Path(__file__).parent.parent / 'configs/pretrain'
MAE_CONFIGS = Path(mmpretrain.__file__).parent / '.mim/configs/mae'
ARCHS = dict(base='b', large='l', tiny='b')  # ours and the letter in the configs' names
MAE_NAME = dict(
    base='mae_vit-base-p16_8xb512-amp-coslr-800e_in1k.py',
    large='mae_vit-large-p16_8xb512-amp-coslr-800e_in1k.py',
)
TINY = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)
KINDS = ('reference', 'ours', 'mae')
LEARNING_RATE = 1e-6  # too small to do anything, in particular to diverge
PICTURES = 16  # different ones in a batch
COMPILER: dict = {}  # options of torch.compile beside static shapes


class Contestant(NamedTuple):
    """A model with its training step; calling it takes a step on its batch.

    Args:
        model: The model, our data preprocessor's or mmpretrain's in it.
        train: Takes a step on a batch.
        data: The batch, images on the device and masks on the host.
        products: The matrix products of a step on so many images.
    """

    model: nn.Module
    train: Callable[[dict], object]
    data: dict
    products: Callable[[int], list[products.Product]]

    def __call__(self) -> object:
        """Take a step."""
        return self.train(self.data)

    def of(self, batch: int) -> 'Contestant':
        """The same with the first ``batch`` images only."""
        return self._replace(data={name: part[:batch] for name, part in self.data.items()})

    def with_fraction(self, fraction: float) -> Callable[[], object]:
        """A step of ours whose teacher sees a share of the image (Table 5)."""

        def step() -> object:
            self.model.teacher.fraction = fraction
            return self()

        return step

    @property
    def batch(self) -> int:
        """Images in a step."""
        return len(self.data['inputs'])


def load_config(arch: str) -> Config:
    """Our pretraining config for 'base', 'large', or 'tiny', which is for tests.

    Raises:
        ValueError: If ``arch`` is none of these.
    """
    if arch not in ARCHS:
        raise ValueError(f'arch must be one of {", ".join(ARCHS)}, found {arch!r}.')
    cfg = Config.fromfile(CONFIGS / f'bootmae_vit{ARCHS[arch]}_800e.py')
    cfg.optim_wrapper.optimizer.lr = LEARNING_RATE
    if arch == 'tiny':
        cfg.model.backbone.update(arch=TINY, img_size=32, patch_size=8)
        cfg.model.regressor.embed_dims = 16
        for transform in cfg.train_dataloader.dataset.pipeline:
            if 'scale' in transform:
                transform.scale = 32
            if 'num_masked' in transform:
                transform.update(grid=4, num_masked=12, num_blocked=10, block_size=(2, 5))
    return cfg


def load_mae(arch: str) -> Config:
    """mmpretrain's own config of MAE, from what it is installed with.

    Raises:
        ValueError: If it is installed without configs.
    """
    path = MAE_CONFIGS / MAE_NAME.get(arch, MAE_NAME['base'])
    if not path.is_file():
        raise ValueError(
            f"Expected mmpretrain's configs with the package, found no {path}; install it with pip."
        )
    cfg = Config.fromfile(path)
    if arch == 'tiny':
        cfg.model.backbone.update(arch=TINY, img_size=32, patch_size=8)
        cfg.model.neck.update(
            num_patches=16, patch_size=8, embed_dim=24, decoder_embed_dim=16, decoder_depth=2,
            decoder_num_heads=4,
        )  # fmt: skip
        cfg.model.head.patch_size = 8
    return cfg


@lru_cache(maxsize=4)
def make_batch(arch: str, count: int, num_masks: int = 1) -> dict:
    """A batch of random pictures through our pipeline and its collation, images on the device."""
    cfg = load_config(arch)
    rng = np.random.default_rng(0)
    loader = cfg.train_dataloader
    for transform in loader.dataset.pipeline:
        if 'num_masked' in transform:
            transform.num_masks = num_masks
    with TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope(cfg.default_scope):
        for index in range(PICTURES):
            pixels = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path(folder) / f'{index:02}.jpg')
        loader.dataset.update(data_root=folder, serialize_data=False)
        dataset = DATASETS.build(loader.dataset)
        keys = (SampleKey(0, index // PICTURES, index % PICTURES) for index in range(count))
        batch = FUNCTIONS.get(loader.collate_fn.type)([dataset[key] for key in keys])
    batch['inputs'] = batch['inputs'].to(get_device())
    return batch


def build(
    kind: str,
    arch: str,
    batch: int,
    dtype: str,
    compiled: bool = False,
    checkpointed: bool = False,
) -> Contestant:
    """A contestant with random weights on mmengine's device, the GPU if there is one.

    Args:
        kind: 'reference', 'ours' or 'mae'.
        arch: 'base', 'large', or 'tiny'.
        batch: Images in a step.
        dtype: 'float32', or 'bfloat16' for mixed precision.
        compiled: Compile the blocks of ours or of MAE.
        checkpointed: Let our blocks be computed again in the backward pass.

    Raises:
        ValueError: If ``kind`` or ``arch`` is none of those.
    """
    if kind not in KINDS:
        raise ValueError(f'kind must be one of {", ".join(KINDS)}, found {kind!r}.')
    MMLogger.get_instance('benchmark').setLevel('WARNING')
    cfg = load_config(arch)
    cfg.optim_wrapper.dtype = dtype
    torch.backends.cudnn.benchmark = cfg.env_cfg.cudnn_benchmark
    data = make_batch(arch, batch)
    torch.manual_seed(0)
    if kind == 'mae':
        return build_mae(load_mae(arch), cfg, data, compiled)
    model = build_model(cfg.model)
    if kind == 'reference':
        return build_reference(model, data, dtype)
    if checkpointed:
        checkpoint_blocks(model.backbone, model.regressor, model.predictor)
    if compiled:
        compile_blocks(model, **COMPILER)
    return build_ours(model, cfg, data)


def build_model(cfg: dict) -> nn.Module:
    """A model on the device, in training mode, with the random weights that its layers start with:
    ``init_weights`` takes long and does not change how long a step takes."""
    return MODELS.build(cfg).to(get_device()).train()


def build_ours(model: nn.Module, cfg: Config, data: dict) -> Contestant:
    """``train_step`` as mmengine's loop calls it, followed by the teacher's hook."""
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    hook = HOOKS.build(cfg.custom_hooks.teacher)
    run = SimpleNamespace(model=model, optim_wrapper=wrapper, iter=0, epoch=0)
    hook.before_train(run)
    hook.before_train_epoch(run)
    counted = partial(products.ours, sizes(model, data))
    return Contestant(model, partial(model.train_step, optim_wrapper=wrapper), data, counted)


def build_reference(ours: nn.Module, data: dict, dtype: str) -> Contestant:
    """The reference with the weights of ours."""
    model = reference.Reference(ours).to(get_device())
    optimizer = reference.build_optimizer(model, LEARNING_RATE)
    counted = partial(products.reference, sizes(ours, data))
    preprocess = ours.data_preprocessor

    def train(data: dict) -> dict[str, float]:
        images = preprocess(data, training=True)['inputs']
        ids = ids_of(data['data_samples'], images.device)
        return reference.take_step(model, optimizer, images, ids, getattr(torch, dtype))

    return Contestant(model, train, data, counted)


def build_mae(cfg: Config, ours: Config, data: dict, compiled: bool) -> Contestant:
    """MAE's model and normalisation, with the optimiser wrapper of ours."""
    model = build_model(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    if compiled:
        for layer in filter(lambda layer: isinstance(layer, DropPath), model.modules()):
            layer.drop_prob = float(layer.drop_prob)  # NumPy's zero would break every graph
        for block in (*model.backbone.layers, *model.neck.decoder_blocks):
            block.compile(dynamic=False, **COMPILER)
    wrapper = build_optim_wrapper(model, ours.optim_wrapper)
    backbone, neck = model.backbone, cfg.model.neck
    num_masked = backbone.num_patches - int(backbone.num_patches * (1 - backbone.mask_ratio))
    counted = partial(
        products.mae,
        encoder_sizes(backbone, num_masked),
        width=neck.decoder_embed_dim,
        depth=neck.decoder_depth,
        num_heads=neck.decoder_num_heads,
    )
    return Contestant(model, partial(model.train_step, optim_wrapper=wrapper), data, counted)


def ids_of(samples: list, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices of the visible and of the masked patches, on the device."""
    names = ('ids_visible', 'ids_masked')
    rows = ([torch.as_tensor(sample.get(name)) for sample in samples] for name in names)
    return tuple(torch.stack(list(ids)).to(device, non_blocking=True) for ids in rows)


def encoder_sizes(backbone: nn.Module, num_masked: int) -> products.Sizes:
    """Of a ViT of mmpretrain; there is no decoder in it."""
    projection = backbone.patch_embed.projection
    return products.Sizes(
        dims=backbone.embed_dims,
        hidden=backbone.arch_settings['feedforward_channels'],
        depth=backbone.num_layers,
        num_heads=backbone.arch_settings['num_heads'],
        patch_values=projection.weight[0].numel(),
        num_patches=backbone.patch_resolution[0] * backbone.patch_resolution[1],
        num_masked=num_masked,
        decoder_dims=0,
        decoder_depth=0,
    )


def sizes(model: nn.Module, data: dict) -> products.Sizes:
    """Of our model, with as many masked patches as the batch has."""
    masked = torch.as_tensor(data['data_samples'][0].get('ids_masked')).shape[-1]
    return encoder_sizes(model.backbone, masked)._replace(
        decoder_dims=model.regressor.embed.out_features, decoder_depth=len(model.regressor.blocks)
    )
