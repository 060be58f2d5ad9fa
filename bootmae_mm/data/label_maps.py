"""Pictures with a label for every pixel: a data set of mmseg's kind for any classes."""

import os
from collections.abc import Iterator, Mapping
from colorsys import hsv_to_rgb

import mmengine
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS

from .files import some
from .label_files import IGNORED, check_size, learned_labels, pair_label_maps, read_label_map
from .search import warn
from .unreadable import ReplacesUnreadable


@DATASETS.register_module()
class SegmentationFolders(ReplacesUnreadable, BaseDataset):
    """Pictures in a folder and below it, and a label map for each in another one.

    ``images/a/b.JPG`` goes with ``annotations/a/b.png``: names without suffix are the same. Label
    maps are grey or palette images with a class number for each pixel, 255 for none. The classes
    are those of ``metainfo``, whatever their names.

    Pictures without a label map are left out of training, with a warning; with ``test_mode`` they
    are an error.

    Args:
        metainfo: ``classes``, the names in the order of their numbers; as ``palette`` their colours
            in RGB, by default distinct ones.
        data_prefix: Folders ``img_path`` and ``seg_map_path``; with None as the latter there are no
            labels, as of pictures to predict for.
        reduce_zero_label: Whether 0 is no label and classes count from 1, as ADE20K has it; if
            not, 0 is the first class.
        img_suffix: How names of pictures end, such as ``_leftImg8bit.png``; by default any usual
            ending, in any case.
        seg_map_suffix: The same for label maps.
        ignore_index: The label of pixels without loss, for the checks; that of mmseg's heads.
        backend_args: Is refused: files are read from local disks.
        **kwargs: Those of mmengine's ``BaseDataset``. ``ann_file`` may list names without suffix,
            one a line, of the pictures to take.

    Raises:
        ValueError: If no classes are named, a folder holds no pictures, none of them has a label
            map, or with ``test_mode`` one has none.
    """

    def __init__(
        self,
        metainfo: Mapping | None = None,
        data_prefix: Mapping[str, str] | None = None,
        reduce_zero_label: bool = True,
        img_suffix: str = '',
        seg_map_suffix: str = '',
        ignore_index: int = IGNORED,
        backend_args: Mapping | None = None,
        **kwargs,
    ) -> None:
        if backend_args:
            raise ValueError(
                f'Expected label maps on a local disk, found backend_args={backend_args!r}; take '
                'mmseg.BaseSegDataset for files elsewhere.'
            )
        self.reduce_zero_label = reduce_zero_label
        self.img_suffix, self.seg_map_suffix = img_suffix, seg_map_suffix
        self.ignore_index, self.label_map = ignore_index, None
        metainfo = self.complete(dict(metainfo or {}))
        prefix = data_prefix or dict(img_path='images', seg_map_path='annotations')
        prefix = {name: folder for name, folder in prefix.items() if folder is not None}
        super().__init__(metainfo=metainfo, data_prefix=prefix, **kwargs)
        self._metainfo.update(label_map=None, reduce_zero_label=reduce_zero_label)

    @classmethod
    def complete(cls, metainfo: dict) -> dict:
        """What names and colours there are, with colours where there are none.

        Raises:
            ValueError: If there are no names, or not as many colours.
        """
        names = metainfo.get('classes')
        if isinstance(names, str) and os.path.isfile(names):  # mmengine's way to name many
            names = mmengine.list_from_file(names)
        if not names or isinstance(names, str):
            raise ValueError(
                'Expected the names of the classes in the order of their numbers, found '
                f"{names!r}; set metainfo=dict(classes=('…', '…')) of the data set."
            )
        palette = metainfo.get('palette') or colours(len(names))
        if len(palette) != len(names):
            raise ValueError(
                f'Expected a colour for each of the {len(names)} classes, found {len(palette)}; '
                "correct the data set's metainfo.palette, or set it to None."
            )
        palette = [tuple(colour) for colour in palette]  # mmdet takes no lists
        return {**metainfo, 'classes': tuple(names), 'palette': palette}

    def load_data_list(self) -> list[dict]:
        """One entry per picture, in sorted order."""
        common = dict(
            label_map=None,
            reduce_zero_label=self.reduce_zero_label,
            num_classes=len(self._metainfo['classes']),
        )
        return [
            dict(img_path=image, **labels, **common, seg_fields=[])
            for image, labels in self._files()
        ]

    def _files(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Paths of pictures, and of their label maps as ``seg_map_path``."""
        images, maps = (
            os.path.expanduser(self.data_prefix.get(key) or '')
            for key in ('img_path', 'seg_map_path')
        )
        names = None
        if self.ann_file:
            names = [line.strip() for line in mmengine.list_from_file(self.ann_file)]
        found = pair_label_maps(images, maps or None, self.img_suffix, self.seg_map_suffix, names)
        if not found.pairs:
            raise ValueError(
                f'Expected pictures in {images!r} with label maps of the same names in {maps!r}, '
                f'found no such pair among {len(found.without):,} pictures ({some(found.without)}) '
                f'and {len(found.spare):,} label maps ({some(found.spare)}); correct data_root and '
                'data_prefix, or set img_suffix and seg_map_suffix to how the names end.'
            )
        if found.without and self.test_mode:
            raise ValueError(
                f'Expected a label map in {maps!r} for every picture to evaluate on, found none '
                f'for {len(found.without):,}: {some(found.without)}; add them, or move these '
                'pictures away.'
            )
        for sentence in found.told():
            warn(sentence)
        for image, path in found.pairs:
            yield image, dict(seg_map_path=path) if path else {}


def colours(count: int) -> list[list[int]]:
    """As many colours in RGB, neighbours in the list far apart: hues in steps of the golden ratio,
    from full to half brightness."""
    golden = (5**0.5 - 1) / 2
    painted = (hsv_to_rgb(n * golden % 1, 0.85, 1 - 0.5 * n / count) for n in range(count))
    return [[round(255 * value) for value in colour] for colour in painted]


@DATASETS.register_module()
class ADE20K(SegmentationFolders):
    """ADE20K: :class:`SegmentationFolders` with the names and colours of its 150 classes, if
    ``metainfo`` has no others."""

    @classmethod
    def complete(cls, metainfo: dict) -> dict:
        """ADE20K's names and colours, where there are none."""
        if not metainfo.get('classes'):
            from mmseg.utils import ade_classes, ade_palette  # late: others do without mmseg

            metainfo = {**metainfo, 'classes': ade_classes(), 'palette': ade_palette()}
        return super().complete(metainfo)


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """Load a label map strictly: a damaged file, colours, a JPEG, or a size that is not the
    picture's are errors.

    Palette images, 16 bits and EXIF's orientation are understood. A picture that has no labels, as
    mmseg's inferencer loads it, passes. **Required keys:** ``seg_map_path``, and
    ``reduce_zero_label``, ``label_map``, ``seg_fields`` as mmseg's data sets give them;
    ``ori_shape``, if the picture is loaded before. **Added keys:** ``gt_seg_map`` (H, W) uint8.

    Raises:
        ValueError: See :func:`.label_files.read_label_map`; or if a label is above 255.
    """

    def transform(self, results: dict) -> dict:
        """Load ``results['seg_map_path']``."""
        path = results.get('seg_map_path')
        if path is None:
            return results
        stored = read_label_map(path)
        if 'ori_shape' in results:
            check_size(path, stored.shape, results['img_path'], results['ori_shape'])
        if stored.max(initial=0) > IGNORED:
            raise ValueError(
                f'Expected labels up to {IGNORED}, found {stored.max()} in {path!r}; number the '
                'classes from 1, or from 0 with reduce_zero_label=False.'
            )
        labels = learned_labels(stored, results['reduce_zero_label'], results.get('label_map'))
        results['gt_seg_map'] = labels.astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')
        return results
