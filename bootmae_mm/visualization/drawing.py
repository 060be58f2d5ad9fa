"""Which figures a config and a checkpoint call for."""

from collections.abc import Sequence

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS, TRANSFORMS

from ..checkpoint import read_state_dict
from ..checkpoint.complete import load_completely
from ..data.synthetic.shapes import draw_scene
from ..encoder import BootMAEViT
from ..encoder.loading import load_encoder_file
from ..pretrain.bootmae import BootMAE
from . import predictions
from .images import Picture, centre_crops
from .masks import find_masking
from .painting import Figure
from .pretraining import encoder_figures, pretraining_figures


def draw_figures(
    cfg: Config,
    checkpoint: str,
    pictures: Sequence[Picture],
    seed: int = 0,
    min_score: float = 0.3,
) -> list[Figure]:
    """The figures of a model: of pretraining its reconstructions, features and attention; of a
    classifier features and attention; of a segmentor or detector its predictions.

    Args:
        cfg: The model's config.
        checkpoint: Weights of the whole model; for a classifier, of an encoder in any layout that
            :func:`bootmae_mm.encoder.loading.load_encoder` reads.
        pictures: Pictures of any size; for pretraining and classifiers the middle is shown.
        seed: Seed of the masks.
        min_score: Least score of the instances that are shown.

    Raises:
        ValueError: If the model is of another kind or the checkpoint does not fit it.
    """
    scope = cfg.get('default_scope', 'mmpretrain')
    if scope in predictions.SCOPES:
        return [predictions.prediction_figure(cfg, checkpoint, pictures, min_score)]
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(cfg.model)
        encoder = getattr(model, 'backbone', None)
        if not isinstance(encoder, BootMAEViT):
            raise ValueError(
                'Expected a model with a BootMAEViT as backbone, found a '
                f'{type(model).__name__} with a {type(encoder).__name__}; choose a config of '
                'configs/pretrain, finetune, linear, seg or det.'
            )
        pixels_BHW3 = centre_crops(pictures, encoder.img_size)
        if not isinstance(model, BootMAE):
            load_encoder_file(encoder, checkpoint)
            return encoder_figures(model.to(get_device()), pixels_BHW3)
        return _of_pretraining(model, cfg, checkpoint, pixels_BHW3, seed)


def _of_pretraining(
    model: BootMAE, cfg: Config, checkpoint: str, pixels_BHW3: np.ndarray, seed: int
) -> list[Figure]:
    masking = find_masking(map(TRANSFORMS.build, cfg.train_dataloader.dataset.pipeline))
    load_completely(model, read_state_dict(checkpoint), checkpoint)
    model = model.to(get_device())
    attention = encoder_figures(model, pixels_BHW3)[-1]
    return [*pretraining_figures(model, pixels_BHW3, masking, seed), attention]


def drawn_pictures(count: int, size: int, seed: int = 0) -> list[Picture]:
    """Procedural pictures of shapes, for when there are no images at hand."""
    rng = np.random.default_rng(seed)
    return [
        Picture(f'drawn_{number}', draw_scene(rng, size, size_range=(0.5, 0.7)).image)
        for number in range(1, count + 1)
    ]
