"""Measures of health against closed forms and loops; counting faults; finding causes."""

import math
import os
import sys
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from bootmae_mm.monitors.health import diagnosis, measures
from bootmae_mm.monitors.health.faults import Faults, UnhealthyTraining, last_good_checkpoint
from bootmae_mm.monitors.health.hook import HealthHook
from tests.helpers.models import build_tiny, random_samples
from tests.helpers.paths import ROOT

sys.path.insert(0, str(ROOT / 'benchmarks'))

import health_cost  # noqa: E402


def orthogonal_rows(singular: list[float]) -> torch.Tensor:
    """Eight rows with mean zero and the given singular values, of columns of a Hadamard matrix."""
    two = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    hadamard = torch.kron(torch.kron(two, two), two) / math.sqrt(8)
    return hadamard[:, 1 : 1 + len(singular)] * torch.tensor(singular)


@pytest.mark.parametrize(
    'singular, rank',
    [([2, 2, 2], 3), ([5], 1), ([3, 1], 4 / 27**0.25), ([0, 0], 0), ([1e-3] * 7, 7)],
)
def test_effective_rank_against_its_closed_form(singular, rank):
    """3/4 and 1/4 have the entropy ln 4 - 3/4 ln 3. The mean row does not count."""
    rows = orthogonal_rows(singular)
    assert measures.effective_rank(rows) == pytest.approx(rank, rel=1e-4)
    assert measures.effective_rank(rows + torch.tensor([0.25])) == pytest.approx(rank, rel=1e-4)


def test_rows_that_are_the_same_have_rank_zero():
    assert measures.effective_rank(torch.full((48, 24), 0.1)) == 0
    assert measures.effective_rank(torch.randn(24).expand(48, 24)) == 0


def test_the_sample_is_spread_over_images_and_patches():
    x = torch.arange(50 * 33).view(50, 33, 1)
    expected = [image * 33 + patch for image in range(0, 50, 4) for patch in range(0, 33, 3)]
    assert measures.sample_rows(x).flatten().tolist() == expected
    assert len(measures.sample_rows(x[:3, :5])) == 15


def test_distance_and_norms_against_a_plain_loop():
    tensors, reference = [[torch.randn(n, 3) for n in (2, 5, 1)] for _ in range(2)]
    above = sum(
        ((a - b).double() ** 2).sum().item() for a, b in zip(tensors, reference, strict=True)
    )
    below = sum((b.double() ** 2).sum().item() for b in reference)
    found = measures.relative_distance(tensors, reference).item()
    assert found == pytest.approx(math.sqrt(above / below), rel=1e-6)


def test_the_checksum_sees_the_least_change_of_one_element():
    tensors = [torch.randn(40, 30), torch.zeros(7)]
    before = measures.checksum(tensors).item()
    assert before == sum(t.view(torch.int32).long().sum().item() for t in tensors)
    tensors[0][3, 4] = torch.nextafter(tensors[0][3, 4], torch.tensor(9.0))
    assert abs(measures.checksum(tensors).item() - before) == 1


@pytest.mark.parametrize(
    'value, decay, moves',
    [(1.0, 0.9, False), (1.001, 0.99999, False), (2.0, 0.99999, True), (2.0, 1.0, False)],
)
def test_an_average_moves_only_by_what_float32_can_tell(value, decay, moves):
    averages, values = [torch.zeros(2), torch.ones(3)], [torch.zeros(2), torch.full((3,), value)]
    assert measures.average_moves(averages, values, decay) is moves


class TestLossWindow:
    def test_the_limit_is_twice_the_median_or_eight_deviations(self):
        quiet = measures.LossWindow([1.0, 1.01, 0.99] * 10)
        assert quiet.limit() == pytest.approx(2.0)
        noisy = measures.LossWindow([1.0, 1.2, 0.8] * 10)
        assert noisy.limit() == pytest.approx(1 + 8 * 1.4826 * 0.2)

    def test_a_loss_that_stays_high_stays_a_spike(self):
        window = measures.LossWindow([1.0] * 30)
        assert [window.add(2.1) for _ in range(200)] == [False] * 200
        assert window.add(1.9)

    def test_slow_growth_is_none(self):
        """A feature loss that grows tenfold in a thousand steps, with noise of a tenth."""
        rng = np.random.default_rng(0)
        window = measures.LossWindow()
        losses = 0.04 * 10 ** np.linspace(0, 1, 1000) * rng.normal(1, 0.1, 1000)
        assert all(window.add(loss) for loss in losses.tolist())

    def test_too_few_losses_say_nothing(self):
        window = measures.LossWindow([1.0] * 19)
        assert window.add(100.0) and not window.add(100.0)


