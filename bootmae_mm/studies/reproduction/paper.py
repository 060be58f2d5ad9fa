"""Tables 1 to 9 and Fig. 3 of the paper: every row with the config that reproduces it. One table
more is ours.

A cell names the config whose run gives the number; what that run starts from stands in the config.
"""

from .cells import BOX, LINEAR, MASK, MIOU, SECONDS, TOP1, Row, Score, Table

BOOTMAE_300 = 'finetune/ablations/bootmae_vitb_300e_finetune_100e'
BOOTMAE_800 = 'finetune/bootmae_vitb_finetune_100e'
MAE_DECODERS = (
    'The last row has decoders of 2 blocks, where MAE has 8: the paper gives it the number of the '
    'first row of Table 2, which is the same model.'
)


def fine_tuned(paper: float | None, config: str | None) -> Score:
    """Accuracy after fine-tuning."""
    return Score(TOP1, paper, config)


def ablation(name: str, paper: float | None) -> Score:
    """Fine-tuning of ``configs/pretrain/ablations/bootmae_vitb_300e_<name>.py``."""
    return fine_tuned(paper, f'finetune/ablations/bootmae_vitb_300e_{name}_finetune_100e')


def mae(name: str, paper: float | None) -> Score:
    """Fine-tuning of ``configs/pretrain/mae/mae_vitb_<name>.py``."""
    return fine_tuned(paper, f'finetune/baselines/mae_vitb_{name}_finetune_100e')


TABLE_1 = Table(
    '1', 'Bootstrapped feature prediction', ('model', 'epochs'),
    (
        Row(('MAE', '1600'), (mae('1600e', 83.6),)),
        Row(('MAE', '800'), (mae('800e', 83.4),)),
        Row(('MAE', '300'), (mae('300e', 83.2),)),
        Row(('MAE with bootstrapped features', '300'), (ablation('context_none_none', 83.6),)),
    ),
    references=(2,), note=MAE_DECODERS,
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
    references=(0,),
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
    references=(1,),
)  # fmt: skip
TABLE_4B = Table(
    '4b', 'Width of the regressor', ('width',),
    (
        Row(('256',), (ablation('width_256', 83.8),)),
        Row(('384',), (ablation('width_384', 84.0),)),
        Row(('512',), (fine_tuned(84.0, BOOTMAE_300),)),
        Row(('768',), (ablation('width_768', 84.0),)),
    ),
    references=(2,),
)  # fmt: skip


def seconds(paper: float, config: str) -> Score:
    """Time of a pretraining iteration."""
    return Score(SECONDS, paper, f'pretrain/{config}')


TABLE_5 = Table(
    '5', 'Share of the image that the teacher sees', ('model', 'share'),
    (
        Row(('MAE', '-'), (mae('300e', 83.2), seconds(0.473, 'mae/mae_vitb_300e'))),
        *(
            Row(
                ('BootMAE', f'{share} %'),
                (
                    ablation(f'teacher_{share}', accuracy),
                    seconds(time, f'ablations/bootmae_vitb_300e_teacher_{share}'),
                ),
            )
            for share, accuracy, time in ((25, 83.8, 0.407), (50, 83.8, 0.479), (75, 83.9, 0.588))
        ),
        Row(
            ('BootMAE', '100 %'),
            (fine_tuned(84.0, BOOTMAE_300), seconds(0.660, 'bootmae_vitb_300e')),
        ),
    ),
    references=(0,),
    note='The paper\'s times are those of 256 images on one A100. Ours are comparable with each '
    'other, not with them, unless they are from that machine.',
)  # fmt: skip


def classified(
    size: str, name: str, suffix: str, tuned: float, linear: float
) -> tuple[Score, Score]:
    """Fine-tuning and linear probe of a model that is not the default one of 800 epochs."""
    probe = {'finetune_100e': 'linear_90e', 'finetune_50e': 'linear_50e'}[suffix]
    folder = 'ablations' if name.startswith('bootmae') else 'baselines'
    return (
        fine_tuned(tuned, f'finetune/{folder}/{name.format(size)}_{suffix}'),
        Score(LINEAR, linear, f'linear/{folder}/{name.format(size)}_{probe}'),
    )


