"""What the commands with labels write, without measuring a machine."""

from pathlib import Path

from bootmae_mm.commands.encoders import Encoder
from bootmae_mm.commands.fitting import Fit
from bootmae_mm.commands.labelled import detection_config, fine_tuning_config, segmentation_config
from bootmae_mm.commands.labelled.class_folders import look_at_classes
from bootmae_mm.commands.labelled.instances import look_at_instances
from bootmae_mm.commands.labelled.label_folders import look_at_labels
from bootmae_mm.commands.labelled.recipe import (
    DETECTION,
    FINE_TUNING,
    SEGMENTATION,
    labelled_recipe,
)
from bootmae_mm.commands.machine import Machine
from bootmae_mm.commands.shapes import ARCHS
from bootmae_mm.commands.wish import Wish
from bootmae_mm.commands.writing import write_config
from bootmae_mm.preflight.planning.arithmetic import Measurement

CPU = Machine(0, '', 16 << 30, 2, 'float32')
GPUS = Machine(8, 'card', 80 << 30, 64, 'bfloat16')
MEASURED = Measurement({}, 'card', '2026-01-31', 16, [0.1], 3 << 30, 1 << 30, 100.0, 'here', 40)
MEAN, STD = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]


def fit(machine: Machine, total: int) -> Fit:
    """A measured machine."""
    return Fit(machine, machine.processes(total), MEASURED)


def encoder(name: str) -> Encoder:
    """One of ``ARCHS``, of a checkpoint that is not there."""
    shape = dict(img_size=(64, 64), patch_size=8)
    if name != 'mini':
        shape = dict(img_size=(224, 224), patch_size=16)
    return Encoder('some/epoch_1.pth', dict(arch=ARCHS[name].backbone, **shape), MEAN, STD)


def finetune(name: str, machine: Machine, root: Path, run: Path):
    """Choice and wish for class folders, whose lists are written."""
    classes = look_at_classes(root)
    wish = Wish('finetune', str(root), str(run), {'from': 'start'})
    for split, lines in zip(('train', 'val'), classes.lists or (), strict=False):
        write_config(wish.config.with_name(f'{split}.txt'), '\n'.join(lines))
    recipe = labelled_recipe(FINE_TUNING, classes.counts[0], None, ARCHS[name].width)
    return fine_tuning_config.Choice(encoder(name), classes, recipe, machine), wish


def segment(name: str, machine: Machine, root: Path, run: Path):
    """Choice and wish for pictures of 65 pixels with label maps, where 0 is no label."""
    scenes = look_at_labels(root, True)
    recipe = labelled_recipe(SEGMENTATION, scenes.counts[0], None, ARCHS[name].width)
    crop = segmentation_config.crop_size(8 if name == 'mini' else 16, machine.gpus > 0, 65)
    choice = segmentation_config.Choice(encoder(name), scenes, recipe, machine, crop)
    return choice, Wish('segment', str(root), str(run), {'from': 'start'})


def detect(name: str, machine: Machine, root: Path, run: Path, masks: bool = True):
    """Choice and wish for 8 pictures of 65 × 90 pixels with instances."""
    instances = look_at_instances(root)._replace(masks=masks)
    recipe = labelled_recipe(DETECTION, 8, None, ARCHS[name].width)
    choice = detection_config.Choice(encoder(name), instances, recipe, machine, (65, 90))
    return choice, Wish('detect', str(root), str(run), {'from': 'start'})


CONFIG_TEXTS = dict(
    finetune=fine_tuning_config.config_text,
    segment=segmentation_config.config_text,
    detect=detection_config.config_text,
)
