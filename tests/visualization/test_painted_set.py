"""Predictions painted into test images by each toolbox's visualizer, each into its own file."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import VISUALIZERS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from PIL import Image

from bootmae_mm.visualization.painted_set import PaintTestSetHook

SIZE = 48, 64  # height and width, upright
META = dict(classes=('cat', 'dog'), palette=[(255, 0, 0), (0, 255, 0)])


def classified() -> DataSample:
    return DataSample().set_pred_score(torch.tensor([0.1, 0.9])).set_pred_label(1)


def segmented() -> SegDataSample:
    return SegDataSample(pred_sem_seg=PixelData(data=torch.ones(1, *SIZE, dtype=torch.long)))


def detected() -> DetDataSample:
    box = torch.tensor([[4.0, 4.0, 30.0, 30.0]])
    found = InstanceData(bboxes=box, labels=torch.tensor([1]), scores=torch.tensor([0.9]))
    return DetDataSample(pred_instances=found)


@pytest.mark.parametrize(
    ('scope', 'visualizer', 'predict'),
    [
        ('mmpretrain', 'UniversalVisualizer', classified),
        ('mmseg', 'SegLocalVisualizer', segmented),
        ('mmdet', 'DetLocalVisualizer', detected),
    ],
)
def test_images_of_one_name_stay_apart(scope, visualizer, predict, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned
    infos, samples = [], []
    for folder, grey in (('a/cat', 40), ('a/dog', 200)):
        path = tmp_path / folder / '0.jpg'
        path.parent.mkdir(parents=True)
        Image.new('RGB', SIZE, (grey,) * 3).save(path, exif=exif)
        infos.append(dict(img_path=str(path)))
        samples.append(predict())
        samples[-1].set_metainfo(dict(img_path=str(path)))
    with DefaultScope.overwrite_default_scope(scope):
        built = VISUALIZERS.build(dict(type=visualizer, name=f'paint_{scope}'))
    built.dataset_meta = META
    dataset = type('Data', (list,), dict(get_data_info=list.__getitem__))(infos)
    runner = SimpleNamespace(visualizer=built, test_dataloader=SimpleNamespace(dataset=dataset))
    hook = PaintTestSetHook(str(tmp_path / 'shown'))
    hook.before_test(runner)
    hook.after_test_iter(runner, 0, outputs=samples)
    painted = sorted((tmp_path / 'shown').rglob('*.*'))
    assert [str(p.relative_to(tmp_path)) for p in painted] == [
        f'shown/{name}/0.jpg.png' for name in ('cat', 'dog')
    ]
    dark, bright = (np.asarray(Image.open(path)) for path in painted)
    assert dark.shape == bright.shape == (SIZE[0], dark.shape[1], 3)
    assert dark.shape[1] % SIZE[1] == 0, "mmdet's shows labels and predictions side by side"
    assert bright[-2:, -2:].mean() - dark[-2:, -2:].mean() > 30
    assert dark.std() > 1, 'something is painted in'
