"""Damaged and hostile checkpoint files: wholly loaded or refused in a sentence, and never run."""

import ast
import os
import pickle
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmpretrain.registry import MODELS
from safetensors.torch import save_file
from torch import Tensor

from bootmae_mm.checkpoint import read_state_dict, reading
from bootmae_mm.checkpoint.checksums import check_sums
from bootmae_mm.checkpoint.complete import load_completely
from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.transfer import knn
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.models import build_tiny, tiny_config
from tests.helpers.paths import ROOT
from tools import check_parity, convert

REFUSED = 'that is damaged or holds other objects at .*; fetch it anew or give another'


@pytest.fixture(scope='module')
def state() -> dict[str, Tensor]:
    return build_tiny(seed=2).backbone.state_dict()


@pytest.fixture(scope='module')
def files(state, tmp_path_factory) -> dict[str, bytes]:
    """The same checkpoint in each format."""
    folder = tmp_path_factory.mktemp('whole')
    moments = {n: dict(step=torch.ones(()), exp_avg=v / 2) for n, v in enumerate(state.values())}
    content = dict(
        meta=dict(epoch=3, cfg='model = dict()'),
        state_dict=state,
        optimizer=dict(state=moments, param_groups=[dict(lr=1e-3)]),
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0, 2.0], [1, 1]))),
    )
    torch.save(content, folder / 'zip.pth')
    torch.save(content, folder / 'legacy.pth', _use_new_zipfile_serialization=False)
    save_file(state, folder / 'a.safetensors')
    names = dict(zip='zip.pth', legacy='legacy.pth', safetensors='a.safetensors')
    return {form: (folder / name).read_bytes() for form, name in names.items()}


def flip(content: bytes, places) -> bytes:
    """One bit flipped at each place."""
    changed = bytearray(content)
    for place in places:
        changed[place] ^= 1 << (int(place) % 8)
    return bytes(changed)


