"""Tables 1 to 9, Fig. 3 and the times of section 4.3 of the paper: every row with the run that
reproduces it.

A cell names the run that gives the number: a recipe, and the pretraining that it starts from where
that is another than the recipe's own.
"""

from .cells import (
    BOX,
    HOURS,
    LINEAR,
    MASK,
    MEAN_ACCURACY,
    MIOU,
    PIXEL_ACCURACY,
    SECONDS,
    SPEED_UP,
    TOP1,
    Row,
    Score,
    Table,
)  # fmt: skip
from .runs import Run

FINETUNE = 'finetune/bootmae_vitb_finetune_100e'
FINETUNE_LARGE = 'finetune/bootmae_vitl_finetune_50e'
BOOTMAE_300 = Run(FINETUNE, start='pretrain/bootmae_vitb_300e')
BOOTMAE_800 = Run(FINETUNE)
# Fine-tuning and linear probe of an encoder.
RECIPES = dict(vitb=('finetune_100e', 'linear_90e'), vitl=('finetune_50e', 'linear_50e'))
MAE_800, MAE_1600 = 'pretrain/mae/mae_vitb_800e', 'pretrain/mae/mae_vitb_1600e'
MOCO, SUPERVISED = 'checkpoints/mocov3_vitb_300e.pth', 'checkpoints/supervised_vitb_300e.pth'
BOOTSTRAPPED = (
    'The paper does not say of what the last model is made. Its number is that of the first row of '
    'Table 2: BootMAE without context, whose decoders have 2 blocks. Or it is MAE as it is (a '
    'decoder of 8 blocks, random masks) and beside it that predictor and the momentum encoder.'
)


def fine_tuned(paper: float | None, run: Run | None) -> Score:
    """Accuracy after fine-tuning."""
    return Score(TOP1, paper, run)


def ablation(name: str, paper: float | None) -> Score:
    """Fine-tuning of ``configs/pretrain/ablations/bootmae_vitb_300e_<name>.py``."""
    start = f'pretrain/ablations/bootmae_vitb_300e_{name}'
    return fine_tuned(paper, Run(FINETUNE, start=start))


def mae(name: str, paper: float | None, encoder: str = 'vitb') -> Score:
    """Fine-tuning of ``configs/pretrain/mae/mae_<encoder>_<name>.py``."""
    tuning, _ = RECIPES[encoder]
    start = f'pretrain/mae/mae_{encoder}_{name}'
    return fine_tuned(paper, Run(f'finetune/baselines/mae_{encoder}_{tuning}', start=start))


TABLE_1 = Table(
    '1', 'Bootstrapped feature prediction', ('model', 'epochs'),
    (
        Row(('MAE', '1600'), (mae('1600e', 83.6),)),
        Row(('MAE', '800'), (mae('800e', 83.4),)),
        Row(('MAE', '300'), (mae('300e', 83.2),)),
        Row(('BootMAE without context', '300'), (ablation('context_none_none', 83.6),)),
        Row(('MAE with bootstrapped features', '300'), (mae('300e_bootstrapped', 83.6),)),
    ),
    note=BOOTSTRAPPED,
)  # fmt: skip
TABLE_2 = Table(
    '2', 'Context for the decoders', ('regressor', 'predictor'),
    (
        Row(('no', 'no'), (ablation('context_none_none', 83.6),)),
        Row(('yes', 'no'), (ablation('context_low_none', 83.9),)),
        Row(('yes', 'yes'), (fine_tuned(84.0, BOOTMAE_300),)),
    ),
)  # fmt: skip
TABLE_3 = Table(
    '3', 'Masks and targets', ('target', 'masks'),
    (
        Row(('pixels', 'random'), (mae('300e', 83.2),)),
        Row(('pixels', 'block-wise'), (mae('300e_pixel_block', 82.8),)),
        Row(('features of MAE', 'random'), (mae('300e_feature_random', 83.1),)),
        Row(('features of MAE', 'block-wise'), (mae('300e_feature_block', 83.6),)),
    ),
    note='The features are those of an MAE of 800 epochs. Pixels with random masks are '
    "mmpretrain's MAE; the others are built of BootMAE's parts in MAE's form.",
)  # fmt: skip
TABLE_4A = Table(
    '4a', 'Depth of regressor and predictor', ('blocks',),
    (
        Row(('1',), (ablation('depth_1', 83.4),)),
        Row(('2',), (fine_tuned(84.0, BOOTMAE_300),)),
        Row(('4',), (ablation('depth_4', 83.9),)),
        Row(('8',), (ablation('depth_8', 84.0),)),
    ),
)  # fmt: skip
TABLE_4B = Table(
    '4b', 'Width of the regressor', ('width',),
    (
        Row(('256',), (ablation('width_256', 83.8),)),
        Row(('384',), (ablation('width_384', 84.0),)),
        Row(('512',), (fine_tuned(84.0, BOOTMAE_300),)),
        Row(('768',), (ablation('width_768', 84.0),)),
    ),
)  # fmt: skip


