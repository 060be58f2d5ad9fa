"""What is left of the start in a moving average, against the averages themselves."""

from copy import deepcopy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from bootmae_mm.preflight.doctor.averages import (
    check_averages,
    faster,
    left_of_average,
    left_of_teacher,
)
from bootmae_mm.preflight.doctor.case import Case
from bootmae_mm.pretrain.schedules import teacher_decay
from tests.helpers.models import build_tiny
from tests.helpers.paths import ROOT


@pytest.mark.parametrize(
    'hook',
    [
        dict(momentum=0.02),
        dict(momentum=0.02, interval=7),
        dict(momentum=0.02, ema_type='MomentumAnnealingEMA', gamma=3),
        dict(),
    ],
)
def test_an_average_of_the_weights(hook):
    """mmengine's, of a weight that is 1 at the first step, which it copies, and 0 from then on."""
    model, cfg = nn.Linear(1, 1, bias=False), {'type': 'ExponentialMovingAverage', **hook}
    cfg['type'] = cfg.pop('ema_type', cfg['type'])
    averaged = MODELS.build(cfg, default_args=dict(model=model))
    for step in range(50):
        nn.init.constant_(model.weight, float(step == 0))
        averaged.update_parameters(model)
    assert left_of_average(hook, 50) == pytest.approx(averaged.module.weight.item(), rel=1e-4)


def test_a_kind_of_average_that_is_not_known():
    assert left_of_average(dict(ema_type='StochasticWeightAverage'), 50) is None


def test_a_teacher():
    model, milestones = build_tiny(), [(0, 0.9), (3, 0.99)]
    for network, value in ((model.backbone, 0.0), (model.teacher.encoder, 1.0)):
        for parameter in network.parameters():
            nn.init.constant_(parameter, value) if parameter.requires_grad else None
    (weight,) = (
        p for n, p in model.teacher.encoder.named_parameters() if n == 'layers.0.ln1.weight'
    )
    with torch.no_grad():
        weight.fill_(1.0)
    for epoch in range(5):
        model.teacher.decay = teacher_decay(epoch, milestones)
        for _ in range(4):
            model.teacher.follow(model.backbone)()
    hook = dict(milestones=milestones)
    assert left_of_teacher(hook, 5, 4) == pytest.approx(weight[0].item(), rel=1e-4)


def test_a_teacher_whose_memory_is_a_share_of_the_run():
    """Of 20 steps: (1 - 1 / 2) ten times, (1 - 1 / 5) ten times, by a product written out."""
    hook = dict(memory=[(0, 0.1), (0.499, 0.1), (0.5, 0.25), (1, 0.25)])
    left = left_of_teacher(hook, 5, 4)
    assert left == pytest.approx(0.5**10 * 0.8**10, rel=1e-6)
    slow = dict(memory=[(0, 1), (1, 2)])
    assert left_of_teacher(dict(memory=faster(slow, 5, 4)), 5, 4) <= 0.01


def fine_tuning(steps: int, **edit) -> Case:
    """The recipe for ImageNet with so many optimiser steps an epoch."""
    cfg = Config.fromfile(ROOT / 'configs/finetune/bootmae_vitb_finetune_100e.py')
    cfg.merge_from_dict(edit)
    case = Case(cfg, deepcopy(cfg), gpus=8)
    case.batches = steps * case.accumulated
    return case


def test_a_short_fine_tuning_is_told_a_momentum_that_does():
    (finding,) = check_averages(fine_tuning(3))
    assert finding.level == 'warning'
    assert '94% of their start is left after 300 updates' in finding.sentence
    assert 'set custom_hooks.ema.momentum=0.023,' in finding.sentence
    (finding,) = check_averages(fine_tuning(3, **{'custom_hooks.ema.momentum': 0.023}))
    assert finding.level == 'ok'


def test_batches_of_a_step_and_a_late_beginning():
    """The toolboxes' own hook counts batches, of which 8 are accumulated here."""
    edit = {'train_dataloader.batch_size': 32}
    own = {'custom_hooks.ema.type': 'EMAHook', **edit}
    assert '300 updates' in next(check_averages(fine_tuning(3, **edit))).sentence
    assert '2,400 updates' in next(check_averages(fine_tuning(3, **own))).sentence
    late = {**own, 'custom_hooks.ema.begin_epoch': 51}
    assert '1,200 updates' in next(check_averages(fine_tuning(3, **late))).sentence
