"""Faults put into a real run: caught, named, and stopped within so many steps."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import LoggerHook

from bootmae_mm.monitors.health.faults import NonFiniteTraining, UnhealthyTraining
from bootmae_mm.monitors.health.hook import HealthHook
from tests.helpers.health_runs import (
    INTERVAL,
    MEASURED,
    PATIENCE,
    PER_EPOCH,
    SPIKE_STEPS,
    START,
    STOPPED,
    Inject,
    config,
    nan_pixel,
    run,
    text_of,
    warnings_of,
)
from tests.helpers.images import write_images
from tests.helpers.models import build_tiny


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp('health'), 4 * PER_EPOCH)


def scaled(name: str, factor: float = 1e20):
    """A part, or a tensor of it, by a factor."""

    @torch.no_grad()
    def fault(runner, data_batch):
        for key, param in runner.model.named_parameters():
            if key.startswith(name):
                param.mul_(factor)

    return fault


def no_update(runner, data_batch):
    runner.optim_wrapper.optimizer._optimizer_step_post_hooks.clear()


def features(change):
    """The teacher's features ``(B, K, D)`` changed in every step."""

    def fault(runner, data_batch):
        teacher = runner.model.teacher
        handle = teacher.register_forward_hook(lambda module, args, out: change(out))
        teacher._forward_hooks.move_to_end(handle.id, last=False)  # before the monitor looks

    return fault


def constant(features_BKD):
    return features_BKD[:1, :1].expand_as(features_BKD)


def nearly_constant(features_BKD):
    return features_BKD[:1, :1] + 1e-3 * features_BKD


