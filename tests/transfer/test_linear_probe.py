"""Linear probes: the recipe, what stays frozen, and that a sweep is many probes trained alone."""

import math
from copy import deepcopy

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmpretrain.evaluation import Accuracy
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.total_batch import accumulation
from bootmae_mm.transfer import DepthSweepAccuracy, DepthSweepHead
from tests.helpers.labelled_data import tiny_run, write_pictures
from tests.helpers.paths import ROOT

VITB = dict(epochs=90, lr=6.4, width=768, depth=12)
VITL = dict(epochs=50, lr=4.48, width=1024, depth=24)
RECIPES = {
    'bootmae_vitb_linear_90e': dict(**VITB, blocks=[10]),
    'bootmae_vitb_linear_90e_depth_sweep': dict(**VITB, blocks=list(range(1, 13))),
    'bootmae_vitl_linear_50e': dict(**VITL, blocks=[18]),
    'bootmae_vitl_linear_50e_depth_sweep': dict(**VITL, blocks=list(range(2, 25, 2))),
}


def load(name: str) -> Config:
    return Config.fromfile(ROOT / f'configs/linear/{name}.py')


def tiny_probe(name: str, tmp_path, **changes):
    """The model of a tiny run, trained on random images without a runner."""
    cfg = tiny_run(f'linear/{name}', tmp_path, tmp_path / 'run')
    cfg.merge_from_dict(changes)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model, cfg


def batches(count: int) -> list[dict]:
    """Batches of 6 random images of 3 classes."""
    samples = [DataSample().set_gt_label(i % 3) for i in range(6)]
    return [
        dict(inputs=torch.randint(0, 256, (6, 3, 32, 32)), data_samples=deepcopy(samples))
        for _ in range(count)
    ]


def test_every_config_is_in_the_table():
    assert {path.stem for path in (ROOT / 'configs/linear').glob('*.py')} == set(RECIPES)


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_recipe(name, recipe):
    cfg = load(name)
    assert cfg.train_cfg.max_epochs == recipe['epochs']
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.momentum, optimizer.weight_decay) == ('LARS', 0.9, 0.0)
    assert optimizer.lr == pytest.approx(recipe['lr'])
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.dtype) == ('AutocastOptimWrapper', 'bfloat16')
    assert cfg.custom_hooks.total_batch == dict(type='TotalBatchHook', total_batch_size=16384)
    assert accumulation(16384, cfg.train_dataloader.batch_size, 8) == 4
    crop, flip = cfg.train_dataloader.dataset.pipeline[1:3]
    assert (tuple(crop.crop_ratio_range), crop.scale, crop.interpolation, flip) == (
        (0.08, 1.0), 224, 'bicubic', dict(type='RandomFlip', prob=0.5),
    )  # fmt: skip
    assert len(cfg.train_dataloader.dataset.pipeline) == 4
    assert cfg.model.get('train_cfg') is None  # no mixing


@pytest.mark.parametrize('name, recipe', RECIPES.items())
def test_the_model(name, recipe):
    cfg = load(name)
    with torch.device('meta'):
        model = MODELS.build(deepcopy(cfg.model))
    backbone = model.backbone
    assert (backbone.embed_dims, backbone.num_layers) == (recipe['width'], recipe['depth'])
    assert backbone.out_type == 'avg_featmap' and not backbone.final_norm
    assert [index + 1 for index in backbone.out_indices] == recipe['blocks']
    trained = {n: p.shape for n, p in model.named_parameters() if p.requires_grad}
    assert list(trained.values()) == [(1000, recipe['width']), (1000,)] * len(recipe['blocks'])
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert [(m.affine, m.eps) for m in norms] == [(False, 1e-6)] * len(recipe['blocks'])
    linear = cfg.model.head.get('head', cfg.model.head)
    assert linear.init_cfg == dict(type='TruncNormal', layer='Linear', std=0.01)
    assert linear.loss == dict(type='CrossEntropyLoss')


@pytest.mark.parametrize('name', [name for name in RECIPES if 'sweep' not in name])
def test_the_learning_rate(name):
    """Linear from 0 over 10 epochs, then one cosine to 0."""
    cfg, length, recipe = load(name), 12, RECIPES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=recipe['lr'])
    schedulers = []
    for item in deepcopy(cfg.param_scheduler):
        assert item.pop('by_epoch') and item.pop('convert_to_iter_based')
        kind = PARAM_SCHEDULERS.get(item.pop('type'))
        schedulers.append(
            kind.build_iter_from_epoch(
                optimizer=OptimWrapper(optimizer), epoch_length=length, by_epoch=True, **item
            )
        )
    for step in range(recipe['epochs'] * length):
        if step < 10 * length:
            expected = recipe['lr'] * step / (10 * length - 1)
        else:
            phase = math.pi * (step - 10 * length) / ((recipe['epochs'] - 10) * length)
            expected = recipe['lr'] * (1 + math.cos(phase)) / 2
        assert optimizer.param_groups[0]['lr'] == pytest.approx(expected, rel=1e-3, abs=1e-5)
        for scheduler in schedulers:
            scheduler.step()


def test_weights_scale_the_step_of_lars_and_biases_do_not(tmp_path):
    model, cfg = tiny_probe('bootmae_vitb_linear_90e', tmp_path)
    wrapper = build_optim_wrapper(model, deepcopy(cfg.optim_wrapper))
    excluded = {
        id(p): group.get('lars_exclude', False)
        for group in wrapper.param_groups
        for p in group['params']
    }
    assert excluded[id(model.head.fc.bias)] and not excluded[id(model.head.fc.weight)]