def timed(config: str, seconds: float, speed_up: float) -> tuple[Score, Score]:
    """Time of a pretraining iteration, and how many times as fast as MAE's it is."""
    run = Run(f'pretrain/{config}')
    base = Run('pretrain/mae/mae_vitb_300e')
    return Score(SECONDS, seconds, run), Score(SPEED_UP, speed_up, run, over=base)


TABLE_5 = Table(
    '5', 'Share of the image that the teacher sees', ('model', 'share'),
    (
        Row(('MAE', '-'), (mae('300e', 83.2), *timed('mae/mae_vitb_300e', 0.473, 1))),
        *(
            Row(
                ('BootMAE', f'{share} %'),
                (
                    ablation(f'teacher_{share}', accuracy),
                    *timed(f'ablations/bootmae_vitb_300e_teacher_{share}', *times),
                ),
            )
            for share, accuracy, *times in (
                (25, 83.8, 0.407, 1.16), (50, 83.8, 0.479, 0.98), (75, 83.9, 0.588, 0.80),
            )
        ),
        Row(
            ('BootMAE', '100 %'),
            (fine_tuned(84.0, BOOTMAE_300), *timed('bootmae_vitb_300e', 0.660, 0.72)),
        ),
    ),
    note='The paper\'s times are those of 256 images on one A100. Ours are comparable with each '
    'other, not with them, unless they are from that machine.',
)  # fmt: skip


def classified(model: str, start: str | None, tuned: float, linear: float) -> tuple[Score, Score]:
    """Fine-tuning and linear probe by the recipes of ``model``, as in 'baselines/mae_vitl'."""
    recipes = RECIPES['vitb' if 'vitb' in model else 'vitl']
    tuning, probe = (
        Run(f'{recipe.partition("_")[0]}/{model}_{recipe}', start=start) for recipe in recipes
    )
    return fine_tuned(tuned, tuning), Score(LINEAR, linear, probe)


def table_6() -> tuple[Row, ...]:
    """Rows of ViT-B, then rows of ViT-L."""
    base, large = 'baselines/mae_vitb', 'baselines/mae_vitl'
    dino, moco_large = 'checkpoints/dino_vitb_300e.pth', 'checkpoints/mocov3_vitl_300e.pth'
    mae_large = 'pretrain/mae/mae_vitl_{}e'.format
    ours, ours_large = BOOTMAE_300.start, 'pretrain/bootmae_vitl_300e'
    return (
        Row(('ViT-B', 'ViT384, from scratch', '-'), (fine_tuned(77.9, None),)),
        Row(('ViT-B', 'DeiT, from scratch', '-'), (fine_tuned(81.8, None),)),
        Row(
            ('ViT-B', 'ViT, from scratch', '-'),
            (fine_tuned(82.3, Run('finetune/baselines/vitb_scratch_300e')),),
        ),
        Row(('ViT-B', 'DINO', '300'), classified(base, dino, 82.8, 78.2)),
        Row(('ViT-B', 'MoCo v3', '300'), classified(base, MOCO, 83.2, 76.7)),
        Row(('ViT-B', 'BEiT', '800'), classified('baselines/beit_vitb_800e', None, 83.2, 56.7)),
        Row(('ViT-B', 'MAE', '800'), classified(base, MAE_800, 83.4, 64.4)),
        Row(('ViT-B', 'MAE', '1600'), classified(base, MAE_1600, 83.6, 68.0)),
        Row(('ViT-B', 'BootMAE', '300'), classified('bootmae_vitb', ours, 84.0, 64.1)),
        Row(('ViT-B', 'BootMAE', '800'), classified('bootmae_vitb', None, 84.2, 66.1)),
        Row(('ViT-L', 'ViT384, from scratch', '-'), (fine_tuned(76.5, None),)),
        Row(
            ('ViT-L', 'ViT, from scratch', '-'),
            (fine_tuned(82.6, Run('finetune/baselines/vitl_scratch_200e')),),
        ),
        Row(('ViT-L', 'MoCo v3', '300'), classified(large, moco_large, 84.1, 77.6)),
        Row(('ViT-L', 'BEiT', '800'), classified('baselines/beit_vitl_800e', None, 85.2, 73.5)),
        Row(('ViT-L', 'MAE', '800'), classified(large, mae_large(800), 85.4, 73.9)),
        Row(('ViT-L', 'MAE', '1600'), classified(large, mae_large(1600), 85.9, 76.6)),
        Row(('ViT-L', 'BootMAE', '300'), classified('bootmae_vitl', ours_large, 85.4, 74.8)),
        Row(('ViT-L', 'BootMAE', '800'), classified('bootmae_vitl', None, 85.9, 77.1)),
    )  # fmt: skip


