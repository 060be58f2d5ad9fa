"""The benchmarks of pretraining: budgets, memory, and the tables at tiny sizes; never how long."""

import json
import subprocess
import sys
import warnings
import weakref
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tests.helpers.paths import ROOT

BENCHMARKS = ROOT / 'benchmarks'
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / 'gpu_suite')]

import bench  # noqa: E402
import common  # noqa: E402
import contestants  # noqa: E402
import kernels  # noqa: E402
import pretrain_step  # noqa: E402
import sections  # noqa: E402
import suite  # noqa: E402
import timing  # noqa: E402

KINDS = contestants.KINDS


@pytest.fixture
def quiet(monkeypatch):
    """No process of its own for a figure of memory, no data pipeline, no compiler."""
    monkeypatch.setattr(common, 'in_own_process', lambda function, *args: function(*args))
    rows = [dict(pipeline='ours')]
    monkeypatch.setattr(bench.data_pipeline, 'measure', lambda *args, **kwargs: dict(Pipeline=rows))
    monkeypatch.setattr(contestants, 'COMPILER', dict(backend='eager'))


def out_of_memory(*args, **kwargs):
    raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate')


def test_the_versions_are_those_that_are_imported(monkeypatch):
    """Of a package that lies in two folders, that in the first."""
    found = [('Pillow', '12.3'), ('onedl-mmcv', '2.3.6'), ('pillow', '13.0'), ('attrs', '1')]
    found = [SimpleNamespace(metadata=dict(Name=name), version=text) for name, text in found]
    monkeypatch.setattr(common.metadata, 'distributions', lambda: iter(found))
    assert common.versions() == dict(pillow='12.3', mmcv='2.3.6')


# ------------------------------------------------------------------------------------ time, memory


@pytest.fixture
def clock(monkeypatch):
    """A clock that every step moves on; ``clock.step(seconds)`` makes one."""

    class Clock:
        now = 0.0

        def step(self, seconds: float):
            def move() -> None:
                self.now += seconds

            return move

    found = Clock()
    for module in (timing, common):
        monkeypatch.setattr(module.time, 'perf_counter', lambda: found.now)
    return found


@pytest.mark.parametrize('budget, rounds', [(0, 1), (20, 1), (21.1, 2), (45, 5), (1000, 9)])
def test_rounds_are_those_that_fit_into_the_budget(clock, budget, rounds):
    """A round of both takes 7 s; warm-up and the first one 14 s."""
    steps = dict(a=clock.step(3.0), b=clock.step(4.0))
    times = timing.in_turn_within(steps, budget)
    assert times == dict(a=[pytest.approx(3.0)] * rounds, b=[pytest.approx(4.0)] * rounds)
    assert clock.now == pytest.approx(7 * (rounds + 1))


def test_short_steps_on_a_gpu_are_taken_several_in_a_row(clock, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: None)
    times = timing.in_turn_within(dict(a=clock.step(0.25)), budget=3.2)
    assert times == dict(a=[pytest.approx(0.25)] * 2)
    assert clock.now == pytest.approx(0.25 * (2 + 2 * timing.CALLS))
    assert len(timing.in_turn_within(dict(a=clock.step(0.25)), budget=0)['a']) == 1


def test_a_step_that_does_not_fit_gives_none_and_frees_its_memory(monkeypatch):
    alive, freed = [], []

    def fails() -> None:
        part = nn.Linear(2, 2)
        alive.append(weakref.ref(part))
        out_of_memory(part)

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'empty_cache', lambda: freed.append(alive[0]() is None))
    assert timing.if_it_fits(fails) is None
    assert freed == [True]
    alive[0] = list
    assert timing.if_it_fits(max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        timing.if_it_fits(lambda: 1 / 0)


def test_progress_says_what_is_to_come_and_what_does_not_fit(clock, capsys):
    progress = timing.Progress(dict(first=60, second=90), limit=100)
    progress.begin('first')
    clock.now = 20.0
    assert progress.shortage('first') is None
    assert progress.shortage('second') == 'skipped: takes about 90 s, 80 s were left'
    progress.begin('second')
    assert capsys.readouterr().out.splitlines() == [
        '[1/2] first   (0:00 gone, about 2:30 to come)',
        '[2/2] second   (0:20 gone, about 1:30 to come)',
    ]
    assert timing.Progress(dict(first=60)).shortage('first') is None


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='how Linux counts')
def test_a_process_of_its_own_does_not_begin_with_the_memory_of_this_one():
    """This one has far more imported than ``common``."""
    assert common.in_own_process(common.peak_memory) < common.peak_memory()


