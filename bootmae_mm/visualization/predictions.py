"""Predictions of segmentors and detectors, outlined on their pictures.

mmseg and mmdet are imported at the first use, so that pretraining does without them.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, DefaultScope

from ..checkpoint import read_state_dict
from ..checkpoint.complete import load_completely
from ..engine.build import replace_sync_batch_norm
from .images import Picture
from .outlines import Region, class_colours, label_regions, outlined
from .painting import Figure

SCOPES = ('mmseg', 'mmdet')
LABEL_STEPS = ('LoadAnnotations', 'LoadLabelMap', 'CheckSegLabels')


class Predictor:
    """A trained segmentor or detector with its test set's pipeline and classes.

    Args:
        cfg: Config of mmseg or mmdet with a test set, whose files need not be there.
        checkpoint: What a run of the config wrote.

    Raises:
        ValueError: If the config has no test set, or the checkpoint does not fit the model.
    """

    def __init__(self, cfg: Config, checkpoint: str) -> None:
        if cfg.get('test_dataloader') is None:
            raise ValueError(
                'Expected a config with a test set, whose pipeline and classes predictions need, '
                'found no test_dataloader; add one.'
            )
        self.scope = cfg.default_scope
        with DefaultScope.overwrite_default_scope(self.scope):
            model_cfg = deepcopy(cfg.model)
            replace_sync_batch_norm(model_cfg)  # which needs several processes; weights are equal
            model = MODELS.build(model_cfg)
            load_completely(model, read_state_dict(checkpoint), checkpoint)
            self.model = model.to(get_device()).eval()
            self.metainfo = _classes(cfg)
            self.pipeline = _pipeline(cfg)

    @torch.no_grad()
    def __call__(self, picture: Picture):
        """The toolbox's data sample with the predictions for a picture, at its own size."""
        bgr_HW3 = np.ascontiguousarray(picture.pixels[..., ::-1])
        with DefaultScope.overwrite_default_scope(self.scope):
            data = self.pipeline(dict(img=bgr_HW3, img_path=picture.path, img_id=0))
            return self.model.test_step({name: [value] for name, value in data.items()})[0].cpu()

    def regions(self, picture: Picture, min_score: float = 0.3) -> list[Region]:
        """What is predicted for a picture: a region for each class of a segmentor, for each
        instance of a detector with at least this score, the best of which is the last."""
        sample = self(picture)
        if 'pred_sem_seg' in sample:
            return label_regions(sample.pred_sem_seg.data[0].numpy(), self.metainfo)
        found = sample.pred_instances
        found = found[found.scores >= min_score]
        found = found[found.scores.argsort()]
        return instance_regions(found, picture.pixels.shape[:2], self.metainfo)


def _classes(cfg: Config) -> dict:
    """Names of the test set's classes, and their palette if it is not one that mmseg makes up."""
    dataset = cfg.test_dataloader.dataset
    built = DATASETS.build({**dataset, 'lazy_init': True}).metainfo
    own = dataset.get('metainfo') or {}
    palette = own.get('palette') if 'classes' in own else built.get('palette')
    return dict(classes=built['classes'], palette=palette)


def _pipeline(cfg: Config) -> Compose:
    """The test pipeline for a picture that is already loaded and has no labels."""
    _, *steps = deepcopy(cfg.test_dataloader.dataset.pipeline)
    kept = [step for step in steps if step.type.rpartition('.')[2] not in LABEL_STEPS]
    return Compose([ConfigDict(type='LoadImageFromNDArray'), *kept])


def instance_regions(instances, size: tuple[int, int], metainfo) -> list[Region]:
    """A region for each instance: its mask, or the inside of its box if it has none.

    Args:
        instances: mmdet's, on the CPU.
        size: ``(height, width)`` of the picture.
        metainfo: Of the data set.
    """
    colours = class_colours(metainfo)
    masks = instances.masks.numpy() if 'masks' in instances else box_masks(instances.bboxes, size)
    return [
        Region(mask, f'{metainfo["classes"][label]} {score:.2f}', colours[label])
        for mask, label, score in zip(
            masks, instances.labels.tolist(), instances.scores.tolist(), strict=True
        )
    ]


def box_masks(bboxes, size: tuple[int, int]) -> np.ndarray:
    """The pixels in boxes of left, top, right and bottom: bool ``(N, H, W)``."""
    edges = np.asarray(bboxes).reshape(-1, 4, 1)
    x, y = np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5
    across = (edges[:, 0] <= x) & (x < edges[:, 2])
    down = (edges[:, 1] <= y) & (y < edges[:, 3])
    return down[:, :, None] & across[:, None, :]


def prediction_figure(
    cfg: Config, checkpoint: str, pictures: Sequence[Picture], min_score: float = 0.3
) -> Figure:
    """Each picture, and what a segmentor or detector says about it.

    Pictures go through the test pipeline, without labels.

    Args:
        cfg: Config of mmseg or mmdet with a test set.
        checkpoint: What a run of the config wrote.
        pictures: Pictures of any size.
        min_score: Least score of the instances that are shown, of a detector.

    Raises:
        ValueError: As :class:`Predictor`.
    """
    predictor = Predictor(cfg, checkpoint)
    rows = [
        (one.pixels, outlined(one.pixels, predictor.regions(one, min_score))) for one in pictures
    ]
    classes = predictor.metainfo['classes']
    least = f' Instances with a score of at least {min_score} are shown.'
    return Figure(
        'predictions',
        'Predictions',
        ('original', 'prediction'),
        rows,
        f'Classes: {", ".join(classes[:20])}{", …" * (len(classes) > 20)}.'
        + least * (predictor.scope == 'mmdet'),
    )
