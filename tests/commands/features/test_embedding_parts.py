"""Features come out the same however they were computed: in parts, interrupted, by processes."""

import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch import nn

from bootmae_mm.commands.features import embedding, embedding_parts, embedding_processes
from bootmae_mm.commands.features.embedding import embed
from bootmae_mm.commands.features.pace import Pace, readable
from tests.commands.features.embedding_data import KINDS, some_model, some_pictures, some_run
from tests.helpers.images import write_images


@pytest.fixture(scope='module')
def model() -> nn.Module:
    return some_model()


@pytest.fixture(scope='module')
def pictures(tmp_path_factory) -> Path:
    return some_pictures(tmp_path_factory.mktemp('data') / 'pictures')


@pytest.fixture(scope='module')
def run(tmp_path_factory, model) -> Path:
    return some_run(tmp_path_factory.mktemp('run'), model)


@pytest.fixture(scope='module')
def whole(pictures, run, tmp_path_factory) -> Path:
    """A file of features computed in one go, in five parts."""
    file = tmp_path_factory.mktemp('whole') / 'f.npz'
    return embed(pictures, run, file, features=KINDS, batch=2, part=2).file


def go_on(pictures: Path, run: Path, out: Path, **options) -> list[str]:
    """The call that makes :func:`whole`; returns what it says."""
    told = []
    settings = dict(features=KINDS, batch=2, part=2)
    embed(pictures, run, out, say=told.append, **{**settings, **options})
    return told


def stop_after(monkeypatch, count: int) -> list[str]:
    """Have computing interrupted after so many parts; returns the names of the parts begun."""
    begun, write = [], embedding_parts.write_batches

    def write_or_stop(path: Path, *rest) -> None:
        begun.append(path.name)
        if len(begun) > count:
            raise KeyboardInterrupt
        write(path, *rest)

    monkeypatch.setattr(embedding_parts, 'write_batches', write_or_stop)
    return begun


def test_several_processes_make_the_same_file(pictures, run, whole, tmp_path):
    go_on(pictures, run, tmp_path / 'f.npz', processes=2)
    assert (tmp_path / 'f.npz').read_bytes() == whole.read_bytes()