TABLE_6 = Table(
    '6', 'ImageNet-1K classification', ('encoder', 'model', 'epochs'), table_6(),
    note='The paper quotes the numbers of other models; they were fine-tuned and probed by other '
    'recipes than the ones here, and those from scratch were trained by three different ones.',
)  # fmt: skip


def segmented(config: str, start: str | None = None, paper: float | None = None) -> tuple[Score]:
    """UperNet on ADE20K."""
    return (Score(MIOU, paper, Run(f'seg/{config}', start=start)),)


UPERNET, SCRATCH = 'baselines/mae_vitb_upernet_160k', 'baselines/scratch_vitb_upernet_160k'
OURS_RELEASE = segmented('upernet_bootmae_vitb_160k_release', None, 49.1)
LOGGED = tuple(
    Score(metric, value, OURS_RELEASE[0].run)
    for metric, value in ((MEAN_ACCURACY, 60.0), (PIXEL_ACCURACY, 83.75))
)
TABLE_7A = Table(
    '7a', 'Semantic segmentation on ADE20K, UperNet', ('form', 'model', 'epochs'),
    (
        Row(('text', 'from scratch', '-'), segmented(SCRATCH)),
        Row(('text', 'supervised', '300'), segmented(UPERNET, SUPERVISED)),
        Row(('text', 'MoCo v3', '300'), segmented(UPERNET, MOCO)),
        Row(('text', 'MAE', '800'), segmented(UPERNET, MAE_800)),
        Row(('text', 'MAE', '1600'), segmented(UPERNET, MAE_1600)),
        Row(('text', 'BootMAE', '800'), segmented('upernet_bootmae_vitb_160k')),
        Row(('release', 'from scratch', '-'), segmented(f'{SCRATCH}_release')),
        Row(('release', 'supervised', '300'), segmented(f'{UPERNET}_release', SUPERVISED, 47.4)),
        Row(('release', 'MoCo v3', '300'), segmented(f'{UPERNET}_release', MOCO, 47.3)),
        Row(
            ('release', 'BEiT', '800'),
            segmented('baselines/beit_vitb_800e_upernet_160k', None, 47.1),
        ),
        Row(('release', 'MAE', '800'), segmented(f'{UPERNET}_release', MAE_800, 47.6)),
        Row(('release', 'MAE', '1600'), segmented(f'{UPERNET}_release', MAE_1600, 48.1)),
        Row(('release', 'BootMAE', '800'), (*OURS_RELEASE, *LOGGED)),
    ),
    note="The paper's text has a standard ViT, but its numbers were measured with relative "
    "position bias: BootMAE's in the release's form, the others' in MAE's paper. mAcc and aAcc are "
    "of the release's log, which has 49.12 mIoU. The rows from scratch are ours.",
)  # fmt: skip


def detected(
    config: str, start: str | None, box: float | None, mask: float | None
) -> tuple[Score, Score]:
    """Mask R-CNN on COCO."""
    run = Run(f'det/{config}', start=start)
    return Score(BOX, box, run), Score(MASK, mask, run)


MASK_RCNN = 'baselines/mae_vitb_mask_rcnn_1x'
TABLE_7B = Table(
    '7b', 'Detection and instance segmentation on COCO, Mask R-CNN 1×', ('model', 'epochs'),
    (
        Row(
            ('from scratch', '-'),
            detected('baselines/scratch_vitb_mask_rcnn_1x', None, None, None),
        ),
        Row(('supervised', '300'), detected(MASK_RCNN, SUPERVISED, 44.1, 39.8)),
        Row(('MoCo v3', '300'), detected(MASK_RCNN, MOCO, 44.9, 40.4)),
        Row(('BEiT', '800'), detected('baselines/beit_vitb_800e_mask_rcnn_1x', None, 46.3, 41.1)),
        Row(('MAE', '800'), detected(MASK_RCNN, MAE_800, 46.8, 41.9)),
        Row(('MAE', '1600'), detected(MASK_RCNN, MAE_1600, 47.2, 42.0)),
        Row(('BootMAE', '800'), detected('mask_rcnn_bootmae_vitb_1x', None, 48.5, 43.4)),
    ),
    note='The first row is ours; the paper has none.',
)  # fmt: skip


