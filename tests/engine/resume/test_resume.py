"""Stopping and going on: the finished weights are those of a run that was never stopped."""

import json
import random
import signal
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.build import build_runner
from bootmae_mm.engine.hooks import hook_list, named_hooks
from bootmae_mm.engine.resume import EXIT_CODE, ResumableRunner, TrainingStopped, random_state
from bootmae_mm.engine.resume.workers import SIGNALS
from bootmae_mm.training import resume_if_possible
from tests.helpers.images import write_images
from tests.helpers.resuming import Interrupt, PowerCut, assert_identical, losses
from tests.helpers.runs import run_config

NUM_IMAGES, TOTAL, EPOCHS = 26, 8, 3  # 3 steps an epoch, 9 in all
VARIANTS = dict(
    plain=dict(),
    iterations=dict(interval=2, by_epoch=False),
    workers=dict(batch=4, workers=2),
    float16=dict(dtype='float16', batch=4),
    bfloat16=dict(dtype='bfloat16'),
)


def long(*values):
    """A case for `make test-long`."""
    return pytest.param(*values, marks=pytest.mark.long)


def config(folder: Path, name: str, **changes):
    """Three epochs with drop path, so that the model draws random numbers, too."""
    options = {**dict(batch=8, workers=0, dtype='float32', interval=1, by_epoch=True), **changes}
    cfg = run_config(
        folder / 'images', folder / name, total=TOTAL, batch=options['batch'], epochs=EPOCHS
    )
    cfg.model.backbone.drop_path_rate = 0.2
    workers = options['workers']
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.optim_wrapper.dtype = options['dtype']
    cfg.default_hooks.checkpoint.update(
        interval=options['interval'], by_epoch=options['by_epoch'], max_keep_ckpts=2
    )
    return cfg


def last(work_dir: Path) -> dict:
    """The checkpoint that a finished run ends with."""
    found = [work_dir / name for name in ('epoch_3.pth', 'iter_9.pth', 'iter_18.pth')]
    (path,) = (path for path in found if path.is_file())
    return read_checkpoint(path)


@pytest.fixture(autouse=True)
def signals():
    """As they were: a power cut leaves them to a hook."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('resume')
    write_images(path / 'images', NUM_IMAGES)
    return path


@pytest.fixture(scope='module')
def uninterrupted(folder):
    """The end of a variant's run that was never stopped."""

    @cache
    def run(variant: str) -> dict:
        build_runner(config(folder, f'{variant} whole', **VARIANTS[variant])).train()
        return last(folder / f'{variant} whole')

    return run


def interrupted(folder: Path, name: str, at: int, how: str, **changes) -> Path:
    """Run up to an interruption; the work directory."""
    runner = build_runner(config(folder, name, **changes))
    runner.register_hook(Interrupt(at, how))
    with pytest.raises(PowerCut if how == 'power cut' else TrainingStopped) as caught:
        runner.train()
    if how != 'power cut':
        assert caught.value.code == EXIT_CODE == 99
    return folder / name


def finish(folder: Path, name: str, **changes) -> dict:
    """Go on to the end; its checkpoint."""
    cfg = config(folder, name, **changes)
    resume_if_possible(cfg)
    assert cfg.resume
    build_runner(cfg).train()
    return last(folder / name)


@pytest.mark.parametrize(
    ('variant', 'at', 'how'),
    [
        ('plain', 4, 'SIGTERM'),
        ('plain', 4, 'power cut'),
        ('workers', 8, 'SIGUSR1'),  # between two batches of a step
        long('plain', 5, 'SIGTERM'),  # in the last step of an epoch
        long('iterations', 4, 'power cut'),  # the newest checkpoint is inside an epoch
        long('workers', 3, 'power cut'),  # before there is any checkpoint
        long('float16', 9, 'SIGINT'),
        long('bfloat16', 4, 'SIGTERM'),
    ],
)
def test_a_run_that_was_stopped_ends_bit_for_bit_the_same(folder, uninterrupted, variant, at, how):
    name, options = f'{variant} {at} {how}', VARIANTS[variant]
    work_dir = interrupted(folder, name, at, how, **options)
    if (variant, how) == ('workers', 'power cut'):
        assert list(work_dir.glob('*.pth')) == []
        build_runner(config(folder, name, **options)).train()
        found = last(work_dir)
    else:
        found = finish(folder, name, **options)
    expected = uninterrupted(variant)
    assert len(expected['state_dict']) > 50 and len(losses(expected)) >= 9
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_identical(expected[part], found[part], part)
    assert_identical(expected['meta']['random_states'], found['meta']['random_states'])
    assert losses(expected) == losses(found)


