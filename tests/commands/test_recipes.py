"""The rules from pictures and epochs to a recipe, against the paper, the study and plain loops."""

import random

import pytest

from bootmae_mm.commands.labelled.recipe import (
    DETECTION,
    FINE_TUNING,
    SEGMENTATION,
    LabelledRecipe,
    labelled_recipe,
)
from bootmae_mm.commands.machine import Machine
from bootmae_mm.commands.recipe import ENOUGH_STEPS, learning_rate, recipe, total_batch
from tests.helpers.configs import load

IMAGENET = 1_281_167


@pytest.mark.parametrize('epochs', [200, 800])
def test_with_imagenet_it_is_the_paper_s(epochs):
    cfg = load(f'pretrain/bootmae_vitb_{epochs}e')
    found = recipe(IMAGENET, epochs, 768)
    assert found.total_batch == cfg.total_batch_size == 4096
    assert found.epoch_steps == 312 and found.steps == 312 * epochs
    assert found.rate == pytest.approx(cfg.optim_wrapper.optimizer.lr)
    assert found.as_in_paper
    if epochs == 800:
        assert found.warm_up == cfg.warmup_epochs


def test_with_the_study_s_pictures_it_is_near_the_study_s():
    cfg = load('photos/photos_pretrain')
    found = recipe(50_000, cfg.max_epochs, 96)
    assert found.total_batch == cfg.total_batch_size
    assert found.steps == 12_496
    assert found.warm_up == pytest.approx(cfg.warmup_epochs, abs=1 / found.epoch_steps)
    assert found.rate == pytest.approx(cfg.lr, rel=0.25)


def test_the_batch_is_the_largest_with_enough_steps():
    """Against a loop over all powers of two."""
    rng = random.Random(0)
    for _ in range(500):
        pictures, epochs = int(10 ** rng.uniform(0, 7)), int(10 ** rng.uniform(0, 3.5))
        sizes = [2**power for power in range(13) if 2**power <= pictures]
        enough = [b for b in sizes if b >= 32 and pictures // b * epochs >= ENOUGH_STEPS]
        expected = max(enough) if enough else min(32, max(sizes))
        assert total_batch(pictures, epochs) == expected, (pictures, epochs)


def test_a_run_of_any_size_has_a_step_and_a_warm_up_of_one():
    for pictures in (1, 2, 31, 33, 1000):
        found = recipe(pictures, 1, 96)
        assert found.epoch_steps >= 1
        assert int(found.warm_up * found.epoch_steps) >= 1
        assert not found.as_in_paper
    with pytest.raises(ValueError, match='at least one picture and one epoch, found 0 and 1'):
        recipe(0, 1, 96)


def test_the_rate_goes_with_the_root_of_the_batch_and_against_the_width():
    assert learning_rate(1024, 768) == pytest.approx(learning_rate(4096, 768) / 2)
    assert learning_rate(4096, 384) == pytest.approx(2 * learning_rate(4096, 768))
    assert learning_rate(4096, 1024) == learning_rate(4096, 768)  # of ViT-L, as in the paper


@pytest.mark.parametrize(
    'task, config, pictures',
    [
        (FINE_TUNING, 'finetune/bootmae_vitb_finetune_100e', IMAGENET),
        (SEGMENTATION, 'seg/upernet_bootmae_vitb_160k', 20_210),
        (DETECTION, 'det/mask_rcnn_bootmae_vitb_1x', 117_266),
    ],
)
def test_with_the_paper_s_data_sets_it_is_the_configs(task, config, pictures):
    cfg, found = load(config), labelled_recipe(task, pictures, None, 768)
    assert found.total_batch == cfg.custom_hooks.total_batch.total_batch_size
    assert found.rate == pytest.approx(cfg.optim_wrapper.optimizer.lr)
    if task is SEGMENTATION:
        assert found.steps == pytest.approx(cfg.train_cfg.max_iters, rel=0.01)
    else:
        assert found.epochs == cfg.train_cfg.max_epochs


def test_few_pictures_get_a_smaller_batch_and_then_more_epochs():
    found = labelled_recipe(FINE_TUNING, 5000, None, 768)
    assert (found.epochs, found.total_batch) == (100, 128)  # 3,900 steps; of 256 there are 1,900
    found = labelled_recipe(DETECTION, 120, None, 768)
    assert (found.epochs, found.total_batch, found.steps) == (286, 16, 2002)
    assert labelled_recipe(DETECTION, 120, 3, 768).epochs == 3
    assert labelled_recipe(DETECTION, 17, None, 768).epochs == 500
    assert labelled_recipe(FINE_TUNING, 3, None, 768).total_batch == 2
    wide, narrow = (labelled_recipe(DETECTION, 120, None, width).rate for width in (768, 96))
    assert narrow == pytest.approx(8 * wide)
    wide, narrow = (labelled_recipe(FINE_TUNING, 120, None, width).rate for width in (768, 96))
    assert narrow == wide


@pytest.mark.parametrize(
    'epochs, pictures, val, between',
    [
        (100, 50_000, 10_000, 5.0),  # as often as is wished, 20 times
        (8, 800, 400, 8 / 3),  # 3 × 400 are less than a fifth of 6,400 pictures, 4 × 400 are not
        (2, 10, 1000, 2.0),  # once at least
    ],
)
def test_validation_takes_a_fifth_of_the_pictures_at_most(epochs, pictures, val, between):
    found = LabelledRecipe(pictures, epochs, 16, 1e-3)
    assert found.epochs_between(20, val) == pytest.approx(between)


def test_processes_share_the_batch_a_power_of_two():
    for gpus, cores, total, expected in [
        (6, 64, 4096, 4), (8, 64, 4, 4), (1, 64, 32, 1), (0, 12, 32, 8), (0, 3, 32, 2),
        (0, 2, 1, 1),
    ]:  # fmt: skip
        assert Machine(gpus, '', 1, cores, 'float32').processes(total) == expected
