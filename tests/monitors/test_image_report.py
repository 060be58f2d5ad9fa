"""The report of skipped and converted images: each once, in all processes, and the limit."""

import multiprocessing
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook, LoggerHook
from mmpretrain.structures import DataSample

from bootmae_mm.data.reading import FEW_BITS
from bootmae_mm.engine.build import build_runner
from bootmae_mm.monitors.image_report import ImageReportHook, on_one_line
from tests.helpers.images import write_images
from tests.helpers.mixed_folders import BAD, CONVERTED, report_rows, write_bad, write_odd
from tests.helpers.runs import run_config


class FakeRunner(SimpleNamespace):
    """Batches of given issues, without a model."""

    def __init__(self, work_dir: Path, hook: ImageReportHook, num_files: int = 16, interval=1):
        self.messages = []
        super().__init__(
            work_dir=str(work_dir),
            hook=hook,
            hooks=[hook, LoggerHook(interval=interval)],
            train_dataloader=SimpleNamespace(dataset=range(num_files)),
            logger=SimpleNamespace(warning=self.messages.append, error=self.messages.append),
            epoch=0,
        )
        hook.before_train(self)

    def train_epoch(self, *batches) -> None:
        """One batch of one sample for every list of issues."""
        for index, issues in enumerate(batches):
            batch = dict(data_samples=[DataSample(metainfo=dict(image_issues=issues))])
            self.hook.after_train_iter(self, index, batch)
        self.hook.after_train_epoch(self)
        self.epoch += 1


def skipped(name: str) -> tuple:
    return name, 'skipped', 'Error: reason'


