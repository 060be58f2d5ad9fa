"""Create the checkout's environment: `.venv` with pinned packages and mmcv's compiled operators.

`make setup` runs this. It uses the standard library only, and no syntax newer than Python 3.6, so
that a Python which is too old gets as far as saying so.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

# Every path is relative to the checkout, where main() goes first.
CONSTRAINTS = Path(os.environ.get('CONSTRAINTS') or 'requirements/constraints.txt')
VENV = Path('.venv')
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'bootmae-setup.json'
UNFINISHED = VENV / 'bootmae-setup-unfinished'

# Optimisation costs most of the compile time and next to nothing where these operators are used.
CHEAP_FLAGS = {'CFLAGS': '-O1 -g0', 'CXXFLAGS': '-O1 -g0'}
GIB_PER_COMPILER = 2
SECONDS_BETWEEN_LINES = 15
IMPORTS = 'import mmcv.ops, mmpretrain, mmseg, mmdet, bootmae_mm'
PRETRAIN_IMPORTS = 'import mmpretrain, bootmae_mm.registration'
NOT_INSTALLED = (
    'the packages could not be installed (see above): check that this machine reaches a package '
    "index; one that is not PyPI has to be in pip's settings and, for uv, in UV_DEFAULT_INDEX."
)
PROBE = """
import json, os, torch
cuda = cuda_home = None
if torch.cuda.is_available() or os.environ.get('FORCE_CUDA') == '1':
    from torch.utils.cpp_extension import CUDA_HOME as cuda_home
    cuda = torch.version.cuda
print(json.dumps([torch.__version__, cuda, cuda_home]))
"""


def main():
    """Bring `.venv` up to date, or say in one sentence why that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--torch-index', default='', help='index for torch and torchvision')
    parser.add_argument('--mmcv-links', default='', help='page of ready wheels of onedl-mmcv')
    parser.add_argument(
        '--pretrain-only', default='', help='1: no segmentation and detection, nothing to compile'
    )
    args = parser.parse_args()
    torch_index, pretrain_only = args.torch_index, args.pretrain_only not in ('', '0')
    os.chdir(str(Path(__file__).resolve().parent.parent))
    try:
        check_python(sys.version_info[:2])
        if not is_up_to_date(torch_index, pretrain_only):
            torch_index = torch_index or read_stamp().get('torch_index', '')
            set_up(torch_index, args.mmcv_links, pretrain_only)
    except KeyboardInterrupt:
        sys.exit('\nSet-up interrupted; run the same command again to go on.')


def check_python(version):
    """Fail if the packages do not support this Python (major, minor), or `.venv` has another."""
    name = '{}.{}'.format(*version)
    if not (3, 10) <= version <= (3, 13):
        fail(f'Python 3.10 to 3.13 is needed and this is {name}: name one with PYTHON=python3.11.')
    found = [path.name for path in VENV.glob('lib/python*')]
    if found not in ([], [f'python{name}']) and not UNFINISHED.exists():
        fail(f".venv has {found[0]}, PYTHON is {name}: run 'make clean-env' first.")


def is_up_to_date(torch_index, pretrain_only=False):
    """Whether a finished set-up of the present requirements is there; a whole one has what
    pretraining needs."""
    stamp = read_stamp()
    if torch_index and stamp and torch_index != stamp['torch_index']:
        fail(f"PyTorch in .venv is not from TORCH_INDEX={torch_index}: run 'make clean-env' first.")
    finished = os.access(PYTHON, os.X_OK) and not UNFINISHED.exists()
    enough = pretrain_only or not stamp.get('pretrain_only')
    return finished and enough and stamp.get('fingerprint') == fingerprint()


def read_stamp():
    """What the last finished set-up wrote; empty if there was none."""
    return json.loads(STAMP.read_text()) if STAMP.exists() else {}


def fingerprint():
    """Hash of what decides the environment's content, and of the place it was made for."""
    digest = hashlib.sha256(f'{Path.cwd()} {CONSTRAINTS}'.encode())
    for path in [*sorted(CONSTRAINTS.parent.glob('*.txt')), Path('pyproject.toml')]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def set_up(torch_index, mmcv_links='', pretrain_only=False):
    """Do every step that is not done yet, then stamp the environment as ready."""
    start = time.monotonic()
    say('[1/5] environment .venv')
    create_environment()
    say('[2/5] PyTorch')
    install_torch(torch_index)
    packages, imports = ['-e', '.[pretrain,convert]'], PRETRAIN_IMPORTS
    if pretrain_only:
        say('[3/5] mmcv without its operators, which segmentation and detection need')
    else:
        say('[3/5] mmcv with its operators')
        wheel = find_or_build_mmcv(mmcv_links)
        packages, imports = [wheel, '-e', '.[onedl,dev,convert]'], IMPORTS
    say('[4/5] the other packages, and this project')
    uv_install('--excludes', 'requirements/excluded.txt', *packages)
    say(f'[5/5] check: {imports}')
    say('(The packages say that they could not import OneDL, which nothing here uses.)')
    run([PYTHON, '-c', imports], 'the environment is installed but does not import (see above).')
    stamp = {'fingerprint': fingerprint(), 'torch_index': torch_index}
    STAMP.write_text(json.dumps({**stamp, 'pretrain_only': pretrain_only}))
    say(f'Set-up took {as_minutes(time.monotonic() - start)}.')


