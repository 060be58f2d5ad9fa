"""Label maps on disk: which one goes with which picture, how it is read, and what its values mean.

The same for training, for the checks before it and for probes.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .files import IMAGE_EXTENSIONS, Listing, list_images, some
from .reading import UnreadableImage, upright, upright_size

IGNORED = 255  # the label of pixels without loss
NO_LABEL_OF_16_BITS = 65535


class UnreadableFile(ValueError):
    """A picture or label map that cannot be decoded; the message is a sentence that names it."""


class LabelPairs(NamedTuple):
    """Pictures with their label maps, as paths.

    Attributes:
        pairs: Picture and label map, sorted by the picture; None where labels are not asked for.
        without: Pictures that have no label map.
        spare: Label maps that have no picture.
        left_out: What the folder of pictures holds that is no picture, in sentences.
    """

    pairs: list[tuple[str, str | None]]
    without: list[str]
    spare: list[str]
    left_out: list[str]

    def told(self) -> list[str]:
        """What takes no part and why, one sentence for each kind."""
        sentences = list(self.left_out)
        if self.without:
            sentences.append(
                f'{len(self.without):,} of {len(self.without) + len(self.pairs):,} pictures have '
                f'no label map and are left out: {some(self.without)}.'
            )
        if self.spare:
            sentences.append(
                f'{len(self.spare):,} label maps have no picture and are left out: '
                f'{some(self.spare)}.'
            )
        return sentences


def pair_label_maps(
    images: str | Path,
    maps: str | Path | None,
    image_suffix: str = '',
    map_suffix: str = '',
    names: Sequence[str] | None = None,
) -> LabelPairs:
    """Match the pictures of a folder, and of those below it, with the label maps of another one:
    by their paths in the folders without suffix.

    Args:
        images: Folder of pictures.
        maps: Folder of label maps; may be the same one where suffixes tell the two apart. None
            where labels are not asked for.
        image_suffix: How the names of pictures end, such as ``_leftImg8bit.png``; by default any
            ending of an image file, in any case.
        map_suffix: The same for label maps.
        names: The pictures to take, without suffix; by default all.

    Raises:
        ValueError: If two files have one name, pictures and label maps cannot be told apart, or a
            named picture is not there.
    """
    same = maps is not None and os.path.realpath(images) == os.path.realpath(maps)
    if same and image_suffix == map_suffix:
        raise ValueError(
            'Expected endings that tell pictures and label maps in one folder apart, found none '
            f"for {str(images)!r}; set img_suffix and seg_map_suffix, as to '.jpg' and '.png'."
        )
    pictures, listing = _by_stem(images, image_suffix)
    left_out, all_stems = [f'{images}: {told}' for told in listing.left_out()], {*pictures}
    if names is not None:
        missing = [name for name in names if name not in pictures]
        if missing:
            raise ValueError(
                f'Expected every picture that the list names in {str(images)!r}, found '
                f'{len(missing):,} of {len(names):,} missing: {some(missing)}; correct the list '
                '(names without suffix), or unpack the data again.'
            )
        pictures = {name: pictures[name] for name in names}
    if maps is None:
        return LabelPairs([(path, None) for path in pictures.values()], [], [], left_out)
    labels, _ = _by_stem(maps, map_suffix)
    return LabelPairs(
        [(path, labels[stem]) for stem, path in pictures.items() if stem in labels],
        [path for stem, path in pictures.items() if stem not in labels],
        [path for stem, path in labels.items() if stem not in all_stems],
        left_out,
    )


def _by_stem(folder: str | Path, suffix: str) -> tuple[dict[str, str], Listing]:
    """Paths of the image files of a folder by their names without suffix."""
    listing = list_images(folder, [suffix.lower()] if suffix else IMAGE_EXTENSIONS)
    if suffix:  # whose choice it is to leave the others out
        listing = listing._replace(others=[])
    found: dict[str, str] = {}
    for name in listing.images:
        stem = name[: -len(suffix)] if suffix else os.path.splitext(name)[0]
        if stem in found:
            raise ValueError(
                f'Expected one file called {stem!r} in {str(folder)!r}, found '
                f'{os.path.basename(found[stem])} and {os.path.basename(name)}; move one away, or '
                'set img_suffix and seg_map_suffix to the endings to take.'
            )
        found[stem] = os.path.join(folder, name)
    return found, listing


def read_label_map(path: str | Path) -> np.ndarray:
    """The values of a label map as it is stored, ``(H, W)`` of integers, turned as its EXIF asks.

    Grey images of 1, 8 and 16 bits and palette images (their indices) are labels, and so is RGB
    whose channels are all the same. 65535, the highest of 16 bits, is 255.

    Raises:
        UnreadableFile: If the file cannot be decoded, with the reason.
        ValueError: If it holds no labels.
    """
    try:
        with Image.open(path) as file:
            kind, image = file.format, upright(file)
    except Exception as error:  # decoders of damaged files raise almost anything
        reason = ' '.join(str(error).split()).rstrip('.')
        raise UnreadableFile(
            f'Expected an image with labels, found {str(path)!r} that cannot be decoded '
            f'({type(error).__name__}: {reason}); copy or unpack it again.'
        ) from error
    if kind in ('JPEG', 'MPO'):
        raise ValueError(
            f'Expected a label map as PNG, found the JPEG {str(path)!r}, whose values compression '
            'has changed; write it anew from its source.'
        )
    labels = np.asarray(image)
    if labels.ndim == 3:
        colours = labels[..., :3] if image.mode in ('RGB', 'RGBA') else labels[..., :1]
        if (colours != colours[..., :1]).any():
            raise ValueError(
                f'Expected one channel of labels, found colours ({image.mode}) in {str(path)!r}; '
                'convert them to class numbers.'
            )
        labels = colours[..., 0]
    if labels.dtype.kind not in 'bui':
        raise ValueError(
            f'Expected whole numbers as labels, found {image.mode} in {str(path)!r}; convert them '
            'to class numbers of 8 bits.'
        )
    labels = labels.astype(np.int64)
    return np.where(labels == NO_LABEL_OF_16_BITS, IGNORED, labels)


def learned_labels(
    stored: np.ndarray, reduce_zero_label: bool, label_map: dict[int, int] | None = None
) -> np.ndarray:
    """What a run makes of the values of a label map, as mmseg does.

    Args:
        stored: Integers of any shape.
        reduce_zero_label: Whether 1 is taken off every label and 0 is turned into 255.
        label_map: New labels for old ones, of a part of a data set's classes; by default none.
    """
    labels = stored
    if reduce_zero_label:
        labels = np.where(np.isin(stored, (0, IGNORED)), IGNORED, stored - 1)
    mapped = labels.copy()
    for old, new in (label_map or {}).items():
        mapped[labels == old] = new
    return mapped


def check_size(
    label_map: str | Path, size: Sequence[int], picture: str | Path, expected: Sequence[int]
) -> None:
    """Check that a label map is as large as its picture.

    Args:
        label_map: Its path, for the message.
        size: Its height and width in pixels.
        picture: Path of the picture.
        expected: The picture's height and width, upright.

    Raises:
        ValueError: If it is not; where the picture has this size as it is stored, before EXIF turns
            it, the sentence says so.
    """
    (height, width), (picture_height, picture_width) = size[:2], expected[:2]
    if (height, width) == (picture_height, picture_width):
        return
    turned = (width, height) == (picture_height, picture_width) and is_on_its_side(picture)
    upright, advice = '', 'write it at the size of its picture'
    if turned:
        upright = ', which its EXIF turns upright'
        advice = 'turn the label map, too, or take the orientation out of the picture'
    raise ValueError(
        f'Expected a label map of {picture_width} × {picture_height} pixels for {str(picture)!r}'
        f'{upright}, found {width} × {height} in {str(label_map)!r}; {advice}.'
    )


def is_on_its_side(path: str | Path) -> bool:
    """Whether a picture is stored with width and height swapped, as EXIF tells."""
    try:
        with Image.open(path) as file:
            return file.size != upright_size(path)
    except (OSError, UnreadableImage):  # a damaged file is told of elsewhere
        return False
