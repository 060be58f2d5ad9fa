"""Hooks inside mmengine's own Runner: when the teacher moves, what is set, logged and restored."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from bootmae_mm import checkpoint
from bootmae_mm.engine.build import build_runner
from bootmae_mm.monitors.health.hook import HealthHook
from bootmae_mm.monitors.probes import OnlineProbeHook
from bootmae_mm.pretrain.hooks import FeatureWeightHook, MomentumTeacherHook
from bootmae_mm.pretrain.schedules import decay_of_memory, teacher_decay
from tests.helpers.images import write_images
from tests.helpers.models import build_tiny, same
from tests.helpers.runs import run_config


class Record(Hook):
    """Notes the teacher before and after every iteration, and what the hooks set."""

    def __init__(self):
        self.moved, self.start, self.decays, self.weights = [], None, [], []

    def before_train(self, runner):
        model = runner.model
        self.start = same(model.teacher.encoder, model.backbone)
        self.first = {k: v.clone() for k, v in model.teacher.encoder.state_dict().items()}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        model = runner.model
        self.before = {k: v.clone() for k, v in model.teacher.encoder.state_dict().items()}
        self.decays.append(model.teacher.decay)
        self.weights.append(model.feature_weight)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        after = runner.model.teacher.encoder.state_dict()
        self.moved.append(any(not torch.equal(v, after[k]) for k, v in self.before.items()))


def train(cfg, *hooks):
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook, priority='VERY_LOW')
    runner.train()
    return runner


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_images(tmp_path / 'images', 16)


def test_the_teacher_moves_once_per_optimiser_step_under_accumulation(folder, tmp_path):
    record = Record()
    train(run_config(folder, tmp_path / 'run', total=8, batch=2), record)
    assert record.start
    assert record.moved == [False, False, False, True] * 4  # 16 images // 8 = 2 steps × 2 epochs


@pytest.mark.parametrize('fused', [False, True])
def test_the_teacher_stays_when_a_float16_step_is_skipped(fused, folder, tmp_path):
    class Overflow(Hook):
        """Puts inf into one gradient of the second step."""

        def before_train(self, runner):
            token = runner.model.backbone.cls_token
            self.calls = 0

            def spoil(grad):
                self.calls += 1
                return grad * float('inf') if self.calls == 2 else grad

            token.register_hook(spoil)

    cfg = run_config(folder, tmp_path / 'run', total=4, batch=4)
    cfg.optim_wrapper.dtype = 'float16'
    cfg.optim_wrapper.optimizer.fused = fused
    record = Record()
    train(cfg, Overflow(), record)
    assert record.moved == [True, False] + [True] * 6


def test_a_run_from_weights_starts_with_a_copy_and_a_resumed_one_with_its_teacher(folder, tmp_path):
    first = train(run_config(folder, tmp_path / 'first', epochs=1))
    path = tmp_path / 'first/epoch_1.pth'
    saved = checkpoint.read_state_dict(path)
    teacher = {k: v for k, v in saved.items() if k.startswith('teacher.')}
    assert not same(first.model.teacher.encoder, first.model.backbone)

    cfg = run_config(folder, tmp_path / 'fresh', epochs=1)
    torch.save(saved, tmp_path / 'weights.pth')  # alone, without the state of their run
    cfg.load_from = str(tmp_path / 'weights.pth')
    record = Record()
    train(cfg, record)
    assert record.start
    expected = {k.removeprefix('backbone.'): v for k, v in saved.items() if k.startswith('backb')}
    assert all(torch.equal(v, expected[k]) for k, v in record.first.items())

    cfg = run_config(folder, tmp_path / 'first', epochs=2)
    cfg.update(resume=True, accept_changes=True)
    record = Record()
    train(cfg, record)
    assert not record.start
    expected = {k.removeprefix('teacher.encoder.'): v for k, v in teacher.items()}
    assert all(torch.equal(v, expected[k]) for k, v in record.first.items())


def test_schedules_in_shares_of_the_run_are_set_every_step(folder, tmp_path):
    """8 steps of two batches each: a memory of 2 steps, of 4 from the half on, of 8 at the end."""
    cfg = run_config(folder, tmp_path / 'run', total=4, batch=2)
    memory = [(0, 1 / 4), (1 / 2, 1 / 2), (1, 1)]
    cfg.custom_hooks.teacher.update(milestones=None, memory=memory)
    cfg.custom_hooks.feature_weight.update(weight=0.8, ramp=0.5, by_epoch=False)
    record = Record()
    train(cfg, record)
    decays = [1 / 2 + step / 4 * (3 / 4 - 1 / 2) for step in range(4)]
    decays += [3 / 4 + step / 4 * (7 / 8 - 3 / 4) for step in range(4)]
    assert record.decays == pytest.approx([decay for decay in decays for _ in range(2)])
    assert record.weights == pytest.approx([0.8 * min(1, (batch + 1) / 8) for batch in range(16)])


@pytest.mark.parametrize('settings', [{}, dict(milestones=[(0, 0.9)], memory=[(0, 0.1)])])
def test_a_teacher_has_one_schedule(settings):
    with pytest.raises(ValueError, match='Expected either milestones or memory'):
        MomentumTeacherHook(**settings)


def test_the_paper_s_memory_in_shares_of_its_run():
    """The decays of its milestones, at epochs 0, 100 and 400 of 800."""
    steps, memory = 800 * 312, [(0, 0.004), (1 / 8, 0.04), (1 / 2, 0.4)]
    for epoch, decay in ((0, 0.999), (100, 0.9999), (400, 0.99999), (700, 0.99999)):
        assert 1 - decay_of_memory(epoch * 312, steps, memory) == pytest.approx(1 - decay, rel=2e-3)
    assert decay_of_memory(0, 100, memory) == 0  # a memory below a step: a copy of the student


def test_schedules_are_set_every_epoch(folder, tmp_path):
    cfg = run_config(folder, tmp_path / 'run', epochs=4)
    cfg.custom_hooks.teacher.milestones = [(0, 0.9), (2, 0.99)]
    cfg.custom_hooks.feature_weight.update(weight=0.8, ramp=0.5)
    record = Record()
    train(cfg, record)
    per_epoch = slice(None, None, 4)
    decays = [teacher_decay(epoch, [(0, 0.9), (2, 0.99)]) for epoch in range(4)]
    assert record.decays[per_epoch] == pytest.approx(decays)
    assert record.weights[per_epoch] == pytest.approx([0.4, 0.8, 0.8, 0.8])


def test_the_log_tells_losses_weights_spreads_and_gradient_norm(folder, tmp_path):
    norms = []

    class Gradients(Hook):
        def before_train(self, runner):
            optimizer = runner.optim_wrapper.optimizer
            optimizer.register_step_pre_hook(lambda *_: norms.append(self.norm(runner.model)))

        @staticmethod
        def norm(model):
            squares = [
                p.grad.double().square().sum() for p in model.parameters() if p.requires_grad
            ]
            return torch.stack(squares).sum().sqrt().item()

    cfg = run_config(folder, tmp_path / 'run', total=8, batch=8, epochs=1)
    cfg.log_processor.window_size = 1
    train(cfg, Gradients())
    lines = next((tmp_path / 'run').rglob('scalars.json')).read_text().splitlines()
    logs = [json.loads(line) for line in lines]
    assert len(logs) == 2
    shown = 'loss L_pixel L_feature feature_weight teacher_decay teacher_spread time data_time'
    assert {*shown.split(), 'feature_spread', 'pixel_spread'} <= logs[0].keys()
    assert [log['grad_norm'] for log in logs] == pytest.approx(norms, rel=1e-4)
    text = next((tmp_path / 'run').rglob('*.log')).read_text()
    assert 'eta: ' in text and 'Total batch 8 = 8 per process × 1 processes × 1' in text


def test_a_loss_that_is_not_finite_stops_the_run_before_the_step(folder, tmp_path):
    class Spoil(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter == 1:
                runner.model.regressor.head.bias.data.fill_(float('nan'))
                self.weights = runner.model.backbone.cls_token.detach().clone()

    spoil = Spoil()
    runner = build_runner(run_config(folder, tmp_path / 'run', total=8, batch=8))
    runner.register_hook(spoil)
    with pytest.raises(FloatingPointError, match='L_pixel=nan'):
        runner.train()
    assert torch.equal(runner.model.backbone.cls_token, spoil.weights)


def test_samples_depend_on_the_seed_of_the_config(folder, tmp_path):
    cfg = run_config(folder, tmp_path / 'run')
    cfg.randomness.seed = 41

    class Keys(Hook):
        def before_train(self, runner):
            self.seeds = {key.seed for key in runner.train_dataloader.sampler}

    keys = Keys()
    train(cfg, keys)
    assert keys.seeds == {41}


def test_a_frozen_teacher_stays(folder, tmp_path):
    path = tmp_path / 'mae.pth'
    torch.save(build_tiny(seed=5).state_dict(), path)
    cfg = run_config(folder, tmp_path / 'run')
    cfg.model.teacher = dict(type='FrozenTeacher', checkpoint=str(path))
    runner = train(cfg)
    assert same(runner.model.teacher.encoder, build_tiny(seed=5).backbone)


def test_a_total_batch_that_cannot_be_made_is_refused(folder, tmp_path):
    cfg = run_config(folder, tmp_path / 'run', total=8, batch=3)
    with pytest.raises(ValueError, match='a total batch of 8, found .*batch_size=3 × 1 processes'):
        train(cfg)


@pytest.mark.parametrize(
    'hook',
    [
        MomentumTeacherHook([(0, 0.99)]),
        FeatureWeightHook(),
        HealthHook(),
        OnlineProbeHook(images=dict(train={}, val={})),
    ],
    ids=lambda hook: type(hook).__name__,
)
def test_another_model_is_refused_in_a_sentence(hook):
    runner = SimpleNamespace(model=torch.nn.Linear(1, 1), iter=0, epoch=0)
    name = type(hook).__name__
    with pytest.raises(ValueError, match=f'BootMAE model for {name}, found Linear; leave {name}'):
        hook.before_train(runner)
