"""The page about a training run: from the folder to ``report.html``."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ...version import __version__
from ..html import Report
from . import charts, monitors
from .pictures import collect_pictures
from .progress import Progress, goes_by_epochs, progress, time_spent
from .scalars import Curves, curves
from .settings import setting
from .work_dir import WorkDir, read_work_dir

FILE_NAME = 'report.html'
MAX_MESSAGES = 100  # of a monitor, the newest
MAX_IMAGES = 20  # of those with problems


def write_report(work_dir: str | Path, out: str | Path | None = None, at_end: bool = False) -> Path:
    """Write the page about a work_dir.

    Args:
        work_dir: Work directory of mmengine's runner; several runs in it that continued each
            other are joined.
        out: The file; ``report.html`` in the work_dir by default.
        at_end: Whether training is known to be over.

    Returns:
        The path of the page.

    Raises:
        ValueError: If the folder is no work_dir.
    """
    found = read_work_dir(work_dir)
    path = Path(out) if out else found.path / FILE_NAME
    build_page(found, at_end).save(path)
    return path


def build_page(work_dir: WorkDir, at_end: bool = False) -> Report:
    """The page, section by section."""
    by_epoch = goes_by_epochs(work_dir)
    interval = None if by_epoch else setting(work_dir.settings, 'train_cfg', 'val_interval')
    values = curves(work_dir.rows, interval if isinstance(interval, int) else None)
    reached = progress(work_dir, at_end)
    page = Report(work_dir.name)
    _summary(page, work_dir, reached, values)
    _scores(page, work_dir, values, reached.unit)
    _curves(page, values, reached.unit)
    _monitors(page, work_dir)
    _pictures(page, work_dir)
    _checkpoints(page, work_dir)
    _runs(page, work_dir)
    _config(page, work_dir)
    _environment(page, work_dir)
    return page


def _summary(page: Report, work_dir: WorkDir, reached: Progress, values: Curves) -> None:
    runs = work_dir.runs
    page.paragraph(f'{_capitalised(str(reached))}; {reached.state}.')
    messages = [message for run in runs for message in run.log.messages]
    errors = sum(message.level != 'WARNING' for message in messages)
    page.facts(
        [
            ('started', runs[0].start),
            ('last logged', max(run.end for run in runs)),
            ('time of training', f'{_short(time_spent(work_dir))} in {_runs_text(work_dir)}'),
            ('warnings and errors', f'{len(messages) - errors} and {errors}, listed below'),
            ('folder', work_dir.path),
            ('this page', f'{datetime.now():%Y-%m-%d %H:%M:%S}, bootmae_mm {__version__}'),
        ]
    )
    for sentence in _damage(work_dir, values):
        page.paragraph(sentence)


def _runs_text(work_dir: WorkDir) -> str:
    trainings = len(work_dir.trainings)
    return f'{trainings} run{"s" * (trainings != 1)}'


def _damage(work_dir: WorkDir, values: Curves) -> Iterable[str]:
    """What could not be read or drawn, a sentence each."""
    for run in work_dir.runs:
        if run.scalars.damaged:
            yield (
                f'Lines of scalars.json in {run.folder.name} that could not be read and are left '
                f'out: {run.scalars.damaged}, as a killed run leaves them.'
            )
    for name, count in values.not_finite.items():
        yield f'Values of {name} that are not finite and are not drawn: {count}.'


def _scores(page: Report, work_dir: WorkDir, values: Curves, unit: str) -> None:
    page.heading('Scores')
    validated, probed = charts.scores(values), charts.probes(values)
    for kind, series, place in (('validation', validated, unit), ('probe', probed, 'iteration')):
        if series:
            best = charts.best_scores(series)
            rows = [(s.name, _number(s.last), _number(s.best), f'{s.at:g}') for s in best]
            page.table((kind, 'last', 'best', place), rows, 'The best with its place.')
    losses = {
        name: points
        for name, points in values.train.items()
        if points and charts.group_of(name) == 'Losses'
    }
    if losses:
        rows = [(name, _number(p[0][1]), _number(p[-1][1])) for name, p in losses.items()]
        page.table(('loss', 'first', 'last'), rows, 'As logged while training.')
    tests = [(run, name, value) for run in work_dir.runs for name, value in run.scores.items()]
    if tests:
        rows = [(name, _number(value), f'{run.start:%Y-%m-%d %H:%M}') for run, name, value in tests]
        page.table(('test', 'score', 'run'), rows, 'Of tools/test.py in this folder.')
    if not (validated or probed or losses or tests):
        page.paragraph('None yet: no loss or score was logged.')


def _curves(page: Report, values: Curves, unit: str) -> None:
    page.heading('Curves')
    main = [
        *charts.training_charts(values),
        *charts.score_charts(values, unit),
        *charts.probe_charts(values),
    ]
    if not main:
        page.paragraph('None: no values were logged.')
    _draw(page, main)
    others = list(charts.other_charts(values, unit))
    if others:
        page.heading('Other values')
        _draw(page, others)


def _draw(page: Report, drawn: Iterable[charts.Chart]) -> None:
    for chart in drawn:
        page.line_chart(
            chart.series, chart.title, chart.x_label, 'logarithmic' * chart.log_y, chart.log_y
        )


def _monitors(page: Report, work_dir: WorkDir) -> None:
    page.heading('Monitors')
    messages = [message for run in work_dir.runs for message in run.log.messages]
    found = monitors.by_monitor(messages)
    for name, own in found.items():
        with page.folded(f'{name} ({len(own)})', is_open=len(own) <= 5):
            if len(own) > MAX_MESSAGES:
                page.paragraph(f'The newest {MAX_MESSAGES}; all are in the logs.')
            for message in own[-MAX_MESSAGES:]:
                at = f'{message.time}, {message.level.lower()}, {message.after}'
                page.note(at, message.text, message.level != 'WARNING')
    if not found:
        logs = any(run.log.last_time for run in work_dir.runs)
        page.paragraph('No warnings and no errors.' if logs else 'The runs left no log to look at.')
    _images(page, work_dir.path / 'image_report.tsv')


def _images(page: Report, path: Path) -> None:
    issues = monitors.image_issues(path)
    if not issues.rows:
        return
    counts = ', '.join(f'{count} {what}' for what, count in sorted(issues.counts.items()))
    page.paragraph(f'Image files that could not be read as they are: {counts}.')
    with page.folded(f'Image files ({len(issues.rows)})'):
        if len(issues.rows) > MAX_IMAGES:
            page.paragraph(f'The first {MAX_IMAGES}; all are in {path.name}.')
        for what, name, reason in issues.rows[:MAX_IMAGES]:
            page.note(what, f'{name}: {reason}')


def _pictures(page: Report, work_dir: WorkDir) -> None:
    found = collect_pictures(work_dir.runs)
    if not (found.shown or found.unreadable):
        return
    page.heading('Pictures')
    for pair in found.shown:
        for picture, age in zip(reversed(pair), ('newest', 'first'), strict=False):
            page.picture(picture.image, f'{picture.name}, step {picture.step} ({age})')
    if found.left_out:
        page.paragraph(f'Names without a picture here: {", ".join(found.left_out)}.')
    if found.unreadable:
        names = ', '.join(path.name for path in found.unreadable)
        page.paragraph(f'Files that are no whole pictures: {names}.')


def _checkpoints(page: Report, work_dir: WorkDir) -> None:
    page.heading('Checkpoints')
    if not work_dir.checkpoints:
        page.paragraph('None in the folder.')
        return
    rows = [
        (name, f'{size:.1f}', f'{written:%Y-%m-%d %H:%M}')
        for name, size, written in work_dir.checkpoints
    ]
    page.table(('file', 'MiB', 'written'), rows, '')


def _runs(page: Report, work_dir: WorkDir) -> None:
    if len(work_dir.runs) == 1:
        return
    kept = {id(row) for row in work_dir.rows}
    page.heading('Runs')
    table = []
    for run in work_dir.runs:
        logged = [row.done for row in run.scalars.training]
        shown = [row.done for row in run.scalars.training if id(row) in kept]
        time = _short(run.end - run.start)
        table.append((f'{run.start:%Y-%m-%d %H:%M}', time, _span(logged), _span(shown)))
    page.table(
        ('started', 'took', 'iterations logged', 'shown'),
        table,
        'Where a run began at an earlier iteration, its values replace those of the one before.',
    )


def _span(iterations: Sequence[float]) -> str:
    return f'{iterations[0]:g} to {iterations[-1]:g}' if iterations else 'none'


def _config(page: Report, work_dir: WorkDir) -> None:
    page.heading('Config')
    if not work_dir.config:
        page.paragraph('The runs left no config.')
        return
    with page.folded('The whole config of the newest run'):
        page.code(work_dir.config)


def _environment(page: Report, work_dir: WorkDir) -> None:
    page.heading('Versions and environment')
    known = [run for run in work_dir.runs if run.log.environment]
    if not known:
        page.paragraph('The logs have none: log_level was above INFO, or there is no log.')
        return
    with page.folded(f'Of the run of {known[-1].start}'):
        page.facts(list(known[-1].log.environment.items()))


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float) -> str:
    return f'{value:.4g}'


def _short(time: timedelta) -> str:
    return str(timedelta(seconds=round(time.total_seconds())))
