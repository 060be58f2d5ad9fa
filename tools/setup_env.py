"""Create the checkout's environment: `.venv` with pinned packages and mmcv's compiled operators.

`make setup` runs this. It uses the standard library only, and no syntax newer than Python 3.6, so
that a Python which is too old gets as far as saying so.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
CONSTRAINTS = REQUIREMENTS / 'constraints.txt'
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'bootmae-setup.json'
UNFINISHED = VENV / 'bootmae-setup-unfinished'

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 12)
# Optimisation costs most of the compile time and next to nothing where these operators are used.
CHEAP_FLAGS = {'CFLAGS': '-O1 -g0', 'CXXFLAGS': '-O1 -g0'}
GIB_PER_COMPILER = 2
SECONDS_BETWEEN_LINES = 30

PROBE = """
import json, os, sys, sysconfig, torch
cuda_home = None
wants_cuda = torch.cuda.is_available() or os.environ.get('FORCE_CUDA') == '1'
if wants_cuda:
    from torch.utils.cpp_extension import CUDA_HOME as cuda_home
print(json.dumps({
    'python_tag': 'cp%d%d' % sys.version_info[:2],
    'platform': sysconfig.get_platform(),
    'include': sysconfig.get_path('include'),
    'torch': torch.__version__,
    'torch_cuda': torch.version.cuda,
    'wants_cuda': wants_cuda,
    'cuda_home': cuda_home,
}))
"""
IMPORTS = 'import mmcv.ops, mmpretrain, mmseg, mmdet, bootmae_mm'


class SetupError(Exception):
    """Something the user can put right; the text is the one sentence that says what."""


def main():
    """Bring `.venv` up to date, or say in one sentence why that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--torch-index', default='', help='index for torch and torchvision')
    parser.add_argument(
        '--strict-python',
        action='store_true',
        help='refuse an existing .venv of another Python version than the one running this',
    )
    args = parser.parse_args()
    try:
        if args.strict_python:
            refuse_other_python()
        if is_up_to_date(args.torch_index):
            return
        set_up(args.torch_index or read_stamp().get('torch_index', ''))
    except SetupError as error:
        sys.exit(f'Set-up failed: {error}')
    except KeyboardInterrupt:
        sys.exit('\nSet-up interrupted; run the same command again to go on.')


def set_up(torch_index):
    """Do every step that is not done yet, then stamp the environment as ready."""
    start = time.monotonic()
    remove_unfinished()
    check_python(venv_version() or sys.version_info[:2])
    with installing():
        say('[1/5] environment .venv')
        create_environment()
        say('[2/5] PyTorch')
        install_torch(torch_index)
    say('[3/5] mmcv with its operators')
    wheel = find_or_build_mmcv()
    with installing():
        uv_install('--no-deps', wheel)
        say('[4/5] the other packages, and this project')
        uv_install('--override', 'requirements/overrides.txt', '-e', '.[onedl,dev,convert]')
    say(f'[5/5] check: {IMPORTS}')
    say('(The packages say that they could not import OneDL, which nothing here uses.)')
    run([PYTHON, '-c', IMPORTS], 'the environment is installed but does not import (see above).')
    STAMP.write_text(json.dumps({'fingerprint': fingerprint(), 'torch_index': torch_index}))
    say(f'Set-up took {as_minutes(time.monotonic() - start)}.')


# ---- what is there already ----------------------------------------------------------------------


