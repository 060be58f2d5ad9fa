"""OpenMMLab's ``metafile.yml`` of every folder of configs, and the ``model-index.yml`` over them.

What a config says (batch, epochs, data) is read from it, parameters and operations are counted on
the model that it builds. The only numbers from elsewhere are the paper's, of :mod:`.paper`.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
import yaml
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.models import MAEViT
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from . import paper
from .catalogue import TABLES
from .runs import Paths, Run

FOLDERS = ('pretrain', 'finetune', 'linear', 'seg', 'det')
TRAINING_DATA = {
    'UnlabelledImages': 'ImageNet-1k',
    'ImageFolders': 'ImageNet-1k',
    'ADE20K': 'ADE20K',
    'CocoInstances': 'COCO',
}
# OpenMMLab's names of a task and its score.
NAMES = {
    paper.TOP1: ('Image Classification', 'Top 1 Accuracy'),
    paper.LINEAR: ('Image Classification', 'Top 1 Accuracy'),
    paper.MIOU: ('Semantic Segmentation', 'mIoU'),
    paper.BOX: ('Object Detection', 'box AP'),
    paper.MASK: ('Instance Segmentation', 'mask AP'),
}
HEADER = """\
# Written by tools/metafiles.py, not by hand.
# Parameters: of the whole model, less the teacher's. FLOPs: multiplications of the encoder for one
# whole picture of the size in training (for detection, of the largest). Results: the paper's; there
# is no checkpoint of ours, so nothing has been reproduced.
"""
COLLECTION = {
    'Name': 'BootMAE',
    'Metadata': {
        'Training Data': 'ImageNet-1k',
        'Training Techniques': ['AdamW', 'Masked image modelling', 'Momentum encoder'],
        'Architecture': ['ViT'],
    },
    'Paper': {
        'Title': 'Bootstrapped Masked Autoencoders for Vision BERT Pretraining',
        'URL': 'https://arxiv.org/abs/2207.07116',
    },
    'README': 'configs/pretrain/README.md',
}


def config_paths(root: Path, folder: str) -> list[Path]:
    """The configs of ``configs/<folder>``, and after them those of the folders below it."""
    paths = (root / 'configs' / folder).rglob('*.py')
    return sorted(paths, key=lambda path: (len(path.parts), path))


def metafile(root: Path, folder: str) -> str:
    """The text of ``configs/<folder>/metafile.yml``."""
    content = {'Models': [entry(root, path) for path in config_paths(root, folder)]}
    if folder == 'pretrain':
        content = {'Collections': [COLLECTION], **content}
    return HEADER + as_yaml(content)


def model_index() -> str:
    """The text of ``model-index.yml``."""
    return as_yaml({'Import': [f'configs/{folder}/metafile.yml' for folder in FOLDERS]})


def as_yaml(content: dict) -> str:
    """Keys in their order."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def entry(root: Path, path: Path) -> dict:
    """A config's entry in ``Models``."""
    cfg = Config.fromfile(path)
    model = build(cfg)
    metadata = {'Training Data': TRAINING_DATA[cfg.train_dataloader.dataset.type]}
    if cfg.train_cfg.get('max_epochs'):
        metadata['Epochs'] = cfg.train_cfg.max_epochs
    else:
        metadata['Iterations'] = cfg.train_cfg.max_iters
    metadata['Batch Size'] = cfg.custom_hooks.total_batch.total_batch_size
    metadata['Parameters'] = count_parameters(model)
    metadata['FLOPs'] = count_products(model.backbone, input_size(cfg))
    return {
        'Name': path.stem,
        'In Collection': 'BootMAE',
        'Config': path.relative_to(root).as_posix(),
        'Metadata': metadata,
        'Results': results(path, Paths(root / 'configs'), metadata['Training Data']) or None,
    }


def results(path: Path, paths: Paths, dataset: str) -> list[dict]:
    """What the paper has for a config with the start that it names, each number marked as the
    paper's.

    Args:
        path: The config.
        paths: Whose config it is.
        dataset: That it is trained on, and so evaluated.
    """
    own = Run(path.relative_to(paths.configs).with_suffix('').as_posix())
    scores = [score for table in TABLES.values() for score in table.scores if score.run]
    values = {
        NAMES[score.metric]: score.paper
        for score in scores
        if score.run.config == own.config and score.run.starts(paths) == own.starts(paths)
        if score.paper is not None and score.metric in NAMES
    }
    return [
        {'Task': task, 'Dataset': dataset, 'Metrics': {f'{metric} (paper)': value}}
        for (task, metric), value in values.items()
    ]


def build(cfg: Config) -> nn.Module:
    """The config's model without memory for its weights.

    A frozen teacher, which would read its checkpoint, is replaced by one that has no part in any
    count either.
    """
    if (cfg.model.get('teacher') or {}).get('type') == 'FrozenTeacher':
        cfg.model.teacher = dict(type='MomentumTeacher')
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.device('meta'):
        return MODELS.build(cfg.model).eval()


def count_parameters(model: nn.Module) -> int:
    """Of all parts but the teacher."""
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if not name.startswith('teacher.')
    )


def count_products(encoder: nn.Module, size: Iterable[int]) -> int:
    """Multiplications of an encoder's matrix products for one picture of ``size`` (height, width).

    These are the "FLOPs" of OpenMMLab's metafiles; PyTorch counts a multiplication and the addition
    after it as two.
    """
    whole = dict(mask=None) if isinstance(encoder, MAEViT) else {}  # MAE's masks by default
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(torch.zeros(1, 3, *size, device='meta'), **whole)
    return counter.get_total_flops() // 2


def input_size(cfg: Config) -> tuple[int, int]:
    """Height and width, in pixels, of a training picture; of the largest, where they differ."""
    preprocessor = cfg.model.data_preprocessor
    if 'size' in preprocessor:  # of segmentation, whose pictures are cropped to it
        return tuple(preprocessor.size)
    steps = cfg.train_dataloader.dataset.pipeline
    scale = next(step.scale for step in steps if 'scale' in step)
    if isinstance(scale, int):
        return scale, scale
    divisor = preprocessor.pad_size_divisor
    width, height = (-(-length // divisor) * divisor for length in scale)
    return height, width
