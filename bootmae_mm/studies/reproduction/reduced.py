"""A row of the paper at a smaller size: the same row, everything about it smaller by one rule.

================  =============================  =========================
setting           full                           photos
================  =============================  =========================
pictures          ImageNet, 224 pixels           50,000 photographs, 64
patches           16 pixels, 14 × 14             8 pixels, 8 × 8
encoder           12 blocks of width 768         6 blocks of width 96
decoders          width w, depth d               w · 96 / 768, d / 2
context           block b of 12                  block b · 6 / 12
normalised by     BootMAE 127.5, MAE ImageNet's  ImageNet's
masks             75 %                           75 %
epochs            E                              E / 100
batch             4096                           32
transfer          ImageNet, ADE20K, COCO         a tenth of the labels,
                                                 and two sets of scenes
================  =============================  =========================

What depends on the size alone (data, batch, rates, the teacher's decay, heads of dense tasks) is
that of the templates ``configs/photos``; what makes the row is taken from its own config.
``configs/photos/card_*``, for a GPU, have 12 blocks of width 384 and E / 40 epochs.
"""

import copy
from pathlib import Path

from mmengine.config import Config

from .photographs import FOLDERS, num_classes
from .runs import Paths, Run, load

HEADS = 4  # of decoders


def reduced_config(run: Run, paths: Paths) -> Config:
    """The config of a run at a smaller size.

    Raises:
        ValueError: If the row is of an encoder of another size than ViT-B or of a task that the
            budget leaves out, or starts from weights that are not made here.
    """
    full = load(paths.configs, run.config)
    require_reducible(run, full, paths)
    cfg = copy.deepcopy(load(paths.configs, run.template))
    make = pretraining if run.kind == 'pretrain' else transfer
    make(cfg, full, run, paths)
    cfg.randomness.seed = run.seed
    cfg.work_dir = str(run.work_dir(paths))
    return cfg


def require_reducible(run: Run, full: Config, paths: Paths) -> None:
    """Raise ``ValueError`` for rows that have no smaller form."""
    if not (paths.configs / f'{run.template}.py').is_file():
        raise ValueError(
            f'Expected configs/{run.template}.py for the {run.budget} budget, found no such file: '
            f'it leaves out {run.name} and the like.'
        )
    arch = full.model.backbone.get('arch')
    if arch not in ('base', 'b'):
        raise ValueError(
            f'Expected a row of ViT-B for the {run.budget} budget, found {run.name} with '
            f'arch={arch!r}; run it in full.'
        )


def origin_checkpoint(run: Run, paths: Paths) -> str:
    """The checkpoint of the one pretraining that a run needs."""
    origins = run.origins(paths)
    if len(origins) != 1:
        raise ValueError(
            f'Expected {run.name} to start from a pretraining of this project for the {run.budget} '
            'budget, found weights of another project; run it in full.'
        )
    return str(origins[0].checkpoint(paths))


# ---------------------------------------------------------------------------------------------
# Pretraining


def pretraining(cfg: Config, full: Config, run: Run, paths: Paths) -> None:
    """Turn the template of pretraining into that of a row."""
    template, cfg.model = cfg.model, copy.deepcopy(full.model)
    normalisation = template.data_preprocessor
    cfg.model.data_preprocessor.update(mean=normalisation.mean, std=normalisation.std)
    encoder = template.backbone
    shape = dict(arch=encoder.arch, img_size=encoder.img_size, patch_size=encoder.patch_size)
    cfg.model.backbone.update(shape)
    grid = encoder.img_size // encoder.patch_size
    if cfg.model.type == 'MAE':
        cfg.model.neck.update(
            num_patches=grid**2,
            patch_size=encoder.patch_size,
            embed_dim=encoder.arch.embed_dims,
            decoder_embed_dim=width_of(cfg.model.neck.decoder_embed_dim, template),
            decoder_depth=depth_of(cfg.model.neck.decoder_depth, template),
            decoder_num_heads=HEADS,
        )
        cfg.model.head.patch_size = encoder.patch_size
    for name in ('regressor', 'predictor'):
        if cfg.model.get(name):
            shrink_decoder(cfg.model[name], template)
    if (cfg.model.get('teacher') or {}).get('checkpoint'):
        cfg.model.teacher.checkpoint = origin_checkpoint(run, paths)
    shrink_masks(cfg, full, grid)
    keep_hooks(cfg, full)
    shrink_schedule(cfg, run.epochs(paths))


