"""Images per second and core of the pretraining data pipeline beside that of mmpretrain's MAE.

    python benchmarks/data_pipeline.py [--images FOLDER] [--rounds 3] [--out work_dirs/bench]

The same photographs, or made-up JPEGs of 500 × 375 and 2000 × 1500, go through both: whole samples
of the dataset as a worker of the data loader draws them, in one process with one thread, in turn.
MAE's pipeline is the one of mmpretrain's config imagenet_bs512_mae.py; it makes no masks, as its
model does that.
"""

import argparse
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import common
import mmpretrain
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.datasets import CustomDataset
from PIL import Image

from bootmae_mm.data import sampling
from bootmae_mm.data.cropping import crop_flip, draw_box
from bootmae_mm.data.dataset import UnlabelledImages
from bootmae_mm.data.reading import upright_size
from bootmae_mm.data.sampling import SampleKey
from bootmae_mm.data.search import find_images
from bootmae_mm.data.synthetic.photographs import write_photographs
from bootmae_mm.preflight.planning.clock import one_thread

OURS = Path(__file__).parent.parent / 'configs/_base_/datasets/imagenet_pretrain.py'
MAE = Path(mmpretrain.__file__).parent / '.mim/configs/_base_/datasets/imagenet_bs512_mae.py'
LARGE = (2000, 1500)
LARGE_SHARE = 1 / 16  # of the number of small images
CHUNK = 16  # images between two turns
PARTS = {
    'LoadAnyImage': 'read and decode',
    'RandomCropFlip': 'crop, resize, flip',
    'BlockwiseMasking': 'mask',
    'PackInputs': 'pack',
}
REST = 'seeding, dataset'


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument(
        '--images', type=Path, metavar='FOLDER', help='photographs; without it some are made up'
    )
    parser.add_argument('--count', type=int, default=512, help='small images to make up')
    parser.add_argument('--rounds', type=int, default=3, help='times that each image is drawn')
    parser.add_argument('--out', type=Path, help='folder to write data_pipeline.md and .json to')
    args = parser.parse_args(argv)
    if min(args.count, args.rounds) < 1:
        parser.error('Expected at least 1 image and 1 round; raise --count or --rounds.')
    try:
        tables = measure(args.count, args.rounds, args.images)
    except ValueError as error:
        parser.error(str(error))
    print('\n\n'.join(f'## {name}\n\n{common.table(rows)}' for name, rows in tables.items()))
    if args.out:
        common.write(args.out, 'data_pipeline', 'Speed of the data pipeline', tables)


def measure(
    count: int = 512, rounds: int = 3, photographs: Path | None = None
) -> dict[str, list[dict]]:
    """Tables of both pipelines' speed, of the parts of ours, and of how far its crops are from
    those of Pillow.

    Args:
        count: Number of 500 × 375 files to make; of 2000 × 1500 there are a sixteenth.
        rounds: Times that each is drawn, another crop each time.
        photographs: A folder to take in their place.
    """
    with as_a_worker(), tempfile.TemporaryDirectory() as made:
        folders = [photographs] if photographs else make_photographs(Path(made), count)
        return {
            'Data pipeline, one core': [row for f in folders for row in compare(f, rounds)],
            'Data pipeline, parts of ours': split(folders[0], rounds),
            "Crops beside Pillow's, in grey levels of 255": [crop_differences(folders[0])],
        }


def make_photographs(folder: Path, count: int) -> list[Path]:
    """Two folders of files: small and large ones."""
    small, large = folder / 'small', folder / 'large'
    write_photographs(small, count)
    write_photographs(large, math.ceil(count * LARGE_SHARE), LARGE)
    return [small, large]


@contextmanager
def as_a_worker() -> Iterator[None]:
    """As in a worker of the data loader: one thread in PyTorch and OpenCV, and no states of random
    generators to put back."""
    worker = mock.patch.object(sampling, 'get_worker_info', return_value='a worker')
    with one_thread(), worker:
        yield


