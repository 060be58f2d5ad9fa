"""Tables of ours, beyond the paper's: what decides at small size."""

from .cells import (
    BOX,
    LINEAR,
    LINEAR_1,
    LINEAR_10,
    MASK,
    MIOU,
    NEIGHBOURS,
    TOP1,
    Row,
    Score,
    Table,
)
from .paper import FINETUNE
from .runs import Run

OF_MAE = dict(
    finetune='finetune_100e', linear='linear_90e', seg='upernet_160k', det='mask_rcnn_1x'
)  # fmt: skip
OF_BOOTMAE = dict(
    finetune=FINETUNE, linear='linear/bootmae_vitb_linear_90e',
    seg='seg/upernet_bootmae_vitb_160k', det='det/mask_rcnn_bootmae_vitb_1x',
)  # fmt: skip
FROZEN = (LINEAR, LINEAR_10, LINEAR_1, NEIGHBOURS)
ABLATION = 'ablations/bootmae_vitb_{}'.format


def transfers(start: str) -> dict[str, Run]:
    """The run of every kind that starts from a pretraining, below ``configs/pretrain``."""
    if start.startswith('mae/'):
        recipes = {kind: f'{kind}/baselines/mae_vitb_{name}' for kind, name in OF_MAE.items()}
    else:
        recipes = OF_BOOTMAE
    # A recipe of BootMAE's starts from 800 epochs by itself.
    named = None if start == 'bootmae_vitb_800e' else f'pretrain/{start}'
    return {kind: Run(recipe, start=named) for kind, recipe in recipes.items()}


def probed(cells: tuple[str, ...], start: str) -> Row:
    """What an encoder is worth in classification: fine-tuned, and frozen."""
    run = transfers(start)
    frozen = (Score(metric, None, run['linear']) for metric in FROZEN)
    return Row(cells, (Score(TOP1, None, run['finetune']), *frozen))


def measured(model: str, epochs: int, start: str) -> Row:
    """What it is worth in all tasks."""
    run, row = transfers(start), probed((model, str(epochs)), start)
    dense = ((MIOU, 'seg'), (BOX, 'det'), (MASK, 'det'))
    return row._replace(
        scores=(*row.scores, *(Score(metric, None, run[kind]) for metric, kind in dense))
    )


MASKS = Table(
    'masks', 'masks and targets', ('model', 'masks', 'pixels', 'epochs'),
    (
        probed(("mmpretrain's MAE", 'random', 'joint', '300'), 'mae/mae_vitb_300e'),
        probed(('MAE of our parts', 'random', 'joint', '300'), 'mae/mae_vitb_300e_pixel_random'),
        probed(('MAE of our parts', 'block-wise', 'joint', '300'), 'mae/mae_vitb_300e_pixel_block'),
        probed(('BootMAE', 'random', 'joint', '300'), ABLATION('300e_joint_random')),
        probed(('BootMAE', 'block-wise', 'joint', '300'), ABLATION('300e_joint')),
        probed(('BootMAE', 'random', 'by channel', '300'), ABLATION('300e_random')),
        probed(('BootMAE', 'block-wise', 'by channel', '300'), 'bootmae_vitb_300e'),
        probed(('pixels of BootMAE', 'block-wise', 'by channel', '300'), ABLATION('300e_pixels')),
        probed(('features of BootMAE', 'block-wise', '-', '300'), ABLATION('300e_features')),
        probed(("mmpretrain's MAE", 'random', 'joint', '800'), 'mae/mae_vitb_800e'),
        probed(('MAE of our parts', 'random', 'joint', '800'), 'mae/mae_vitb_800e_pixel_random'),
        probed(('BootMAE', 'random', 'joint', '800'), ABLATION('800e_joint_random')),
        probed(('BootMAE', 'block-wise', 'by channel', '800'), 'bootmae_vitb_800e'),
    ),
    beyond=True,
    note="Each channel of a patch is normalised on its own, as in the authors' release, or all of "
    "them jointly, as in MAE and in the paper's text.",
)  # fmt: skip


LENGTH = Table(
    'length', 'length of pretraining', ('model', 'epochs'),
    (
        measured('MAE', 300, 'mae/mae_vitb_300e'),
        measured('BootMAE, random masks, joint pixels', 300, ABLATION('300e_joint_random')),
        measured('BootMAE', 300, 'bootmae_vitb_300e'),
        measured('BootMAE, context of the regressor', 300, ABLATION('300e_context_low_none')),
        measured('MAE with bootstrapped features', 300, 'mae/mae_vitb_300e_bootstrapped'),
        measured('MAE', 800, 'mae/mae_vitb_800e'),
        measured('BootMAE, random masks, joint pixels', 800, ABLATION('800e_joint_random')),
        measured('BootMAE', 800, 'bootmae_vitb_800e'),
        measured('BootMAE, context of the regressor', 800, ABLATION('800e_context_low_none')),
        measured('MAE with bootstrapped features', 800, 'mae/mae_vitb_800e_bootstrapped'),
        measured('MAE', 1600, 'mae/mae_vitb_1600e'),
        measured('BootMAE, random masks, joint pixels', 1600, ABLATION('1600e_joint_random')),
        measured('BootMAE', 1600, 'bootmae_vitb_1600e'),
    ),
    beyond=True,
    note="Epochs are the paper's. On photographs fine-tuning has a tenth of the labels; linear "
    'classifiers and neighbours are in closed form.',
)  # fmt: skip