def table_6() -> tuple[Row, ...]:
    """Rows of ViT-B, then rows of ViT-L."""
    base, large = 'finetune_100e', 'finetune_50e'
    return (
        Row(('ViT-B', 'ViT384, from scratch', '-'), (fine_tuned(77.9, None),)),
        Row(('ViT-B', 'DeiT, from scratch', '-'), (fine_tuned(81.8, None),)),
        Row(
            ('ViT-B', 'ViT, from scratch', '-'),
            (fine_tuned(82.3, 'finetune/baselines/vitb_scratch_300e'),),
        ),
        Row(('ViT-B', 'DINO', '300'), classified('vitb', 'dino_{}_300e', base, 82.8, 78.2)),
        Row(('ViT-B', 'MoCo v3', '300'), classified('vitb', 'mocov3_{}_300e', base, 83.2, 76.7)),
        Row(('ViT-B', 'BEiT', '800'), classified('vitb', 'beit_{}_800e', base, 83.2, 56.7)),
        Row(('ViT-B', 'MAE', '800'), classified('vitb', 'mae_{}_800e', base, 83.4, 64.4)),
        Row(('ViT-B', 'MAE', '1600'), classified('vitb', 'mae_{}_1600e', base, 83.6, 68.0)),
        Row(('ViT-B', 'BootMAE', '300'), classified('vitb', 'bootmae_{}_300e', base, 84.0, 64.1)),
        Row(
            ('ViT-B', 'BootMAE', '800'),
            (fine_tuned(84.2, BOOTMAE_800), Score(LINEAR, 66.1, 'linear/bootmae_vitb_linear_90e')),
        ),
        Row(('ViT-L', 'ViT384, from scratch', '-'), (fine_tuned(76.5, None),)),
        Row(
            ('ViT-L', 'ViT, from scratch', '-'),
            (fine_tuned(82.6, 'finetune/baselines/vitl_scratch_200e'),),
        ),
        Row(('ViT-L', 'MoCo v3', '300'), classified('vitl', 'mocov3_{}_300e', large, 84.1, 77.6)),
        Row(('ViT-L', 'BEiT', '800'), classified('vitl', 'beit_{}_800e', large, 85.2, 73.5)),
        Row(('ViT-L', 'MAE', '800'), classified('vitl', 'mae_{}_800e', large, 85.4, 73.9)),
        Row(('ViT-L', 'MAE', '1600'), classified('vitl', 'mae_{}_1600e', large, 85.9, 76.6)),
        Row(('ViT-L', 'BootMAE', '300'), classified('vitl', 'bootmae_{}_300e', large, 85.4, 74.8)),
        Row(
            ('ViT-L', 'BootMAE', '800'),
            (
                fine_tuned(85.9, 'finetune/bootmae_vitl_finetune_50e'),
                Score(LINEAR, 77.1, 'linear/bootmae_vitl_linear_50e'),
            ),
        ),
    )  # fmt: skip


TABLE_6 = Table(
    '6', 'ImageNet-1K classification', ('encoder', 'model', 'epochs'), table_6(),
    references=(6, 14),
    note='The paper quotes the numbers of other models; they were fine-tuned and probed by other '
    'recipes than the ones here, and those from scratch were trained by three different ones.',
)  # fmt: skip


def segmented(config: str, paper: float | None) -> Score:
    """UperNet on ADE20K."""
    return Score(MIOU, paper, f'seg/{config}')


TABLE_7A = Table(
    '7a', 'Semantic segmentation on ADE20K, UperNet', ('model', 'epochs'),
    (
        Row(('from scratch', '-'), (segmented('baselines/scratch_vitb_upernet_160k', None),)),
        Row(
            ('supervised', '300'),
            (segmented('baselines/supervised_vitb_300e_upernet_160k', 47.4),),
        ),
        Row(('MoCo v3', '300'), (segmented('baselines/mocov3_vitb_300e_upernet_160k', 47.3),)),
        Row(('BEiT', '800'), (segmented('baselines/beit_vitb_800e_upernet_160k', 47.1),)),
        Row(('MAE', '800'), (segmented('baselines/mae_vitb_800e_upernet_160k', 47.6),)),
        Row(('MAE', '1600'), (segmented('baselines/mae_vitb_1600e_upernet_160k', 48.1),)),
        Row(('BootMAE', '800'), (segmented('upernet_bootmae_vitb_160k', 49.1),)),
    ),
    references=(4,), note='The first row is ours; the paper has none.',
)  # fmt: skip