def width_of(full: int, template: Config) -> int:
    """Width of a decoder beside the template's encoder."""
    return full * template.backbone.arch.embed_dims // 768


def depth_of(full: int, template: Config) -> int:
    """Depth of a decoder, where the template has its own for the paper's 2."""
    return max(1, full * template.predictor.depth // 2)


def shrink_decoder(decoder: dict, template: Config) -> None:
    """A decoder beside the template's encoder, in place."""
    if decoder.get('embed_dims'):
        decoder['embed_dims'] = width_of(decoder['embed_dims'], template)
    if decoder.get('num_heads'):
        decoder['num_heads'] = HEADS
    decoder['depth'] = depth_of(decoder['depth'], template)
    layer = decoder.get('context_layer')
    if layer is not None and layer > 0:
        decoder['context_layer'] = (layer + 1) * template.backbone.arch.num_layers // 12 - 1


def shrink_masks(cfg: Config, full: Config, grid: int) -> None:
    """The row's kind of masks on the template's grid: 75 % of the patches."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    kinds = [step.type for step in full.train_dataloader.dataset.pipeline]
    load_picture, crop, _, pack = pipeline
    masks = [
        dict(type=kind, grid=grid, num_masked=grid**2 * 3 // 4)
        for kind in kinds
        if kind.endswith('Masking')
    ]
    if not masks:
        pack = dict(type='PackInputs')
    cfg.train_dataloader.dataset.pipeline = [load_picture, crop, *masks, pack]


def keep_hooks(cfg: Config, full: Config) -> None:
    """The template's settings of the hooks that the row has."""
    absent = [name for name in cfg.custom_hooks if full.custom_hooks.get(name) is None]
    cfg.custom_hooks.update(dict.fromkeys(absent))


def shrink_schedule(cfg: Config, epochs: int) -> None:
    """The template's schedule over another number of epochs, on one process."""
    warm_up, cosine = cfg.param_scheduler
    warm_up.end = cosine.begin = warm_up.end * epochs / cfg.train_cfg.max_epochs
    cfg.train_cfg.max_epochs = cosine.end = epochs
    cfg.train_dataloader.batch_size = cfg.train_dataloader.sampler.total_batch_size
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)


# ---------------------------------------------------------------------------------------------
# Transfer


FORM = ('relative_position_bias', 'layer_scale_init_value', 'train_pos_embed')  # of an encoder


def transfer(cfg: Config, full: Config, run: Run, paths: Paths) -> None:
    """Turn the template's transfer into that of a row: where it starts, its encoder's form and
    what decays."""
    if full.model.backbone.get('init_cfg'):
        checkpoint = origin_checkpoint(run, paths)
        cfg.model.backbone.init_cfg = dict(type='PretrainedEncoder', checkpoint=checkpoint)
    else:
        cfg.model.backbone.init_cfg = None
    backbone = full.model.backbone
    cfg.model.backbone.update({name: backbone[name] for name in FORM if name in backbone})
    decay = (full.optim_wrapper.get('paramwise_cfg') or {}).get('decay_embeddings')
    if decay is not None:
        cfg.optim_wrapper.paramwise_cfg.decay_embeddings = decay
    if run.kind not in FOLDERS:
        cfg.model.data_preprocessor.num_classes = cfg.model.head.num_classes = num_classes()


def write_reduced(run: Run, paths: Paths) -> Path:
    """Write the config into the run's work directory, where ``tools/train.py`` takes it from."""
    folder = run.work_dir(paths)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'config.py'
    reduced_config(run, paths).dump(path)
    return path
