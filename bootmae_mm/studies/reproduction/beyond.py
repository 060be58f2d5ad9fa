"""Tables of ours, beyond the paper's: what decides at small size."""

from .cells import BOX, LINEAR, LINEAR_1, LINEAR_10, MASK, MIOU, NEIGHBOURS, Row, Score, Table
from .paper import BOOTMAE_300, BOOTMAE_800, FINETUNE, ablation, fine_tuned, mae
from .runs import Run

JOINT_800 = Run(FINETUNE, start='pretrain/ablations/bootmae_vitb_800e_joint_random')
MASKS = Table(
    'masks', 'masks, and how pixels are normalised',
    ('model', 'masks', 'pixels', 'epochs'),
    (
        Row(("mmpretrain's MAE", 'random', 'joint', '300'), (mae('300e', 83.2),)),
        Row(('MAE of our parts', 'random', 'joint', '300'), (mae('300e_pixel_random', None),)),
        Row(('MAE of our parts', 'block-wise', 'joint', '300'), (mae('300e_pixel_block', 82.8),)),
        Row(('BootMAE', 'random', 'joint', '300'), (ablation('joint_random', None),)),
        Row(('BootMAE', 'block-wise', 'joint', '300'), (ablation('joint', None),)),
        Row(('BootMAE', 'random', 'by channel', '300'), (ablation('random', None),)),
        Row(('BootMAE', 'block-wise', 'by channel', '300'), (fine_tuned(84.0, BOOTMAE_300),)),
        Row(("mmpretrain's MAE", 'random', 'joint', '800'), (mae('800e', 83.4),)),
        Row(('BootMAE', 'random', 'joint', '800'), (fine_tuned(None, JOINT_800),)),
        Row(('BootMAE', 'block-wise', 'by channel', '800'), (fine_tuned(84.2, BOOTMAE_800),)),
    ),
    references=(0,),
    note="Each channel of a patch is normalised on its own, as in the authors' release, or all of "
    "them jointly, as in MAE and in the paper's text. The paper's numbers are from Tables 3 and 6.",
    beyond=True,
)  # fmt: skip


OF_MAE = dict(
    finetune='finetune_100e', linear='linear_90e', seg='upernet_160k', det='mask_rcnn_1x'
)  # fmt: skip
OF_BOOTMAE = (
    FINETUNE, 'linear/bootmae_vitb_linear_90e', 'seg/upernet_bootmae_vitb_160k',
    'det/mask_rcnn_bootmae_vitb_1x',
)  # fmt: skip
CONTEXT = 'ablations/bootmae_vitb_{}e_context_low_none'.format


def measured(model: str, epochs: str, start: str) -> Row:
    """Everything that is measured of an encoder, on photographs.

    Args:
        model: What the row says of it.
        epochs: Those of the paper.
        start: Its pretraining, below ``configs/pretrain``.
    """
    if start.startswith('mae/'):
        recipes = [f'{kind}/baselines/mae_vitb_{name}' for kind, name in OF_MAE.items()]
    else:
        recipes = OF_BOOTMAE
    # A recipe of BootMAE's starts from 800 epochs by itself.
    named = None if start == 'bootmae_vitb_800e' else f'pretrain/{start}'
    tuned, linear, seg, det = (Run(recipe, start=named) for recipe in recipes)
    probed = (Score(metric, None, linear) for metric in (LINEAR, LINEAR_10, LINEAR_1, NEIGHBOURS))
    return Row(
        (model, epochs),
        (
            fine_tuned(None, tuned), *probed, Score(MIOU, None, seg),
            Score(BOX, None, det), Score(MASK, None, det),
        ),
    )  # fmt: skip


LENGTH = Table(
    'length', 'length of pretraining, on photographs', ('model', 'epochs'),
    (
        measured('MAE', '300', 'mae/mae_vitb_300e'),
        measured('MAE', '800', 'mae/mae_vitb_800e'),
        measured('MAE', '1600', 'mae/mae_vitb_1600e'),
        measured('MAE with bootstrapped features', '300', 'mae/mae_vitb_300e_bootstrapped'),
        measured('MAE with bootstrapped features', '800', 'mae/mae_vitb_800e_bootstrapped'),
        measured('BootMAE, context of the regressor', '300', CONTEXT(300)),
        measured('BootMAE, context of the regressor', '800', CONTEXT(800)),
        measured('BootMAE', '300', 'bootmae_vitb_300e'),
        measured('BootMAE', '800', 'bootmae_vitb_800e'),
        measured('BootMAE', '1600', 'bootmae_vitb_1600e'),
    ),
    references=(1,), beyond=True,
    note="Epochs are the paper's: a hundredth of them on a CPU, a fortieth on a GPU. Fine-tuning "
    'has a tenth of the labels; linear classifiers and neighbours are in closed form.',
)  # fmt: skip
