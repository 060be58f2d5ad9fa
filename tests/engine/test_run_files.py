"""Checkpoints of a run by their names."""

import pytest

from bootmae_mm.engine.run_files import checkpoints, last_checkpoint, numbered


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('epoch_12.pth', ('epoch', 12)),
        ('iter_40.pth', ('iter', 40)),
        ('best_top1_epoch_3.pth', None),
        ('epoch_3.pth.writing', None),
        ('epoch_x.pth', None),
    ],
)
def test_a_name_says_how_much_was_done(name, expected):
    assert numbered(name) == expected


def test_checkpoints_of_a_folder(tmp_path):
    for name in ('epoch_1.pth', 'iter_2.pth', 'best_3.pth', 'epoch_1.txt'):
        (tmp_path / name).touch()
    (tmp_path / 'epoch_9.pth').mkdir()
    assert {path.name for path in checkpoints(tmp_path)} == {'epoch_1.pth', 'iter_2.pth'}
    assert checkpoints(tmp_path / 'none') == []


@pytest.mark.parametrize('folder', ['/elsewhere/run/', 'D:\\elsewhere\\run\\'])
def test_the_last_checkpoint_is_found_from_here(tmp_path, folder):
    """mmengine notes an absolute path, which says nothing on another machine."""
    (tmp_path / 'last_checkpoint').write_text(f'{folder}epoch_100.pth\n')
    assert last_checkpoint(tmp_path).as_posix() == folder.replace('\\', '/') + 'epoch_100.pth'
    (tmp_path / 'epoch_100.pth').touch()
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_100.pth'
    assert last_checkpoint(tmp_path / 'none') is None