def table_8() -> tuple[Row, ...]:
    """The regressor's context by rows of the paper's grid, from high to low."""
    grid = {
        'high': (83.2, 83.3, 83.4),
        'middle': (83.6, 83.6, 83.7),
        'low': (83.8, 83.9, 84.0),
    }
    return tuple(
        Row(
            (regressor, predictor),
            (
                fine_tuned(value, BOOTMAE_300)
                if (regressor, predictor) == ('low', 'high')
                else ablation(f'context_{regressor}_{predictor}', value),
            ),
        )
        for regressor, values in grid.items()
        for predictor, value in zip(('low', 'middle', 'high'), values, strict=True)
    )


TABLE_8 = Table(
    '8', 'Which block is handed to the decoders', ('regressor', 'predictor'), table_8(),
    note='Low is the first block, middle the sixth, high the last of twelve.',
)  # fmt: skip
TABLE_9 = Table(
    '9', 'Features as the target of MAE', ('model', 'target', 'epochs'),
    (
        Row(('MAE', 'pixels', '300'), (mae('300e', 83.2),)),
        Row(('MAE', 'pixels', '800'), (mae('800e', 83.4),)),
        Row(('MAE', 'pixels', '1600'), (mae('1600e', 83.6),)),
        Row(('MAE', 'features of MAE', '300'), (mae('300e_feature_block', 83.6),)),
        Row(('MAE', 'features of MAE', '800'), (mae('800e_feature_block', 83.8),)),
    ),
    note='The features are those of an MAE of 800 epochs, the masks block-wise.',
)  # fmt: skip
BOOTMAE_200 = Run(FINETUNE, start='pretrain/bootmae_vitb_200e')
BOOTMAE_LARGE_300 = Run(FINETUNE_LARGE, start='pretrain/bootmae_vitl_300e')
FIG_3 = Table(
    'fig3', 'Epochs of pretraining', ('encoder', 'model', 'epochs'),
    (
        Row(('ViT-B', 'MAE', '300'), (mae('300e', 83.2),)),
        Row(('ViT-B', 'MAE', '800'), (mae('800e', 83.4),)),
        Row(('ViT-B', 'MAE', '1600'), (mae('1600e', 83.6),)),
        Row(('ViT-B', 'BootMAE', '200'), (fine_tuned(83.7, BOOTMAE_200),)),
        Row(('ViT-B', 'BootMAE', '300'), (fine_tuned(84.0, BOOTMAE_300),)),
        Row(('ViT-B', 'BootMAE', '800'), (fine_tuned(84.2, BOOTMAE_800),)),
        Row(('ViT-L', 'MAE', '800'), (mae('800e', 85.4, 'vitl'),)),
        Row(('ViT-L', 'MAE', '1600'), (mae('1600e', 85.9, 'vitl'),)),
        Row(('ViT-L', 'BootMAE', '300'), (fine_tuned(85.4, BOOTMAE_LARGE_300),)),
        Row(('ViT-L', 'BootMAE', '800'), (fine_tuned(85.9, Run(FINETUNE_LARGE)),)),
    ),
    note='The figure as far as the text and Tables 1 and 6 have its numbers.',
)  # fmt: skip


def pretrained(config: str, hours: float, score: Score) -> tuple[Score, Score]:
    """Hours of a pretraining, and what it is worth."""
    return Score(HOURS, hours, Run(f'pretrain/{config}')), score


SECTION_4_3 = Table(
    'sec4.3', 'Time to accuracy', ('model', 'epochs'),
    (
        Row(('MAE', '800'), pretrained('mae/mae_vitb_800e', 51, mae('800e', 83.4))),
        Row(
            ('BootMAE', '200'),
            pretrained('bootmae_vitb_200e', 18, fine_tuned(83.7, BOOTMAE_200)),
        ),
    ),
    note="The paper's hours are those of 16 V100s; those of small runs of one processor. They "
    'compare with each other only, if both ran on the same machine.',
)  # fmt: skip
