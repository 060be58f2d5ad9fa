"""Agreement with the authors' release, and that the tool notices when there is none."""

import json

import numpy as np
import pytest

from bootmae_mm.checkpoint.differences import largest_relative_difference
from bootmae_mm.studies.parity import compare
from tests.helpers.labelled_data import load_tool
from tests.helpers.paths import GOLDEN

PRETRAINING = GOLDEN / 'bootmae_tiny.npz'


def changed(tmp_path, name: str, change, golden=PRETRAINING) -> str:
    """A copy of a golden file with one array changed."""
    with np.load(golden) as archive:
        arrays = dict(archive)
    arrays[name] = change(arrays[name])
    np.savez(tmp_path / 'changed.npz', **arrays)
    return str(tmp_path / 'changed.npz')


def test_all_quantities_of_the_release_agree():
    rows = compare(PRETRAINING)
    assert [row for row in rows if not row.passed] == []
    names = ' '.join(row.quantity for row in rows)
    for quantity in ('pixel_pred', 'feature_pred', 'pixel_target', 'teacher_feature'):
        assert f'step 0 {quantity}' in names
    for quantity in ('token_weight', 'step 2 loss', 'grad norm: blocks', 'student norm: blocks'):
        assert quantity in names


@pytest.mark.parametrize(
    'name, failing',
    [
        ('student/blocks.1.attn.v_bias', 'step 0 pixel_pred'),
        ('student/decode_blocks.0.norm3.weight', 'step 0 pixel_pred'),
        ('student/de_pos_embed', 'student de_pos_embed'),
        ('teacher/blocks.2.mlp.fc2.bias', 'step 0 teacher_feature'),
        ('step0/images', 'step 0 pixel_target'),
        ('step0/block_mask', 'step 0 block_mask'),
        ('step0/ids_shuffle', 'step 0 mask'),
        ('step0/token_weight', 'step 0 token_weight'),
        ('step0/grad_norm/down_1.weight', 'step 0 grad norm: down_1'),
        ('step1/pixel_loss', 'step 1 pixel_loss'),
        ('step2/feature_loss', 'step 2 feature_loss'),
        ('step1/feature_weight', 'step 1 loss'),
        ('final_student_norm/mask_token', 'final student norm: mask_token'),
    ],
)
def test_a_changed_number_is_noticed(name, failing, tmp_path):
    def change(array):
        if array.dtype.kind in 'iu' or name.endswith('images'):
            return np.roll(array, 1, axis=-1)
        return (array + 0.01 * (np.abs(array).max() + 1)).astype(array.dtype)

    failed = [row.quantity for row in compare(changed(tmp_path, name, change)) if not row.passed]
    assert failing in failed


def test_a_changed_optimiser_or_teacher_step_is_noticed(tmp_path):
    def other(key, value):
        return lambda meta: json.dumps({**json.loads(str(meta)), key: value})

    failed = [
        r for r in compare(changed(tmp_path, 'meta_json', other('lr', 0.002))) if not r.passed
    ]
    assert any(row.quantity.startswith('final student norm') for row in failed)
    failed = [
        r for r in compare(changed(tmp_path, 'meta_json', other('ema_decay', 0.5))) if not r.passed
    ]
    assert 'step 1 feature_loss' in [row.quantity for row in failed]


@pytest.mark.parametrize(
    'name, failing',
    [
        (None, set()),
        ('level2', {'level2'}),
        ('state/blocks.3.attn.relative_position_bias_table', {'level3'}),
        ('state/blocks.2.gamma_2', {'level2', 'level3'}),
        ('state/fpn1.1.running_mean', {'level0'}),
        ('state/fpn2.0.bias', {'level1'}),
        ('state/blocks.0.attn.relative_position_index', {'blocks.0.attn.relative_position_index'}),
    ],
)
def test_the_segmentation_backbone_agrees_and_changes_are_noticed(name, failing, tmp_path):
    def change(array):
        if array.dtype.kind == 'i':
            return array + 1
        return array + np.random.default_rng(0).normal(0, 0.5, array.shape).astype(array.dtype)

    path = GOLDEN / 'seg_backbone_tiny.npz'
    if name:
        path = changed(tmp_path, name, change, path)
    assert {row.quantity for row in compare(path) if not row.passed} == failing


@pytest.mark.parametrize(
    'name, failing',
    [
        (None, set()),
        ('logits', {'logits'}),
        ('pooled', {'pooled'}),
        ('state/fc_norm.bias', {'pooled', 'logits'}),
        ('state/blocks.1.attn.v_bias', {'pooled', 'logits'}),
        ('state/head.weight', {'logits'}),
    ],
)
def test_the_classifier_agrees_and_changes_are_noticed(name, failing, tmp_path):
    path = GOLDEN / 'finetune_tiny.npz'
    if name:
        path = changed(tmp_path, name, lambda array: array + np.float32(0.05), path)
    assert {row.quantity for row in compare(path) if not row.passed} == failing


def test_nan_is_a_difference():
    assert largest_relative_difference([float('nan')], [1.0]) == float('inf')
    assert largest_relative_difference([1.0, 1.0], [1.0]) == float('inf')


@pytest.mark.parametrize('file, status', [('bootmae_tiny.npz', 0), ('changed.npz', 1)])
def test_the_exit_status_tells(file, status, tmp_path, capsys):
    path = GOLDEN / file
    if status:
        path = changed(tmp_path, 'step0/loss', lambda loss: loss * 1.001)
    assert load_tool('check_parity').main([str(path)]) == status
    assert ('FAILED' in capsys.readouterr().out) == bool(status)


def test_a_file_of_another_format_is_one_sentence(tmp_path):
    path = tmp_path / 'other.npz'
    np.savez(path, x=np.zeros(1))
    with pytest.raises(ValueError, match='Expected a NumPy archive with meta_json'):
        compare(path)


def test_a_file_that_is_not_there_is_told_before_anything_is_compared(capsys):
    with pytest.raises(SystemExit) as stop:
        load_tool('check_parity').main([str(PRETRAINING), 'no.npz'])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert "expected the path of a file, found no file 'no.npz'" in printed.err and not printed.out