def create_environment():
    """Make `.venv`, or afresh what a cut-off installation left behind, and put uv into it."""
    if UNFINISHED.exists():
        say('An earlier set-up was cut off while it installed: starting .venv afresh.')
        shutil.rmtree(VENV)
    python = sys._base_executable  # the one running this may be .venv's
    install(
        [python, '-m', 'venv', VENV], '.venv cannot be made (see above): Debian needs python3-venv.'
    )
    install([PYTHON, '-m', 'pip', 'install', '-q', pinned('uv')])


def install_torch(torch_index):
    """Install PyTorch, and what compiling against it needs."""
    if torch_index:  # it need not have the pinned versions of anything else
        uv_install('--no-deps', '--index-url', torch_index, 'torch', 'torchvision')
    uv_install('-r', 'requirements/build.txt')


def uv_install(*arguments):
    """`uv pip install` into `.venv` within the constraints."""
    constraints = ['--constraints', CONSTRAINTS, '--build-constraints', CONSTRAINTS]
    install([PYTHON, '-m', 'uv', 'pip', 'install', '--python', PYTHON, *constraints, *arguments])


def pinned(name):
    """The requirement `name==version` that the constraints have for this package."""
    return re.search(f'^{name}==.*', CONSTRAINTS.read_text(), re.MULTILINE).group()


def install(command, failure=NOT_INSTALLED):
    """Run a command that writes into `.venv`, which is marked as unfinished meanwhile.

    A package that was written in part can pass for installed; after a cut-off nothing less than a
    new environment is sure (a minute: downloads and compiled wheels are cached).
    """
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    run(command, failure)
    UNFINISHED.unlink()


def find_or_build_mmcv(links=''):
    """Path of a wheel of onedl-mmcv with operators for this Python and torch: built earlier, ready
    on a page of links, or built now."""
    torch, cuda, cuda_home = probe_torch()
    requirement = pinned('onedl-mmcv')
    version = requirement.split('==')[1]
    with_cuda = cuda is not None and can_compile_cuda(cuda, cuda_home)
    python, platform = 'cp{}{}'.format(*sys.version_info), sysconfig.get_platform()
    device = f'cuda{cuda}' if with_cuda else 'cpu'
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    key = f'{python}-torch{torch}-mmcv{version}-{device}-{platform}'
    folder = cache / 'bootmae-mm' / 'wheels' / key
    for wheel in folder.glob('*.whl'):
        say(f'Using the wheel built earlier: {wheel}')
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    ready = fetch_mmcv(requirement, folder, links) if links else None
    if ready:
        return ready
    check_compiler(sysconfig.get_path('include'))
    return build_mmcv(requirement, folder, with_cuda)


def fetch_mmcv(requirement, folder, links):
    """Put a ready wheel with operators from a page of links into `folder`; None if there is none.

    That it was made for this torch only the page's address says; the check at the end of the set-up
    imports it.
    """
    command = [PYTHON, '-m', 'pip', 'download', '-q', '--no-deps', '--no-index', '--only-binary']
    command += [':all:', '--find-links', links, requirement]
    with tempfile.TemporaryDirectory(prefix='unfinished-', dir=str(folder)) as fetched:
        if subprocess.call([*map(str, command), '-d', fetched]) == 0:
            wheel = next(Path(fetched).glob('*.whl'))
            if has_operators(wheel):
                return wheel.rename(folder / wheel.name)
    say(f'No wheel of {requirement} with operators for this Python at {links}: compiling it.')
    return None


def has_operators(wheel):
    """Whether mmcv's compiled operators are in a wheel."""
    return any(re.match(r'mmcv/_ext.*\.so$', name) for name in zipfile.ZipFile(wheel).namelist())


def probe_torch():
    """Versions of `.venv`'s torch and, where it is for a GPU, of its CUDA; CUDA's folder here."""
    try:
        return json.loads(subprocess.check_output([PYTHON, '-c', PROBE]).decode())
    except subprocess.CalledProcessError:
        fail('PyTorch is installed but does not import (see above).')