def describe(folder: Path) -> str:
    """Number, median size and mean length of the images in a folder."""
    paths = [folder / path for path in find_images(str(folder))]
    width, height = np.median([upright_size(path) for path in paths], axis=0)
    length = statistics.mean(path.stat().st_size for path in paths) / 1000
    return f'{len(paths)} of {width:.0f} × {height:.0f}, {length:.0f} kB'


def our_dataset(folder: Path) -> UnlabelledImages:
    """That of the pretraining configs, on a folder."""
    init_default_scope('mmpretrain')
    return UnlabelledImages(str(folder), Config.fromfile(OURS).train_pipeline)


def compare(folder: Path, rounds: int) -> list[dict]:
    """A row each for mmpretrain's MAE and for ours."""
    ours = our_dataset(folder)
    mae = CustomDataset(
        data_root=str(folder), pipeline=Config.fromfile(MAE).train_pipeline, with_label=False
    )
    draw = {
        "mmpretrain's MAE": lambda epoch, index: mae[index],
        'ours, with masks': lambda epoch, index: ours[SampleKey(0, epoch, index)],
    }
    steps = {name: chunks(function, len(ours)) for name, function in draw.items()}
    turns = math.ceil(rounds * len(ours) / CHUNK)
    seconds = common.medians(common.in_turn(steps, turns))
    slow = seconds["mmpretrain's MAE"]
    files = describe(folder)
    return [
        {
            'files': files,
            'pipeline': name,
            'ms / image': 1000 * value / CHUNK,
            'images / s': CHUNK / value,
            'times as fast': slow / value,
        }
        for name, value in seconds.items()
    ]


def chunks(draw: Callable[[int, int], object], images: int) -> Callable[[], None]:
    """A function that draws the next ``CHUNK`` samples, one epoch after the other."""
    positions = itertools.count()

    def next_chunk() -> None:
        for position in itertools.islice(positions, CHUNK):
            draw(*divmod(position, images))

    return next_chunk


def split(folder: Path, rounds: int) -> list[dict]:
    """Where the time of a sample of ours goes: the median of each part, and its share."""
    dataset = our_dataset(folder)
    times = {name: [] for name in (*PARTS.values(), REST)}
    dataset.pipeline.transforms = [
        timed(transform, times[PARTS[type(transform).__name__]])
        for transform in dataset.pipeline.transforms
    ]
    for epoch, index in itertools.product(range(rounds), range(len(dataset))):
        start = time.perf_counter()
        dataset[SampleKey(1, epoch, index)]
        total = time.perf_counter() - start
        times[REST].append(total - sum(times[name][-1] for name in PARTS.values()))
    found = common.medians(times)
    return [
        {'part': name, 'ms / image': 1000 * value, 'share in %': 100 * value / sum(found.values())}
        for name, value in found.items()
    ]


def timed(function: Callable, times: list[float]) -> Callable:
    """``function``, whose seconds are added to ``times``."""

    def call(argument):
        start = time.perf_counter()
        result = function(argument)
        times.append(time.perf_counter() - start)
        return result

    return call


def crop_differences(folder: Path) -> dict:
    """Of crops of the same boxes, ours from Pillow's, over all values of up to 64 images."""
    rng = np.random.RandomState(0)
    differences = []
    for path in find_images(str(folder))[:64]:
        image = np.array(Image.open(folder / path).convert('RGB'))
        top, left, height, width = box = draw_box(rng, image.shape[:2], (0.2, 1.0), (3 / 4, 4 / 3))
        crop = Image.fromarray(image).crop((left, top, left + width, top + height))
        pillow = np.asarray(crop.resize((224, 224), Image.Resampling.BICUBIC), np.int16)
        differences.append(np.abs(crop_flip(image, box, (224, 224), False) - pillow))
    values = np.stack(differences)
    return dict(
        largest=int(values.max()),
        mean=float(values.mean()),
        **{'values that differ in %': 100 * float((values > 0).mean())},
    )


if __name__ == '__main__':
    main()
