"""Linear probes: what stays frozen, and that a sweep is many probes trained alone."""

from copy import deepcopy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.evaluation import Accuracy
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from bootmae_mm.engine.build import build_runner
from bootmae_mm.transfer import DepthSweepAccuracy, DepthSweepHead
from tests.helpers.configs import build, load
from tests.helpers.labelled_data import tiny_run, write_pictures


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


@pytest.mark.parametrize(
    ('name', 'probed'),
    [('bootmae_vitb_linear_90e', range(1, 13)), ('bootmae_vitl_linear_50e', range(2, 25, 2))],
)
def test_a_sweep_has_probes_of_many_blocks(name, probed):
    """As large as the one alone, with a norm of its own; nothing else is trained."""
    alone, sweep = (build(load(f'linear/{name}{form}')) for form in ('', '_depth_sweep'))
    assert [index + 1 for index in sweep.backbone.out_indices] == list(probed)
    assert list(sweep.head.probes) == [f'block_{block}' for block in probed]

    def trained(model):
        return [p.shape for p in model.parameters() if p.requires_grad]

    assert trained(alone) == [(1000, alone.backbone.embed_dims), (1000,)]
    assert trained(sweep) == trained(alone) * len(probed)
    norms = [str(m) for m in sweep.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert norms == [str(alone.neck.bn)] * len(probed)


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
