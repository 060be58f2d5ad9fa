"""The launch scripts, in a copy of tools/ where python and srun just print how they were called."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.shell import CHILD_ENDS_FIRST

TOOLS = ROOT / 'tools'
SHELL_SCRIPTS = ('dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'launch_common.sh')
SETTINGS = (
    *('NNODES', 'NODE_RANK', 'MASTER_ADDR', 'MASTER_PORT', 'OMP_NUM_THREADS', 'PYTHONPATH'),
    *('GPUS', 'GPUS_PER_NODE', 'CPUS_PER_TASK', 'SRUN_ARGS'),
)
PRINT_CALL = """#!/usr/bin/env bash
printf 'OMP_NUM_THREADS=%s\\nPYTHONPATH=%s\\n' "$OMP_NUM_THREADS" "$PYTHONPATH"
printf '%s\\n' "$(basename "$0")" "$@"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the scripts and a config, and with a name that has to be quoted."""
    root = tmp_path / 'a project'
    for folder in ('tools', 'configs', 'bin'):
        (root / folder).mkdir(parents=True)
    for name in SHELL_SCRIPTS:
        shutil.copy(TOOLS / name, root / 'tools')
    (root / 'configs' / 'tiny.py').touch()
    for name in ('python', 'srun'):
        write_executable(root / 'bin' / name)
    return root


def write_executable(path: Path, text: str = PRINT_CALL) -> None:
    path.write_text(text)
    path.chmod(0o755)


def launch(
    project: Path, script: str, *arguments: str, cwd: Path | None = None, **settings: str
) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    env['PATH'] = f'{project / "bin"}:{env["PATH"]}'
    return subprocess.run(
        [project / 'tools' / script, *arguments],
        cwd=cwd or project,
        env=env | settings,
        capture_output=True,
        text=True,
    )


def called(result: subprocess.CompletedProcess) -> list[str]:
    """The program and its arguments, without the two lines of environment."""
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[2:]


def test_one_machine_takes_a_free_port(project: Path) -> None:
    result = launch(project, 'dist_train.sh', 'configs/tiny.py', '2', '--cfg-options', 'a=b c')
    assert called(result) == [
        'python',
        *('-m', 'torch.distributed.run', '--standalone', '--local-addr', '127.0.0.1'),
        *('--nproc-per-node', '2', f'{project}/tools/train.py', 'configs/tiny.py'),
        *('--launcher', 'pytorch', '--cfg-options', 'a=b c'),
    ]
    assert f'PYTHONPATH={project}' in result.stdout.splitlines()


def test_testing_takes_a_checkpoint(project: Path) -> None:
    result = launch(project, 'dist_test.sh', 'configs/tiny.py', 'my run/a.pth', '3', '--out', 'b c')
    assert called(result) == [
        'python',
        *('-m', 'torch.distributed.run', '--standalone', '--local-addr', '127.0.0.1'),
        *('--nproc-per-node', '3', f'{project}/tools/test.py', 'configs/tiny.py'),
        *('my run/a.pth', '--launcher', 'pytorch', '--out', 'b c'),
    ]


def test_a_given_port_is_used(project: Path) -> None:
    command = called(launch(project, 'dist_train.sh', 'configs/tiny.py', '2', MASTER_PORT='1234'))
    assert command[3:7] == ['--master-addr', '127.0.0.1', '--master-port', '1234']
    assert '--standalone' not in command


def test_several_machines(project: Path) -> None:
    settings = {'NNODES': '3', 'NODE_RANK': '1', 'MASTER_ADDR': 'first'}
    command = called(launch(project, 'dist_train.sh', 'configs/tiny.py', '8', **settings))
    assert command[3:13] == [
        *('--nnodes', '3', '--node-rank', '1'),
        *('--master-addr', 'first', '--master-port', '29500'),
        *('--nproc-per-node', '8'),
    ]


def test_config_is_looked_for_where_the_caller_stands_and_then_in_the_project(
    project: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    command = called(launch(project, 'dist_train.sh', 'configs/tiny.py', '1', cwd=elsewhere))
    assert f'{project}/configs/tiny.py' in command

    (elsewhere / 'configs').mkdir()
    (elsewhere / 'configs' / 'tiny.py').touch()
    command = called(launch(project, 'dist_train.sh', 'configs/tiny.py', '1', cwd=elsewhere))
    assert 'configs/tiny.py' in command


def test_the_checkouts_own_python_comes_first(project: Path) -> None:
    own = project / '.venv' / 'bin' / 'checkout-python'
    own.parent.mkdir(parents=True)
    write_executable(own)
    (own.parent / 'python').symlink_to(own)
    own.write_text(PRINT_CALL.replace('$(basename "$0")', '$0'))
    command = called(launch(project, 'dist_train.sh', 'configs/tiny.py', '1'))
    assert command[0] == f'{project}/.venv/bin/python'


@pytest.mark.parametrize('processes', [1, 2, 10_000])
def test_threads_share_the_cores(project: Path, processes: int) -> None:
    result = launch(project, 'dist_train.sh', 'configs/tiny.py', str(processes))
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    assert result.stdout.splitlines()[0] == f'OMP_NUM_THREADS={threads}'


def test_threads_that_were_set_stay(project: Path) -> None:
    result = launch(project, 'dist_train.sh', 'configs/tiny.py', '1', OMP_NUM_THREADS='77')
    assert result.stdout.splitlines()[0] == 'OMP_NUM_THREADS=77'


def test_slurm_defaults(project: Path) -> None:
    result = launch(project, 'slurm_train.sh', 'gpu', 'a job', 'configs/tiny.py', '--resume')
    assert called(result) == [
        *('srun', '--partition=gpu', '--job-name=a job', '--gres=gpu:8'),
        *('--ntasks=8', '--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1'),
        '--signal=USR1@120',
        *('python', '-u', f'{project}/tools/train.py', 'configs/tiny.py'),
        *('--launcher', 'slurm', '--resume'),
    ]
    assert result.stdout.splitlines()[0] == 'OMP_NUM_THREADS=5'


def test_slurm_settings(project: Path) -> None:
    settings = {'GPUS': '4', 'CPUS_PER_TASK': '12', 'SRUN_ARGS': '--quotatype=auto --nice'}
    command = called(launch(project, 'slurm_train.sh', 'p', 'j', 'configs/tiny.py', **settings))
    assert command[3:11] == [
        *('--gres=gpu:4', '--ntasks=4', '--ntasks-per-node=4', '--cpus-per-task=12'),
        *('--kill-on-bad-exit=1', '--signal=USR1@120', '--quotatype=auto', '--nice'),
    ]


TRAINING = """#!/usr/bin/env bash
echo started
for _ in {1..500}; do
    if [[ -e $BOOTMAE_STOP_FILE ]]; then
        printf 99 >"$BOOTMAE_STOP_FILE"
        exit 0
    fi
    sleep 0.02