def can_compile_cuda(cuda, cuda_home):
    """Whether nvcc of this version of CUDA is here; says so if not."""
    nvcc = Path(cuda_home or '/usr/local/cuda', 'bin', 'nvcc')
    text = subprocess.check_output([nvcc, '--version']).decode() if nvcc.exists() else ''
    wanted = cuda.split('.')[0]
    if f'release {wanted}.' in text:
        return True
    say(
        f'Note: compiling mmcv for a GPU takes nvcc of CUDA {wanted}, and {nvcc} '
        f'{"is another" if text else "does not exist"}. The operators will run on the CPU only. '
        'Pretraining and classification use none of them; for detection on a GPU, install that, '
        "then run 'make clean-env' and 'make setup'."
    )
    return False


def check_compiler(headers):
    """Fail if mmcv's operators cannot be compiled here."""
    compiler = shlex.split(os.environ.get('CXX', 'c++'))[0]
    if shutil.which(compiler) is None:
        fail(
            f"no C++ compiler '{compiler}' was found to compile mmcv's operators with: install one "
            '(on Debian and Ubuntu: build-essential) or name it in CXX.'
        )
    if not Path(headers, 'Python.h').exists():
        fail(
            f"Python's C headers, which compiling mmcv's operators takes, are not in {headers}: "
            'on Debian and Ubuntu, install python3-dev.'
        )


def build_mmcv(requirement, folder, with_cuda):
    """Compile a wheel of `requirement` and put it into `folder`, whole or not at all.

    The build sees the environment's torch: an isolated one finds none and leaves the operators out
    without a word. Hence the flag, and the look into the wheel.
    """
    env = {**CHEAP_FLAGS, 'MAX_JOBS': str(compile_jobs()), **os.environ}
    if not with_cuda:
        env.update(CUDA_VISIBLE_DEVICES='', FORCE_CUDA='0')
    command = [PYTHON, '-m', 'pip', 'wheel', '-v', '--no-deps', '--no-build-isolation']
    say(f'Compiling {requirement}, {env["MAX_JOBS"]} files at a time, once for all checkouts.')
    log = folder / 'build.log'
    with tempfile.TemporaryDirectory(prefix='unfinished-', dir=folder) as build:
        source = fetch_mmcv_source(requirement, build)
        compile_with_progress([*command, '-w', build, source], env, log)
        wheel = next(Path(build).glob('*.whl'))
        if not has_operators(wheel):
            fail(f'mmcv was built without its operators; the log is {log}.')
        return wheel.rename(folder / wheel.name)


def fetch_mmcv_source(requirement, build):
    """The folder of mmcv's source in the folder `build`, to be compiled to torch's standard of C++.

    mmcv asks for C++17, and torch from 2.14 on for C++20; where the source asks for none, torch
    names its own.
    """
    command = [PYTHON, '-m', 'pip', 'download', '-q', '--no-deps', '--no-build-isolation']
    run([*command, '--no-binary', ':all:', '-d', build, requirement], NOT_INSTALLED)
    [archive] = Path(build).glob('*.tar.gz')
    shutil.unpack_archive(str(archive), build)
    source = Path(build, archive.name[: -len('.tar.gz')])
    setup = source / 'setup.py'
    setup.write_text(re.sub(r"(, )?'-std=c\+\+17'", '', setup.read_text()))
    return source


def compile_jobs():
    """Number of compilers to run at once: one per core, and no more than the memory holds."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    memory_gib = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30
    return max(1, min(cores, int(memory_gib / GIB_PER_COMPILER)))


def compile_with_progress(command, env, log):
    """Run a build, log its output, and show how many files are done by ninja's `[done/total]`."""
    pipe = {'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, 'universal_newlines': True}
    start = shown = time.monotonic()
    with log.open('w') as file, subprocess.Popen(command, env=env, **pipe) as process:
        for line in process.stdout:
            file.write(line)
            count = re.match(r'\s*\[(\d+)/(\d+)\] ', line)
            if count and time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
                shown = time.monotonic()
                say(progress(int(count.group(1)), int(count.group(2)), shown - start))
    if process.returncode:
        print(*log.read_text().splitlines()[-30:], sep='\n', file=sys.stderr)
        fail(f"mmcv's operators did not compile (see above); the log is {log}.")


def progress(done, total, elapsed):
    """How far a build is, and when it will be ready, as text."""
    to_go = elapsed / done * (total - done)
    return f'{done}/{total} files, {as_minutes(elapsed)} elapsed, {as_minutes(to_go)} to go'


def as_minutes(seconds):
    """Time as `m min ss s`."""
    return '{:d} min {:02d} s'.format(*divmod(round(seconds), 60))


def say(text):
    """Print now, also into a pipe, so that it stands before a command's own output."""
    print(text, flush=True)


def fail(text):
    """End with the one sentence that says what the user can put right."""
    sys.exit(f'Set-up failed: {text}')


def run(command, failure):
    """Run a command, its output shown; fail with this sentence if it fails."""
    if subprocess.call(command):
        fail(failure)


if __name__ == '__main__':
    main()