class TestReport:
    def test_later_epochs_add_what_is_new(self, tmp_path):
        runner = FakeRunner(tmp_path, ImageReportHook())
        grey = ('a.png', 'converted', 'L to RGB')
        files = [skipped(f'{index}.jpg') for index in range(8)]
        for issues in ([files[0], grey], [files[0], files[1]], [grey], files):
            runner.train_epoch(issues)
        assert report_rows(tmp_path) == [
            ('converted', 'a.png', 'L to RGB'),
            *(('skipped', f'{index}.jpg', 'Error: reason') for index in range(8)),
        ]
        first, second, third = runner.messages
        assert 'epoch 1: 1 unreadable files skipped (0.jpg), 1 converted' in first
        assert 'epoch 2: 1 unreadable files skipped (1.jpg), 0 converted' in second
        assert '6 unreadable files skipped (2.jpg, 3.jpg, 4.jpg, 5.jpg, 6.jpg, …)' in third

    def test_images_that_are_nearly_black_are_told_of(self, tmp_path):
        runner = FakeRunner(tmp_path, ImageReportHook())
        runner.train_epoch([('a.png', 'converted', f'I;16{FEW_BITS} to RGB')])
        assert (
            '1 of the converted ones have 16 bits and no value above 4095, such as a.png'
            in (runner.messages[0])
        )

    def test_a_file_that_breaks_later_is_listed_as_skipped_too(self, tmp_path):
        runner = FakeRunner(tmp_path, ImageReportHook())
        for _ in range(2):
            runner.train_epoch([('a.png', 'converted', 'L to RGB')])
            runner.train_epoch([skipped('a.png')])
        assert [row[:2] for row in report_rows(tmp_path)] == [
            ('converted', 'a.png'),
            ('skipped', 'a.png'),
        ]

    def test_it_is_written_with_every_log(self, tmp_path):
        """A run that crashes in its first epoch has a report."""
        hook = ImageReportHook()
        runner = FakeRunner(tmp_path, hook, interval=2)
        batches = [
            dict(data_samples=[DataSample(metainfo=dict(image_issues=[skipped(n)]))]) for n in 'ab'
        ]
        hook.after_train_iter(runner, 0, batches[0])
        assert not (tmp_path / 'image_report.tsv').exists()
        hook.after_train_iter(runner, 1, batches[1])
        assert [row[1] for row in report_rows(tmp_path)] == ['a', 'b']

    def test_a_run_that_goes_on_does_not_repeat_it(self, tmp_path):
        names = ['a b', 'a  b', 'a\tb', 'a\nb', 'a\\nb', 'a\udcff', 'é', '\u2028']
        for issues in ([skipped(name) for name in names], [*map(skipped, names), skipped('new')]):
            FakeRunner(tmp_path, ImageReportHook()).train_epoch(issues)
        found = [row[1] for row in report_rows(tmp_path)]
        expected = ['a b', 'a  b', 'a\\tb', 'a\\nb', 'a\\\\nb', 'a\\udcff', 'é', '\\u2028', 'new']
        assert sorted(found) == sorted(expected)

    @pytest.mark.parametrize(
        'lost', ['skipped\tb.jp', 'skipped\tb.jpg', 'skipped\tb.jpg\tErr', '\0\0\0', '\tx', '']
    )
    def test_a_report_that_a_crash_cut_off(self, tmp_path, lost):
        report = tmp_path / 'image_report.tsv'
        report.write_text(f'skipped\ta.jpg\tError: reason\n{lost}')
        FakeRunner(tmp_path, ImageReportHook()).train_epoch([skipped('a.jpg'), skipped('b.jpg')])
        lines = report.read_text().split('\n')
        assert sum(line.startswith('skipped\ta.jpg\t') for line in lines) == 1
        assert sum(line.startswith('skipped\tb.jpg\t') for line in lines) == 1

    def test_a_report_that_is_not_text(self, tmp_path):
        (tmp_path / 'image_report.tsv').write_bytes(b'\xff\xfe\t\t\n')
        FakeRunner(tmp_path, ImageReportHook()).train_epoch([skipped('a.jpg')])
        content = (tmp_path / 'image_report.tsv').read_bytes()
        assert content == b'\xff\xfe\t\t\nskipped\ta.jpg\tError: reason\n'

    def test_different_texts_stay_different(self):
        texts = [*map(chr, range(0x3000)), *(f'\\{c}' for c in 'ntrxu\\'), '\\x00', '\\u2028', '']
        texts += ['\ud800', '\\ud800']
        cells = [on_one_line(text) for text in texts]
        assert len(set(cells)) == len(texts)
        assert not re.search(r'[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]', ''.join(cells))
        ''.join(cells).encode()
        assert on_one_line('a é 猫.jpg') == 'a é 猫.jpg'


def report_hook(limit: float, always_allowed: int) -> ImageReportHook:
    """The hook for folders of any size."""
    hook = ImageReportHook(limit)
    hook.always_allowed = always_allowed
    return hook