def fingerprint():
    """Hash of what decides the environment's content, and of the place it was made for."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in [*sorted(REQUIREMENTS.glob('*.txt')), ROOT / 'pyproject.toml']:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp():
    """What the last finished set-up wrote; empty if there was none."""
    return json.loads(STAMP.read_text()) if STAMP.exists() else {}


def is_up_to_date(torch_index):
    """Whether a finished set-up of the present requirements is there."""
    stamp = read_stamp()
    if torch_index and stamp and torch_index != stamp['torch_index']:
        raise SetupError(
            f"PyTorch in .venv was not installed from TORCH_INDEX={torch_index}: run 'make "
            "clean-env' and then the same command again."
        )
    return os.access(str(PYTHON), os.X_OK) and stamp.get('fingerprint') == fingerprint()


def venv_version():
    """Version (major, minor) of the environment's Python; None if there is no working one."""
    code = 'import sys, pip; print(*sys.version_info[:2])'
    try:
        text = subprocess.check_output([str(PYTHON), '-c', code], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(int(number) for number in text.split())


def refuse_other_python():
    """Raise if `.venv` has another Python version than the one that was asked for."""
    found, wanted = venv_version(), sys.version_info[:2]
    if found and found != wanted:
        raise SetupError(
            ".venv has Python {}.{} and PYTHON is {}.{}: run 'make clean-env' and then the same "
            'command again.'.format(*found, *wanted)
        )


# ---- the steps ----------------------------------------------------------------------------------


def remove_unfinished():
    """Remove an environment that a cut-off installation left behind."""
    if UNFINISHED.exists():
        say('An earlier set-up was cut off while it installed: starting .venv afresh.')
        shutil.rmtree(str(VENV))


def check_python(version):
    """Raise if the pinned packages do not support this Python version (major, minor)."""
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        raise SetupError(
            'Python {}.{} to {}.{} is needed and this is {}.{}: name another with '
            "'make setup PYTHON=python3.11'.".format(*OLDEST_PYTHON, *NEWEST_PYTHON, *version)
        )


@contextlib.contextmanager
def installing():
    """Mark `.venv` as half-installed for as long as packages are being put into it.

    A package that was written in part can pass for installed; after a cut-off nothing less than a
    new environment is sure (a minute: downloads and compiled wheels are cached).
    """
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    yield
    UNFINISHED.unlink()


def create_environment():
    """Make `.venv`, if there is none that works, and put uv into it."""
    if venv_version() is None:
        base_python = getattr(sys, '_base_executable', sys.executable)
        run(
            [base_python, '-m', 'venv', VENV],
            'Python could not create .venv (see above); Debian and Ubuntu need python3-venv.',
        )
    run(
        [PYTHON, '-m', 'pip', 'install', '-q', '-r', REQUIREMENTS / 'uv.txt'],
        'pip could not install uv, the installer used from here on (see above): check that this '
        'machine reaches a package index.',
    )


def uv_install(*arguments):
    """`uv pip install` into `.venv` within the constraints."""
    path = CONSTRAINTS.relative_to(ROOT)  # uv splits a path at its spaces
    constraints = ['--constraints', path, '--build-constraints', path]
    run(
        [PYTHON, '-m', 'uv', 'pip', 'install', '--python', PYTHON, *constraints, *arguments],
        'uv could not install the packages (see above).',
    )


def install_torch(torch_index):
    """Install PyTorch and what compiling against it needs.

    From `torch_index`, if given, come torch and torchvision alone: such an index need not have the
    pinned versions of anything else.
    """
    if torch_index:
        uv_install('--no-deps', '--index-url', torch_index, 'torch', 'torchvision')
    uv_install('-r', REQUIREMENTS / 'build.txt')


def find_or_build_mmcv():
    """Path of a wheel of onedl-mmcv with operators for this Python and torch, built if need be."""
    probe = probe_torch()
    version = re.search(r'^onedl-mmcv==(\S+)', CONSTRAINTS.read_text(), re.MULTILINE).group(1)
    with_cuda = can_compile_cuda(probe)
    device = f'cuda{probe["torch_cuda"]}' if with_cuda else 'cpu'
    key = f'{probe["python_tag"]}-torch{probe["torch"]}-mmcv{version}-{device}-{probe["platform"]}'
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    folder = cache / 'bootmae-mm' / 'wheels' / key
    wheels = sorted(folder.glob('*.whl'))
    if wheels:
        say(f'Using the wheel built earlier: {wheels[0]}')
        return wheels[0]
    check_compiler(probe)
    folder.mkdir(parents=True, exist_ok=True)
    return build_mmcv(f'onedl-mmcv=={version}', folder, with_cuda)


def probe_torch():
    """What `.venv`'s Python, torch and CUDA are: the values printed by `PROBE`."""
    try:
        return json.loads(subprocess.check_output([str(PYTHON), '-c', PROBE]).decode())
    except subprocess.CalledProcessError:
        raise SetupError('PyTorch is installed but does not import (see above).') from None


def can_compile_cuda(probe):
    """Whether to compile the operators for the GPU, too; says why not if there is a GPU."""
    if not probe['wants_cuda']:
        return False
    wanted = (probe['torch_cuda'] or '').split('.')[0]
    nvcc = probe['cuda_home'] and Path(probe['cuda_home']) / 'bin' / 'nvcc'
    found = None
    if nvcc and nvcc.exists():
        text = subprocess.check_output([str(nvcc), '--version']).decode()
        found = re.search(r'release (\d+)', text).group(1)
    if found != wanted:
        what = f'CUDA {found}' if found else 'none'
        say(
            f'Note: compiling mmcv for a GPU takes nvcc of CUDA {wanted}; found: {what}. '
            'Its operators will run on the CPU only. Pretraining and classification use none of '
            "them; for detection on a GPU, install that, then run 'make clean-env' and "
            "'make setup'."
        )
    return found == wanted


def check_compiler(probe):
    """Raise if mmcv's operators cannot be compiled here."""
    compiler = shlex.split(os.environ.get('CXX', 'c++'))[0]
    if shutil.which(compiler) is None:
        raise SetupError(
            f"no C++ compiler '{compiler}' was found to compile mmcv's operators with: install one "
            '(on Debian and Ubuntu: build-essential) or name it in CXX.'
        )
    if not (Path(probe['include']) / 'Python.h').exists():
        raise SetupError(
            f"Python's C headers, which compiling mmcv's operators takes, are not in "
            f'{probe["include"]}: on Debian and Ubuntu, install python3-dev.'
        )


def build_mmcv(requirement, folder, with_cuda):
    """Compile a wheel of `requirement` and put it into `folder`, whole or not at all.

    The build sees the environment's torch: an isolated one finds none and leaves the operators out
    without a word, and so may a wheel from pip's cache. Hence the flags, and the look into the
    wheel.
    """
    env = dict(os.environ, MAX_JOBS=os.environ.get('MAX_JOBS', str(compile_jobs())))
    for name, flags in CHEAP_FLAGS.items():
        env.setdefault(name, flags)
    if not with_cuda:
        env['CUDA_VISIBLE_DEVICES'] = ''
    command = [PYTHON, '-m', 'pip', 'wheel', '-v', '--no-deps', '--no-build-isolation']
    command += ['--no-cache-dir', '--no-binary', 'onedl-mmcv', requirement]
    say(f'Compiling {requirement}, {env["MAX_JOBS"]} files at a time, once for all checkouts.')
    log = folder / 'build.log'
    with tempfile.TemporaryDirectory(prefix='unfinished-', dir=str(folder)) as build:
        compile_with_progress([*command, '-w', build], env, log)
        wheel = next(Path(build).glob('*.whl'))
        names = zipfile.ZipFile(str(wheel)).namelist()
        if not any(re.match(r'mmcv/_ext.*\.so$', name) for name in names):
            raise SetupError(f'mmcv was built without its operators; the log is {log}.')
        wheel.replace(folder / wheel.name)
    return folder / wheel.name


def compile_jobs():
    """Number of compilers to run at once: one per core, and no more than the memory holds."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        cores = os.cpu_count() or 1
    memory_gib = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30
    return max(1, min(cores, int(memory_gib / GIB_PER_COMPILER)))


# ---- talking and running ------------------------------------------------------------------------


def compile_with_progress(command, env, log):
    """Run a build that prints ninja's `[n/total]` lines; show those as progress, log everything.

    Raises:
        SetupError: If the command fails; the log's end is printed first.
    """
    start = shown = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    with log.open('w') as file:
        for line in process.stdout:
            file.write(line)
            match = re.match(r'\s*\[(\d+)/(\d+)\] ', line)
            if match:
                shown = show_progress(int(match.group(1)), int(match.group(2)), start, shown)
    if process.wait():
        print('\n' + '\n'.join(log.read_text().splitlines()[-30:]), file=sys.stderr)
        raise SetupError(f"mmcv's operators did not compile (see above); the log is {log}.")


def show_progress(done, total, start, shown):
    """Print files compiled, time elapsed and time to go; returns when a line was last shown.

    A terminal has one line that is overwritten, a log gets a line every half minute.
    """
    now = time.monotonic()
    elapsed = now - start
    to_go = as_minutes(elapsed / done * (total - done))
    text = f'{done}/{total} files, {as_minutes(elapsed)} elapsed, {to_go} to go'
    if sys.stdout.isatty():
        print('\r\033[K' + text, end='\n' if done == total else '', flush=True)
        return now
    if done == total or now - shown >= SECONDS_BETWEEN_LINES:
        say(text)
        return now
    return shown


def as_minutes(seconds):
    """Time as `m min ss s`."""
    return '{:d} min {:02d} s'.format(*divmod(round(seconds), 60))


def say(text):
    """Print now, also into a pipe, so that it stands before a command's own output."""
    print(text, flush=True)


def run(command, failure):
    """Run a command in the checkout, its output shown; raise SetupError(failure) if it fails."""
    if subprocess.call([str(part) for part in command], cwd=str(ROOT)):
        raise SetupError(failure)


if __name__ == '__main__':
    main()