def test_a_signal_ends_the_step_and_says_where_it_got_to(folder):
    before = signal.getsignal(signal.SIGTERM)
    work_dir = interrupted(folder, 'told', 8, 'SIGTERM', batch=4)  # 6 batches an epoch, 2 a step
    meta = read_checkpoint(work_dir / 'iter_10.pth')['meta']
    assert (meta['epoch'], meta['iter'], meta['optimizer_steps']) == (1, 10, 5)
    (log,) = work_dir.rglob('*.log')
    text = log.read_text()
    assert 'Stopped by SIGTERM after iteration 10; everything up to here is in' in text
    assert 'start again with the same command to go on' in text
    assert signal.getsignal(signal.SIGTERM) is before, 'listening has ended'


def test_a_finished_run_that_is_started_again_changes_nothing(folder, uninterrupted):
    uninterrupted('plain')
    before = (folder / 'plain whole' / 'epoch_3.pth').read_bytes()
    finish(folder, 'plain whole')
    assert (folder / 'plain whole' / 'epoch_3.pth').read_bytes() == before


def test_every_generator_goes_on_where_it_was():
    """Python and NumPy draw normal numbers in pairs and keep the second."""

    def draw() -> list[float]:
        own = [random.gauss(0, 1), random.random(), np.random.randn(), np.random.rand()]
        return [*own, torch.rand(()).item()]

    draw()
    states = random_state.capture()
    expected = draw()
    for other in (random.seed, np.random.seed, torch.manual_seed):
        other(123)
    random_state.restore(states)
    assert draw() == expected


def test_a_loop_that_waits_for_nothing_gets_its_random_numbers_at_once():
    """As loops over iterations do."""
    states = random_state.capture()
    expected = torch.rand(3)
    ResumableRunner._restore(SimpleNamespace(train_loop=object()), states)
    assert torch.equal(torch.rand(3), expected)


def test_the_run_goes_on_with_another_accumulation(folder, uninterrupted):
    """The same steps, whose sums are rounded otherwise; drop path is off, as a model's random
    numbers depend on the batches."""

    def without_drop_path(name, batch):
        cfg = config(folder, name, batch=batch)
        cfg.model.backbone.drop_path_rate = 0.0
        cfg.optim_wrapper.optimizer.eps = 1e-4  # see test_distributed.py
        return cfg

    build_runner(without_drop_path('of 8', 8)).train()
    runner = build_runner(without_drop_path('8, then 2', 8))
    runner.register_hook(Interrupt(4, 'SIGTERM'))
    with pytest.raises(TrainingStopped):
        runner.train()
    cfg = without_drop_path('8, then 2', 2)
    resume_if_possible(cfg)
    build_runner(cfg).train()
    expected, found = last(folder / 'of 8'), last(folder / '8, then 2')
    assert found['meta']['optimizer_steps'] == 9 and found['meta']['iter'] == 21 + 15
    for name, tensor in expected['state_dict'].items():
        torch.testing.assert_close(found['state_dict'][name], tensor, rtol=1e-4, atol=2e-6)
    groups = [part['optimizer']['param_groups'][0]['lr'] for part in (expected, found)]
    assert groups[0] == pytest.approx(groups[1], rel=1e-12)


def test_a_run_of_listed_hooks_goes_on_with_named_ones(folder, uninterrupted):
    """As one does that began when configs listed them. The names are in the order in
    which mmengine dumps a config: it sorts them."""
    cfg = config(folder, 'listed')
    cfg.custom_hooks = hook_list(cfg.custom_hooks)
    runner = build_runner(cfg)
    runner.register_hook(Interrupt(4, 'SIGTERM'))
    with pytest.raises(TrainingStopped):
        runner.train()
    cfg = config(folder, 'listed')
    cfg.custom_hooks = dict(sorted(named_hooks(cfg.custom_hooks).items()))
    resume_if_possible(cfg)
    build_runner(cfg).train()
    found, expected = last(folder / 'listed'), uninterrupted('plain')
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_identical(expected[part], found[part], part)
    assert losses(expected) == losses(found)


