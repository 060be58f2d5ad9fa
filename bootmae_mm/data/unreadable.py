"""Files that cannot be read: in training replaced and reported, in evaluation an error."""

from contextlib import nullcontext

import numpy as np
from PIL import Image

from .errors import DataError
from .loading import read_image
from .reading import UnreadableImage
from .sampling import SampleKey, seeded
from .search import warn

MAX_UNREADABLE = 100  # tried in place of one


class ReplacesUnreadable:
    """For a data set of mmengine's base class, to stand before it in the list of bases.

    In training a sample whose image or label map cannot be read is replaced by one drawn at random,
    always the same one for the same :class:`.SampleKey` or index, so that batches keep their size.
    What was replaced or converted is noted in the sample's ``image_issues``, a list of ``(path,
    what, why)``, for :class:`~bootmae_mm.monitors.image_report.ImageReportHook`. With ``test_mode``
    nothing is replaced.

    Any loader will do: what the pipeline fails on is looked at anew, and only where a file is found
    unreadable is it the file's fault.

    Given a :class:`.SampleKey` for an index, the sample is drawn with the key's own randomness.

    Raises:
        ValueError: In use, if 100 tries in a row find nothing readable; with ``test_mode``, if a
            file cannot be read.
    """

    takes_keys = True  # for samplers that hand out sample keys

    def prepare_data(self, idx: SampleKey | int) -> dict:
        """The sample of a key or of a bare index."""
        key = idx if isinstance(idx, SampleKey) else None
        index, replacement, issues = key.index if key else int(idx), None, []
        for _ in range(MAX_UNREADABLE):
            info = self.get_data_info(index)
            try:
                with seeded(key) if key else nullcontext():
                    sample = self.pipeline(info)
            except Exception as error:  # loaders raise almost anything
                path, reason = unreadable_file(info, error)
                if self.test_mode:
                    raise unreadable_in_evaluation(path, reason) from error
                issues.append((path, 'skipped', reason))
                replacement = replacement or np.random.default_rng(key or index)
                index = int(replacement.integers(len(self)))
                continue
            if not self.test_mode:
                note(sample, info, issues)
            return sample
        raise DataError(
            f'Expected readable images, found none among {len({path for path, *_ in issues})} '
            f'files, the last {issues[-1][0]!r} ({issues[-1][2]}); check '
            f'data_root={self.data_root!r}.'
        )


def unreadable_in_evaluation(path: str, reason: str) -> DataError:
    """What to say of a file that a number was to be measured with."""
    return DataError(
        f'Expected every file readable that is evaluated on, found {path!r} that is not '
        f'({reason}); copy or unpack it again, or remove it.'
    )


def unreadable_file(info: dict, error: Exception) -> tuple[str, str]:
    """Path and reason of the file for which a pipeline failed; if none is to blame, the pipeline's
    own error is raised again."""
    for name, read in (('img_path', read_image), ('seg_map_path', read_labels)):
        if path := info.get(name):
            try:
                read(path)
            except UnreadableImage as reason:
                return path, str(reason)
    if isinstance(error, UnreadableImage):  # but a moment later it could be read
        return info['img_path'], str(error)
    raise error


def read_labels(path: str) -> None:
    """Decode a label map.

    Raises:
        UnreadableImage: If it cannot be decoded, with the reason.
    """
    try:
        with Image.open(path) as file:
            file.load()
    except Exception as error:  # decoders of damaged files raise almost anything
        raise UnreadableImage(f'{type(error).__name__}: {error}') from error


def note(sample: dict | None, info: dict, issues: list[tuple]) -> None:
    """Put what was met on the way into a sample; into the log, where that has no place for it."""
    if changed := conversion(info):
        issues.append((info['img_path'], 'converted', changed))
    data_sample = sample.get('data_samples') if isinstance(sample, dict) else None
    if data_sample is not None:
        data_sample.set_metainfo(dict(image_issues=issues))
        return
    for path, what, why in issues:
        warn(f'{path}: {what} ({why}).')


def conversion(info: dict) -> str:
    """What loading changed in an image that is not plain 8-bit RGB, or is a single pixel; else
    nothing."""
    mode = info.get('image_mode', 'RGB')
    notes = [f'{mode} to RGB'] if mode != 'RGB' else []
    if info.get('ori_shape') == (1, 1):
        notes.append('a single pixel, enlarged')
    return ', '.join(notes)
