"""The encoder that a command starts from: a run's, or that of a checkpoint file."""

from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from ..engine.run_files import checkpoints, last_checkpoint, numbered

IMAGENET_MEAN, IMAGENET_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
LOGGED = '*/vis_data/config.py'  # below a work_dir: the config of each start, whole


class Encoder(NamedTuple):
    """A trained encoder.

    Attributes:
        checkpoint: The file.
        backbone: ``arch``, ``img_size`` and ``patch_size`` as ``BootMAEViT`` takes them.
        mean: Of the input, for R, G and B from 0 to 255.
        std: Its deviation.
        scratch: Whether its form alone is meant, with random weights, to compare with.
    """

    checkpoint: Path
    backbone: dict
    mean: list[float]
    std: list[float]
    scratch: bool = False


def find_encoder(source: str | Path) -> Encoder:
    """The encoder of a run, or of one of its checkpoints.

    Args:
        source: The run's folder, of which the newest checkpoint is taken, or a checkpoint in it.

    Raises:
        ValueError: If there is no such run, or it has no checkpoint yet.
    """
    source = Path(source).expanduser().absolute()
    checkpoint = newest_checkpoint(source) if source.is_dir() else source
    if not checkpoint.is_file():
        raise ValueError(
            f'Expected the folder of a run or a checkpoint, found neither at {str(source)!r}; '
            'name one with --from.'
        )
    configs = sorted(checkpoint.parent.glob(LOGGED))
    if not configs:
        raise ValueError(
            f'Expected the logs of a run beside {str(checkpoint)!r}, which say what its encoder '
            f'is, found none ({LOGGED}); name the folder that training wrote.'
        )
    model = Config.fromfile(configs[-1], import_custom_modules=False).model
    backbone = {name: model.backbone[name] for name in ('arch', 'img_size', 'patch_size')}
    inputs = model.data_preprocessor
    return Encoder(checkpoint, backbone, list(inputs.mean), list(inputs.std))


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint that a run wrote last.

    Raises:
        ValueError: If there is none.
    """
    noted = last_checkpoint(folder)
    if noted is not None and noted.is_file():
        return noted
    found = checkpoints(folder)
    if not found:
        raise ValueError(
            f'Expected a run with a checkpoint in {str(folder)!r}, found none yet; let it train, '
            'or name another with --from.'
        )
    return max(found, key=lambda path: numbered(path.name)[1])
