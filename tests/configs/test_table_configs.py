"""Every row of the paper's tables has a recipe, and a config holds what its name says."""

import itertools
import re
from pathlib import Path

import pytest

from bootmae_mm.engine.hooks import hook_list
from bootmae_mm.pretrain.teacher import FrozenTeacher, MomentumTeacher
from bootmae_mm.studies.reproduction.catalogue import TABLES
from bootmae_mm.studies.reproduction.runs import Paths, external_weights, load
from tests.helpers.configs import build, changes
from tests.helpers.paths import ROOT

PATHS = Paths(configs=ROOT / 'configs')
RUNS = sorted({run for table in TABLES.values() for run in table.runs}, key=lambda run: run.name)
CONFIGS = sorted({run.config for run in RUNS})
PRETRAIN = sorted(
    str(path.relative_to(ROOT / 'configs').with_suffix(''))
    for folder in ('ablations', 'mae')
    for path in (ROOT / 'configs/pretrain' / folder).glob('*.py')
)
LAYERS = dict(none=None, low=0, middle=5, high=11)
PATCH_NORM = {'model.pixel_head.norm': 'patch'}
RANDOM = {
    f'{pipeline}.2.{name}': value
    for pipeline in ('train_pipeline', 'train_dataloader.dataset.pipeline')
    for name, value in dict(
        type='RandomMasking', num_blocked=None, **{'block_size.0': None, 'block_size.1': None}
    ).items()
}
IMAGENET = [123.675, 116.28, 103.53]


def stem(config: str) -> str:
    return Path(config).name


@pytest.fixture
def no_weights(monkeypatch):
    """A frozen teacher without the file that it would be loaded from."""

    def build(self, student, checkpoint, fraction=1.0):
        super(FrozenTeacher, self).__init__(student, fraction)

    monkeypatch.setattr(FrozenTeacher, '__init__', build)


def test_every_config_of_the_folders_is_in_a_table_or_starts_one():
    files = {
        str(path.relative_to(ROOT / 'configs').with_suffix(''))
        for kind in ('pretrain', 'finetune', 'linear', 'seg', 'det')
        for path in (ROOT / 'configs' / kind).glob('*/*.py')
    }
    origins = {origin for run in RUNS for origin in run.origins(PATHS)}
    teachers = {teacher for origin in origins for teacher in origin.origins(PATHS)}
    named = {run.config for run in (*RUNS, *origins, *teachers)}
    assert files - named == set()
    assert {config for config in named if not (ROOT / f'configs/{config}.py').is_file()} == set()


@pytest.mark.parametrize('kind', ['finetune', 'linear', 'seg', 'det'])
def test_no_two_recipes_differ_in_their_start_alone(kind):
    """Their rows share one, see :class:`.Run`."""
    folder = PATHS.configs / kind
    recipes = [
        f'{kind}/{path.relative_to(folder).with_suffix("")}' for path in folder.rglob('*.py')
    ]
    assert len(recipes) > 4
    for config, other in itertools.combinations(recipes, 2):
        assert changes(config, other).keys() - {'model.backbone.init_cfg.checkpoint'}, config


def test_every_row_but_the_quoted_ones_has_a_run():
    quoted = [
        row.cells for table in TABLES.values() for row in table.rows if row.scores[0].run is None
    ]
    assert quoted == [
        ('ViT-B', 'ViT384, from scratch', '-'),
        ('ViT-B', 'DeiT, from scratch', '-'),
        ('ViT-L', 'ViT384, from scratch', '-'),
    ]


@pytest.mark.parametrize(
    ('alone', 'gone'),
    [
        ('pixels', ('model.predictor', 'model.feature_head', 'model.teacher',
                    'custom_hooks.teacher', 'custom_hooks.feature_weight')),
        ('features', ('model.regressor', 'model.pixel_head')),
    ],
)  # fmt: skip
def test_a_target_alone_lacks_the_parts_of_the_other_and_nothing_else(alone, gone):
    found = changes(f'pretrain/ablations/bootmae_vitb_300e_{alone}', 'pretrain/bootmae_vitb_300e')
    assert {value for value in found.values()} == {None}
    assert {'.'.join(name.split('.')[:2]) for name in found} == {*gone}