def test_the_encoder_stays_as_it_is(tmp_path):
    """No gradient, no graph, and evaluation mode even with drop path and in training."""
    model, cfg = tiny_probe(
        'bootmae_vitb_linear_90e', tmp_path, **{'model.backbone.drop_path_rate': 0.9}
    )
    before = deepcopy(model.backbone.state_dict())
    wrapper = build_optim_wrapper(model, deepcopy(cfg.optim_wrapper))
    model.train()
    assert model.neck.training and model.head.training
    assert not any(module.training for module in model.backbone.modules())
    images = torch.randn(4, 3, 32, 32)
    first, second = model.backbone(images)[0], model.backbone(images)[0]
    assert first.grad_fn is None and torch.equal(first, second)
    weight = model.head.fc.weight.detach().clone()
    for batch in batches(3):
        model.train_step(batch, wrapper)
    assert not torch.equal(model.head.fc.weight, weight)
    assert all(p.grad is None for p in model.backbone.parameters())
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_probe_sees_the_pooled_block(tmp_path):
    """Patch tokens after the block → average → LayerNorm with weight 1, bias 0."""
    model, _ = tiny_probe(
        'bootmae_vitb_linear_90e', tmp_path, **{'model.backbone.out_indices': [1]}
    )
    images = torch.randn(2, 3, 32, 32)
    _, tapped = model.backbone.encode(images, taps=[1])
    mean = tapped[1][:, 1:].sum(dim=1) / 16
    centred = mean - mean.mean(dim=1, keepdim=True)
    expected = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(model.backbone(images)[0], expected)


def test_a_sweep_is_its_probes_trained_alone(tmp_path):
    """LARS sees one tensor at a time: 8 steps, same weights and BatchNorm, to round-off."""
    sweep, cfg = tiny_probe(
        'bootmae_vitb_linear_90e_depth_sweep', tmp_path,
        **{'model.head.blocks': [1, 3], 'model.backbone.out_indices': [0, 2]},
    )  # fmt: skip
    start, data = deepcopy(sweep.state_dict()), batches(8)

    def train(model, cfg):
        wrapper = build_optim_wrapper(model, deepcopy(cfg.optim_wrapper))
        model.train()
        for batch in deepcopy(data):
            model.train_step(batch, wrapper)
        return model.state_dict()

    trained = train(sweep, cfg)
    for block in (1, 3):
        alone, cfg = tiny_probe(
            'bootmae_vitb_linear_90e', tmp_path, **{'model.backbone.out_indices': [block - 1]}
        )
        names = {'neck.': f'head.probes.block_{block}.0.', 'head.': f'head.probes.block_{block}.1.'}

        def of_sweep(name, names=names):
            part = name.partition('.')[0] + '.'
            return names.get(part, part) + name.removeprefix(part)

        alone.load_state_dict({name: start[of_sweep(name)] for name in alone.state_dict()})
        for name, value in train(alone, cfg).items():
            torch.testing.assert_close(value, trained[of_sweep(name)], rtol=1e-5, atol=1e-7)
        moved = trained[f'head.probes.block_{block}.1.fc.weight']
        assert not torch.allclose(moved, start[f'head.probes.block_{block}.1.fc.weight'])


def test_the_accuracy_of_every_block_is_mmpretrains():
    labels = torch.randint(6, (40,))
    scores = {f'block_{b}': torch.rand(40, 6) for b in (2, 4)}
    metric = DepthSweepAccuracy(topk=(1, 3))
    for rows in torch.arange(40).split(7):
        metric.process(
            None,
            [
                dict(gt_label=labels[i : i + 1], block_scores={n: s[i] for n, s in scores.items()})
                for i in rows
            ],
        )
    found = metric.evaluate(40)
    assert set(found) == {f'accuracy/block_{b}/top{k}' for b in (2, 4) for k in (1, 3)}
    for name, score in scores.items():
        expected = Accuracy.calculate(score, labels, topk=(1, 3))
        assert found[f'accuracy/{name}/top1'] == pytest.approx(expected[0][0].item(), rel=1e-5)
        assert found[f'accuracy/{name}/top3'] == pytest.approx(expected[1][0].item(), rel=1e-5)


def test_errors_say_what_to_do():
    probe = dict(type='LinearClsHead', num_classes=3, in_channels=4)
    head = DepthSweepHead([1, 2], dict(type='ClsBatchNormNeck', input_features=4), probe)
    with pytest.raises(ValueError, match='expects the features of 2 blocks, found 1'):
        head.predict((torch.randn(2, 4),), [DataSample(), DataSample()])
    sample = dict(gt_label=torch.tensor([0]), block_scores=dict(block_1=torch.randn(3)))
    with pytest.raises(ValueError, match='Top-5 accuracy expects at least 5 classes, found 3'):
        DepthSweepAccuracy().process(None, [sample])


def test_a_run_of_the_sweep(tmp_path):
    root = write_pictures(tmp_path / 'data')
    cfg = tiny_run('linear/bootmae_vitb_linear_90e_depth_sweep', root, tmp_path / 'run')
    runner = build_runner(cfg)
    runner.train()
    scalars = runner.message_hub.log_scalars
    for block in (1, 2, 3):
        assert 0 <= scalars[f'val/accuracy/block_{block}/top1'].current() <= 100
        assert scalars[f'train/block_{block}.loss'].current() > 0
    total = sum(scalars[f'train/block_{block}.loss'].current() for block in (1, 2, 3))
    assert scalars['train/loss'].current() == pytest.approx(total, rel=1e-5)
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    table = log[log.rindex('Linear probes') :].splitlines()[1:5]
    assert table[0].split() == ['block', 'top1']
    for block, line in zip((1, 2, 3), table[1:], strict=True):
        number, top1 = line.split()
        assert int(number) == block
        logged = scalars[f'val/accuracy/block_{block}/top1'].current()
        assert float(top1) == pytest.approx(logged, abs=0.01)
