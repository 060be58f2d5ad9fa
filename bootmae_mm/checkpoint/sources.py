"""Where a checkpoint is: a path, one under ``~``, ``file://``, or an address on the web."""

import fcntl
import hashlib
import re
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlparse

import torch
from mmengine.logging import print_log

SCHEME = re.compile(r'^([A-Za-z][A-Za-z0-9+.-]+)://')
# As torch.hub and OpenMMLab name files: the start of their SHA-256. A date is no such thing.
CHECK_SUM = re.compile(r'-(?!\d+\.)([0-9a-f]{8,64})\.\w+$')
SECONDS = 20
# urllib's (its URLError is an OSError), and torch.hub's for a wrong check sum.
FAILURES = OSError, ValueError, HTTPException, RuntimeError
REMEDY = 'fetch the file by other means and give its path'


def is_address(source: str | Path) -> bool:
    """Whether a checkpoint is on the web."""
    return str(source).lower().startswith(('http://', 'https://'))


def local_path(source: str | Path) -> Path:
    """The file of a checkpoint, fetched once if it is on the web (see :func:`cached_path`).

    Raises:
        ValueError: If it is named in another way than by a path, ``file://`` or an address on the
            web, or cannot be fetched. Whether a path exists is not looked at.
    """
    if is_address(source):
        return _fetched(str(source))
    scheme = SCHEME.match(str(source))
    if not scheme:
        return Path(source).expanduser()
    address = urlparse(str(source))
    if scheme[1].lower() != 'file' or address.netloc not in ('', 'localhost'):
        raise ValueError(
            f'Expected a checkpoint by its path, file:/// or https://, found {str(source)!r}; '
            f'{REMEDY}.'
        )
    return Path(unquote(address.path))


def cached_path(url: str) -> Path:
    """Where the file of an address is kept: in the folder of ``torch.hub``.

    A name with a check sum is torch's own; for any other the address has a folder of its own, since
    many files on the web are called ``checkpoint.pth``.
    """
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    name = unquote(Path(urlparse(url).path).name) or 'checkpoint.pth'
    if not CHECK_SUM.search(name):
        folder /= hashlib.sha256(url.encode()).hexdigest()[:12]
    return folder / Path(name).name


def announced_bytes(url: str) -> int | None:
    """The size that the web says a file has, without fetching it; None if it does not say.

    Raises:
        ValueError: If the address cannot be reached.
    """
    request = urllib.request.Request(url, headers={'User-Agent': 'torch.hub'})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            size = answer.headers.get('Content-Length')
    except FAILURES as error:
        raise _unreachable(url, error) from error
    return int(size) if size else None


def megabytes(size: int | None) -> str:
    """A number of bytes in words."""
    return 'of unknown size' if size is None else f'{size / 1e6:.1f} MB'


def _fetched(url: str) -> Path:
    path = cached_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_sum = CHECK_SUM.search(path.name)
    # All processes of a run come here at once: one of them fetches, the others wait.
    with open(path.with_name(f'{path.name}.lock'), 'w', encoding='utf-8') as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if not path.is_file():
            size = announced_bytes(url)  # fails in seconds; torch.hub has no limit of time
            print_log(f'Fetching {url} ({megabytes(size)}) to {path}.', logger='current')
            try:
                torch.hub.download_url_to_file(url, str(path), check_sum and check_sum[1])
            except FAILURES as error:
                raise _unreachable(url, error) from error
    return path


def _unreachable(url: str, error: Exception) -> ValueError:
    reason = ' '.join(str(error).split()) or type(error).__name__
    return ValueError(
        f'Expected a checkpoint to fetch at {url!r}, found none ({reason}); {REMEDY}.'
    )
