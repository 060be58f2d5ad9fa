"""Checkpoints by path, ``file://`` and from the web, here a server of the test's own."""

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from bootmae_mm.checkpoint import read_state_dict
from bootmae_mm.checkpoint.sources import announced_bytes, cached_path, local_path
from tests.helpers.data_cases import assert_one_sentence


class Handler(SimpleHTTPRequestHandler):
    """It does not write to the terminal."""

    def log_message(self, *args) -> None:
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[ThreadingHTTPServer]:
    """Serves ``tmp_path / 'web'``; what is fetched goes to ``tmp_path / 'hub'``."""
    (tmp_path / 'web/other').mkdir(parents=True)
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    monkeypatch.setenv('no_proxy', '*')
    handler = partial(Handler, directory=str(tmp_path / 'web'))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        server.asked, server.url = [], f'http://127.0.0.1:{server.server_port}'
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def weights(number: int) -> bytes:
    file = io.BytesIO()
    torch.save({'x': torch.full((2,), float(number))}, file)
    return file.getvalue()


def first(source) -> float:
    return read_state_dict(source)['x'][0].item()


def test_paths(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path('my weights.pth').write_bytes(weights(3))
    assert first('my weights.pth') == first(Path('my weights.pth')) == 3
    for source in ('~', f'file://{tmp_path}', f'file://localhost{tmp_path}'):
        assert first(f'{source}/my weights.pth') == 3
    assert first(f'file://{tmp_path}/my%20weights.pth') == 3


@pytest.mark.parametrize(
    'source', ['torchvision://resnet50', 's3://bucket/a.pth', 'file://host/a.pth', 'hf://a/b']
)
def test_other_schemes_are_refused(source):
    with pytest.raises(ValueError) as error:
        read_state_dict(source)
    assert_one_sentence(error.value, f'found {source!r}; fetch the file by other means')


def test_a_file_is_fetched_once(server, tmp_path):
    (tmp_path / 'web/checkpoint.pth').write_bytes(weights(1))
    (tmp_path / 'web/other/checkpoint.pth').write_bytes(weights(2))
    url = f'{server.url}/checkpoint.pth'
    assert announced_bytes(url) == len(weights(1))
    assert not (tmp_path / 'hub').exists(), 'nothing is fetched to look'
    assert first(url) == 1
    assert first(f'{server.url}/other/checkpoint.pth') == 2, 'another of the same name'
    asked = len(server.asked)
    assert first(url) == 1 and len(server.asked) == asked


def test_processes_that_come_at_once_fetch_once(server, tmp_path):
    (tmp_path / 'web/a.pth').write_bytes(weights(1))
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            os._exit(0 if local_path(f'{server.url}/a.pth').is_file() else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(server.asked) == 2, 'its size, and itself'


def test_a_check_sum_in_the_name_is_compared(server, tmp_path):
    """One of digits alone would be taken for a date."""
    sums = {n: hashlib.sha256(weights(n)).hexdigest()[:8] for n in range(1, 9)}
    number = next(n for n, digest in sums.items() if not digest.isdigit())
    right = f'vit-{sums[number]}.pth'
    for name in (right, 'vit-0123abcd.pth', 'vit-20220101.pth', 'mae-b.pth'):
        (tmp_path / 'web' / name).write_bytes(weights(number))
    for name in (right, 'vit-20220101.pth', 'mae-b.pth'):
        assert first(f'{server.url}/{name}?download=true') == number
    assert cached_path(f'{server.url}/{right}') == tmp_path / 'hub/checkpoints' / right
    with pytest.raises(ValueError, match='invalid hash value'):
        read_state_dict(f'{server.url}/vit-0123abcd.pth')
    assert not cached_path(f'{server.url}/vit-0123abcd.pth').exists()


def test_what_cannot_be_fetched_is_one_sentence(server, tmp_path):
    for url in (f'{server.url}/none.pth', 'http://127.0.0.1:1/a.pth', 'http://127.0.0.1:x/a.pth'):
        for read in (read_state_dict, announced_bytes):
            with pytest.raises(ValueError) as error:
                read(url)
            assert_one_sentence(error.value, 'Expected a checkpoint to fetch at')
