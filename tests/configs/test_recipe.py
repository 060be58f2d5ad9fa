"""Every number of the method, with its source, against what the shipped configs make of it.

``RECIPE`` is the method's table. A row says what a number is, where it stands, how it is read
from a config or from what is built from it, and its value: one for all configs of the section, or
one for each. What other configs change is in ``VARIANTS``.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache, cached_property, partial, reduce
from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, MODELS, TRANSFORMS, DefaultScope
from torch import nn

from bootmae_mm.data.cropping import RandomCropFlip
from bootmae_mm.encoder.position import sincos_position_embedding
from bootmae_mm.engine.total_batch import accumulation
from bootmae_mm.pretrain.bootmae import BootMAE
from bootmae_mm.pretrain.decoder import TargetAwareDecoder
from bootmae_mm.pretrain.heads import FeatureHead, PixelHead, patch_statistics
from bootmae_mm.pretrain.hooks import FeatureWeightHook
from bootmae_mm.pretrain.masking import BlockwiseMasking, place_blocks
from bootmae_mm.pretrain.teacher import MomentumTeacher
from bootmae_mm.transfer import FourScalePyramid
from tests.helpers.configs import build, changes, load, rates
from tests.helpers.paths import ROOT

LENGTH = 20  # steps in an epoch, for learning rates


class Setup:
    """A config, and what is built from it when it is first asked for."""

    def __init__(self, name: str) -> None:
        self.cfg = load(name)

    def scope(self):
        return DefaultScope.overwrite_default_scope(self.cfg.default_scope)

    @cached_property
    def model(self) -> nn.Module:
        return build(self.cfg)

    @property
    def encoder(self) -> nn.Module:
        return self.model.backbone

    @cached_property
    def preprocessor(self) -> nn.Module:
        """The model's with its values, which the model, without memory, lacks."""
        settings = {k: v for k, v in self.cfg.model.data_preprocessor.items() if k != 'type'}
        return type(self.model.data_preprocessor)(**settings)

    @cached_property
    def wrapper(self):
        with self.scope():
            return build_optim_wrapper(self.model, deepcopy(self.cfg.optim_wrapper))

    def settings(self, key: str, *names: str) -> list[float]:
        """Of an optimiser's parameters, such as their ``lr``."""
        groups = self.wrapper.param_groups
        found = {id(p): group[key] for group in groups for p in group['params']}
        return [found[id(self.model.get_parameter(name))] for name in names]

    @cached_property
    def rates(self) -> np.ndarray:
        """Learning rate of every step."""
        return rates(self.cfg, LENGTH)[:, 0]

    def transforms(self, pipeline: list[dict]) -> dict[str, object]:
        with self.scope():
            return {step.type: TRANSFORMS.build(step) for step in pipeline}

    @cached_property
    def train(self) -> dict[str, object]:
        """Transforms of training by their types."""
        return self.transforms(self.cfg.train_dataloader.dataset.pipeline)

    @cached_property
    def test(self) -> dict[str, object]:
        return self.transforms(self.cfg.test_dataloader.dataset.pipeline)

    def hook(self, name: str):
        return HOOKS.build(self.cfg.custom_hooks[name])


def default(part: Callable, name: str) -> Callable:
    """Reads what an argument is if it is not given."""
    return lambda setup: signature(part).parameters[name].default


def of_epochs(hook, setup: Setup, read: Callable, epochs: list[int]) -> list[float]:
    """What a hook sets in these epochs."""
    found = []
    for epoch in epochs:
        length = setup.cfg.train_cfg.max_epochs
        hook.before_train_epoch(SimpleNamespace(model=setup.model, epoch=epoch, max_epochs=length))
        found.append(read(setup.model))
    return found


def feature_weights(hook, setup: Setup) -> list[float]:
    return of_epochs(hook, setup, lambda model: model.feature_weight, [0, 100, 200, 800])


def teacher_decays(setup: Setup) -> list[float]:
    epochs = [0, 50, 100, 250, 400, 800]
    return of_epochs(setup.hook('teacher'), setup, lambda model: model.teacher.decay, epochs)


def tokens_of_teacher(setup: Setup) -> list[int]:
    """Patches that the teacher's first block sees, and those with a target, of 147 masked ones."""
    seen, teacher = [], setup.model.teacher
    teacher.encoder.layers[0].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[1] - 1)
    )
    with torch.device('meta'):
        ids_BK = setup.model.target_ids(torch.empty(1, 147, dtype=torch.long))
        teacher(torch.empty(1, 3, 224, 224), ids_BK)
    return [seen[0], ids_BK.shape[1]]


