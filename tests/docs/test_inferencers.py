"""The Python of docs/inference.md, run as it stands there, with small models: mmpretrain's, mmseg's
and mmdet's inferencers predict what the models predict that are called directly."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope
from mmpretrain.apis.model import ModelHub
from PIL import Image
from torch import nn

from bootmae_mm.data.loading import LoadAnyImage
from bootmae_mm.engine.build import replace_sync_batch_norm
from tests.helpers.dense_data import tiny_det, tiny_seg
from tests.helpers.labelled_data import CLASSES, tiny_run
from tests.helpers.models import build_tiny
from tests.helpers.paths import ROOT

PAGE = (ROOT / 'docs/inference.md').read_text()


def snippets() -> dict[str, str]:
    """The page's Python by the heading above it."""
    found = re.findall(r'^## (.+?)$.*?^```python\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with a picture, as the current one."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((78, 54), Image.Resampling.BICUBIC)
    picture.save('picture.jpg', quality=95)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield tmp_path


def prepare(cfg: Config, code: str, model: nn.Module, **meta) -> None:
    """Write config and checkpoint where the code expects them."""
    path, checkpoint = (Path(name) for name in re.findall(r"'(\S+\.(?:py|pth))'", code))
    path.parent.mkdir(parents=True)
    checkpoint.parent.mkdir(parents=True)
    cfg.dump(path)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta)), checkpoint)


def direct_model(cfg: Config) -> nn.Module:
    """The config's model with random weights that differ from those of any other."""
    cfg = cfg.copy()
    replace_sync_batch_norm(cfg.model)
    torch.manual_seed(3)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and 'pos_embed' not in name:
            low, high = (0.5, 1.5) if 'running_var' in name else (-0.15, 0.15)
            tensor.uniform_(low, high)
    return model.eval()


def predict(model: nn.Module, cfg: Config) -> object:
    """The prediction for the picture, by the model's own test step on the config's own pipeline."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        results = dict(img_path='picture.jpg', img_id=0)
        for step in cfg.test_dataloader.dataset.pipeline:
            if step.type not in ('LoadAnnotations', 'CheckSegLabels'):
                results = TRANSFORMS.build(step)(results)
        with torch.no_grad():
            return model.test_step(pseudo_collate([results]))[0]


def test_classification(workplace: Path) -> None:
    code = snippets()['Classification']
    cfg = tiny_run('finetune/bootmae_vitb_finetune_100e', workplace, workplace)
    model = direct_model(cfg)
    prepare(cfg, code, model, classes=CLASSES)
    names: dict = {}
    exec(code, names)
    expected = predict(model, cfg)
    scores = names['classified']['pred_scores']
    np.testing.assert_allclose(scores, expected.pred_score, rtol=0, atol=1e-6)
    assert scores.max() - scores.min() > 0.01
    assert names['classified']['pred_class'] == CLASSES[int(expected.pred_score.argmax())]
    assert (workplace / 'painted/picture.png').is_file()


def test_a_picture_that_is_loaded_already_is_left_as_it_is() -> None:
    """mmpretrain's inferencers hand one over to a pipeline that begins with `LoadAnyImage`."""
    results = dict(img=np.ones((3, 4, 3), dtype=np.uint8), img_shape=(3, 4))
    loaded = LoadAnyImage()(dict(results))
    assert loaded.keys() == results.keys() and loaded['img'] is results['img']


def test_features_of_a_pretraining_checkpoint(workplace: Path) -> None:
    """The mean of the patches' tokens after the block that the config names, normalised."""
    code = snippets()['Features of a pretrained encoder']
    cfg = tiny_run('linear/bootmae_vitb_linear_90e', workplace, workplace)
    cfg.model.backbone.out_indices = [1]
    pretrained = build_tiny(seed=5).eval()
    prepare(cfg, code, pretrained)
    names: dict = {}
    exec(code, names)
    results = dict(img_path='picture.jpg')
    for step in cfg.test_dataloader.dataset.pipeline:
        results = TRANSFORMS.build(step)(results)
    image = (results['inputs'].flip(0).float() - 127.5) / 127.5
    block, _ = pretrained.backbone.encode(image[None], num_blocks=2)
    mean = block[0, 1:].mean(0)
    expected = (mean - mean.mean()) / (mean.var(unbiased=False) + 1e-6).sqrt()
    torch.testing.assert_close(names['features'], expected, rtol=0, atol=1e-5)


def test_segmentation(workplace: Path) -> None:
    code = snippets()['Segmentation']
    cfg = tiny_seg(workplace, workplace)
    model = direct_model(cfg)
    # No class is the likeliest everywhere.
    model.decode_head.conv_seg.bias.data -= predict(model, cfg).seg_logits.data.mean((1, 2))
    palette = [[0, 0, 99], [0, 99, 0], [99, 0, 0]]
    prepare(cfg, code, model, classes=['wall', 'building', 'sky'], palette=palette)
    names: dict = {}
    exec(code, names)
    expected = predict(model, cfg).pred_sem_seg.data[0].numpy()
    assert expected.shape == (54, 78) and len(np.unique(expected)) > 1
    assert (names['labels'] == expected).mean() > 0.999  # ties may fall either way
    assert (workplace / 'painted/vis/picture.jpg').is_file()
    assert (np.array(Image.open('painted/pred/00000000_pred.png')) == names['labels']).all()


def test_detection(workplace: Path) -> None:
    code = snippets()['Detection']
    cfg = tiny_det(workplace, workplace)
    model = direct_model(cfg)
    prepare(cfg, code, model, classes=['person', 'bicycle'])
    names: dict = {}
    exec(code, names)
    expected = predict(model, cfg).pred_instances
    found = names['detected']
    assert len(expected) > 0
    assert found['labels'] == expected.labels.tolist()
    np.testing.assert_allclose(found['scores'], expected.scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found['bboxes'], expected.bboxes, rtol=0, atol=1e-3)
    assert len(found['masks']) == len(expected)
    assert (workplace / 'painted/vis/picture.jpg').is_file()


def test_a_model_by_its_name(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = snippets()['Models by name']
    monkeypatch.setattr(ModelHub, '_models_dict', {})
    cfg = tiny_run('finetune/bootmae_vitb_finetune_100e', workplace, workplace)
    model = direct_model(cfg)
    prepare(cfg, f"'configs/tiny.py' {code}", model)
    entry = '{Name: bootmae_vitb_finetune_100e, Config: configs/tiny.py}'
    (workplace / 'configs/metafile.yml').write_text(f'Models: [{entry}]')
    (workplace / 'model-index.yml').write_text('Import: [configs/metafile.yml]')
    names: dict = {}
    exec(code, names)
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(names['model'](images), model(images))


def test_the_models_of_the_index_have_their_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the page, with the index that is there."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(ModelHub, '_models_dict', {})
    [line] = [x for x in snippets()['Models by name'].splitlines() if 'register_model_index' in x]
    exec(line, dict(ModelHub=ModelHub))
    paths = {name: Path(model.config) for name, model in ModelHub._models_dict.items()}
    assert paths['bootmae_vitb_finetune_100e'] == (
        ROOT / 'configs/finetune/bootmae_vitb_finetune_100e.py'
    )
    assert len(paths) > 60 and all(path.is_file() for path in paths.values())
