"""The share of time spent waiting for data: what is logged, and what is warned of."""

import json
import re
import time
from types import SimpleNamespace

import pytest
from mmcv.transforms import BaseTransform
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub, MMLogger
from mmpretrain.registry import TRANSFORMS

from bootmae_mm.engine.build import build_runner
from bootmae_mm.monitors import data_wait
from bootmae_mm.monitors.data_wait import DataWaitHook, remedy
from tests.helpers.images import write_images
from tests.helpers.runs import run_config


class FakeRunner:
    """Steps of given times, without a model."""

    def __init__(self, hook: DataWaitHook, interval: int, steps: int):
        self.hook = hook
        self.hooks = [hook, LoggerHook(interval=interval)]
        self.message_hub = MessageHub.get_instance(f'wait_{id(self)}')
        self.warnings = []
        self.logger = SimpleNamespace(warning=self.warnings.append)
        self.number = 0  # of epochs begun
        self.train_dataloader = type('Loader', (), dict(num_workers=3, __len__=lambda _: steps))()
        hook.before_train(self)

    @property
    def epoch(self) -> int:
        return self.number - 1

    def train_epoch(self, times) -> list:
        """``(data_time, time)`` of every step; the shares that were logged."""
        self.number += 1
        self.hook.before_train_epoch(self)
        before = len(self.shares)
        for index, (data_time, step_time) in enumerate(times):
            self.message_hub.update_scalar('train/data_time', data_time)
            self.message_hub.update_scalar('train/time', step_time)
            self.hook.after_train_iter(self, index)
        return self.shares[before:]

    @property
    def shares(self) -> list:
        buffer = self.message_hub.log_scalars.get('train/data_share')
        return buffer.data[0].tolist() if buffer else []


class TestShare:
    def test_it_is_of_all_time_since_the_last_log(self):
        """Not the mean of the steps' shares; the first step, when workers start, is left out."""
        runner = FakeRunner(DataWaitHook(), interval=3, steps=8)
        times = [(9, 9), (1, 2), (0, 6), (0, 1), (1, 1), (2, 8), (0, 5), (1, 5)]
        assert runner.train_epoch(times) == pytest.approx([1 / 8, 3 / 10, 1 / 10])
        assert runner.train_epoch(times) == pytest.approx([1 / 8, 3 / 10, 1 / 10]), 'begun anew'

    def test_the_largest_of_all_processes_counts(self, monkeypatch):
        def all_reduce(tensor, op):
            assert op == 'max'
            tensor.fill_(0.75)

        monkeypatch.setattr(data_wait, 'all_reduce', all_reduce)
        runner = FakeRunner(DataWaitHook(), interval=2, steps=2)
        assert runner.train_epoch([(1, 2), (1, 2)]) == [0.75]
        assert 'waited 75%' in runner.warnings[0]


class TestWarning:
    def test_once_an_epoch_above_the_limit(self):
        runner = FakeRunner(DataWaitHook(limit=0.1), interval=2, steps=6)
        runner.train_epoch([(0.09, 1)] * 6)
        assert runner.warnings == []
        runner.train_epoch([(0.09, 1)] * 4 + [(0.3, 1)] * 2)
        assert len(runner.warnings) == 1
        runner.train_epoch([(0.3, 1)] * 6)
        assert len(runner.warnings) == 2
        assert 'waited 30% of its time for data in epoch 2; it has' in runner.warnings[0]
        assert 'num_workers=3' in runner.warnings[0]

    def test_the_same_share_in_the_next_epoch_is_not_dropped(self, tmp_path):
        """mmengine's logger drops a warning that repeats an earlier one word by word."""
        runner = FakeRunner(DataWaitHook(), interval=2, steps=2)
        runner.logger = MMLogger(name='wait_again', log_file=str(tmp_path / 'again.log'))
        runner.train_epoch([(0.3, 1)] * 2)
        runner.train_epoch([(0.3, 1)] * 2)
        text = (tmp_path / 'again.log').read_text()
        assert re.findall(r'waited 30% .* in epoch (\d)', text) == ['1', '2']

    @pytest.mark.parametrize('limit', [-0.1, 1.5])
    def test_a_limit_that_is_no_share_is_refused(self, limit):
        with pytest.raises(ValueError, match=f'from 0 to 1, found {limit}'):
            DataWaitHook(limit)

    @pytest.mark.parametrize(
        ('workers', 'processes', 'advice'),
        [
            (4, 1, 'num_workers=4 and 16 cores: raise num_workers to at most 16'),
            (0, 1, 'num_workers=0 and 16 cores: raise num_workers to at most 16'),
            (2, 4, 'num_workers=2 in each of 4 processes and 16 cores: raise .* at most 4'),
            (4, 4, 'num_workers=4 in each of 4 processes and 16 cores, so that more .* not help'),
            (20, 1, 'num_workers=20 and 16 cores, so that more workers will not help'),
        ],
    )
    def test_the_remedy_depends_on_workers_and_cores(self, monkeypatch, workers, processes, advice):
        monkeypatch.setattr(data_wait, 'available_cores', lambda: 16)
        monkeypatch.setenv('LOCAL_WORLD_SIZE', str(processes))
        text = remedy(workers)
        assert re.search(advice, text)
        assert 'faster file system' in text


@TRANSFORMS.register_module()
class SlowToLoad(BaseTransform):
    """Waits as a slow disk would."""

    def transform(self, results: dict) -> dict:
        time.sleep(0.02)
        return results


@pytest.fixture(scope='module')
def slow_run(tmp_path_factory):
    """The work directory of two epochs of three steps on slow data."""
    folder = tmp_path_factory.mktemp('wait')
    cfg = run_config(write_images(folder / 'images', 12), folder / 'run', total=4, batch=4)
    cfg.train_dataloader.dataset.pipeline.insert(0, dict(type='SlowToLoad'))
    cfg.custom_hooks.data_wait.limit = 0
    build_runner(cfg).train()
    return folder / 'run'


class TestRun:
    def test_the_log_has_the_share(self, slow_run):
        (path,) = slow_run.rglob('scalars.json')
        steps = [json.loads(line) for line in path.read_text().splitlines()]
        shares = [step['data_share'] for step in steps if 'data_share' in step]
        assert len(shares) == 5, 'all six steps but the very first'
        assert all(0 < share <= 1 for share in shares)

    def test_it_warns_once_an_epoch(self, slow_run):
        (log,) = slow_run.rglob('*.log')
        lines = [line for line in log.read_text().splitlines() if 'waited' in line]
        assert len(lines) == 2
        assert all('WARNING' in line and 'num_workers=0' in line for line in lines)
