"""Pictures with label maps, in the folders of ADE20K's SceneParsing release."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ...data.files import some
from ...data.label_files import IGNORED, LabelPairs, pair_label_maps, read_label_map
from .files import Finding, count_finding, evenly_spaced, missing_folders
from .labels import LabelRule, pair_findings

LAYOUT = """\
ADEChallengeData2016/
    images/training/<name>.jpg           20,210 images, or any other of your own, .png as well
    images/validation/<name>.jpg          2,000 images
    annotations/training/<name>.png      one single-channel map for each image,
    annotations/validation/<name>.png    0 = no label (ignored), 1 to 150 = classes"""

NUM_CLASSES = 150
NUM_IMAGES = {'training': 20_210, 'validation': 2_000}


def check(
    root: str | Path,
    num_classes: int | None = None,
    sample: int = 20,
    reduce_zero_label: bool = True,
) -> Iterator[Finding]:
    """Look at ``root/{images,annotations}/{training,validation}``.

    Args:
        root: The folder ``ADEChallengeData2016``, or one of the same layout.
        num_classes: As the head has them; by default as many as the label maps have. Numbers of
            images are expected of ADE20K's 150 only.
        sample: How many images and label maps of each split to decode.
        reduce_zero_label: Whether 0 is no label and classes count from 1.
    """
    root = Path(root)
    folders = [f'{kind}/{split}' for split in NUM_IMAGES for kind in ('images', 'annotations')]
    yield from missing_folders(root, folders, ('ADEChallengeData2016', 'ade'))
    found = {}
    for split in NUM_IMAGES:
        if all((root / kind / split).is_dir() for kind in ('images', 'annotations')):
            try:
                found[split] = pair_label_maps(
                    root / 'images' / split, root / 'annotations' / split
                )
            except ValueError as error:
                yield Finding('error', f'{split}: {error}')
    if num_classes is None:
        paths = [path for part in found.values() for _, path in part.pairs]
        num_classes = highest_label(evenly_spaced(paths, sample)) + (not reduce_zero_label)
        yield Finding('note', f'{num_classes} classes, by the highest label of a sample.')
    for split, part in found.items():
        yield from _split_findings(split, part, num_classes)
        if part.pairs:
            rule = LabelRule(num_classes, reduce_zero_label)
            yield from pair_findings(part.pairs, rule, split, sample, split == 'training')


def highest_label(paths: Sequence[str]) -> int:
    """The highest label but 255, 1 at least; files that hold no labels are told of elsewhere."""
    highest = 1
    for path in paths:
        with suppress(ValueError):
            stored = read_label_map(path)
            highest = max(highest, int(stored[stored != IGNORED].max(initial=0)))
    return highest


def _split_findings(split: str, found: LabelPairs, num_classes: int) -> Iterator[Finding]:
    """Which files there are."""
    images = len(found.pairs) + len(found.without)
    if not images:
        yield Finding('error', f'{split}: expected images in images/{split}, found none.')
        return
    yield count_finding(split, images, NUM_IMAGES[split] if num_classes == NUM_CLASSES else None)
    for sentence in found.left_out:
        yield Finding('warning', f'{split}: {sentence}')
    if found.without:
        yield Finding(
            'warning' if found.pairs and split == 'training' else 'error',
            f'{split}: expected a label map annotations/{split}/<name>.png for every image, found '
            f'none for {len(found.without):,}: {some(found.without)}.',
        )
    if found.spare:
        yield Finding(
            'warning', f'{split}: {len(found.spare):,} label maps have no image: '
            f'{some(found.spare)}.',
        )  # fmt: skip