def test_a_config_in_the_work_dir_stays_as_it_was_written(folder):
    """mmengine writes the whole config over it; when the run begins and when it goes on."""
    path = folder / 'mine/mine.py'
    path.parent.mkdir()
    config(folder, 'mine').dump(path)
    text = path.read_text() + '# why\n'
    path.write_text(text)
    for epochs in (1, 2):
        cfg = Config.fromfile(path)
        cfg.train_cfg.max_epochs, cfg.accept_changes = epochs, True
        resume_if_possible(cfg)
        build_runner(cfg).train()
        assert path.read_text() == text


class TestOtherSettings:
    """A run to go on is there: five steps of the plain variant."""

    @pytest.fixture(scope='class')
    def begun(self, folder):
        return interrupted(folder, 'begun', 4, 'SIGTERM')

    def resumed(self, folder, edit, accept=False):
        """A runner that has taken up the run with edited settings."""
        cfg = config(folder, 'begun')
        edit(cfg)
        cfg.accept_changes = accept
        resume_if_possible(cfg)
        runner = build_runner(cfg)
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        runner.load_or_resume()
        return runner

    def test_what_changes_the_result_has_to_be_accepted(self, folder, begun):
        def edit(cfg):
            cfg.optim_wrapper.optimizer.lr = 2e-3

        said = (
            'found 1 that change the result .*optimizer.lr: 0.001 -> 0.002.*'
            "config is kept in '.*/begun'.*accept-changes"
        )
        kept = {path: path.read_text() for path in begun.glob('*.py')}
        assert len(kept) == 1
        with pytest.raises(ValueError, match=said):
            self.resumed(folder, edit)
        assert {path: path.read_text() for path in begun.glob('*.py')} == kept
        assert self.resumed(folder, edit, accept=True).iter == 5
        assert any('lr=0.002' in path.read_text() for path in begun.glob('*.py'))

    def test_what_does_not_is_named_only(self, folder, begun):
        def edit(cfg):
            cfg.train_dataloader.update(num_workers=1, persistent_workers=True)

        runner = self.resumed(folder, edit)
        assert runner.iter == 5
        log = (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()
        assert 'without effect on the result: train_dataloader.num_workers: 0 -> 1; train_' in log

    def test_what_was_not_written_to_its_end_is_removed(self, folder, begun):
        half = begun / '.epoch_2.pth.writing'
        half.touch()
        runner = self.resumed(folder, lambda cfg: None)
        assert runner.iter == 5 and not half.exists()
        log = (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()
        assert f'Removed {half.name}, which was not written to its end.' in log

    def test_another_number_of_images(self, folder, begun, tmp_path):
        def edit(cfg):
            cfg.train_dataloader.dataset.data_root = str(write_images(tmp_path / 'more', 27))

        with pytest.raises(ValueError, match='training samples: 26 -> 27'):
            self.resumed(folder, edit)

    def test_another_experiment_is_refused_whatever_is_accepted(self, folder, begun):
        def edit(cfg):
            cfg.model.backbone.arch.num_layers = 2

        with pytest.raises(ValueError, match=r'Expected all \d+ tensors .* left over'):
            self.resumed(folder, edit, accept=True)

    def test_a_checkpoint_without_its_settings_is_refused(self, folder, begun, tmp_path):
        checkpoint = torch.load(begun / 'iter_5.pth', weights_only=False)
        del checkpoint['meta']['training']
        torch.save(checkpoint, tmp_path / 'other.pth')

        def edit(cfg):
            cfg.work_dir = str(tmp_path)  # where nothing is to go on from
            cfg.resume, cfg.load_from = True, str(tmp_path / 'other.pth')

        with pytest.raises(ValueError, match='choose another work directory'):
            self.resumed(folder, edit)


def test_schedules_do_not_depend_on_the_accumulation(folder):
    """The rate of every optimiser step: linear from 0 (1e-6) to 1e-3 over 3 steps, whose last one
    mmengine takes one step early, then the cosine to 1e-4 over 6."""
    rates = {}
    for batch in (8, 2):
        cfg = config(folder, f'rates {batch}', batch=batch)
        build_runner(cfg).train()
        (path,) = (folder / f'rates {batch}').rglob('scalars.json')
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        rates[batch] = [line['lr'] for line in lines if 'lr' in line][:: TOTAL // batch]
    assert len(rates[8]) == 9
    assert rates[8] == rates[2]
    assert rates[8][:3] == pytest.approx([1e-9, 5e-4, 1e-3], rel=1e-5)
    cosine = [
        1e-4 + 9e-4 * (1 + torch.cos(torch.tensor(torch.pi * k / 6)).item()) / 2 for k in range(6)
    ]
    assert rates[8][3:] == pytest.approx(cosine, rel=1e-5)
