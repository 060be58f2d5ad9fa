"""What a user gets wrong on a command line, or in the config it names, is one line."""

import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace

import pytest

from bootmae_mm import command_line, training
from bootmae_mm.engine.distributed import report_failures
from bootmae_mm.training import train
from tests.helpers.data_cases import assert_one_sentence
from tests.helpers.labelled_data import load_tool
from tests.helpers.paths import ROOT
from tests.helpers.runs import run_config


@pytest.fixture
def config(tmp_path) -> str:
    """A config whose pictures are not there."""
    run_config(tmp_path / 'nowhere', tmp_path / 'run').dump(tmp_path / 'config.py')
    return str(tmp_path / 'config.py')


def refused(call, capsys) -> str:
    """The one line that a command ends with and all that it writes to stderr."""
    with pytest.raises(SystemExit) as stop:
        call()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# Errors of a tool --------------------------------------------------------------------------------


def test_training_ends_with_a_line(config, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tools/train.py'])
    line = refused(lambda: load_tool('train').main([config]), capsys)
    assert line.startswith('train.py: error: Expected a folder') and 'nowhere' in line
    line = refused(lambda: load_tool('train').main([config, '--resume', 'no.pth']), capsys)
    assert line.startswith('train.py: error: Expected')


def test_the_processes_of_a_launcher_keep_their_exception(config, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / 'error.json'))
    options = ['--launcher', 'pytorch', '--cfg-options', 'model.regresor.depth=2']
    with pytest.raises(ValueError, match="write 'regressor'"):
        load_tool('train').main([config, *options])
    assert "write 'regressor'" in (tmp_path / 'error.json').read_text()


def test_errors_of_others_keep_their_traceback(config, monkeypatch):
    tool = load_tool('train')
    for error in (ValueError('a fault'), FloatingPointError('nan'), KeyError('size')):

        def fail(cfg, error=error):
            raise error

        monkeypatch.setattr(training, 'train', fail)
        with pytest.raises(type(error)):
            tool.main([config])


def test_an_error_that_was_raised_anew_is_ours(config, capsys):
    """As mmengine's registries do it in some versions."""

    @report_failures()
    def main():
        with command_line.user_errors():
            try:
                train(command_line.read_config(config))
            except ValueError as error:
                raise ValueError(f'class `A` in a.py: {error}')  # noqa: B904

    assert 'class `A` in a.py: Expected a folder' in refused(main, capsys)


# --cfg-options -----------------------------------------------------------------------------------


@pytest.mark.parametrize('text', ['foo', '=', '=1'])
def test_an_option_that_is_no_setting(text, capsys):
    parser = ArgumentParser()
    command_line.add_config_arguments(parser)
    path = str(ROOT / 'configs/demo/pretrain.py')
    with pytest.raises(SystemExit):
        parser.parse_args([path, '--cfg-options', 'b=1', text])
    said = capsys.readouterr().err
    assert (
        f"argument --cfg-options: expected KEY=VALUE, with spaces as 'KEY=a b', found {text!r}"
        in said
    )
    again = ['--cfg-options', 'e=2', 'b=3']
    args = parser.parse_args([path, '--cfg-options', 'b=1', 'c=x=y', 'd=', *again])
    assert args.cfg_options == dict(b='3', c='x=y', d='', e='2')


@pytest.mark.parametrize(
    'key',
    [
        *('param_scheduler.99.type', 'work_dir.deeper', 'param_scheduler.first.a'),
        *('param_scheduler.0', 'model.backbone.arch.num_layers.x'),
    ],
)
def test_an_option_that_does_not_fit(key, config):
    args = Namespace(config=config, cfg_options={key: 1})
    with pytest.raises(ValueError) as caught:
        command_line.load_config(args)
    assert_one_sentence(caught.value, 'Expected --cfg-options that fit .*config.py')


# Configs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize('tool', ['train', 'test', 'knn', 'doctor', 'plan', 'visualize'])
def test_every_tool_with_a_config_says_so(tool, capsys, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')  # what the doctor sets is put back afterwards
    arguments = dict(doctor=[], plan=['--gpus', '1'], visualize=[__file__, 'images'])
    arguments = [str(ROOT / 'README.md'), *arguments.get(tool, [__file__])]
    if tool == 'train':
        arguments = arguments[:1]
    if tool == 'visualize':
        arguments = ['model', *arguments]
    with pytest.raises(SystemExit) as stop:
        load_tool(tool).main(arguments)
    assert stop.value.code == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert 'error: Expected a config, found' in last and 'README.md' in last


def test_the_line_is_all_that_a_process_says(tmp_path):
    """The whole command: no usage, no traceback, the status of a wrong command."""
    (tmp_path / 'mine.py').write_text("_base_ = ['gone.py']")
    command = [sys.executable, str(ROOT / 'tools/train.py'), str(tmp_path / 'mine.py')]
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    *_, last = done.stderr.splitlines()
    assert done.returncode == 2 and last.startswith('train.py: error: Expected a file')
    assert 'Traceback' not in done.stderr and 'usage' not in done.stderr
