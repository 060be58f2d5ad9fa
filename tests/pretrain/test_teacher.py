"""The momentum teacher: where it starts, how it moves, what it sees."""

import pytest
import torch

from bootmae_mm.encoder.vit import BootMAEViT
from bootmae_mm.pretrain.teacher import FrozenTeacher, MomentumTeacher
from tests.helpers.models import build_tiny, same

ARCH = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)


def student(**kwargs) -> BootMAEViT:
    model = BootMAEViT(ARCH, img_size=32, patch_size=8, **kwargs)
    model.init_weights()
    return model


def test_it_is_an_exact_copy_after_initialisation():
    model = build_tiny()
    assert same(model.teacher.encoder, model.backbone)
    model.init_weights()
    assert same(model.teacher.encoder, model.backbone)


def test_update_is_the_exponential_moving_average():
    encoder = student()
    teacher = MomentumTeacher(encoder)
    before = {name: p.clone() for name, p in teacher.encoder.named_parameters()}
    with torch.no_grad():
        for p in encoder.parameters():
            p.add_(torch.randn_like(p))
    teacher.decay = 0.9
    teacher.follow(encoder)()
    students = dict(encoder.named_parameters())
    for name, p in teacher.encoder.named_parameters():
        expected = 0.9 * before[name] + 0.1 * students[name]
        torch.testing.assert_close(p, expected, atol=1e-6, rtol=1e-5)


def test_a_followed_student_is_listed_once_and_the_decay_may_change():
    encoder = student()
    teacher = MomentumTeacher(encoder)
    update = teacher.follow(encoder)
    teacher.encoder.parameters = encoder.parameters = None
    weight, moving = encoder.layers[0].attn.proj.weight, teacher.encoder.layers[0].attn.proj.weight
    start = moving.clone()
    with torch.no_grad():
        weight.add_(1.0)
    for teacher.decay in (0.9, 0.5):
        update()
    torch.testing.assert_close(moving, start + 1 - 0.9 * 0.5)


def test_it_never_trains_and_never_runs_drop_path(images):
    encoder = student(drop_path_rate=0.9)
    teacher = MomentumTeacher(encoder).train()
    ids = torch.arange(16).expand(2, -1)
    assert torch.equal(teacher(images, ids), teacher(images, ids))
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not teacher(images.requires_grad_(), ids).requires_grad


def test_it_sees_the_full_image_by_default(images):
    encoder = student().requires_grad_(False)
    encoder.eval()
    ids = torch.tensor([[3, 8], [0, 15]])
    features, _ = encoder.encode(images)
    expected = torch.stack([features[b, 1 + ids[b]] for b in range(2)])
    torch.testing.assert_close(MomentumTeacher(encoder)(images, ids), expected)


def test_a_share_of_the_image_is_all_it_sees(images):
    encoder = student()
    encoder.eval()
    teacher = MomentumTeacher(encoder, fraction=0.25)
    assert teacher.num_targets(16, 12) == 4
    ids = torch.tensor([[3, 8, 1, 5], [0, 15, 2, 9]])
    features = teacher(images, ids)
    torch.testing.assert_close(features, encoder.encode(images, ids)[0][:, 1:].detach())
    hidden = images.clone()
    hidden[:, :, 24:, :16] = 0  # patches 12 and 13, seen by neither image
    assert torch.equal(teacher(hidden, ids), features)


def test_impossible_shares_are_refused():
    with pytest.raises(ValueError, match='found fraction=0'):
        MomentumTeacher(student(), fraction=0)
    with pytest.raises(ValueError, match='between 1 and 12 of 16, found 14'):
        MomentumTeacher(student(), fraction=0.9).num_targets(16, 12)


def test_a_frozen_teacher_keeps_its_own_weights(tmp_path):
    pretrained = student()
    with torch.no_grad():
        pretrained.cls_token.add_(1)
    path = tmp_path / 'mae.pth'
    torch.save(
        {'state_dict': {f'backbone.{k}': v for k, v in pretrained.state_dict().items()}}, path
    )
    model = build_tiny(teacher=dict(type='FrozenTeacher', checkpoint=str(path)))
    assert isinstance(model.teacher, FrozenTeacher)
    assert same(model.teacher.encoder, pretrained)
