"""Predictions of segmentors and detectors, painted by mmseg's and mmdet's own visualizers.

mmseg and mmdet are imported at the first use, so that pretraining does without them.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, VISUALIZERS, DefaultScope
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from torch import nn

from ..checkpoint import read_state_dict
from ..checkpoint.complete import load_completely
from ..engine.build import replace_sync_batch_norm
from .images import Picture
from .painting import Figure

VISUALIZER_TYPES = dict(mmseg='SegLocalVisualizer', mmdet='DetLocalVisualizer')
LABEL_STEPS = ('LoadAnnotations', 'CheckSegLabels')
ALPHA = 0.6  # of colours over a picture
SMALLEST = 256  # sides of a painted picture, below which names of classes could not be read


def prediction_figure(
    cfg: Config, checkpoint: str, pictures: Sequence[Picture], min_score: float = 0.3
) -> Figure:
    """Each picture, and what a segmentor or detector says about it.

    Pictures go through the test pipeline, without labels.

    Args:
        cfg: Config of mmseg or mmdet with a test set, whose classes and colours are taken; its
            files need not be there.
        checkpoint: What a run of the config wrote.
        pictures: Pictures of any size.
        min_score: Least score of the instances that are painted, of a detector.

    Raises:
        ValueError: If the config has no test set, or the checkpoint does not fit the model.
    """
    if cfg.get('test_dataloader') is None:
        raise ValueError(
            'Expected a config with a test set, whose pipeline and classes predictions need, found '
            'no test_dataloader; add one.'
        )
    scope = cfg.default_scope
    with DefaultScope.overwrite_default_scope(scope):
        model = _model(cfg, checkpoint)
        visualizer = _visualizer(cfg)
        pipeline = _pipeline(cfg)
        options = dict(pred_score_thr=min_score) if scope == 'mmdet' else {}
        rows = [
            (
                picture.pixels,
                paint(picture.pixels, predict(model, pipeline, picture), visualizer, **options),
            )
            for picture in pictures
        ]
    named = ', '.join(visualizer.dataset_meta['classes'][:20])
    shown = f' Instances with a score of at least {min_score} are shown.' if options else ''
    return Figure(
        'predictions',
        'Predictions',
        ('original', 'prediction'),
        rows,
        f'Classes: {named}{", …" * (len(visualizer.dataset_meta["classes"]) > 20)}.{shown}',
    )


@torch.no_grad()
def predict(model: nn.Module, pipeline: Compose, picture: Picture):
    """The toolbox's data sample with the predictions for a picture, at its own size."""
    bgr_HW3 = np.ascontiguousarray(picture.pixels[..., ::-1])
    data = pipeline(dict(img=bgr_HW3, img_path=picture.path, img_id=0))
    return model.test_step({name: [value] for name, value in data.items()})[0]


def _model(cfg: Config, checkpoint: str) -> nn.Module:
    model_cfg = deepcopy(cfg.model)
    replace_sync_batch_norm(model_cfg)  # which needs several processes; the weights are the same
    model = MODELS.build(model_cfg)
    load_completely(model, read_state_dict(checkpoint), checkpoint)
    return model.to(get_device()).eval()


def _visualizer(cfg: Config) -> Visualizer:
    """The toolbox's visualizer with names and colours of the test set's classes."""
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'lazy_init': True})
    return build_visualizer(cfg.default_scope, dataset.metainfo)


def build_visualizer(scope: str, classes: Mapping[str, Sequence]) -> Visualizer:
    """A toolbox's visualizer, which keeps nothing on the disk.

    Args:
        scope: 'mmseg' or 'mmdet'.
        classes: The names of the classes as ``classes``, their colours as ``palette``.
    """
    visualizer = VISUALIZERS.get(f'{scope}.{VISUALIZER_TYPES[scope]}')(alpha=ALPHA)
    visualizer.dataset_meta = classes
    return visualizer


def _pipeline(cfg: Config) -> Compose:
    """The test pipeline for a picture that is already loaded and has no labels."""
    _, *steps = deepcopy(cfg.test_dataloader.dataset.pipeline)
    kept = [step for step in steps if step.type.rpartition('.')[2] not in LABEL_STEPS]
    return Compose([ConfigDict(type='LoadImageFromNDArray'), *kept])


def paint(pixels: np.ndarray, sample, visualizer: Visualizer, **options) -> np.ndarray:
    """A picture with its predictions over it, uint8 RGB; small ones are enlarged by a whole factor
    first.

    Args:
        pixels: The picture, uint8 RGB ``(H, W, 3)``.
        sample: The toolbox's data sample with predictions at the picture's size.
        visualizer: What :func:`build_visualizer` builds.
        **options: Of the visualizer's ``add_datasample``.
    """
    factor = -(-SMALLEST // max(pixels.shape[:2]))
    image = _enlarged(pixels, factor, (0, 1))
    sample = sample.cpu()
    if 'pred_sem_seg' in sample:
        labels_1HW = sample.pred_sem_seg.data
        sample.pred_sem_seg = PixelData(data=_enlarged(labels_1HW, factor, (1, 2)))
    if 'pred_instances' in sample:
        found = sample.pred_instances
        found.bboxes = found.bboxes * factor
        if 'masks' in found:
            found.masks = _enlarged(found.masks, factor, (1, 2))
    visualizer.add_datasample('', image, sample, draw_gt=False, **options)
    return np.ascontiguousarray(visualizer.get_image())


def _enlarged(values, factor: int, axes: tuple[int, int]):
    """Every pixel ``factor`` times along both axes, of an array or a tensor."""
    for axis in axes:
        repeat = torch.repeat_interleave if isinstance(values, torch.Tensor) else np.repeat
        values = repeat(values, factor, axis)
    return values
