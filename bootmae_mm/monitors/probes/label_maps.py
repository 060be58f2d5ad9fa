"""Images and their label maps in two folders; mmseg is not needed."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.registry import DATASETS
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from PIL import Image
from torch.utils.data import Dataset

from ...data.files import some
from ...data.label_files import learned_labels, pair_label_maps, read_label_map
from ...data.loading import read_image
from ...data.reading import UnreadableImage
from ...preflight.data.labels import check_seg_labels
from .segmentation import IGNORED


@DATASETS.register_module()
class LabelMapFolders(Dataset):
    """Images with a label for every pixel, for the segmentation probe.

    ``images/<name>.jpg`` goes with ``labels/<name>.png``, whatever the endings. Both
    are resized as a whole to the encoder's size, images bicubically, labels to the nearest pixel.

    Args:
        images: Folder of images.
        labels: Folder of label maps: one channel of class numbers, 255 for pixels to ignore.
        num_classes: Labels are from 0 to one less.
        img_size: Height and width, or one number for both, in pixels.
        reduce_zero_label: Take 1 off every label and ignore 0 (ADE20K's convention).

    Raises:
        ValueError: If a folder or a label map is missing; in use, if a file cannot be read or a
            label is out of range.
    """

    def __init__(
        self,
        images: str,
        labels: str,
        num_classes: int,
        img_size: int | Sequence[int],
        reduce_zero_label: bool = False,
    ) -> None:
        self.pairs = pairs_of(images, labels)
        self.num_classes = num_classes
        self.reduce_zero_label = reduce_zero_label
        self.height, self.width = (
            (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict:
        """``inputs``, uint8 BGR ``(3, H, W)``, and ``data_samples`` with ``gt_sem_seg``, int64
        ``(1, H, W)``."""
        image, label_map = self.pairs[index]
        try:
            rgb = Image.fromarray(read_image(image)[0])
        except UnreadableImage as reason:
            raise ValueError(f'Expected an image in {image!r}, found {reason}.') from reason
        rgb = rgb.resize((self.width, self.height), Image.Resampling.BICUBIC)
        bgr_HWC = np.ascontiguousarray(np.asarray(rgb)[:, :, ::-1])
        labels_1HW = torch.from_numpy(self.labels_of(label_map))[None]
        return dict(
            inputs=torch.from_numpy(bgr_HWC).permute(2, 0, 1).contiguous(),
            data_samples=DataSample(gt_sem_seg=PixelData(data=labels_1HW)),
        )

    def labels_of(self, path: str) -> np.ndarray:
        """The labels of a file, int64 ``(H, W)``."""
        stored = Image.fromarray(read_label_map(path).astype(np.int32))
        resized = stored.resize((self.width, self.height), Image.Resampling.NEAREST)
        labels_HW = learned_labels(np.asarray(resized).astype(np.int64), self.reduce_zero_label)
        check_seg_labels(labels_HW, self.num_classes, path, IGNORED, self.reduce_zero_label)
        return labels_HW


def pairs_of(images: str, labels: str) -> list[tuple[str, str]]:
    """Paths of images and their label maps, sorted by name.

    Raises:
        ValueError: If there are no images, or one has no label map.
    """
    found = pair_label_maps(images, labels)
    if not found.pairs and not found.without:
        raise ValueError(f'Expected images in {images!r}, found none; correct images.')
    if found.without:
        raise ValueError(
            f'Expected a label map in {labels!r} for every image of {images!r}, found none for '
            f'{len(found.without):,} of {len(found.without) + len(found.pairs):,}: '
            f'{some(found.without)}; correct labels.'
        )
    return found.pairs