def test_the_last_good_checkpoint_is_the_newest_from_before(tmp_path):
    names = ['epoch_2', 'iter_11', 'epoch_3', 'iter_13', 'epoch_4', 'best_1', 'epoch_x']
    for age, name in enumerate(reversed(names)):
        (tmp_path / f'{name}.pth').write_bytes(b'')
        os.utime(tmp_path / f'{name}.pth', (1e9 - age, 1e9 - age))
    (tmp_path / 'epoch_1.txt').write_bytes(b'')
    find = partial(last_good_checkpoint, str(tmp_path))
    assert find(epoch=3, iteration=12) == str(tmp_path / 'epoch_3.pth')
    assert find(epoch=2, iteration=12) == str(tmp_path / 'iter_11.pth')
    assert find(epoch=1, iteration=4) is None


def test_faults_in_a_row_are_counted(tmp_path):
    """One that goes away is forgotten; a stop looks for a checkpoint from before all of them."""
    (tmp_path / 'iter_3.pth').write_bytes(b'')
    (tmp_path / 'iter_5.pth').write_bytes(b'')
    faults, logger = Faults({}), Mock()
    for step, bad in enumerate('YNYYY', start=1):
        runner = SimpleNamespace(iter=step, epoch=0, work_dir=str(tmp_path), logger=logger)
        faults.judge(runner, 'teacher', 'far' if bad == 'Y' else None, patience=4)
        faults.judge(runner, 'pixel loss', None if step < 5 else 'high', patience=2)
    assert [call.args[0][:21] for call in logger.warning.call_args_list] == [
        'Iteration 2, teacher:', 'Iteration 4, teacher:', 'Iteration 6, pixel lo',
    ]  # fmt: skip
    runner.iter = 6
    with pytest.raises(UnhealthyTraining, match='for the pixel loss: high for 2 steps') as caught:
        faults.judge(runner, 'pixel loss', 'high', 2, 'steps')
    assert caught.value.checkpoint == str(tmp_path / 'iter_3.pth')


def test_the_teacher_is_not_named_beside_the_student_that_it_follows():
    names = ['teacher.encoder.cls_token', 'predictor.norm.bias', 'backbone.cls_token']
    assert diagnosis.parts_of(names) == 'student encoder and predictor'
    assert diagnosis.parts_of(names[:2]) == 'predictor and teacher'


def test_patience_has_to_be_positive():
    with pytest.raises(ValueError, match='patience of HealthHook must be positive, found 0'):
        HealthHook(patience=0)


def test_a_loss_that_is_not_finite_from_outputs_that_are(images, monkeypatch):
    model = build_tiny()
    assert diagnosis.in_outputs(model, images, random_samples(2)) is None
    monkeypatch.setattr(model.pixel_head, 'loss', lambda *args: torch.tensor(float('nan')))
    cause = diagnosis.in_outputs(model, images, random_samples(2))
    assert cause == ('pixel loss', 'L_pixel=nan from outputs that are finite')


def test_a_fault_that_does_not_show_again_says_so(images):
    model = build_tiny()
    optimizer = torch.optim.AdamW(model.parameters())
    cause = diagnosis.find_cause(model, images, random_samples(2), optimizer)
    assert cause.part == 'unknown part'


def test_the_table_of_the_cost():
    rows = health_cost.measure('tiny', 2, 'float32', 1)
    step, watched, measured, average = (row['monitor, ms'] for row in rows)
    assert step == 0 < watched < measured
    assert average == pytest.approx(watched + (measured - watched) / 50)
    assert rows[0]['seconds'] > 0 and rows[3]['kind'] == 'average, one of 50 measured'
