"""What was wrong with image files: a report, and the limit at which a run stops."""

import os
from collections.abc import Iterable

import torch
from mmengine.dist import all_gather_object, all_reduce, barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..data.reading import FEW_BITS
from ..engine.log_interval import log_interval

FEW_BITS_SEEN = (
    ' {} of the converted ones have 16 bits and no value above 4095, such as {}: they are seen '
    'nearly black; if they have 12 bits, multiply their values by 16.'
)
ReportRow = tuple[str, str, str]  # skipped | converted, path, reason


def report_path(runner: Runner) -> str:
    """Where skipped and converted images are listed."""
    return os.path.join(runner.work_dir, 'image_report.tsv')


def on_one_line(text: str) -> str:
    """Text that fits a cell of a table: tabs, line ends, undecodable bytes and backslashes are
    escaped as in Python, so that different texts stay different."""
    if text.isprintable() and '\\' not in text:
        return text
    return ''.join(
        c if c.isprintable() and c != '\\' else c.encode('unicode_escape').decode() for c in text
    )


def read_report(path: str) -> set[tuple[str, str]]:
    """What a report lists, ``(skipped | converted, path)``; a row that a crash cut off is left out
    and ended."""
    if not os.path.isfile(path):
        return set()
    with open(path, 'rb+') as file:
        content = file.read()
        if not content.endswith(b'\n'):
            file.write(b'\n')
    rows = (line.split('\t') for line in content.decode('utf-8', 'replace').split('\n'))
    return {(row[0], row[1]) for row in rows if len(row) == 3}


def append_to_report(path: str, rows: Iterable[ReportRow]) -> None:
    """Add rows to a report."""
    with open(path, 'a', encoding='utf-8') as file:
        file.writelines('\t'.join(row) + '\n' for row in rows)


@HOOKS.register_module()
class ImageReportHook(Hook):
    """Reports image files that were skipped or converted, each once by name, and stops the run
    where too many are skipped.

    With every log and at the end of an epoch the processes pool what they met. Files that are new
    go to ``image_report.tsv`` in the work directory (``skipped | converted``, path, reason), also
    after a resume. At the end of an epoch their counts and the first names of skipped ones go to
    the log. Of a run that was resumed, the limit counts what it met itself: files may have been
    repaired.

    Args:
        limit: Largest share of the data set's files that may be skipped. One in a hundred is far
            more than a sound data set has (ImageNet has none), and far less than is missing where
            an archive was not unpacked to its end, a disk is gone or rights are wrong.

    Raises:
        ValueError: If the limit is not a share; in all processes at once, when it is exceeded.
    """

    priority = 'LOW'
    always_allowed = 10  # skipped files, whatever their share, for small folders
    changes_training = False

    def __init__(self, limit: float = 0.01) -> None:
        if not 0 <= limit <= 1:
            raise ValueError(f'limit is a share and must be from 0 to 1, found {limit}.')
        self.limit = limit
        self.pending = {}  # met by this process and not pooled: (skipped | converted, path): reason
        self.known = set()  # pooled, the same in all processes
        self.num_skipped = 0
        self.listed = set()  # in the report; of the main process
        self.unlogged = []

    def before_train(self, runner: Runner) -> None:
        """A run does not report again what its report has."""
        self.interval = log_interval(runner)
        self.num_files = len(runner.train_dataloader.dataset)
        if is_main_process():
            self.listed = read_report(report_path(runner))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Note what this batch met."""
        for sample in data_batch['data_samples']:
            for path, what, why in sample.get('image_issues', ()):
                issue = what, on_one_line(path)
                if issue not in self.known:
                    self.pending[issue] = on_one_line(why)
        if self.every_n_inner_iters(batch_idx, self.interval):
            self._pool(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the files that are new."""
        self._pool(runner)
        if self.unlogged:
            skipped = [path for what, path, _ in self.unlogged if what == 'skipped']
            converted = len(self.unlogged) - len(skipped)
            dark = [path for _, path, why in self.unlogged if FEW_BITS in why]
            names = f' ({", ".join(skipped[:5])}{", …" * (len(skipped) > 5)})' if skipped else ''
            # With the epoch, as mmengine's logger drops a warning that repeats an earlier one.
            runner.logger.warning(
                f'Images in epoch {runner.epoch + 1}: {len(skipped)} unreadable files skipped'
                f'{names}, {converted} converted to RGB; all of them are listed in '
                f'{report_path(runner)}.'
                + (FEW_BITS_SEEN.format(len(dark), dark[0]) if dark else '')
            )
            self.unlogged = []

    def _pool(self, runner: Runner) -> None:
        """Bring together what all processes met, report it, and stop above the limit."""
        num_pending = torch.tensor(len(self.pending))
        all_reduce(num_pending)
        if not num_pending:
            return
        new = {}
        for part in all_gather_object(self.pending):
            new.update(part)
        self.pending = {}
        self.known.update(new)
        self.num_skipped += sum(what == 'skipped' for what, _ in new)
        if is_main_process():
            rows = sorted((*issue, why) for issue, why in new.items() if issue not in self.listed)
            append_to_report(report_path(runner), rows)
            self.unlogged += rows
        if self.num_skipped > max(self.limit * self.num_files, self.always_allowed):
            barrier()  # the report is written before the first process ends
            self._stop(runner)

    def _stop(self, runner: Runner) -> None:
        message = (
            f'Expected at most {self.limit:.2%} unreadable image files (or '
            f'{self.always_allowed}), found {self.num_skipped} of {self.num_files} by epoch '
            f'{runner.epoch + 1}, listed with reasons in {report_path(runner)}; repair or remove '
            'them, or raise the limit of ImageReportHook in custom_hooks.'
        )
        runner.logger.error(message)
        raise ValueError(message)