def mutations(content: bytes) -> Iterator[tuple[str, bytes]]:
    """200 damaged files, and what was done to them."""
    rng = np.random.default_rng(0)
    size, pickled = len(content), content.index(b'state_dict')
    directory, end = content.index(b'PK\x01\x02'), content.index(b'PK\x05\x06')
    ranges = {
        'flips anywhere': (60, 0, size),
        'flips in the pickle': (20, pickled - 60, pickled + 2000),
        'flips in the directory': (30, directory, size),
        'flips at the end': (10, end, size),
    }
    for kind, (count, first, last) in ranges.items():
        for _ in range(count):
            yield kind, flip(content, rng.integers(first, last, rng.integers(1, 4)))
    for _ in range(44):
        yield 'truncations', content[: rng.integers(1, size)]
    for length in (1, 2, 22, 100):
        yield 'truncations', content[:-length]
    for _ in range(16):
        start = int(rng.integers(0, size // 512)) * 512
        stop = min(size, start + 512 * int(rng.integers(1, 9)))
        yield 'ranges of zeros', content[:start] + bytes(stop - start) + content[stop:]
    for start in (0, 4096, size - 512, size // 2):
        yield 'zeros to the end', content[:start] + bytes(size - start)
    yield 'a part twice', content[: size // 2] + content[size // 4 :]
    yield 'two files in one', content[:5000] + content
    yield 'garbage before', b'HTTP/1.1 200 OK\r\n\r\n' + content
    yield 'garbage behind', content + rng.bytes(1000)
    yield 'garbage behind', content + bytes(4096)
    yield 'no checkpoint', b''
    yield 'no checkpoint', b'text' * 100
    yield 'no checkpoint', bytes(5000)
    yield 'no checkpoint', rng.bytes(5000)
    yield 'no checkpoint', b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'
    yield 'no checkpoint', b'\x80'
    yield 'no checkpoint', b'PK\x05\x06' + bytes(18)


@pytest.fixture(scope='module')
def encoder() -> torch.nn.Module:
    """The tiny encoder, built once and filled many times."""
    init_cfg = dict(type='PretrainedEncoder', checkpoint='')
    return MODELS.build(tiny_config()['backbone'] | dict(init_cfg=init_cfg))


def initialise(model: torch.nn.Module, path: Path) -> dict[str, Tensor]:
    """As a config's ``init_cfg`` does."""
    model.init_cfg['checkpoint'], model.is_init = str(path), False
    model.init_weights()
    return model.state_dict()


def load_all(model: torch.nn.Module, path: Path) -> dict[str, Tensor]:
    """As tools/test.py does."""
    for parameter in model.parameters():
        parameter.data.zero_()
    load_completely(model, read_state_dict(path), str(path))
    return model.state_dict()


READERS = {
    'read_state_dict': lambda _, path: read_state_dict(path),
    'init_cfg': initialise,
    'load_completely': load_all,
}


def outcome(read, path: Path, state: dict[str, Tensor]) -> str:
    """'refused', 'complete' or 'wrong'."""
    try:
        found = read(path)
    except ValueError as error:
        assert_one_sentence(error, '')
        return 'refused'
    same = found.keys() == state.keys() and all(
        found[name].dtype == value.dtype and torch.equal(found[name], value)
        for name, value in state.items()
    )
    return 'complete' if same else 'wrong'


class TestDamage:
    @pytest.mark.parametrize('reader', READERS)
    def test_a_file_is_loaded_bit_for_bit_or_refused(self, reader, files, state, encoder, tmp_path):
        read, counts = partial(READERS[reader], encoder), Counter()
        (tmp_path / 'whole.pth').write_bytes(files['zip'])
        assert outcome(read, tmp_path / 'whole.pth', state) == 'complete'
        for index, (kind, content) in enumerate(mutations(files['zip'])):
            assert content != files['zip'], kind
            path = tmp_path / f'{index}.pth'
            path.write_bytes(content)
            counts[outcome(read, path, state)] += 1
            path.unlink()
        print(reader, dict(counts))
        assert counts.keys() == {'refused', 'complete'}
        assert counts.total() == 200
        assert counts['refused'] >= 160

    def test_every_byte_of_a_tensor_counts(self, state, tmp_path):
        """What torch.load takes as it is."""
        path = tmp_path / 'a.pth'
        torch.save(state, path)
        content, values = path.read_bytes(), state['cls_token'].numpy().tobytes()
        at = content.index(values)
        for place in range(at, at + len(values), 7):
            path.write_bytes(flip(content, [place]))
            changed = torch.load(path, weights_only=True)['cls_token']
            assert not torch.equal(changed, state['cls_token'])
            with pytest.raises(ValueError, match=r'the check sum of .*/data/\d+ is wrong'):
                read_state_dict(path)

    @pytest.mark.parametrize('form', ['legacy', 'safetensors'])
    def test_formats_without_sums_do_not_crash(self, form, files, state, tmp_path):
        """Of damage they only refuse what is in their structure; cut off, they are always."""
        rng, content, counts = np.random.default_rng(1), files[form], Counter()
        path = tmp_path / f'a.{"safetensors" if form == "safetensors" else "pth"}'
        for _ in range(60):
            start = rng.choice([0, 2000])  # every other time in the structure
            places = rng.integers(0, start or len(content), rng.integers(1, 4))
            path.write_bytes(flip(content, places))
            counts[outcome(read_state_dict, path, state)] += 1
        print(form, dict(counts))
        assert counts['refused'] > 10
        for length in rng.integers(0, len(content), 40):
            path.write_bytes(content[:length])
            assert outcome(read_state_dict, path, state) == 'refused'

    def test_a_file_without_sums_is_told_of(self, files, state, tmp_path, monkeypatch):
        told = []
        monkeypatch.setattr(reading, 'print_log', lambda text, **_: told.append(text))
        paths = [tmp_path / name for name in ('zip.pth', 'legacy.pth', 'no_sums.pth')]
        paths[0].write_bytes(files['zip'])
        paths[1].write_bytes(files['legacy'])
        torch.serialization.set_crc32_options(False)
        try:
            torch.save(state, paths[2])
        finally:
            torch.serialization.set_crc32_options(True)
        assert [outcome(read_state_dict, path, state) for path in paths] == ['complete'] * 3
        assert [text.partition(' has no check sums')[0] for text in told] == [
            repr(str(path)) for path in paths[1:]
        ]
        assert [check_sums(path) for path in paths] == [True, False, False]

    def test_a_compressed_file_is_refused_before_it_is_unpacked(self, tmp_path):
        """A hundred megabytes in a hundred kilobytes."""
        path = tmp_path / 'bomb.pth'
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
            file.writestr('bomb/data.pkl', pickle.dumps({}))
            file.writestr('bomb/data/0', bytes(10**8))
        with pytest.raises(ValueError, match='it is compressed, which PyTorch does not do'):
            read_state_dict(path)


MARK = 'code_was_run'


class Runs:
    """An object whose unpickling calls a function."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


class State:
    """An object whose unpickling sets its state."""

    def __setstate__(self, state):
        os.mkdir(MARK)

    def __getstate__(self):
        return dict(x=1)


HOSTILE = {
    'os.system': Runs(os.system, f'mkdir {MARK}'),
    'os.mkdir': Runs(os.mkdir, MARK),
    'eval': Runs(eval, f'__import__("os").mkdir("{MARK}")'),
    'exec': Runs(exec, f'import os; os.mkdir("{MARK}")'),
    'torch.load': Runs(torch.load, 'inner.pth', 'cpu'),
    'getattr': Runs(getattr, HistoryBuffer, '__init__'),
    'a class': State(),
    'a later call': Runs(Runs, os.mkdir, MARK),
}
PLACES = {
    'weights': lambda attack: {'state_dict': {'x': torch.ones(2), 'y': attack}},
    'meta': lambda attack: {'state_dict': {'x': torch.ones(2)}, 'meta': {'cfg': [attack]}},
    'optimizer': lambda attack: {
        'state_dict': {'x': torch.ones(2)},
        'optimizer': {'state': {0: {'exp_avg': attack}}},
    },
    'a key': lambda attack: {'state_dict': {'x': torch.ones(2)}, 'epochs': {('a', attack): 1}},
    'all of it': lambda attack: attack,
}


@pytest.fixture
def in_folder(tmp_path, monkeypatch) -> Path:
    """Code in the files would leave a mark here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_hostile(path: str, attack: str, place: str, form: str) -> None:
    content = PLACES[place](HOSTILE[attack])
    if form == 'pickle':
        Path(path).write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == 'zip')


class TestCode:
    def test_the_files_would_run_it(self, in_folder):
        """Else the tests below say nothing."""
        for attack in ('os.system', 'os.mkdir', 'eval', 'exec', 'a class'):
            for form in ('zip', 'legacy'):
                write_hostile('bad.pth', attack, 'optimizer', form)
                torch.load('bad.pth', weights_only=False)
                Path(MARK).rmdir()

    @pytest.mark.parametrize('form', ['zip', 'legacy', 'pickle'])
    @pytest.mark.parametrize('attack', HOSTILE)
    def test_it_is_not_run_wherever_it_is(self, attack, form, encoder, in_folder):
        for place in PLACES:
            write_hostile('bad.pth', attack, place, form)
            for read in (read_state_dict, partial(initialise, encoder), read_checkpoint):
                with pytest.raises(ValueError) as error:
                    read(Path('bad.pth'))
                assert_one_sentence(error.value, 'holds other objects at')
                assert not Path(MARK).exists()

    def test_the_sentence_names_what_it_asks_for(self, in_folder):
        write_hostile('bad.pth', 'os.system', 'optimizer', 'zip')
        with pytest.raises(ValueError, match=r'\(it asks for posix\.system\); fetch') as error:
            read_state_dict('bad.pth')
        assert 'weights_only' not in str(error.value), 'no advice to run it'

    def test_a_suffix_decides_nothing(self, in_folder):
        write_hostile('bad.safetensors', 'os.mkdir', 'weights', 'zip')
        with pytest.raises(ValueError, match=REFUSED):
            read_state_dict('bad.safetensors')
        assert not Path(MARK).exists()

    def test_the_frozen_teacher_and_the_tools_do_not_run_it(self, encoder, in_folder, capsys):
        write_hostile('bad.pth', 'os.mkdir', 'optimizer', 'zip')
        model = ConfigDict(type='ImageClassifier', backbone=tiny_config()['backbone'])
        teacher = dict(type='FrozenTeacher', checkpoint='bad.pth')
        for use in (
            lambda: build_tiny(teacher=teacher),
            lambda: knn._classifier(ConfigDict(model=model), 'bad.pth'),
            lambda: load_all(encoder, 'bad.pth'),
        ):
            with pytest.raises(ValueError, match='it asks for posix.mkdir'):
                use()
        with pytest.raises(SystemExit):
            convert.main(['bad.pth', 'out.pth', '--to', 'ours'])
        assert 'it asks for posix.mkdir' in capsys.readouterr().err
        np.savez('bad.npz', meta_json='{}', x=np.array([HOSTILE['os.mkdir']], dtype=object))
        with pytest.raises(SystemExit):
            check_parity.main(['bad.npz'])
        assert not Path(MARK).exists()


UNSAFE = re.compile(
    r'(^|\.)(load_checkpoint|_load_checkpoint|load_url|Unpickler)$|^(pickle|dill|joblib)\.loads?$'
)


def is_unsafe(call: ast.Call) -> bool:
    """Whether a call may run what is in a file."""
    name = ast.unparse(call.func)
    options = {option.arg: ast.unparse(option.value) for option in call.keywords}
    if name == 'torch.load':
        return options.get('weights_only') != 'True'
    return bool(UNSAFE.search(name)) or options.get('allow_pickle', 'False') != 'False'


@pytest.mark.parametrize(
    'line',
    [
        "torch.load('a')", "torch.load('a', weights_only=False)", "pickle.load(f)",
        "runner.load_checkpoint('a')", "_load_checkpoint('a')", "np.load('a', allow_pickle=True)",
    ],
)  # fmt: skip
def test_what_counts_as_unsafe(line):
    assert is_unsafe(ast.parse(line).body[0].value)


def test_nothing_else_that_may_run_a_file_is_called():
    """Neither in the package nor in the tools; all of them read by ``torch.load`` that refuses."""
    folders = ('bootmae_mm', 'tools', 'benchmarks')
    paths = [path for folder in folders for path in ROOT.glob(f'{folder}/**/*.py')]
    assert len(paths) > 80
    found, loads = [], []
    for path in paths:
        nodes = ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        found += [f'{path}:{call.lineno}' for call in calls if is_unsafe(call)]
        loads += [path.name for call in calls if ast.unparse(call.func) == 'torch.load']
    assert found == []
    assert 'reading.py' in loads