def test_a_process_ends_with_the_one_that_began_it(pictures, run, whole, tmp_path, monkeypatch):
    """PyTorch has the system send SIGINT then, which is ignored in what nohup or a shell began."""
    jobs, parent = [], SimpleNamespace(is_alive=lambda: len(done) < 3)
    monkeypatch.setattr(
        embedding_processes, 'in_processes', lambda job, *_: jobs.append(job) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        go_on(pictures, run, tmp_path / 'f.npz', processes=2)
    done = stop_after(monkeypatch, 99)
    monkeypatch.setattr(embedding_processes, 'parent_process', lambda: parent)
    with pytest.raises(SystemExit):
        embedding_processes.work(1, jobs[0], [0, 1, 2, 3, 4, 5], 1, get_context('spawn').Value('q'))
    assert [name[1:12] for name in done] == ['part_000001', 'part_000002', 'part_000003']


def test_a_process_that_was_killed(pictures, run, tmp_path, monkeypatch):
    def join(seconds: float) -> None:
        raise embedding_processes.ProcessExitedException('process 1 ended by SIGKILL', 1, 0, -9)

    ended = []
    process = SimpleNamespace(terminate=lambda: ended.append(True))
    running = SimpleNamespace(join=join, processes=[process, process])
    monkeypatch.setattr('torch.multiprocessing.spawn', lambda *_, **__: running)
    with pytest.raises(RuntimeError, match='one was ended .process 1 .* lower --batch'):
        go_on(pictures, run, tmp_path / 'f.npz', processes=2)
    assert ended == [True, True]


def test_an_interruption_changes_nothing(pictures, run, whole, tmp_path, monkeypatch):
    out = tmp_path / 'f.npz'
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            go_on(pictures, run, out)
    assert not out.exists()
    begun = stop_after(monkeypatch, 99)
    told = go_on(pictures, run, out)
    assert [name[1:12] for name in begun] == ['part_000003', 'part_000004', 'part_000005']
    assert '3 of 6 parts are there, going on' in told
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ['f.npz']


def test_an_interruption_while_joining(pictures, run, whole, tmp_path, monkeypatch):
    out = tmp_path / 'f.npz'
    with monkeypatch.context() as patch:
        patch.setattr(embedding, 'join', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            go_on(pictures, run, out)
    begun = stop_after(monkeypatch, 0)
    go_on(pictures, run, out)
    assert begun == [] and out.read_bytes() == whole.read_bytes()


def test_parts_of_other_settings_are_not_taken(pictures, run, whole, tmp_path, monkeypatch):
    out = tmp_path / 'f.npz'
    first = dict(block=dict(block=1), features=dict(features=['class']), size=dict(size=(16, 16)))
    for name, options in first.items():
        with monkeypatch.context() as patch:
            stop_after(patch, 3)
            with pytest.raises(KeyboardInterrupt):
                go_on(pictures, run, out, **options)
        told = go_on(pictures, run, out)
        assert any(f'parts of others ({name} differ): all begins anew' in line for line in told)
        assert out.read_bytes() == whole.read_bytes()
        out.unlink()


@pytest.mark.parametrize('change', ['checkpoint', 'list'])
def test_nor_those_of_another_checkpoint_or_list(run, tmp_path, monkeypatch, change):
    folder = write_images(tmp_path / 'pictures', 4)
    checkpoint = tmp_path / 'mine.pth'
    checkpoint.write_bytes((run / 'epoch_10.pth').read_bytes())
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            go_on(folder, checkpoint, tmp_path / 'f.npz')
    if change == 'list':
        (folder / '003.png').rename(folder / '009.png')
    else:
        checkpoint.write_bytes((run / 'epoch_9.pth').read_bytes())
    told = go_on(folder, checkpoint, tmp_path / 'f.npz')
    differ = {'checkpoint': 'file', 'list': 'pictures'}[change]
    assert any(f'({differ} differ)' in line for line in told)
    go_on(folder, checkpoint, tmp_path / 'g.npz')
    assert (tmp_path / 'f.npz').read_bytes() == (tmp_path / 'g.npz').read_bytes()


def test_a_folder_of_something_else_is_left_alone(pictures, run, tmp_path):
    other = tmp_path / 'f.npz.parts/part_000000.npz'
    other.parent.mkdir()
    other.write_text('mine')
    with pytest.raises(ValueError, match="found something else there .'part_000000.npz'.; move it"):
        go_on(pictures, run, tmp_path / 'f.npz')
    assert other.read_text() == 'mine'


def test_another_process_in_the_same_folder(pictures, run, tmp_path):
    lock = tmp_path / 'f.npz.parts/.run.lock'
    lock.parent.mkdir()
    code = f'import fcntl; f = open({str(lock)!r}, "w"); fcntl.lockf(f, fcntl.LOCK_EX); print(); '
    with subprocess.Popen(
        [sys.executable, '-c', f'{code}input()'], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        with pytest.raises(ValueError, match='no other process to write to .*f.npz.parts'):
            go_on(pictures, run, tmp_path / 'f.npz')
        process.communicate(b'\n')
    go_on(pictures, run, tmp_path / 'f.npz')


def test_parts_are_small_enough_for_the_memory(pictures, run, tmp_path, monkeypatch):
    sizes, write = [], embedding_parts.write_part

    def note(path: Path, files: list[str], *rest, **more) -> None:
        sizes.append(len(files))
        write(path, files, *rest, **more)

    monkeypatch.setattr(embedding_parts, 'write_part', note)
    monkeypatch.setattr('bootmae_mm.commands.features.embedding_job.PART_BYTES', 4 * 16 * 24 * 4)
    embed(pictures, run, tmp_path / 'f.npz', features=['patches'])
    assert sizes == [4, 4, 3]


def test_pace(monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr('time.monotonic', lambda: now[0])
    pace = Pace(1000, 100, 'pictures', told.append)
    for now[0] in range(10, 24, 2):  # the first ten seconds went into starting
        pace.add(50)
    assert told == [
        '200 of 1,000 pictures, 25 a second, about 32 s left',
        '350 of 1,000 pictures, 25 a second, about 26 s left',
    ]
    assert readable(7000) == '117 minutes' and readable(20_000) == '6 hours'
    assert readable(864_000) == '10.0 days'