def detected(config: str, box: float | None, mask: float | None) -> tuple[Score, Score]:
    """Mask R-CNN on COCO."""
    return Score(BOX, box, f'det/{config}'), Score(MASK, mask, f'det/{config}')


TABLE_7B = Table(
    '7b', 'Detection and instance segmentation on COCO, Mask R-CNN 1×', ('model', 'epochs'),
    (
        Row(('from scratch', '-'), detected('baselines/scratch_vitb_mask_rcnn_1x', None, None)),
        Row(
            ('supervised', '300'),
            detected('baselines/supervised_vitb_300e_mask_rcnn_1x', 44.1, 39.8),
        ),
        Row(('MoCo v3', '300'), detected('baselines/mocov3_vitb_300e_mask_rcnn_1x', 44.9, 40.4)),
        Row(('BEiT', '800'), detected('baselines/beit_vitb_800e_mask_rcnn_1x', 46.3, 41.1)),
        Row(('MAE', '800'), detected('baselines/mae_vitb_800e_mask_rcnn_1x', 46.8, 41.9)),
        Row(('MAE', '1600'), detected('baselines/mae_vitb_1600e_mask_rcnn_1x', 47.2, 42.0)),
        Row(('BootMAE', '800'), detected('mask_rcnn_bootmae_vitb_1x', 48.5, 43.4)),
    ),
    references=(4,), note='The first row is ours; the paper has none.',
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
    references=(0,), note='The features are those of an MAE of 800 epochs, the masks block-wise.',
)  # fmt: skip
FIG_3 = Table(
    'fig3', 'Epochs of pretraining', ('encoder', 'epochs'),
    (
        *(
            Row(('ViT-B', str(epochs)), (fine_tuned(paper, config),))
            for epochs, paper, config in (
                (200, 83.7, 'finetune/ablations/bootmae_vitb_200e_finetune_100e'),
                (300, 84.0, BOOTMAE_300),
                (400, None, 'finetune/ablations/bootmae_vitb_400e_finetune_100e'),
                (800, 84.2, BOOTMAE_800),
                (1600, None, 'finetune/ablations/bootmae_vitb_1600e_finetune_100e'),
            )
        ),
        Row(
            ('ViT-L', '300'),
            (fine_tuned(85.4, 'finetune/ablations/bootmae_vitl_300e_finetune_50e'),),
        ),
        Row(('ViT-L', '800'), (fine_tuned(85.9, 'finetune/bootmae_vitl_finetune_50e'),)),
    ),
    references=(1, 5),
    note='Only these numbers stand in the text. MAE\'s curve is in Table 9.',
)  # fmt: skip
JOINT_800 = 'finetune/ablations/bootmae_vitb_800e_joint_random_finetune_100e'
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

TABLES = {
    table.name: table
    for table in (
        TABLE_1, TABLE_2, TABLE_3, TABLE_4A, TABLE_4B, TABLE_5, TABLE_6, TABLE_7A, TABLE_7B,
        TABLE_8, TABLE_9, FIG_3, MASKS,
    )
}  # fmt: skip


def select(names: list[str]) -> list[Table]:
    """The tables of these names, in the paper's order; '4' stands for 4a and 4b, 'all' for all.

    Raises:
        ValueError: If there is no such table.
    """
    if 'all' in names:
        return list(TABLES.values())
    wanted = set()
    for name in names:
        found = {key for key in TABLES if name in (key, key.rstrip('ab'))}
        if not found:
            raise ValueError(
                f'Expected tables out of {", ".join(TABLES)} or all, found {name!r}; name one of '
                'them.'
            )
        wanted |= found
    return [table for key, table in TABLES.items() if key in wanted]