def test_waits_for_the_device_are_counted(monkeypatch):
    modes = []
    assert pretrain_step.host_waits(lambda: None) is None

    def step() -> None:
        for message in (pretrain_step.SYNCHRONISED, 'something else', pretrain_step.SYNCHRONISED):
            warnings.warn(message, stacklevel=1)

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: None)
    monkeypatch.setattr(torch.cuda, 'set_sync_debug_mode', modes.append)
    assert pretrain_step.host_waits(step) == 2
    with pytest.raises(ZeroDivisionError):
        pretrain_step.host_waits(lambda: 1 / 0)
    assert modes == ['warn', 'default'] * 2


# ------------------------------------------------------------------------------------- the tables


def test_the_tables_of_the_step(quiet):
    parts = []
    tables = pretrain_step.measure(
        'tiny', 2, ('float32', 'bfloat16'), 0, ('float32',), lambda found: parts.append(len(found))
    )
    assert parts == [5, 5, 6], 'written after each part; the last one is memory'
    step = tables['Step']
    assert [row['step'] for row in step] == [*KINDS, *KINDS]
    assert [row['precision'] for row in step] == ['float32'] * 3 + ['bfloat16'] * 3
    for first in (0, 3):
        of_reference, ours, mae = step[first : first + 3]
        ratio = of_reference['seconds'] / ours['seconds']
        assert ours['speed / reference'] == pytest.approx(ratio)
        assert ours['speed / MAE'] == pytest.approx(mae['seconds'] / ours['seconds'])
        assert ours['images/s'] == pytest.approx(2 / ours['seconds'])
        assert (mae['speed / MAE'], of_reference['speed / reference'], mae['rounds']) == (1, 1, 1)
    fractions = tables['Share of the image that the teacher sees']
    assert [row['teacher sees'] for row in fractions] == ['25%', '50%', '75%', '100%'] * 2
    assert [row['paper'] for row in fractions[:4]] == [1.16, 0.98, 0.80, 0.72]
    assert fractions[3]['seconds'] == step[1]['seconds']
    forward, update, both = tables['Teacher in the step'][:3]
    assert 0 < forward['seconds'] < both['seconds']
    assert both['seconds'] == pytest.approx(forward['seconds'] + update['seconds'])
    ours = tables['Matrix products of the step'][1]
    assert ours['Gop/s'] == pytest.approx(2 * ours['Gop / image'] / step[1]['seconds'])
    assert ours['parts'] == 'encoder 13 %, regressor 26 %, predictor 45 %, teacher 17 %'
    waits = tables['Times that the host waits for the device in a step']
    assert [row['times'] for row in waits] == [None] * 6
    memory = [row['step'] for row in tables['Peak memory of a step']]
    assert memory == ['reference', 'ours', 'ours, blocks checkpointed', 'mae']


def test_steps_that_do_not_fit_are_a_row(monkeypatch):
    monkeypatch.setattr(pretrain_step, 'time_steps', out_of_memory)
    tables = pretrain_step.measure_steps('large', 512, 'bfloat16', 0)
    row = dict(architecture='large', precision='bfloat16', batch=512, result='out of memory')
    assert tables == {'Steps that did not fit': [row]}


def test_percent():
    shown = [pretrain_step.percent(share) for share in (0.0123, 0.0994, 0.0996, 0.5, 1.234)]
    assert shown == ['1.2 %', '9.9 %', '10 %', '50 %', '123 %']


def test_bench_writes_its_tables(quiet, tmp_path, capsys):
    bench.main(['--quick', '--arch', 'tiny', '--budget', '0.001', '--out', str(tmp_path)])
    content = json.loads((tmp_path / 'bench.json').read_text())
    assert {'date', 'cpu', 'torch'} <= content['machine'].keys()
    assert {'Step', 'Pipeline', 'Peak memory of a step'} <= content['sections'].keys()
    assert content['sections']['Step'][0]['batch'] == 2
    assert {row['precision'] for row in content['sections']['Peak memory of a step']} == {'float32'}
    assert '| tiny | float32 | 2 | ours |' in (tmp_path / 'bench.md').read_text()
    assert '[1/4] step, float32' in capsys.readouterr().out


@pytest.mark.parametrize('batch', ['0', '-1', 'many'])
def test_a_batch_is_a_whole_number_from_one_up(batch, capsys):
    with pytest.raises(SystemExit):
        bench.main(['--batch', batch])
    assert f'expected a whole number from 1 up, found {batch!r}' in capsys.readouterr().err