@pytest.mark.parametrize(
    'config',
    [
        c
        for c in PRETRAIN
        if stem(c).startswith('bootmae') and not stem(c).endswith(('_pixels', '_features'))
    ],
)
def test_an_ablation_changes_what_its_name_says_and_nothing_else(config):
    base, change = re.fullmatch(r'(bootmae_vitb_\d+e)_(.+)', stem(config)).groups()
    expected = {
        'context_(.+)_(.+)': lambda regressor, predictor: {
            'model.regressor.context_layer': LAYERS[regressor],
            'model.predictor.context_layer': LAYERS[predictor] if predictor != 'high' else -1,
        },
        'depth_(.+)': lambda d: {
            f'model.{part}.depth': int(d) for part in ('regressor', 'predictor')
        },
        'width_(.+)': lambda width: {'model.regressor.embed_dims': int(width)},
        'teacher_(.+)': lambda share: {'model.teacher.fraction': int(share) / 100},
        'random': lambda: RANDOM,
        'joint': lambda: PATCH_NORM,
        'joint_random': lambda: PATCH_NORM | RANDOM,
    }
    found = [
        make(*match.groups())
        for pattern, make in expected.items()
        if (match := re.fullmatch(pattern, change))
    ]
    assert len(found) == 1
    defaults = {'model.regressor.context_layer': 0, 'model.predictor.context_layer': -1}
    wanted = {k: v for k, v in found[0].items() if k not in defaults or v != defaults[k]}
    if wanted.get('model.regressor.context_layer') == 11:
        wanted['model.regressor.context_layer'] = -1
    assert changes(config, f'pretrain/{base}') == wanted


@pytest.mark.parametrize('config', PRETRAIN)
def test_a_pretraining_model_is_what_its_name_says(config, no_weights):
    cfg = load(PATHS.configs, config)
    kind, size, epochs, change = re.fullmatch(
        r'(mae|bootmae)_(vitb|vitl)_(\d+)e_?(.*)', stem(config)
    ).groups()
    model = build(cfg)
    assert cfg.train_cfg.max_epochs == int(epochs)
    assert model.backbone.embed_dims == dict(vitb=768, vitl=1024)[size]
    hooks = [hook.type for hook in hook_list(cfg.custom_hooks)]
    masks = [s.type for s in cfg.train_dataloader.dataset.pipeline if s.type.endswith('Masking')]
    if (kind, change) == ('mae', ''):
        assert masks == []  # MAE draws its own
    else:
        random = change.endswith(('random', 'bootstrapped'))
        assert masks == ['RandomMasking' if random else 'BlockwiseMasking']
    if kind == 'bootmae':
        taught = change != 'pixels'
        assert isinstance(model.teacher, MomentumTeacher) == taught
        assert ('MomentumTeacherHook' in hooks) == taught
        return
    bootstrapped = change == 'bootstrapped'
    assert ('MomentumTeacherHook' in hooks) == ('FeatureWeightHook' in hooks) == bootstrapped
    assert list(cfg.model.data_preprocessor.mean) == IMAGENET
    if not change:
        assert type(model).__name__ == 'MAE' and len(model.neck.decoder_blocks) == 8
        return
    decoder = model.predictor if change.startswith('feature') else model.regressor
    assert [model.regressor, model.predictor].count(None) == (0 if bootstrapped else 1)
    assert isinstance(model.teacher, MomentumTeacher) == bootstrapped
    if bootstrapped:  # BootMAE's predictor, without context
        predictor = model.predictor
        assert (len(predictor.blocks), predictor.embed.out_features) == (2, 768)
        assert predictor.context_layer is None and model.pixel_head.norm == 'patch'
    assert (len(decoder.blocks), decoder.embed.out_features) == (8, 512)
    assert decoder.context_layer is None and not model.centre_weighting
    assert isinstance(model.teacher, FrozenTeacher) == change.startswith('feature')