def on_a_line(features_BKD):
    signs_K1 = torch.tensor([1.0, -1.0]).repeat(features_BKD.shape[1] // 2).unsqueeze(1)
    return features_BKD[:1, :1] * signs_K1 + torch.zeros_like(features_BKD)


def infinite_output(runner, data_batch):
    mlp = runner.model.predictor.blocks[1].mlp
    mlp.register_forward_hook(lambda module, args, out: out * float('inf'))


def bad_gradient(runner, data_batch):
    token = runner.model.regressor.mask_token
    handle = token.register_hook(lambda grad: (handle.remove(), grad * float('nan'))[1])


def bad_state(runner, data_batch):
    state = runner.optim_wrapper.optimizer.state[runner.model.predictor.norm.weight]
    state['exp_avg_sq'].fill_(float('inf'))


FAULTS = {
    'a NaN pixel': (nan_pixel, 0, 'input images', '1 of 4 have values'),
    'student x 1e20': (scaled('backbone'), 0, 'student encoder', 'backbone.cls_token has norm'),
    'regressor x 1e20': (scaled('regressor'), 0, 'regressor', 'regressor.mask_token has'),
    'predictor x 1e20': (scaled('predictor'), 0, 'predictor', 'L_feature='),
    'teacher x 1e20': (scaled('teacher'), 0, 'teacher', 'L_feature='),
    'one tensor x 1e20': (
        scaled('regressor.blocks.1.mlp.2.weight'), MEASURED, 'regressor', r'blocks\.1\.mlp\.2',
    ),
    'an infinite output': (
        infinite_output, 0, 'predictor', r'output of predictor\.blocks\.1\.mlp has .* inf, and',
    ),
    'a NaN in the gradient': (
        bad_gradient, MEASURED, 'gradient of the regressor', 'regressor.mask_token has norm nan',
    ),
    'optimiser state': (
        bad_state, MEASURED, 'optimiser state of the predictor', 'exp_avg_sq of predictor.norm',
    ),
    'teacher frozen': (
        no_update, STOPPED + INTERVAL, 'teacher update', 'with decay 0.999.* and at a distance',
    ),
    'constant features': (
        features(constant), STOPPED, 'teacher features', 'spread 0 .* rank 0 ',
    ),
    'nearly constant features': (
        features(nearly_constant), STOPPED, 'teacher features', r'spread 0\.00.* rank \d+',
    ),
    'features on a line': (
        features(on_a_line), STOPPED, 'teacher features', r'spread 0\.[5-9].* rank 1 ',
    ),
    'teacher x 10': (scaled('teacher', 10.0), STOPPED, 'teacher', 'away from the student'),
}  # fmt: skip


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_caught_and_named(name, folder, tmp_path):
    fault, steps, part, detail = FAULTS[name]
    lasting = steps >= STOPPED
    seen = []
    watch = Inject(lambda runner, batch: seen.append(runner.iter), start=0, once=False)
    kind = UnhealthyTraining if lasting else NonFiniteTraining
    with pytest.raises(kind, match=detail) as caught:
        run(config(folder, tmp_path / 'run'), Inject(fault), watch)
    assert caught.value.part == part
    assert seen[-1] - START <= steps, 'caught too late'
    assert caught.value.checkpoint == str(tmp_path / 'run/epoch_1.pth')
    assert str(caught.value) in text_of(tmp_path / 'run')
    assert f'(epoch {seen[-1] // PER_EPOCH + 1}) for the {part}: ' in str(caught.value)
    warned = warnings_of(tmp_path / 'run')
    if lasting:
        assert [found for _, found in warned] == [part]
        assert START < warned[0][0] <= START + 1 + steps - (PATIENCE - 1) * INTERVAL
    else:
        assert warned == []


def test_overflow_in_every_step_is_the_gradient(folder, tmp_path):
    """Single skipped steps are usual in float16; a loss scale that falls below 1 is not."""

    def overflow(runner, data_batch):
        runner.optim_wrapper.scaler.update(4.0)
        runner.model.backbone.cls_token.register_hook(lambda grad: grad * float('inf'))

    cfg = config(folder, tmp_path / 'run')
    cfg.optim_wrapper.dtype = 'float16'
    with pytest.raises(UnhealthyTraining, match='cls_token') as caught:
        run(cfg, Inject(overflow))
    assert caught.value.part == 'gradient of the student encoder'
    assert 'the scale of the loss down to 0.' in str(caught.value)
    assert warnings_of(tmp_path / 'run') == [(START + 4, 'gradient')], '4 -> 2 -> 1 -> 0.5 -> 0.25'


class Crash(Exception):
    """The end of a process, as far as a test can have it."""


def crash(runner, data_batch):
    raise Crash


def test_a_spike_is_told_from_losses_of_before_a_resume(folder, tmp_path, monkeypatch):
    """Twenty losses are in the checkpoint; what comes later would be too few. The fault's first
    steps are in the checkpoint, too: the last good one is older."""
    monkeypatch.setattr(HealthHook, 'spike_steps', SPIKE_STEPS)
    begin = 5 * PER_EPOCH

    def settings():
        return config(folder, tmp_path / 'run', epochs=8)

    with pytest.raises(Crash):
        run(settings(), Inject(crash, start=begin))
    for end, hooks in (
        (Crash, [Inject(scaled('regressor.head', 30.0), begin + 2), Inject(crash, begin + 5)]),
        (UnhealthyTraining, []),
    ):
        cfg = settings()
        cfg.resume = True
        with pytest.raises(end) as caught:
            run(cfg, *hooks)
    assert caught.value.part == 'pixel loss'
    stopped = int(re.search(r'at iteration (\d+) ', str(caught.value))[1]) - 1
    assert stopped == begin + 2 + SPIKE_STEPS - 1
    assert caught.value.checkpoint == str(tmp_path / 'run/epoch_5.pth')
    assert (tmp_path / 'run/epoch_6.pth').is_file(), 'newer, but of sick weights'
    assert warnings_of(tmp_path / 'run') == [(begin + 3, 'pixel loss')]


def test_a_fresh_run_from_weights_has_no_past(folder, tmp_path):
    hook = HealthHook()
    losses, streaks = dict(L_pixel=[1.0] * 50), dict(teacher=dict(iter=3, epoch=0, count=1))
    loaded = dict(health=dict(losses=losses, streaks=streaks, checksums=[1, 2]))
    for done, expected in ((0, []), (8, [1.0] * 50)):
        runner = SimpleNamespace(iter=done, model=build_tiny(), hooks=[LoggerHook(interval=1)])
        hook.after_load_checkpoint(runner, loaded)
        hook.before_train(runner)
        state = {}
        hook.before_save_checkpoint(runner, state)
        assert state['health']['losses'] == dict(L_pixel=expected, L_feature=[])
        assert state['health']['checksums'] == ([1, 2] if done else None)
