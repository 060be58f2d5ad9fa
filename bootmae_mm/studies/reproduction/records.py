"""What is kept of a run when its work directory is gone: scores, time, versions, origin.

A record is made from what the run wrote, by :func:`write_record`, and never by hand.
"""

import json
from pathlib import Path

from ...engine.run_files import last_checkpoint
from . import logs
from .catalogue import TABLES
from .cells import Metric
from .runs import Paths, Run, pretrainings

USAGE = 'usage.jsonl'  # seconds and processor seconds, a line per start that ended


def trainings(paths: Paths) -> dict[str, Run]:
    """What a table or another run could ask for, as full runs of seed 0, by their names."""
    asked = [run for table in TABLES.values() for run in table.runs]
    origins = [Run(config) for config in pretrainings(paths.configs).values()]
    return {run.name: run for run in (*asked, *origins)}


def metrics_of(run: Run) -> list[Metric]:
    """What the tables measure in a run."""
    scores = (score for table in TABLES.values() for score in table.scores if score.run)
    return list(dict.fromkeys(score.metric for score in scores if score.run.name == run.name))


def make_record(run: Run, paths: Paths) -> dict:
    """The record of a run that is done."""
    work_dir = run.work_dir(paths)
    rows = logs.rows(work_dir)
    values = {metric.title: logs.score(rows, metric) for metric in metrics_of(run)}
    sessions = logs.sessions(work_dir)
    checkpoint, log = last_checkpoint(work_dir), logs.newest_log(work_dir)
    return dict(
        config=run.config,
        budget=run.budget,
        seed=run.seed,
        scores={name: value for name, value in values.items() if value is not None},
        seconds_per_iteration=logs.seconds_per_iteration(rows),
        hours=round(sum(s.seconds for s in sessions) / 3600, 4),
        device_hours=round(sum(s.seconds * s.processes for s in sessions) / 3600, 4),
        cpu_hours=cpu_hours(work_dir, sessions),
        starts=run.checkpoints(paths),
        checkpoint=str(checkpoint) if checkpoint else None,
        log=str(log) if log else None,
        versions=logs.versions(work_dir),
    )


def cpu_hours(work_dir: Path, sessions: list[logs.Session]) -> float | None:
    """Processor time of all starts, for runs that were started by ``tools/reproduce.py``. Where it
    was killed with a run, nothing was counted; a thread's time is then that of the log."""
    file = work_dir / USAGE
    if not file.is_file():
        return None
    starts = [json.loads(line) for line in file.read_text().splitlines()]
    used = sum(start['cpu_seconds'] for start in starts)
    if len(starts) < len(sessions):
        counted = sum(start['seconds'] for start in starts)
        used += max(0, sum(session.seconds for session in sessions) - counted)
    return round(used / 3600, 4)


def write_record(run: Run, path: Path, paths: Paths) -> dict:
    """Write the record of a run that is done, unless its work directory is gone; returns it."""
    if logs.state(run, paths) != logs.DONE:
        return json.loads(path.read_text())
    record = make_record(run, paths)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + '\n')
    return record


def read_records(paths: Paths) -> dict[Run, dict]:
    """All records that are kept, of the runs that their files are named after."""
    records, known = {}, trainings(paths)
    for path in sorted(paths.results.glob('*/*.json')):
        record = json.loads(path.read_text())
        run = known.get(path.stem.rpartition('_seed')[0])
        if run:
            records[run._replace(budget=record['budget'], seed=record['seed'])] = record
    return records