class TestLimit:
    @pytest.mark.parametrize(
        ('num_files', 'limit', 'always_allowed', 'most'),
        [
            (50, 0.01, 10, 10),
            (1000, 0.01, 10, 10),
            (3000, 0.01, 10, 30),
            (50, 0, 0, 0),
            (20, 1, 0, 20),
        ],
    )
    def test_one_more_stops_the_run(self, tmp_path, num_files, limit, always_allowed, most):
        hook = report_hook(limit, always_allowed)
        runner = FakeRunner(tmp_path, hook, num_files)
        runner.train_epoch([skipped(f'{index}.jpg') for index in range(most)])
        runner.train_epoch([skipped(f'{index}.jpg') for index in range(most)])
        if most == num_files:
            return
        with pytest.raises(ValueError) as error:
            runner.train_epoch([skipped('one_more.jpg')])
        message = str(error.value)
        assert f'found {most + 1} of {num_files} by epoch 3' in message
        assert (
            f'Expected at most {limit:.2%} unreadable image files (or {always_allowed})' in message
        )
        assert f'listed with reasons in {tmp_path}/image_report.tsv; repair or remove' in message
        assert message == runner.messages[-1], 'in the log, too'
        assert len(report_rows(tmp_path)) == most + 1

    def test_converted_files_do_not_count(self, tmp_path):
        runner = FakeRunner(tmp_path, report_hook(0, 0))
        runner.train_epoch([(f'{index}.jpg', 'converted', 'L to RGB') for index in range(16)])

    def test_by_default_one_in_a_hundred_and_ten_of_a_small_folder(self, tmp_path):
        for num_files, most in [(100, 10), (10_000, 100)]:
            runner = FakeRunner(tmp_path / str(num_files), ImageReportHook(), num_files)
            Path(runner.work_dir).mkdir()
            runner.train_epoch([skipped(f'{index}.jpg') for index in range(most)])
            with pytest.raises(ValueError, match=f'found {most + 1} of'):
                runner.train_epoch([skipped('one_more.jpg')])

    def test_a_run_that_goes_on_counts_anew(self, tmp_path):
        """The files may have been repaired."""
        hook = report_hook(0, 3)
        FakeRunner(tmp_path, hook).train_epoch([skipped(name) for name in 'abc'])
        again = FakeRunner(tmp_path, report_hook(0, 3))
        again.train_epoch([skipped('d')])
        with pytest.raises(ValueError, match='found 4 of'):
            again.train_epoch([skipped(name) for name in 'abc'])

    @pytest.mark.parametrize('limit', [-0.1, 1.5])
    def test_a_limit_that_is_no_share_is_refused(self, limit):
        with pytest.raises(ValueError, match=f'from 0 to 1, found {limit}'):
            ImageReportHook(limit)


