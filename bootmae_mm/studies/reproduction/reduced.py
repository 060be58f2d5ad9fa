"""A row of the paper at the size of a demo: the same row, everything about it smaller by one rule.

================  =============================  ==================================================
setting           full                           reduced
================  =============================  ==================================================
pictures          ImageNet, 224 pixels           8192 drawn ones, 32 pixels (``data/shapes``)
patches           16 pixels, 14 × 14             4 pixels, 8 × 8
encoder           12 blocks of width 768         4 blocks of width 96
decoders          width w, depth d               width w · 96 / 768, depth d / 2
context           block b of 12                  block b · 4 / 12
masks             75 %                           75 %
epochs            E                              E · 4 / 300
batch             4096                           128
transfer          ImageNet, ADE20K, COCO         the demo's classifier, UperNet and Mask R-CNN
================  =============================  ==================================================

What depends on the size alone (data, batch, rates, the teacher's decay, heads of dense tasks) is
that of ``configs/demo``; what makes the row is taken from its own config.
"""

import copy
from pathlib import Path

from mmengine.config import Config

from .runs import KINDS, REDUCED, Paths, Run, epochs_of, load

DEMO = dict(zip(KINDS, ('pretrain', 'finetune', 'linear', 'segment', 'detect'), strict=True))
GRID, NUM_MASKED = 8, 48  # 75 % of 64
WIDTH, BLOCKS = 96, 4


def reduced_config(run: Run, paths: Paths) -> Config:
    """The config of a reduced run.

    Raises:
        ValueError: If the row is of an encoder of another size than ViT-B, or starts from weights
            that are not made here.
    """
    full = load(paths.configs, run.config)
    require_reducible(run, full)
    cfg = copy.deepcopy(load(paths.configs, f'demo/{DEMO[run.kind]}'))
    make = pretraining if run.kind == 'pretrain' else transfer
    make(cfg, full, run, paths)
    cfg.randomness.seed = run.seed
    cfg.work_dir = str(run.work_dir(paths))
    return cfg


def require_reducible(run: Run, full: Config) -> None:
    """Raise ``ValueError`` for rows that have no reduced form."""
    arch = full.model.backbone.get('arch')
    if arch not in ('base', 'b'):
        raise ValueError(
            f'Expected a row of ViT-B for the {REDUCED} budget, found {run.name} with '
            f'arch={arch!r}; run it in full.'
        )


def origin_checkpoint(run: Run, paths: Paths) -> str:
    """The checkpoint of the one pretraining that a run needs."""
    origins = run.origins(paths)
    if len(origins) != 1:
        raise ValueError(
            f'Expected {run.name} to start from a pretraining of this project for the {REDUCED} '
            'budget, found weights of another project; run it in full.'
        )
    return str(origins[0].checkpoint(paths))


# ---------------------------------------------------------------------------------------------
# Pretraining


def pretraining(cfg: Config, full: Config, run: Run, paths: Paths) -> None:
    """Turn the demo's pretraining into that of a row."""
    demo_model = cfg.model
    shape = dict(arch=demo_model.backbone.arch, img_size=32, patch_size=4)
    cfg.model = copy.deepcopy(full.model)
    cfg.model.backbone.update(shape)
    if cfg.model.type == 'MAE':
        cfg.model.neck.update(
            num_patches=GRID**2,
            patch_size=4,
            embed_dim=WIDTH,
            decoder_embed_dim=width_of(cfg.model.neck.decoder_embed_dim),
            decoder_depth=cfg.model.neck.decoder_depth // 2,
            decoder_num_heads=4,
        )
        cfg.model.head.patch_size = 4
    for name in ('regressor', 'predictor'):
        if cfg.model.get(name):
            shrink_decoder(cfg.model[name])
    if (cfg.model.get('teacher') or {}).get('checkpoint'):
        cfg.model.teacher.checkpoint = origin_checkpoint(run, paths)
    shrink_masks(cfg, full)
    keep_hooks(cfg, full)
    shrink_schedule(cfg, epochs_of(full.train_cfg.max_epochs))


def width_of(full: int) -> int:
    """Width of a decoder at the reduced size."""
    return full * WIDTH // 768


def shrink_decoder(decoder: dict) -> None:
    """A decoder at the reduced size, in place."""
    if decoder.get('embed_dims'):
        decoder['embed_dims'] = width_of(decoder['embed_dims'])
    if decoder.get('num_heads'):
        decoder['num_heads'] = 4
    decoder['depth'] = max(1, decoder['depth'] // 2)
    layer = decoder.get('context_layer')
    if layer is not None and layer > 0:
        decoder['context_layer'] = (layer + 1) * BLOCKS // 12 - 1


def shrink_masks(cfg: Config, full: Config) -> None:
    """The row's kind of masks on the demo's grid: 75 % of 64 patches."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    kinds = [step.type for step in full.train_dataloader.dataset.pipeline]
    load_picture, crop, _, pack = pipeline
    masks = [
        dict(type=kind, grid=GRID, num_masked=NUM_MASKED)
        for kind in kinds
        if kind.endswith('Masking')
    ]
    if not masks:
        pack = dict(type='PackInputs')
    cfg.train_dataloader.dataset.pipeline = [load_picture, crop, *masks, pack]


def keep_hooks(cfg: Config, full: Config) -> None:
    """The demo's settings of the hooks that the row has."""
    absent = [name for name in cfg.custom_hooks if full.custom_hooks.get(name) is None]
    cfg.custom_hooks.update(dict.fromkeys(absent))


def shrink_schedule(cfg: Config, epochs: int) -> None:
    """The demo's schedule over another number of epochs, on one process."""
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler[1].end = epochs
    if cfg.custom_hooks.teacher is not None:
        cfg.custom_hooks.teacher.milestones = [(0, 0.99), (epochs / 2, 0.999)]
    cfg.train_dataloader.batch_size = cfg.train_dataloader.sampler.total_batch_size
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)


# ---------------------------------------------------------------------------------------------
# Transfer


FORM = ('relative_position_bias', 'layer_scale_init_value', 'train_pos_embed')  # of an encoder


def transfer(cfg: Config, full: Config, run: Run, paths: Paths) -> None:
    """Turn the demo's transfer into that of a row: where it starts, its encoder's form, what decays
    and how pictures are normalised."""
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
    normalisation = full.model.data_preprocessor
    cfg.model.data_preprocessor.update(mean=normalisation.mean, std=normalisation.std)


def write_reduced(run: Run, paths: Paths) -> Path:
    """Write the config into the run's work directory, where ``tools/train.py`` takes it from."""
    folder = run.work_dir(paths)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / 'config.py'
    reduced_config(run, paths).dump(path)
    return path
