"""Training steps on the device: what they compute, and what the host waits for."""

import warnings

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope

from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.optim import WeightDecayConstructor
from bootmae_mm.engine.resume import ResumableRunner
from tests.helpers.closeness import farthest
from tests.helpers.models import build_tiny, random_samples
from tests.helpers.runs import run_config

pytestmark = pytest.mark.gpu


def five_steps(device: str | torch.device, dtype: torch.dtype) -> tuple[list, dict, dict]:
    """The logs, the student and the teacher of the tiny model, which moves fast. The large epsilon
    keeps AdamW from making a step of the rounding error of a gradient that is zero."""
    model = build_tiny().to(device, dtype)
    model.teacher.decay = 0.9
    optimizer = dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), eps=1e-4, fused=True)
    wrapper = dict(type='AutocastOptimWrapper', dtype='float32', optimizer=optimizer)
    wrapper = WeightDecayConstructor(wrapper)(model)
    generator = torch.Generator().manual_seed(1)
    logs = []
    for step in range(5):
        images = torch.randn(4, 3, 32, 32, generator=generator).to(device, dtype)
        loss, log = model.parse_losses(model.loss(images, random_samples(4, seed=step)))
        wrapper.update_params(loss)
        model.teacher.follow(model.backbone)()
        logs.append(log)
    teacher = model.teacher.encoder.state_dict()
    return logs, {name: p for name, p in model.named_parameters() if p.requires_grad}, teacher


def test_five_steps_are_those_of_a_cpu_in_float64(device):
    found, expected = five_steps(device, torch.float32), five_steps('cpu', torch.float64)
    for log, true in zip(found[0], expected[0], strict=True):
        assert log == pytest.approx(true, rel=1e-5)
    assert found[0][0]['loss'] > 1.01 * found[0][-1]['loss'], 'it learns'
    for ours, true in zip(found[1:], expected[1:], strict=True):
        distance = farthest(ours, true)
        assert distance.difference < 1e-4, distance


class Steps(Hook):
    """What is there before and after every step, all weights flat; one gradient can be spoilt."""

    def __init__(self, spoil: int = -1) -> None:
        self.spoil = spoil
        self.states, self.scales = [], []

    def before_train(self, runner) -> None:
        runner.model.backbone.cls_token.register_hook(
            lambda grad: grad * float('inf') if runner.iter == self.spoil else grad
        )
        scaler = runner.optim_wrapper.scaler
        if scaler.is_enabled():  # from where no other gradient of this model overflows
            scaler.load_state_dict({**scaler.state_dict(), 'scale': 1024.0})
        self.note(runner)

    def note(self, runner) -> None:
        parts = runner.model.named_parameters()
        self.states.append({name: p.detach().clone() for name, p in parts})
        self.scales.append(runner.optim_wrapper.scaler.get_scale())

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.note(runner)


@pytest.mark.parametrize('fused', [True, False])
def test_an_overflow_in_float16_moves_neither_student_nor_teacher(fused, folder, tmp_path, device):
    cfg = run_config(folder, tmp_path / 'run', total=4, batch=4, epochs=1)
    cfg.optim_wrapper.dtype = 'float16'
    cfg.optim_wrapper.optimizer.fused = fused
    steps, runner = Steps(spoil=2), build_runner(cfg)
    runner.register_hook(steps, priority='LOWEST')
    runner.train()
    assert next(runner.model.parameters()).device.type == device.type
    assert steps.scales == [1024, 1024, 1024, 512, 512]
    for number, (before, after) in enumerate(zip(steps.states, steps.states[1:], strict=False)):
        moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
        for part in ('backbone.', 'teacher.'):
            some = any(name.startswith(part) for name in moved)
            assert some == (number != 2), f'{part} in step {number}: {sorted(moved)}'


class Waits(Hook):
    """Where the host waited for the GPU in the second and third step, by PyTorch's own count."""

    def __init__(self) -> None:
        self.places = []
        self.caught = warnings.catch_warnings(record=True)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if not torch.cuda.is_available():
            return
        if runner.iter == 1:
            self.found = self.caught.__enter__()
            warnings.simplefilter('always')
            torch.cuda.set_sync_debug_mode('warn')
        elif runner.iter == 3:
            torch.cuda.set_sync_debug_mode('default')
            self.caught.__exit__(None, None, None)
            self.places = [
                f'{w.filename}:{w.lineno}' for w in self.found if 'synchroniz' in str(w.message)
            ]


@pytest.mark.parametrize('dtype', ['bfloat16', 'float32'])
def test_the_host_waits_once_in_a_step_for_the_log(dtype, folder, tmp_path, device):
    """In a run from the loader to the hooks, in steps at which nothing is measured."""
    cfg = run_config(folder, tmp_path / 'run', total=4, batch=4, epochs=1)
    cfg.train_dataloader.pin_memory = True
    cfg.optim_wrapper.dtype = dtype
    cfg.default_hooks.logger.interval = 50
    waits, runner = Waits(), build_runner(cfg)
    runner.register_hook(waits, priority='LOWEST')
    runner.train()
    if device.type == 'cpu':
        pytest.skip('rehearsed: there is no GPU to wait for')
    places = '\n'.join(waits.places)
    assert len(waits.places) == 2, f'waits in two steps:\n{places}'
    assert places.count('bootmae.py:') == 2, places


@pytest.mark.parametrize('workers', [0, 2])
def test_pinned_pictures_are_on_the_device_normalised(workers, folder, tmp_path, device):
    cfg = run_config(folder, tmp_path / 'run')
    cfg.train_dataloader.update(pin_memory=True, num_workers=workers)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loader = ResumableRunner.build_dataloader(cfg.train_dataloader, seed=0)
    model = build_tiny(data_preprocessor=cfg.model.data_preprocessor).to(device)
    for batch in loader:
        pixels_BCHW = batch['inputs']
        assert pixels_BCHW.dtype == torch.uint8
        assert pixels_BCHW.is_pinned() == (device.type == 'cuda')
        found = model.data_preprocessor(batch, True)
        assert found['inputs'].device.type == device.type
        expected = pixels_BCHW[:, [2, 1, 0]].double() / 127.5 - 1
        torch.testing.assert_close(found['inputs'].cpu().double(), expected, rtol=0, atol=1e-6)
        for ids in model.patch_ids(found['data_samples'], device):
            assert ids.device.type == device.type and ids.shape[0] == len(pixels_BCHW)
    assert len(loader) == 4
