"""Features by encoders of other projects: against these projects' own models."""

from functools import partial
from pathlib import Path

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from bootmae_mm.commands.features.any_encoder import Unseen, open_encoder
from bootmae_mm.commands.features.embedded_features import read_features
from bootmae_mm.commands.features.embedding import embed
from tests.commands.features.embedding_data import (
    IMAGENET,
    MEAN,
    STD,
    close,
    normalised,
    some_model,
    some_pictures,
    some_run,
)
from tests.helpers.conversion_data import pretraining_file
from tests.helpers.models import randomise


@pytest.fixture(scope='module')
def pictures(tmp_path_factory) -> Path:
    return some_pictures(tmp_path_factory.mktemp('data') / 'pictures')


def foreign(kind: str, **options) -> nn.Module:
    """An encoder of mmpretrain, 128 wide, so that it has the usual two heads."""
    arch = dict(embed_dims=128, num_layers=2, num_heads=2, feedforward_channels=256)
    sizes = dict(arch=arch, img_size=32, patch_size=8, out_type='raw')
    return randomise(MODELS.build({'type': kind, **sizes, **options}))


def same_as(model, pictures: Path, file: Path) -> None:
    """Whether a file of features has the class tokens that a function of pictures gives."""
    found = read_features(file, 'class')
    for name, row in zip(found.files, found.values, strict=True):
        with torch.no_grad():
            close(row, model(normalised(pictures / name, *IMAGENET))[0, 0])


def test_a_file_of_timm(pictures, tmp_path):
    timm = pytest.importorskip('timm')
    model = randomise(
        timm.models.vision_transformer.VisionTransformer(
            img_size=32, patch_size=8, embed_dim=128, depth=2, num_heads=2, num_classes=5,
        )
    )  # fmt: skip
    torch.save(model.state_dict(), tmp_path / 'vit.pth')
    told = []
    done = embed(
        pictures, tmp_path / 'vit.pth', tmp_path / 'f.npz', features=['class'], say=told.append
    )
    same_as(model.forward_features, pictures, done.file)
    assert (
        "vit.pth does not say, and assumed are: 2 heads (--num-heads), ImageNet's mean (--mean), "
        "ImageNet's deviation (--std)"
    ) in told


@pytest.mark.parametrize('kind', ['MAEViT', 'BEiTViT'])
def test_files_of_mae_and_beit(pictures, tmp_path, kind):
    """BEiT has relative positions only, of which tables say how many heads there are."""
    model = foreign(kind, **(dict(final_norm=True) if kind == 'BEiTViT' else {}))
    state = {f'backbone.{name}': value for name, value in model.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'vit.pth')
    embed(pictures, tmp_path / 'vit.pth', tmp_path / 'f.npz', features=['class'])
    forward = partial(model, mask=None) if kind == 'MAEViT' else model
    same_as(lambda images: forward(images)[-1], pictures, tmp_path / 'f.npz')


def test_one_of_several_encoders(pictures, tmp_path):
    student, teacher = (randomise(foreign('VisionTransformer'), seed) for seed in (1, 2))
    state = dict(student=student.state_dict(), teacher=teacher.state_dict())
    torch.save(state, tmp_path / 'vit.pth')
    with pytest.raises(ValueError, match="found 'student.' .* choose by prefix"):
        embed(pictures, tmp_path / 'vit.pth', tmp_path / 'f.npz')
    embed(pictures, tmp_path / 'vit.pth', tmp_path / 'f.npz', features=['class'], prefix='teacher.')
    same_as(lambda images: teacher(images)[-1], pictures, tmp_path / 'f.npz')


def test_heads_that_cannot_be_guessed(tmp_path):
    """24 channels are no whole number of usual heads."""
    with pytest.raises(ValueError, match='no known ViT of width 24; give it with --num-heads'):
        open_encoder(pretraining_file(tmp_path))
    opened = open_encoder(pretraining_file(tmp_path), Unseen(num_heads=3))
    assert opened.encoder.backbone['arch']['num_heads'] == 3


def test_what_is_given_or_in_a_run_is_not_assumed(tmp_path):
    model = foreign('VisionTransformer')
    torch.save(model.state_dict(), tmp_path / 'vit.pth')
    opened = open_encoder(tmp_path / 'vit.pth', Unseen(4, MEAN, STD))
    assert opened.encoder.backbone['arch']['num_heads'] == 4 and len(opened.notes) == 1
    assert (opened.encoder.mean, opened.encoder.std) == (MEAN, STD)
    opened = open_encoder(some_run(tmp_path, some_model()))
    assert opened.encoder.checkpoint == tmp_path / 'epoch_10.pth'
    assert opened.encoder.backbone['arch']['num_heads'] == 3 and opened.encoder.mean == MEAN