@pytest.mark.parametrize(
    'run', [run for run in RUNS if run.kind != 'pretrain'], ids=lambda run: run.name
)
def test_a_transfer_starts_from_what_its_name_says(run):
    """At the end of that pretraining, with its normalisation, and with the recipe of the folder."""
    cfg, name = load(PATHS.configs, run.config), run.name
    own = re.fullmatch(
        r'((?:bootmae|mae|dino|mocov3|beit|supervised)_vit[bl]_\d+e.*?)_'
        r'(finetune_(?:100|50)e|linear_(?:90|50)e|upernet_160k(?:_release)?|mask_rcnn_1x)',
        name,
    )
    found = run.checkpoints(PATHS)
    if 'scratch' in name:
        assert found == []
        return
    origin = own[1] if own else ('bootmae_vitl_800e' if 'vitl' in name else 'bootmae_vitb_800e')
    assert [Path(path).parent.name for path in found] in ([origin], ['checkpoints'])
    if found[0].startswith('checkpoints/'):
        assert external_weights(run, PATHS) == [f'checkpoints/{origin}.pth']
        mean = [127.5] * 3 if origin.startswith('beit') else IMAGENET
    else:
        [start] = run.origins(PATHS)
        pretraining = load(PATHS.configs, start.config)
        assert Path(found[0]).name == f'epoch_{pretraining.train_cfg.max_epochs}.pth'
        assert pretraining.model.backbone.arch[0] == cfg.model.backbone.arch[0]
        mean = list(pretraining.model.data_preprocessor.mean)
    assert list(cfg.model.data_preprocessor.mean) == mean
    assert cfg.model.backbone.arch == dict(vitb='base', vitl='large')[origin.split('_')[1]]


@pytest.mark.parametrize(
    ('folder', 'allowed'),
    [
        ('finetune', {'data_preprocessor', 'init_cfg', 'relative_position_bias'}),
        ('linear', {'data_preprocessor', 'init_cfg', 'relative_position_bias', 'out_indices'}),
        ('seg', {'data_preprocessor', 'init_cfg', 'relative_position_bias'}),
        ('det', {'data_preprocessor', 'init_cfg', 'relative_position_bias'}),
    ],
)
def test_a_baseline_changes_its_start_and_its_input_alone(folder, allowed):
    bases = {
        'finetune_100e': 'finetune/bootmae_vitb_finetune_100e',
        'finetune_50e': 'finetune/bootmae_vitl_finetune_50e',
        'linear_90e': 'linear/bootmae_vitb_linear_90e',
        'linear_50e': 'linear/bootmae_vitl_linear_50e',
        'upernet_160k': 'seg/upernet_bootmae_vitb_160k',
        'upernet_160k_release': 'seg/upernet_bootmae_vitb_160k_release',
        'rcnn_1x': 'det/mask_rcnn_bootmae_vitb_1x',
    }
    checked = 0
    for config in CONFIGS:
        own = [base for suffix, base in bases.items() if config.endswith(suffix)]
        if not config.startswith(f'{folder}/') or '/' not in config.removeprefix(f'{folder}/'):
            continue
        if not own:
            assert 'scratch' in config
            continue
        names = {re.split(r'\.', name)[1 if '.data_pre' in name else 2] for name in
                 changes(config, own[0]) if name.startswith('model.')}  # fmt: skip
        assert names <= allowed | {'layer_scale_init_value'}, config
        others = {name for name in changes(config, own[0]) if not name.startswith('model.')}
        assert others <= {'optim_wrapper.paramwise_cfg.decay_embeddings'}, config
        checked += 1
    assert checked > 1


@pytest.mark.parametrize(
    'config', [c for c in CONFIGS if 'baselines' in c and ('beit' in c or 'scratch' in c)]
)
def test_baselines_of_another_form_build(config):
    """BEiT with relative positions; training from scratch. MAE's recipe changes the input alone."""
    model = build(load(PATHS.configs, config))
    blocks = model.backbone.layers
    assert hasattr(blocks[0], 'attn')
    if 'beit' in config:
        assert 'relative_position_bias' in ' '.join(dict(model.backbone.named_parameters()))