# ------------------------------------------------------------------------------------ the GPU suite


def test_the_suite_runs_at_tiny_sizes(quiet, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain_step, 'time_steps', lambda *args: dict(Step=[dict(seconds=1)]))
    assert suite.main(['--tiny', '--out', str(tmp_path)]) == 0
    tables = json.loads((tmp_path / 'gpu_suite.json').read_text())['sections']
    assert [row['section'] for row in tables['Sections']] == list(suite.SECTIONS)
    assert len(tables['Step']) == 3
    assert all(row['result'].startswith('measured in ') for row in tables['Sections'])
    assert [row['batch'] for row in tables['Batch sweep']] == [1, 2, 4]
    compiled = {row['step']: row for row in tables['Compilation']}
    assert list(compiled) == ['ours', 'mae', 'ours, compiled', 'mae, compiled']
    assert {row['batch'] for row in compiled.values()} == {4}
    steps = [row['step'] for row in tables['Device in a step']]
    assert steps == ['ours, compiled', 'ours', 'mae']
    for kind in ('ours', 'mae'):
        assert len(tables[f'Longest operations of {kind}']) == kernels.MOST_OPERATIONS
    assert compiled['ours']['graphs in the first two'] == 0
    # Encoder; teacher's blocks and its last one; the same of both decoders.
    assert compiled['ours, compiled']['graphs in the first two'] == 7
    assert compiled['mae, compiled']['graphs in the first two'] == 2
    assert {row['graphs later, all forms'] for row in compiled.values()} == {0}


def test_the_suite_needs_neither_operators_nor_dense_toolboxes_nor_installation(tmp_path):
    """In a process that finds neither these nor this package but beside the suite."""
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ('mmcv.ops', 'mmcv._ext') or name.partition('.')[0] in ('mmseg', 'mmdet'):
            raise ImportError(f'{{name}} is not there')
sys.meta_path[:] = [Missing()] + [f for f in sys.meta_path if 'editable' not in repr(f).lower()]
sys.argv = ['run.py', '--tiny', '--sections', 'batch sweep', '--out', {str(tmp_path)!r}]
import runpy
runpy.run_path({str(BENCHMARKS / 'gpu_suite/run.py')!r}, run_name='__main__')
"""
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert '| batch sweep | measured in 0:' in done.stdout


def test_sections_that_do_not_fit_are_skipped_and_say_so(tmp_path, capsys):
    arguments = ['--tiny', '--minutes', '0.4', '--sections', 'step, bfloat16', 'larger model']
    assert suite.main([*arguments, '--out', str(tmp_path)]) == 0
    tables = json.loads((tmp_path / 'gpu_suite.json').read_text())['sections']
    assert list(tables) == ['Sections']
    assert tables['Sections'][0]['result'] == 'skipped: takes about 25 s, 24 s were left'
    assert 'skipped: takes about 35 s' in (tmp_path / 'gpu_suite.md').read_text()


def test_a_section_that_fails_is_reported_and_the_others_are_measured(tmp_path):
    def fails(settings):
        raise RuntimeError('no kernel\nat all')

    seen = []

    def works(settings):
        seen.append(settings.seconds)
        return {'Table': [dict(value=1)]}

    chosen = dict(first=suite.Section(fails, 1), second=suite.Section(works, 1))
    tables, failures = suite.run(chosen, sections.TINY, 1, tmp_path)
    assert failures == 1 and 0 < seen[0] < 60
    assert tables['Sections'][0]['result'] == 'failed: RuntimeError: no kernel'
    assert tables['Table'] == [dict(value=1)]


def test_the_sweep_ends_where_memory_ends_or_time(monkeypatch):
    monkeypatch.setattr(contestants, 'build', lambda *args: None)

    def time_batch(built, batch, budget):
        return dict(result='measured') if batch < 3 else out_of_memory()

    monkeypatch.setattr(sections, 'time_batch', time_batch)
    settings = sections.TINY._replace(batches=(8, 1, 2, 4))
    rows = sections.batch_sweep(settings)['Batch sweep']
    results = [(row['batch'], row['result']) for row in rows]
    assert results == [(1, 'measured'), (2, 'measured'), (4, 'out of memory')]
    assert {*rows[0]} == {*rows[2]}  # the same columns
    rows = sections.batch_sweep(settings._replace(seconds=-1e9))['Batch sweep']
    assert {row['result'] for row in rows} == {'skipped: no time left'}