def run_process(rank: int, folder: Path, always_allowed: int, results) -> None:
    """One of two processes, whose epoch meets 3 files of its own and one that both meet."""
    store = torch.distributed.FileStore(str(folder / 'store'), 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    runner = FakeRunner(folder, report_hook(0, always_allowed))
    own = [[skipped(f'{rank}_{index}.jpg')] for index in range(3)]
    try:
        runner.train_epoch(*own, [skipped('both.jpg')], [], [])
        results.put((rank, 'ended', len(runner.messages)))
    except ValueError as error:
        results.put((rank, str(error), len(runner.messages)))


class TestSeveralProcesses:
    def run(self, folder: Path, always_allowed: int) -> list:
        context = multiprocessing.get_context('fork')
        results = context.Queue()
        processes = [
            context.Process(target=run_process, args=(rank, folder, always_allowed, results))
            for rank in range(2)
        ]
        for process in processes:
            process.start()
        found = [results.get(timeout=60) for _ in processes]
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
        return sorted(found)

    def test_each_file_is_listed_once(self, tmp_path):
        first, second = self.run(tmp_path, 7)
        assert first[1] == second[1] == 'ended'
        names = [row[1] for row in report_rows(tmp_path)]
        assert sorted(names) == [
            *(f'{rank}_{index}.jpg' for rank in range(2) for index in range(3)),
            'both.jpg',
        ]
        assert (first[2], second[2]) == (1, 0), 'only the main process tells of them'

    @pytest.mark.parametrize(('most', 'found'), [(3, 4), (6, 7)])
    def test_all_stop_together(self, tmp_path, most, found):
        """Though neither meets more than four itself."""
        first, second = self.run(tmp_path, most)
        assert first[1] == second[1]
        assert f'(or {most}), found {found} of 16' in first[1]
        assert len(report_rows(tmp_path)) == found


class CountIterations(Hook):
    def __init__(self):
        self.sizes = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.sizes.append(len(data_batch['inputs']))


@pytest.fixture(scope='module')
def mixed(tmp_path_factory) -> Path:
    """16 files: 4 good, 4 unreadable, 8 to convert."""
    folder = tmp_path_factory.mktemp('report') / 'images'
    write_images(folder / 'good', 4)
    write_odd(folder)
    write_bad(folder)
    return folder


@pytest.fixture(scope='module')
def reported(mixed, tmp_path_factory) -> tuple:
    """The work directory of two epochs on the mixed folder, and the batch sizes."""
    work_dir = tmp_path_factory.mktemp('report') / 'run'
    runner, count = build_runner(run_config(mixed, work_dir, total=4, batch=4)), CountIterations()
    runner.register_hook(count)
    runner.train()
    return work_dir, count.sizes


class TestRun:
    def test_training_on_a_mixed_folder_keeps_its_batches(self, reported):
        assert reported[1] == [4] * 8

    def test_every_file_is_listed_once(self, mixed, reported):
        found = {path: (what, why) for what, path, why in report_rows(reported[0])}
        assert len(report_rows(reported[0])) == len(found) == 12
        for name, why in CONVERTED.items():
            assert found.pop(str(mixed / name)) == ('converted', why)
        assert found.keys() == {str(mixed / name) for name in BAD}
        assert {what for what, _ in found.values()} == {'skipped'}
        assert all('Error: ' in why for _, why in found.values())

    def test_the_log_counts_them_and_names_the_unreadable_ones_once(self, mixed, reported):
        (log,) = reported[0].rglob('*.log')
        (line,) = [line for line in log.read_text().splitlines() if 'Images in epoch' in line]
        assert 'Images in epoch 1: 4 unreadable files skipped' in line
        assert '8 converted to RGB' in line
        for name in BAD:
            assert str(mixed / name) in line
        assert str(reported[0] / 'image_report.tsv') in line

    def test_a_folder_of_plain_images_has_no_report(self, tmp_path):
        folder = write_images(tmp_path / 'images', 4)
        build_runner(run_config(folder, tmp_path / 'run', total=4, batch=4, epochs=1)).train()
        assert not (tmp_path / 'run/image_report.tsv').exists()
        (log,) = (tmp_path / 'run').rglob('*.log')
        assert 'Images in epoch' not in log.read_text()

    def test_odd_names_and_no_repetition_after_a_resume(self, tmp_path):
        """A name that is not UTF-8, or has a line end; a second run over the same files."""
        folder = write_images(tmp_path / 'images', 14)
        for name in (b'bad\xff.png', b'line\nend.png'):
            (Path(os.fsdecode(os.fsencode(folder) + b'/' + name))).write_bytes(b'')
        for epochs in (1, 2):
            cfg = run_config(folder, tmp_path / 'run', epochs=epochs)
            cfg.resume, cfg.accept_changes = epochs == 2, True
            build_runner(cfg).train()
        names = [row[1].rpartition('/')[2] for row in report_rows(tmp_path / 'run')]
        assert sorted(names) == ['bad\\udcff.png', 'line\\nend.png']

    def test_too_many_unreadable_files_stop_it_within_the_epoch(self, tmp_path):
        folder = write_images(tmp_path / 'images', 40)
        for index in range(40):
            (folder / f'empty_{index}.jpg').touch()
        cfg = run_config(folder, tmp_path / 'run', total=4, batch=4)
        cfg.default_hooks.logger.interval = 5
        runner = build_runner(cfg)
        with pytest.raises(ValueError, match=r'found (1[1-9]|20) of 80 by epoch 1'):
            runner.train()
        assert runner.iter in (4, 9, 14), 'with a log, long before the epoch ends'
        (log,) = (tmp_path / 'run').rglob('*.log')
        assert 'Expected at most 1.00% unreadable image files (or 10), found' in log.read_text()

    def test_a_file_system_that_vanishes_stops_it_at_once(self, tmp_path):
        folder = write_images(tmp_path / 'images', 40)

        class Vanish(Hook):
            def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
                if runner.iter == 2:
                    folder.rename(tmp_path / 'elsewhere')

        runner = build_runner(run_config(folder, tmp_path / 'run', total=4, batch=4))
        runner.register_hook(Vanish())
        with pytest.raises(ValueError, match='Expected readable images, found none among'):
            runner.train()
        assert runner.iter == 3