def strides(setup: Setup) -> list[int]:
    """Pixels of a 512-pixel image for one of each map of the pyramid."""
    pyramid = next(m for m in setup.model.modules() if type(m).__name__ == 'FourScalePyramid')
    maps = pyramid(setup.encoder(torch.empty(1, 3, 512, 512, device='meta')))
    return [512 // x.shape[-1] for x in maps]


def attention(decoder: str) -> Callable:
    """Of a decoder's first block: heads, their width, and what projects in, from there and out."""

    def read(setup: Setup) -> list[int]:
        layer = getattr(setup.model, decoder).blocks[0].cross_attn
        inner, dims = layer.q.weight.shape
        return [inner // layer.head_dims, layer.head_dims, dims, inner, layer.kv.weight.shape[1]]

    return read


def drawn_masks(setup: Setup) -> list[int]:
    mask = setup.train['BlockwiseMasking'](dict())
    return [len(mask['ids_visible']), len(mask['ids_masked'])]


def drop_path(setup: Setup) -> list[float]:
    return [block.attn.out_drop.drop_prob for block in setup.encoder.layers]


def turns_colours(setup: Setup) -> bool:
    """Whether a picture's channels are turned round, by either of the toolboxes' names for it."""
    settings = vars(setup.preprocessor)
    return settings.get('to_rgb', settings.get('_channel_conversion'))


def additions(setup: Setup) -> dict[str, int]:
    """Parameters of layer scale and relative positions, and in how many blocks."""
    names = [name.split('.', 2)[-1] for name, _ in setup.encoder.named_parameters()]
    return Counter(name for name in names if 'gamma' in name or 'relative' in name)


def epsilons(setup: Setup) -> set[float]:
    return {m.eps for m in setup.model.modules() if isinstance(m, nn.LayerNorm)}


def warm_up(setup: Setup) -> float:
    """Epochs until the rate is highest."""
    return (np.argmax(setup.rates > 0.9999 * setup.rates.max()) + 1) / LENGTH


def batch(setup: Setup) -> list[int]:
    """Samples of an optimiser step, those of a GPU, and accumulated batches on 8 GPUs."""
    total, loader = setup.hook('total_batch').total_batch_size, setup.cfg.train_dataloader
    assert loader.sampler.get('total_batch_size', total) == total
    return [total, loader.batch_size, accumulation(total, loader.batch_size, 8)]


def per_256(setup: Setup) -> float:
    """The highest learning rate, for a batch of 256."""
    return setup.rates.max() * 256 / setup.hook('total_batch').total_batch_size


def layer_decay(setup: Setup) -> list[float]:
    """Of patch embedding, first and last block: their part of the head's learning rate."""
    last = setup.encoder.num_layers - 1
    names = [f'layers.{block}.attn.qkv.weight' for block in (0, last)]
    names = [f'backbone.{name}' for name in ('patch_embed.projection.weight', *names)]
    found = setup.settings('lr', *names)
    return [rate / setup.cfg.optim_wrapper.optimizer.lr for rate in found]


def weight_decay(setup: Setup) -> list[float]:
    """Of matrices, and of what is spared."""
    block = 'backbone.layers.3'
    names = [f'{block}.ffn.layers.1.weight', f'{block}.attn.qkv.bias', f'{block}.ln1.weight']
    return setup.settings('weight_decay', *names, 'backbone.cls_token')


def mask_token_decay(setup: Setup) -> list[float]:
    return setup.settings('weight_decay', 'regressor.mask_token', 'predictor.mask_token')


def falls(setup: Setup) -> list[float]:
    """Epochs after which the rate falls at once, and to which part."""
    ends = setup.rates[LENGTH - 1 : -1 : LENGTH]
    parts = setup.rates[LENGTH::LENGTH] / ends
    return [x for epoch, part in enumerate(parts, 1) if part < 0.5 for x in (epoch, part)]


def ways_to_test(setup: Setup, index: int, name: str) -> list:
    """A setting of one transform in each of the ways to test a picture."""
    with setup.scope():
        ways = TRANSFORMS.build(setup.cfg.tta_pipeline[1]).subroutines
    return [getattr(way.transforms[index], name) for way in ways]


def start_of_head(setup: Setup) -> list[float]:
    """Deviation of a classifier's weights, and its largest bias."""
    with setup.scope():
        head = MODELS.build(setup.cfg.model.head)
    head.init_weights()
    return [head.fc.weight.std().item(), head.fc.bias.abs().max().item()]


def channels_of_heads(setup: Setup) -> list[int]:
    return [*setup.model.decode_head.in_channels, setup.model.auxiliary_head.in_channels]


def start_of_layer_scale(setup: Setup) -> list[float]:
    """Of a block built with memory, by itself."""
    gammas = setup.cfg.model.backbone.layer_scale_init_value
    block = type(setup.encoder.layers[0])(
        embed_dims=8, num_heads=2, feedforward_channels=8, layer_scale_init_value=gammas
    )
    return [block.attn.gamma1.weight[0].item(), block.ffn.gamma2.weight[0].item()]


near = partial(pytest.approx, rel=0.01)  # what mmengine's schedulers and random numbers are held to

S3, S41, S42, S44 = (f'paper, section {number}' for number in ('3.2 to 3.4', 4.1, 4.2, 4.4))
EQ6, APPENDIX_A, APPENDIX_C = 'paper, equation 6', 'paper, appendix A', 'paper, appendix C'
RELEASE = "authors' release"
TABLE_5 = 'paper, Table 5'
MAE = "authors' release, from MAE"
BEIT = "authors' release, from BEiT"
TIMM = "authors' release, by timm"
STACK = "mmdetection's default"
OURS = 'ours'

INPUT = [
    ('mean of the pixels', RELEASE, lambda s: s.preprocessor.mean.flatten().tolist(), [127.5] * 3),
    ('deviation of pixels', RELEASE, lambda s: s.preprocessor.std.flatten().tolist(), [127.5] * 3),
    ('BGR becomes RGB', RELEASE, turns_colours, True),
    ('side of a patch', S41, 'encoder.patch_embed.projection.stride', (16, 16)),
    ('epsilon of LayerNorm', RELEASE, epsilons, {1e-6}),
]
ENCODER = [
    ('size of images', S41, 'encoder.img_size', (224, 224)),
    ('width', S41, 'encoder.embed_dims', 768, 1024),
    ('blocks', S41, 'encoder.num_layers', 12, 24),
]
PLAIN = [
    ('layer scale or relative positions', S41, additions, {}),
    ('trained position embedding', RELEASE, 'encoder.pos_embed.requires_grad', False),
]  # fmt: skip
ADAMW = [
    ('optimiser', APPENDIX_C, lambda s: type(s.wrapper.optimizer).__name__, 'AdamW'),
    ('betas', RELEASE, 'wrapper.optimizer.defaults.betas', (0.9, 0.999)),
]
DECAY = ('weight decay of matrices, biases, norms, tokens', RELEASE, weight_decay, [0.05, 0, 0, 0])
FROM_0 = ('the warm-up begins at', RELEASE, lambda s: s.rates[0] / s.rates.max(), near(1e-6))
MIXED = ('mixed precision', OURS, lambda s: str(s.wrapper.dtype), 'torch.bfloat16')
DENSE = [
    ('encoder', S44, lambda s: [s.encoder.embed_dims, s.encoder.num_layers], [768, 12]),
    ('blocks', APPENDIX_C, lambda s: [i + 1 for i in s.encoder.out_indices], [4, 6, 8, 12]),
    ('their strides: ×4, ×2, ×1, ×1/2', APPENDIX_C, strides, [4, 8, 16, 32]),
    ('final norm', f'{RELEASE} of segmentation', 'encoder.final_norm', False),
    ('drop path', APPENDIX_C, drop_path, list(np.linspace(0, 0.1, 12))),
    ('batch, per GPU, accumulated', APPENDIX_C, batch, [16, 2, 1]),
    MIXED,
]

PRETRAIN = ['pretrain/bootmae_vitb_800e', 'pretrain/bootmae_vitl_800e']
LENGTHS = [
    f'pretrain/bootmae_{form}e'
    for form in ('vitb_200', 'vitb_300', 'vitl_300', 'vitb_400', 'vitb_1600')
]
TEACHERS = [
    'pretrain/bootmae_vitb_300e',
    *(f'pretrain/ablations/bootmae_vitb_300e_teacher_{share}' for share in (75, 50, 25)),
]
FINETUNE = ['finetune/bootmae_vitb_finetune_100e', 'finetune/bootmae_vitl_finetune_50e']
LINEAR = ['linear/bootmae_vitb_linear_90e', 'linear/bootmae_vitl_linear_50e']
SEG = ['seg/upernet_bootmae_vitb_160k', 'seg/upernet_bootmae_vitb_160k_release']
DETECTOR = 'det/mask_rcnn_bootmae_vitb_1x'
# title: (configs, rows of what, source, how it is read, value or one value for each config)
RECIPE = {
    'Pretraining: the model': (PRETRAIN, [
        *INPUT,
        *ENCODER,
        ('grid of patches', S41, 'model.grid', (14, 14)),
        ('tokens, with the class token', S41, 'encoder.pos_embed.shape.1', 197),
        ('temperature of the position embedding', RELEASE,
         lambda s: np.arcsin(sincos_position_embedding((2, 2), 768)[0, 4, 1].item()) ** -192,
         near(10000)),
        *PLAIN,
        ('heads', RELEASE, 'encoder.layers.0.attn.num_heads', 12, 16),
        ('MLP ratio', RELEASE,
         lambda s: s.encoder.layers[0].ffn.feedforward_channels / s.encoder.embed_dims, 4),
        ('drop path', RELEASE, lambda s: {*drop_path(s)}, {0}),
        ('depth of the regressor', S41, lambda s: len(s.model.regressor.blocks), 2),
        ('depth of the predictor', S41, lambda s: len(s.model.predictor.blocks), 2),
        ('width of the regressor', S41, 'model.regressor.embed.out_features', 512),
        ('width of the predictor', S41, 'model.predictor.embed.out_features', 768, 1024),
        ('block for the regressor', APPENDIX_A, lambda s: s.model.regressor.context_layer + 1, 1),
        ('block for the predictor', APPENDIX_A, lambda s: s.model.predictor.context_layer + 1, 12,
         24),
        ('regressor: heads, their width, from, inner and context width', RELEASE,
         attention('regressor'), [12, 42, 512, 504, 768], [16, 32, 512, 512, 1024]),
        ('predictor: heads, their width, from, inner and context width', RELEASE,
         attention('predictor'), [12, 64, 768, 768, 768], [16, 64, 1024, 1024, 1024]),
        ('MLP of the regressor', RELEASE, 'model.regressor.blocks.0.mlp.0.out_features', 4 * 512),
        ('predicted pixels', S3, lambda s: list(s.model.regressor.head.weight.shape),
         [512, 3, 16, 16]),
        ('predicted features', S3, 'model.predictor.head.out_features', 768, 1024),
    ]),
    'Pretraining: targets, masks, losses': (PRETRAIN, [
        ('pixels are normalised by', RELEASE, 'model.pixel_head.norm', 'channel'),
        ('added to the variance of pixels', RELEASE,
         lambda s: patch_statistics(torch.zeros(1, 1, 3, 9), 'channel')[1].max().item() ** 2,
         near(1e-5)),
        ('added to the variance of features, of which 1e-6 becomes 1/2', RELEASE,
         lambda s: FeatureHead().target(torch.tensor([1e-3, -1e-3]))[0].item() ** 2, near(0.5)),
        ('largest loss weight of a patch', RELEASE,
         lambda s: s.model.token_weights(torch.arange(196)[None]).max().item(), 2),
        ('loss weight of a lone patch', RELEASE,
         lambda s: s.model.token_weights(torch.tensor([[0]])).item(), near(1 + 1 / 9)),
        ('λ in epochs 0, 100, 200, 800', f'{EQ6}; ramp: {RELEASE}',
         lambda s: feature_weights(s.hook('feature_weight'), s), [4 / 800, 404 / 800, 1, 1]),
        ('visible and masked patches', f'{S41}: 75 %', drawn_masks, [49, 147]),
        ('patches in a block', APPENDIX_C, 'train.BlockwiseMasking.block_size', (16, 60)),
        ('patches in blocks', RELEASE, 'train.BlockwiseMasking.num_blocked', 120),
        ('the transforms', S41, lambda s: list(s.train),
         ['LoadAnyImage', 'RandomCropFlip', 'BlockwiseMasking', 'PackInputs']),
        ('size of a crop', S41, 'train.RandomCropFlip.scale', (224, 224)),
        ('area of a crop', f'{S41}, as MAE', 'train.RandomCropFlip.crop_ratio_range', (0.2, 1)),
        ('aspect ratio of a crop', f'{S41}, as MAE', 'train.RandomCropFlip.aspect_ratio_range',
         (3 / 4, 4 / 3)),
        ('flips', S41, 'train.RandomCropFlip.flip_prob', 0.5),
        ('redrawn crops', RELEASE, 'train.RandomCropFlip.redraw', True),
        ('largest roll', RELEASE, 'train.BlockwiseMasking.max_roll', 3),
    ]),
    'Pretraining: schedule': (PRETRAIN, [
        ('epochs', S41, 'cfg.train_cfg.max_epochs', 800),
        ('optimiser', f'{RELEASE}; Adam in the paper', *ADAMW[0][2:]),
        ('betas', RELEASE, ADAMW[1][2], (0.9, 0.95)),
        DECAY,
        ('weight decay of mask tokens', RELEASE, mask_token_decay, [0.05, 0.05]),
        ('batch, per GPU, accumulated', f'{S41}; per GPU: {OURS}', batch, [4096, 256, 2],
         [4096, 128, 4]),
        ('learning rate per 256', APPENDIX_C, per_256, near(1.5e-4)),
        ('learning rate', S41, lambda s: s.rates.max(), near(2.4e-3)),
        ('warm-up epochs', S41, warm_up, near(40)),
        FROM_0,
        ('last learning rate', RELEASE, lambda s: s.rates[-1], near(1e-4), near(1e-5)),
        ("the teacher's decay in epochs 0, 50, 100, 250, 400, 800", APPENDIX_C, teacher_decays,
         [0.999, 0.99945, 0.9999, 0.999945, 0.99999, 0.99999],
         [0.999, 0.99945, 0.9999, 0.9999, 0.9999, 0.9999]),
        MIXED,
    ]),
    'Pretraining: what classes have by default': (PRETRAIN[:1], [
        ('pixels are normalised by', RELEASE, lambda s: PixelHead().norm, 'channel'),
        ('centre weighting', APPENDIX_C, default(BootMAE, 'centre_weighting'), True),
        ('λ in epochs 0, 100, 200, 800', f'{EQ6}; ramp: {RELEASE}',
         lambda s: feature_weights(FeatureWeightHook(), s), [4 / 800, 404 / 800, 1, 1]),
        ('depth of a decoder', S41, default(TargetAwareDecoder, 'depth'), 2),
        ('patches in a block', APPENDIX_C, lambda s: BlockwiseMasking(14, 147).block_size,
         (16, 60)),
        ('patches in blocks', RELEASE, lambda s: BlockwiseMasking(14, 147).num_blocked, 120),
        ('aspect ratio of a block', BEIT, default(place_blocks, 'aspect_ratio'), (0.3, 1 / 0.3)),
        ('area of a crop', f'{S41}, as MAE', default(RandomCropFlip, 'crop_ratio_range'), (0.2, 1)),
        ("the teacher's decay", APPENDIX_C, lambda s: MomentumTeacher(nn.Identity()).decay, 0.999),
        ('share of the image that the teacher sees', TABLE_5, default(MomentumTeacher, 'fraction'),
         1),
        ('scales of the pyramid', APPENDIX_C, default(FourScalePyramid, 'scales'), (4, 2, 1, 0.5)),
    ]),
    'Pretraining: other lengths': (LENGTHS, [
        ('epochs', f'paper, Fig. 3, Tables 1 to 6; 400 and 1600: {OURS}',
         'cfg.train_cfg.max_epochs', 200, 300, 300, 400, 1600),
    ]),
    'Table 5: a cheaper teacher, 100, 75, 50, 25 %': (TEACHERS, [
        ('patches that the teacher sees, and with a target', TABLE_5, tokens_of_teacher, [196, 147],
         [147, 147], [98, 98], [49, 49]),
    ]),
    'Classification: fine-tuning': (FINETUNE, [
        *INPUT,
        *ENCODER,
        *PLAIN,
        ('epochs', S41, 'cfg.train_cfg.max_epochs', 100, 50),
        ('batch, per GPU, accumulated', RELEASE, batch, [2048, 256, 1], [1024, 128, 1]),
        ('learning rate', S41, lambda s: s.rates.max(), near(5e-3), near(1.5e-3)),
        ('warm-up epochs', S41, warm_up, near(20), near(5)),
        FROM_0,
        ('last learning rate', RELEASE, lambda s: s.rates[-1], near(1e-6)),
        ('rate of the patch embedding, the first and the last block', RELEASE, layer_decay,
         [0.6**13, 0.6**12, 0.6], [0.75**25, 0.75**24, 0.75]),
        ('optimiser', RELEASE, *ADAMW[0][2:]),
        ADAMW[1],
        DECAY,
        ('drop path', RELEASE, drop_path, list(np.linspace(0, 0.1, 12)),
         list(np.linspace(0, 0.1, 24))),
        ('mixing', RELEASE,
         lambda s: [(type(part).__name__, part.alpha)
                    for part in s.model.data_preprocessor.batch_augments.augments],
         [('Mixup', 0.8), ('CutMix', 1.0)]),
        ('label smoothing', RELEASE, 'model.head.loss_module.label_smooth_val', 0.1),
        ('RandAugment: level', TIMM, 'train.RandAugment.magnitude_level', 9),
        ('of', TIMM, 'train.RandAugment.total_level', 10),
        ('its deviation', TIMM, 'train.RandAugment.magnitude_std', 0.5),
        ('operations', TIMM, 'train.RandAugment.num_policies', 2),
        ('erased images', TIMM, 'train.RandomErasing.erase_prob', 0.25),
        ('least erased', TIMM, 'train.RandomErasing.min_area_ratio', 0.02),
        ('most erased', TIMM, 'train.RandomErasing.max_area_ratio', 1 / 3),
        ('aspect ratio erased', TIMM, 'train.RandomErasing.aspect_range', (0.3, 1 / 0.3)),
        ('size of a crop', S41, 'train.RandomResizedCrop.scale', (224, 224)),
        ('area of a crop', TIMM, 'train.RandomResizedCrop.crop_ratio_range', (0.08, 1)),
        ('resampling', RELEASE, 'train.RandomResizedCrop.interpolation', 'bicubic'),
        ('flips', RELEASE, 'train.RandomFlip.prob', 0.5),
        ('weights are averaged by', RELEASE, lambda s: 1 - s.hook('ema').ema_cfg['momentum'],
         0.9998),
        ('pooling', S41, 'encoder.out_type', 'avg_featmap'),
        ('final norm before it', RELEASE, 'encoder.final_norm', False),
        ('classes', S41, 'model.head.fc.out_features', 1000),
        ('start of the head', RELEASE, start_of_head, [near(2e-5), 0]),
        ('tested crop', S41, 'test.CenterCrop.crop_size', (224, 224)),
        MIXED,
    ]),
    'Classification: linear probe': (LINEAR, [
        *INPUT,
        *ENCODER,
        ('epochs', RELEASE, 'cfg.train_cfg.max_epochs', 90, 50),
        ('batch, per GPU, accumulated', RELEASE, batch, [16384, 1024, 2]),
        ('learning rate per 256', RELEASE, per_256, near(0.1), near(0.07)),
        ('warm-up epochs', RELEASE, warm_up, near(10)),
        FROM_0,
        ('last learning rate', MAE, lambda s: s.rates[-1], pytest.approx(0, abs=1e-4)),
        ('optimiser', RELEASE, lambda s: type(s.wrapper.optimizer).__name__, 'LARS'),
        ('momentum', MAE, 'wrapper.optimizer.defaults.momentum', 0.9),
        ('weight decay of weight and bias', RELEASE,
         lambda s: s.settings('weight_decay', 'head.fc.weight', 'head.fc.bias'), [0, 0]),
        ('probed block', RELEASE, lambda s: [i + 1 for i in s.encoder.out_indices], [10], [18]),
        ('pooling', RELEASE, 'encoder.out_type', 'avg_featmap'),
        ('final norm before it', RELEASE, 'encoder.final_norm', False),
        ('affine BatchNorm', RELEASE, 'model.neck.bn.affine', False),
        ('epsilon of BatchNorm', MAE, 'model.neck.bn.eps', 1e-6),
        ('classes', S41, 'model.head.fc.out_features', 1000),
        ('start of the head', RELEASE, start_of_head, [near(0.01), 0]),
        ('loss', RELEASE, lambda s: type(s.model.head.loss_module).__name__, 'CrossEntropyLoss'),
        ('the transforms', RELEASE, lambda s: list(s.train),
         ['LoadAnyImage', 'RandomCropFlip', 'PackInputs']),
        ('size of a crop', RELEASE, 'train.RandomCropFlip.scale', (224, 224)),
        ('area of a crop', RELEASE, 'train.RandomCropFlip.crop_ratio_range', (0.08, 1)),
        ('flips', RELEASE, 'train.RandomCropFlip.flip_prob', 0.5),
        ('redrawn crops', MAE, 'train.RandomCropFlip.redraw', False),
        ('mixing', MAE, 'model.data_preprocessor.batch_augments', None),
        MIXED,
    ]),
    'ADE20K, in the form of the text and of the release': (SEG, [
        *INPUT,
        *DENSE,
        ('iterations', S44, 'cfg.train_cfg.max_iters', 160_000),
        ('iterations between validations', OURS, 'cfg.train_cfg.val_interval', 16_000),
        *ADAMW,
        ('weight decay of matrices, biases, norms, tokens', f'{APPENDIX_C}; {RELEASE}',
         weight_decay, [0.05, 0, 0, 0], [0.05, 0, 0, 0.05]),
        ('rate of the patch embedding, the first and the last block', APPENDIX_C, layer_decay,
         [0.65**13, 0.65**12, 0.65]),
        ('learning rate', APPENDIX_C, 'cfg.optim_wrapper.optimizer.lr', 4e-4),
        ('the warm-up begins at', RELEASE, lambda s: s.rates[0] / 4e-4, 1e-6),
        ('rates in the midst and at the end of 1500 steps of warm-up, which multiply a decay',
         f'{APPENDIX_C}; {RELEASE}', lambda s: s.rates[[750, 1500]],
         near(np.array([2e-4 * (1 - 750 / 160_000), 4e-4 * (1 - 1500 / 160_000)]), rel=1e-3)),
        ('rate at half the run', APPENDIX_C, lambda s: s.rates[80_000], near(2e-4)),
        ('last rate', APPENDIX_C, lambda s: s.rates[-1], pytest.approx(0, abs=1e-8)),
        ('norm that gradients are clipped to', RELEASE, 'wrapper.clip_grad_kwargs',
         {'max_norm': 3}),
        ('size of the image', APPENDIX_C, 'train.RandomResize.scale', (2048, 512)),
        ('ratios', APPENDIX_C, 'train.RandomResize.ratio_range', (0.5, 2)),
        ('aspect ratio is kept', RELEASE, 'train.RandomResize.resize_cfg.keep_ratio', True),
        ('crop', APPENDIX_C, 'train.RandomCrop.crop_size', (512, 512)),
        ('most of a class in a crop', RELEASE, 'train.RandomCrop.cat_max_ratio', 0.75),
        ('flips', APPENDIX_C, 'train.RandomFlip.prob', 0.5),
        ('the transforms', APPENDIX_C, lambda s: list(s.train),
         ['LoadAnyImage', 'LoadLabelMap', 'CheckSegLabels', 'RandomResize', 'RandomCrop',
          'RandomFlip', 'PhotoMetricDistortion', 'PackSegInputs']),
        ('head', S44, lambda s: type(s.model.decode_head).__name__, 'UPerHead'),
        ('classes', S44, 'model.decode_head.num_classes', 150),
        ('channels of the head', RELEASE, 'model.decode_head.channels', 768),
        ('channels that the heads take', S44, channels_of_heads, [768] * 5),
        ('its pools', RELEASE,
         lambda s: [m[0].output_size for m in s.model.decode_head.psp_modules], [1, 2, 3, 6]),
        ('dropout', RELEASE, 'model.decode_head.dropout_ratio', 0.1),
        ('second head', RELEASE, lambda s: type(s.model.auxiliary_head).__name__, 'FCNHead'),
        ('on level', RELEASE, 'model.auxiliary_head.in_index', 2),
        ('its channels', RELEASE, 'model.auxiliary_head.channels', 256),
        ('its convolutions', RELEASE, lambda s: len(s.model.auxiliary_head.convs), 1),
        ('weight of its loss', RELEASE, 'model.auxiliary_head.loss_decode.loss_weight', 0.4),
        ('batch norm of the heads', RELEASE,
         lambda s: {type(m).__name__ for head in (s.model.decode_head, s.model.auxiliary_head)
                    for m in head.modules() if 'BatchNorm' in type(m).__name__},
         {'SyncBatchNorm'}),
        ('batch norm of the pyramid', RELEASE, 'cfg.model.neck.norm_cfg.type', 'SyncBN'),
        ('test', RELEASE, 'model.test_cfg.mode', 'slide'),
        ('window', RELEASE, 'model.test_cfg.crop_size', (512, 512)),
        ('stride', RELEASE, 'model.test_cfg.stride', (341, 341)),
        ('size of the tested image', f'{APPENDIX_C}: single scale', 'test.Resize.scale',
         (2048, 512)),
        ('short sides at several scales', RELEASE, lambda s: ways_to_test(s, 0, 'scale'),
         [512, 512, 512, 512, 512, 512, 640, 640, 768, 768, 896, 896]),
        ('flips at several scales', RELEASE, lambda s: ways_to_test(s, 1, 'prob'), [0, 1] * 6),
        ('grid of the position embedding', RELEASE, 'encoder.patch_resolution', (14, 14), (32, 32)),
        ('it is trained', RELEASE, 'encoder.pos_embed.requires_grad', False, True),
        ('what its blocks have besides', f'{S41}; {RELEASE}', additions, {},
         {'attn.relative_position_bias_table': 12, 'attn.gamma1.weight': 12,
          'ffn.gamma2.weight': 12}),
    ]),
    'ADE20K: what the form of the release adds': (SEG[1:], [
        ('layer scale starts at', RELEASE, start_of_layer_scale, [1, 1]),
        ('rows of a table of relative positions, for its heads', RELEASE,
         'encoder.layers.0.attn.relative_position_bias_table.shape', (63 * 63 + 3, 12)),
    ]),
    'ADE20K with ViT-L': (['seg/upernet_bootmae_vitl_160k'], [
        ('encoder', OURS, lambda s: [s.encoder.embed_dims, s.encoder.num_layers], [1024, 24]),
        ('blocks', OURS, lambda s: [i + 1 for i in s.encoder.out_indices], [8, 12, 16, 24]),
        ('strides', OURS, strides, [4, 8, 16, 32]),
        ('learning rate', OURS, 'cfg.optim_wrapper.optimizer.lr', 2.4e-4),
        ('rate of the last block', OURS, lambda s: layer_decay(s)[-1], 0.8),
        ('channels of the head', OURS, 'model.decode_head.channels', 1024),
        ('channels that the heads take', OURS, channels_of_heads, [1024] * 5),
    ]),
    'COCO': ([DETECTOR], [
        *INPUT,
        *DENSE,
        *PLAIN,
        ('detector', S44, lambda s: type(s.model).__name__, 'MaskRCNN'),
        ('epochs', S44, 'cfg.train_cfg.max_epochs', 12),
        ('learning rate', APPENDIX_C, lambda s: s.rates.max(), near(4e-4)),
        ('epochs after which it falls, and to', APPENDIX_C, falls, [8, near(0.1), 11, near(0.1)]),
        ADAMW[0],
        ('betas', OURS, *ADAMW[1][2:]),
        (*DECAY[:1], APPENDIX_C, *DECAY[2:]),
        ('rate of the patch embedding, the first and the last block', APPENDIX_C, layer_decay,
         [0.75**13, 0.75**12, 0.75]),
        ('long and short side', APPENDIX_C, 'train.Resize.scale', (1333, 800)),
        ('in tests', APPENDIX_C, 'test.Resize.scale', (1333, 800)),
        ('aspect ratio is kept', APPENDIX_C,
         lambda s: [steps['Resize'].keep_ratio for steps in (s.train, s.test)], [True, True]),
        ('flips', STACK, 'train.RandomFlip.prob', 0.5),
        ('channels of the FPN', STACK, 'model.neck.1.out_channels', 256),
        ('its levels', STACK, 'model.neck.1.num_outs', 5),
        ('classes of boxes', S44, 'model.roi_head.bbox_head.num_classes', 80),
        ('classes of masks', S44, 'model.roi_head.mask_head.num_classes', 80),
    ]),
}  # fmt: skip
ROWS = {
    f'{title}: {index}, {row[0]}': (configs, row)
    for title, (configs, rows) in RECIPE.items()
    for index, row in enumerate(rows, 1)
}
TRAIN_PIPELINE = 'train_dataloader.dataset.pipeline'
SWEEP = {
    *('blocks', 'model.backbone.out_indices', 'model.neck', 'model.head'),
    *('val_evaluator', 'test_evaluator', 'default_hooks.checkpoint.save_best'),
}
# config: (the one that it is like, the settings in which it differs and no others)
VARIANTS = {
    **{
        name: (
            f'pretrain/bootmae_vit{name[20]}_800e',
            {'max_epochs', 'train_cfg.max_epochs', 'param_scheduler.1.end'},
        )
        for name in LENGTHS
    },
    f'{LINEAR[0]}_depth_sweep': (LINEAR[0], SWEEP),
    f'{LINEAR[1]}_depth_sweep': (LINEAR[1], SWEEP),
    'seg/upernet_bootmae_vitl_160k': (
        'seg/upernet_bootmae_vitb_160k',
        {
            *(f'model.backbone.{name}' for name in ('arch', 'out_indices', 'init_cfg.checkpoint')),
            *('model.neck.embed_dims', 'model.decode_head.channels'),
            *(f'model.{head}.in_channels' for head in ('decode_head', 'auxiliary_head')),
            *('optim_wrapper.paramwise_cfg.layer_decay_rate', 'optim_wrapper.optimizer.lr'),
        },
    ),
    f'{DETECTOR}_checkpointed': (DETECTOR, {'custom_hooks.block_checkpoint'}),
    f'{DETECTOR}_windowed': (
        DETECTOR, {'model.backbone.window_size', 'model.backbone.global_blocks'},
    ),
    'det/faster_rcnn_bootmae_vitb_1x': (
        DETECTOR,
        {
            *('model.type', 'model.data_preprocessor.pad_mask', 'model.roi_head.mask_head'),
            'model.roi_head.mask_roi_extractor',
            *(f'{part}.1.with_mask' for part in ('train_pipeline', TRAIN_PIPELINE)),
            *('val_evaluator.metric', 'test_evaluator.metric'),
        },
    ),
}  # fmt: skip
setup_of = cache(Setup)


def part_of(whole: object, name: str) -> object:
    """An attribute, or an entry of a mapping or a list."""
    if isinstance(whole, Mapping):
        return whole[name]
    return whole[int(name)] if name.isdigit() else getattr(whole, name)


def value_of(setup: Setup, read: str | Callable) -> object:
    """What a row reads of a config."""
    return read(setup) if callable(read) else reduce(part_of, read.split('.'), setup)


def holds(found: object, value: object) -> bool:
    """Whether they are the same, but for rounding."""
    if isinstance(value, list | tuple):
        return len(found) == len(value) and all(map(holds, found, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return found == pytest.approx(value, rel=1e-9)
    return found == value


@pytest.mark.parametrize('row', ROWS)
def test_the_recipe(row):
    configs, (what, source, read, *values) = ROWS[row]
    values = values * len(configs) if len(values) == 1 else values
    for config, value in zip(configs, values, strict=True):
        found = value_of(setup_of(config), read)
        assert holds(found, value), f'{config}: {what} is {value} ({source}), found {found}'


@pytest.mark.parametrize('name', [*PRETRAIN, *FINETUNE, *LINEAR])
def test_between_its_rows_the_rate_is_linear_then_one_cosine(name):
    """Of the head; that of every depth is the same part of it all the time, as in the release."""
    setup = Setup(name)
    found = rates(setup.cfg, LENGTH, setup.wrapper)
    head, warmup = found[:, -1], round(warm_up(setup) * LENGTH)
    step, peak, floor = np.arange(len(head)), head.max(), head[-1]
    phase = np.pi * (step - warmup) / (len(step) - warmup)
    cosine = floor + (peak - floor) * (1 + np.cos(phase)) / 2
    expected = np.where(step < warmup, peak * step / (warmup - 1), cosine)
    # mmengine's warm-up may stand at its end for a step, hence the tolerance.
    np.testing.assert_allclose(head, expected, rtol=2e-3, atol=5e-6 * peak)
    parts = found / head[:, None]
    np.testing.assert_allclose(parts, np.broadcast_to(parts[warmup], parts.shape), rtol=1e-6)


@pytest.mark.parametrize('name', VARIANTS)
def test_a_variant_differs_where_it_should_and_nowhere_else(name):
    base, wanted = VARIANTS[name]
    found = changes(name, base)
    belongs = {key: [w for w in wanted if f'{key}.'.startswith(f'{w}.')] for key in found}
    assert [key for key, names in belongs.items() if not names] == []
    assert {w for names in belongs.values() for w in names} == wanted
    if name in LENGTHS:
        assert len({*found.values()}) == 1


def test_every_config_is_in_the_table():
    files = {
        f'{path.parent.name}/{path.stem}'
        for kind in ('pretrain', 'finetune', 'linear', 'seg', 'det')
        for path in (ROOT / f'configs/{kind}').glob('*.py')
    }
    tabled = {config for configs, _ in RECIPE.values() for config in configs if config in files}
    assert tabled | VARIANTS.keys() == files
