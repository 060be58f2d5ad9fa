"""Boxes and masks of instances, for mmdet's detectors: COCO's format as converters write it."""

import os
from collections.abc import Mapping, Sequence

from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS, METRICS

from .coco_file import category_ids, instances_of, number_categories, read_instances
from .label_maps import SegmentationFolders
from .search import warn
from .unreadable import ReplacesUnreadable


@DATASETS.register_module()
class CocoInstances(ReplacesUnreadable, BaseDataset):
    """Images with instances, as mmdet's ``CocoDataset`` has them, of annotations by any converter;
    see :mod:`.coco_file`. Evaluate with :class:`CocoInstancesMetric`.

    Labels are positions in ``metainfo.classes``, whatever the order of the file's categories. What
    is read otherwise than written, and what is left out, is logged.

    Args:
        ann_file: The annotations.
        metainfo: ``classes``, names of categories; by default COCO's 80. As ``palette`` their
            colours in RGB, by default distinct ones.
        data_prefix: ``img``, the folder that the file's names of images start from.
        **kwargs: Those of mmengine's ``BaseDataset``; its ``filter_cfg`` may leave out images of
            training: ``filter_empty_gt`` those without annotations of these classes, ``min_size``
            those with a side below so many pixels.

    Raises:
        ValueError: If the file cannot be understood, a class is not among its categories, or no
            image is left.
    """

    def __init__(
        self,
        ann_file: str,
        metainfo: Mapping | None = None,
        data_prefix: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(
            ann_file=ann_file,
            metainfo=complete(dict(metainfo or {})),
            data_prefix=dict(data_prefix or {'img': ''}),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One entry per image, with its ``instances``."""
        content, repairs = read_instances(self.ann_file, labelled=False)
        categories = category_ids(content, self._metainfo['classes'], self.ann_file)
        labels = {category: label for label, category in enumerate(categories)}
        instances, left_out = instances_of(content, labels)
        for sentence in (*repairs, *left_out):
            warn(f'{self.ann_file}: {sentence}')
        self.annotated = {
            annotation['image_id']
            for annotation in content['annotations']
            if annotation['category_id'] in labels
        }
        return [self._entry(image, instances[image['id']], labels) for image in content['images']]

    def _entry(self, image: Mapping, instances: Sequence[Mapping], labels: Mapping) -> dict:
        return dict(
            img_path=os.path.join(self.data_prefix['img'], image['file_name']),
            img_id=image['id'],
            seg_map_path=None,
            height=image['height'],
            width=image['width'],
            instances=[_instance(annotation, labels) for annotation in instances],
        )

    def filter_data(self) -> list[dict]:
        """Leave out what ``filter_cfg`` says, in training."""
        settings = {} if self.test_mode else self.filter_cfg or {}
        smallest = settings.get('min_size', 0)
        empty, small, kept = 0, 0, []
        for entry in self.data_list:
            if settings.get('filter_empty_gt') and entry['img_id'] not in self.annotated:
                empty += 1
            elif min(entry['width'], entry['height']) < smallest:
                small += 1
            else:
                kept.append(entry)
        if empty or small:
            found = (
                f'{empty:,} images without annotations and {small:,} smaller than {smallest} pixels'
            )
            if not kept:
                raise ValueError(
                    f'Expected images to train on in {self.ann_file!r}, found none but {found} '
                    "(filter_cfg); set metainfo.classes to the file's categories, or min_size."
                )
            warn(f'{self.ann_file}: left out of training are {found}.')
        return kept

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of an image's instances, for mmdet's wrappers."""
        return [instance['bbox_label'] for instance in self.get_data_info(idx)['instances']]


def complete(metainfo: dict) -> dict:
    """What names and colours there are; without names, COCO's, with mmdet's colours."""
    if not metainfo.get('classes'):
        from mmdet.datasets import CocoDataset  # late: others do without mmdet

        metainfo = {**CocoDataset.METAINFO, **metainfo}
    return SegmentationFolders.complete(metainfo)


def _instance(annotation: Mapping, labels: Mapping[int, int]) -> dict:
    """As mmdet's ``LoadAnnotations`` reads it."""
    x, y, width, height = annotation['bbox']
    instance = dict(
        ignore_flag=annotation['iscrowd'],
        bbox=[x, y, x + width, y + height],
        bbox_label=labels[annotation['category_id']],
    )
    if annotation.get('segmentation'):
        instance['mask'] = annotation['segmentation']
    return instance


@METRICS.register_module()
class CocoInstancesMetric(BaseMetric):
    """mmdet's ``CocoMetric`` on annotations that :class:`CocoInstances` reads.

    Args:
        ann_file: The annotations.
        collect_device: See mmengine's ``BaseMetric``.
        prefix: Of the names of the numbers; ``coco`` by default.
        metric, classwise, proposal_nums, iou_thrs, metric_items, format_only, outfile_prefix:
            See ``CocoMetric``.
    """

    default_prefix = 'coco'

    def __init__(
        self,
        ann_file: str,
        metric: str | Sequence[str] = 'bbox',
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thrs: float | Sequence[float] | None = None,
        metric_items: Sequence[str] | None = None,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        from mmdet.datasets.api_wrappers import COCO  # late: others do without mmdet
        from mmdet.evaluation import CocoMetric

        super().__init__(collect_device, prefix)
        self.ann_file = ann_file
        self.metric = CocoMetric(
            metric=metric,
            classwise=classwise,
            proposal_nums=proposal_nums,
            iou_thrs=iou_thrs,
            metric_items=metric_items,
            format_only=format_only,
            outfile_prefix=outfile_prefix,
        )
        self.metric._coco_api = COCO()
        self.metric._coco_api.dataset = read_instances(ann_file, labelled=False).content
        self.metric._coco_api.createIndex()

    def process(self, data_batch: Mapping, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch."""
        self.metric.results = self.results
        self.metric.process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compare all predictions with the annotations."""
        self.metric.dataset_meta = self.dataset_meta
        if self.metric.cat_ids is None:
            self.metric.cat_ids = self._category_ids()
        return self.metric.compute_metrics(results)

    def _category_ids(self) -> list[int]:
        """Of the classes in their order, where mmdet would take the file's order for that of the
        labels. For mmdet's numbers of single classes they have to rise."""
        api = self.metric._coco_api
        ids = category_ids(api.dataset, self.dataset_meta['classes'], self.ann_file)
        if ids != sorted(ids) and not self.metric.format_only:
            ids = number_categories(api.dataset, ids)
            api.createIndex()
        return ids