done
"""


@pytest.mark.parametrize('signal_number', [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize(
    ('script', 'arguments', 'program'),
    [
        ('dist_train.sh', ['configs/tiny.py', '2'], 'python'),
        ('slurm_train.sh', ['gpu', 'job', 'configs/tiny.py'], 'srun'),
    ],
)
def test_a_signal_asks_training_to_stop(project, script, arguments, program, signal_number) -> None:
    """A program in place of training that stops as training does; its process lives on until then,
    and the launch script leaves with the code that schedulers act on."""
    write_executable(project / 'bin' / program, TRAINING)
    write_executable(project / 'bin' / 'scontrol', '#!/usr/bin/env bash\necho asked to "$@"\n')
    env = {**os.environ, 'PATH': f'{project / "bin"}:{os.environ["PATH"]}', 'SLURM_JOB_ID': '17'}
    process = subprocess.Popen(
        [project / 'tools' / script, *arguments],
        cwd=project,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'started\n'
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 99
    assert 'training ends its step and writes a checkpoint' in err
    assert out == ('asked to requeue 17\n' if program == 'srun' else '')
    assert list(project.glob('.bootmae_stop*')) == []


def test_a_second_signal_ends_training_at_once(project: Path) -> None:
    endless = '#!/usr/bin/env bash\necho started\nwhile :; do sleep 0.02; done\n'
    write_executable(project / 'bin' / 'python', endless)
    process = subprocess.Popen(
        [project / 'tools' / 'dist_train.sh', 'configs/tiny.py', '2'],
        cwd=project,
        env={**os.environ, 'PATH': f'{project / "bin"}:{os.environ["PATH"]}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'started\n'
    process.send_signal(signal.SIGTERM)
    assert 'a signal' in process.stderr.readline()
    # Bash drops a signal that comes while it still deals with the one before, so ask as people do.
    for _ in range(60):
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            continue
        break
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize('at_once', [False, True])
def test_an_exit_code_is_passed_on(project: Path, at_once: bool) -> None:
    """Also that of a command which ends before the script looks."""
    write_executable(project / 'bin' / 'python', '#!/bin/sh\nexit 7\n')
    settings = {}
    if at_once:
        (project / 'trap').write_text(CHILD_ENDS_FIRST)
        settings = dict(BASH_ENV=str(project / 'trap'))
    assert launch(project, 'dist_train.sh', 'configs/tiny.py', '2', **settings).returncode == 7


@pytest.mark.parametrize(
    ('script', 'arguments', 'settings', 'message'),
    [
        ('dist_train.sh', ['configs/tiny.py'], {}, 'expected CONFIG GPUS'),
        ('dist_train.sh', ['configs/no.py', '2'], {}, "no config 'configs/no.py'"),
        ('dist_train.sh', ['configs/tiny.py', 'all'], {}, 'GPUS is to be a number'),
        ('dist_train.sh', ['configs/tiny.py', '0'], {}, "not '0'"),
        ('dist_train.sh', ['configs/tiny.py', '2'], {'NNODES': '2'}, 'NODE_RANK and MASTER_ADDR'),
        ('dist_test.sh', ['configs/tiny.py', '2'], {}, 'expected CONFIG CHECKPOINT GPUS'),
        ('dist_test.sh', ['configs/tiny.py', 'a.pth', '0'], {}, "not '0'"),
        ('slurm_train.sh', ['gpu', 'job'], {}, 'expected PARTITION JOB_NAME CONFIG'),
        ('slurm_train.sh', ['gpu', 'job', 'configs/no.py'], {}, "no config 'configs/no.py'"),
        ('slurm_train.sh', ['gpu', 'job', 'configs/tiny.py'], {'GPUS': 'x'}, 'GPUS is to be'),
    ],
)
def test_a_wrong_call_gets_one_sentence(
    project: Path, script: str, arguments: list[str], settings: dict[str, str], message: str
) -> None:
    result = launch(project, script, *arguments, **settings)
    assert result.returncode == 2
    assert result.stdout == ''
    assert result.stderr.startswith(f'{script}: ')
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
