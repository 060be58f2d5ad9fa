"""tools/visualize.py: which pictures a config calls for, and its messages."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from torch import nn

from bootmae_mm.visualization.images import Picture
from bootmae_mm.visualization.outlines import label_regions, outlined
from bootmae_mm.visualization.predictions import Predictor, instance_regions
from tests.helpers.dense_data import tiny_det, tiny_seg, write_ade20k, write_coco
from tests.helpers.images import write_images
from tests.helpers.labelled_data import load_tool, tiny_run, write_pictures
from tests.helpers.models import build_tiny
from tests.helpers.runs import run_config


@pytest.fixture(scope='module')
def tool():
    return load_tool('visualize')


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory) -> Path:
    """A folder with a pretraining config, weights for it, and three images."""
    folder = tmp_path_factory.mktemp('pretrained')
    cfg = run_config(write_images(folder / 'images', 3), folder / 'run')
    cfg.dump(folder / 'config.py')
    model = build_tiny(data_preprocessor=cfg.model.data_preprocessor)
    torch.save(model.state_dict(), folder / 'weights.pth')
    return folder


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_pretraining_model(tool, pretrained, tmp_path, capsys):
    command = ['model', str(pretrained / 'config.py'), str(pretrained / 'weights.pth')]
    tool.main([*command, str(pretrained / 'images'), '--out', str(tmp_path), '--count', '2'])
    names = ['reconstruction', 'cosine', 'pca', 'attention']
    assert {path.stem for path in tmp_path.glob('*.png')} == {*names}
    columns = ['original', 'masked', 'reconstruction', 'pasted']
    stems = {f'{number}_{column}' for number in ('01_000', '02_002') for column in columns}
    assert {path.stem for path in (tmp_path / 'reconstruction').iterdir()} == stems
    assert read(tmp_path / 'reconstruction/02_002_pasted.png').shape == (32, 32, 3)
    page = (tmp_path / 'pictures.html').read_text()
    assert page.count('<h2>') == len(names)
    assert page.count('<img ') == 2 * (4 + 2 + 2 + 4)
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert 'true patch, which the model was not told and did not predict' in page
    said = capsys.readouterr().out
    assert '2 of 3 images are drawn' in said and 'pictures.html' in said


def test_another_seed_draws_other_masks(tool, pretrained, tmp_path):
    command = ['model', str(pretrained / 'config.py'), str(pretrained / 'weights.pth')]
    image = str(pretrained / 'images/001.png')
    masked = []
    for name, seed in (('a', '0'), ('b', '0'), ('c', '1')):
        tool.main([*command, image, '--out', str(tmp_path / name), '--seed', seed])
        masked.append(read(tmp_path / name / 'reconstruction/01_001_masked.png'))
    assert np.array_equal(masked[0], masked[1]) and not np.array_equal(masked[0], masked[2])


def test_a_classifier_with_an_encoder_of_pretraining(tool, pretrained, tmp_path):
    """Its features are those of the pretraining model."""
    cfg = tiny_run(
        'finetune/bootmae_vitb_finetune_100e',
        write_pictures(tmp_path / 'data', 1),
        tmp_path / 'run',
    )
    cfg.model.data_preprocessor.update(mean=[127.5] * 3, std=[127.5] * 3)
    cfg.dump(tmp_path / 'config.py')
    for name, path in (('own', pretrained), ('classifier', tmp_path)):
        command = ['model', str(path / 'config.py'), str(pretrained / 'weights.pth')]
        tool.main([*command, str(pretrained / 'images'), '--out', str(tmp_path / name)])
    files = {path.name for path in (tmp_path / 'classifier').iterdir()}
    assert files == {'pca', 'pca.png', 'attention', 'attention.png', 'pictures.html'}
    for name in ('pca', 'attention'):
        pages = [read(tmp_path / kind / f'{name}.png') for kind in ('own', 'classifier')]
        assert np.abs(pages[0].astype(int) - pages[1]).max() <= 1


def dense_model(cfg: Config, folder: Path) -> nn.Module:
    """A model of a config, whose config and weights are written to a folder."""
    cfg.dump(folder / 'config.py')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    torch.manual_seed(0)
    for param in model.parameters():
        nn.init.normal_(param, std=0.2)
    return model


def test_a_segmentor_outlines_its_classes(tool, tmp_path):
    """They are the classes that mmseg's own inference finds."""
    from mmseg.apis import inference_model

    root = write_ade20k(tmp_path / 'ade', 1)
    cfg = tiny_seg(root, tmp_path / 'run')
    model = dense_model(cfg, tmp_path).eval()
    image = root / 'images/validation/0.jpg'
    pixels = read(image)
    model.cfg = Config(dict(test_pipeline=cfg.test_dataloader.dataset.pipeline))
    del model.cfg.test_pipeline[2:4]  # labels and their check

    def inferred(name: str) -> torch.Tensor:
        with DefaultScope.overwrite_default_scope('mmseg'):
            return getattr(inference_model(model, pixels[..., ::-1].copy()), name).data

    typical = inferred('seg_logits').flatten(1).median(dim=1).values
    model.decode_head.conv_seg.bias.data -= typical  # so that it finds more than one class
    labels = inferred('pred_sem_seg')[0].numpy()
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    command = ['model', str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth')]
    tool.main([*command, str(image), '--out', str(tmp_path / 'out')])
    painted = read(tmp_path / 'out/predictions/01_0_prediction.png')
    metainfo = Predictor(cfg, str(tmp_path / 'weights.pth')).metainfo
    assert len({*labels.flat}) > 1
    assert np.array_equal(painted, outlined(pixels, label_regions(labels, metainfo)))
    assert 'Classes: wall, building, sky.' in (tmp_path / 'out/pictures.html').read_text()


def test_a_detector_outlines_what_it_finds(tool, tmp_path):
    """The instances are those of mmdet's own inference, and only those above the least score are
    shown, the best above the others."""
    from mmdet.apis import inference_detector

    root = write_coco(tmp_path / 'coco', 1)
    cfg = tiny_det(root, tmp_path / 'run')
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    model = dense_model(cfg, tmp_path).eval()
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    image = root / f'val2017/{0:012}.jpg'
    pixels = read(image)
    model.cfg = cfg
    with DefaultScope.overwrite_default_scope('mmdet'):
        expected = inference_detector(model, pixels[..., ::-1].copy()).pred_instances
    predictor = Predictor(cfg, str(tmp_path / 'weights.pth'))
    found = predictor(Picture(str(image), pixels)).pred_instances
    assert len(expected) > 0 and found.scores.shape == expected.scores.shape
    torch.testing.assert_close(found.bboxes, expected.bboxes)
    assert torch.equal(found.masks, expected.masks)

    command = ['model', str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'), str(image)]
    scores = expected.scores
    for name, score in dict(all=-1.0, some=scores.median().item(), none=1.0).items():
        tool.main([*command, '--out', str(tmp_path / name), '--min-score', str(score)])
        (path,) = (tmp_path / name / 'predictions').glob('*_prediction.png')
        kept = expected[scores >= score]
        kept = kept[kept.scores.argsort()]
        regions = instance_regions(kept, pixels.shape[:2], predictor.metainfo)
        assert np.array_equal(read(path), outlined(pixels, regions))
    assert 'a score of at least -1.0' in (tmp_path / 'all/pictures.html').read_text()


def test_masks_of_images_and_of_made_up_pictures(tool, tmp_path):
    folder = write_images(tmp_path / 'images', 1)
    options = ['--grid', '6', '--num-masked', '20', '--patch-size', '5']
    tool.main(['masks', *options, '--out', str(tmp_path / 'own'), '--', str(folder)])
    tool.main(['masks', *options, '--out', str(tmp_path / 'made'), '--count', '2'])
    assert {path.name for path in (tmp_path / 'own/masks').iterdir()} == {
        f'01_000_{name}.png' for name in ('original', 'random_mask', 'block_wise_mask')
    }
    for path in (tmp_path / 'made/masks').glob('*_mask.png'):
        assert (read(path)[::5, ::5] == 127).all(-1).sum() >= 20
    assert len(list((tmp_path / 'made/masks').iterdir())) == 6
    page = (tmp_path / 'made/pictures.html').read_text()
    assert 'Fig. 2' in page
    assert '<h1>Mask strategies</h1>' in page and '<h2' not in page


@pytest.mark.parametrize(
    'arguments, message',
    [
        ('model CONFIG WEIGHTS nowhere', "Expected image files .* found nothing at 'nowhere'"),
        ('model CONFIG CONFIG IMAGES', 'Expected a checkpoint of tensors'),
        ('model CONFIG no.pth IMAGES', "found no file 'no.pth'"),
        ('model CONFIG WEIGHTS IMAGES --count 0', '--count expects a number from 1 up, found 0'),
        (
            'model CONFIG WEIGHTS IMAGES --cfg-options model.backbone.arch.num_layers=2',
            'Expected all .* tensors of this BootMAE',
        ),
        (
            'model CONFIG WEIGHTS IMAGES --cfg-options train_dataloader.dataset.pipeline.2.grid=3',
            'A mask must hide at least 1 and at most 8',
        ),
        ('masks IMAGES --grid 4', 'found num_masked=147'),
        ('masks --grid 0', '--grid expects a number from 1 up, found 0'),
        ('', 'the following arguments are required: model . masks'),
    ],
)
def test_messages(tool, pretrained, arguments, message, tmp_path, capsys):
    places = dict(CONFIG='config.py', WEIGHTS='weights.pth', IMAGES='images')
    argv = [str(pretrained / places[x]) if x in places else x for x in arguments.split()]
    with pytest.raises(SystemExit) as stop:
        tool.main(argv + (['--out', str(tmp_path)] if argv else []))
    assert stop.value.code == 2
    *before, last = capsys.readouterr().err.strip().splitlines()
    assert re.search(message, last)
    if ': error: Expected' in last:  # found while drawing: not a matter of usage
        assert not any('usage' in line for line in before)
    assert not list(tmp_path.iterdir())
