"""Three steps of pretraining, against the authors' release."""

from collections.abc import Iterator

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ... import checkpoint
from ...checkpoint.differences import largest_relative_difference
from ...encoder import tokens
from ...engine.optim import WeightDecayConstructor
from ...pretrain.bootmae import BootMAE
from ...pretrain.decoder import TargetAwareDecoder
from .golden import GRADIENT_TOLERANCE, OUTPUT_TOLERANCE, Golden, Row, encoder_config


def build_pretraining(meta: dict) -> BootMAE:
    """The algorithm of a golden file's sizes, built through the registry."""
    low, high = meta['feature_layers']
    decoder = dict(type='TargetAwareDecoder', depth=meta['decoder_depth'])
    return MODELS.build(
        dict(
            type='BootMAE',
            backbone=encoder_config(meta),
            regressor=dict(decoder, embed_dims=meta['decoder_dims'], context_layer=low),
            pixel_head=dict(type='PixelHead'),
            predictor=dict(decoder, context_layer=high),
            feature_head=dict(type='FeatureHead'),
            teacher=dict(type='MomentumTeacher'),
            centre_weighting=meta['center_weighted'],
        )
    )


def compare_pretraining(golden: Golden) -> Iterator[Row]:
    """Predictions, targets, weights, losses, gradients, then the optimiser and teacher steps."""
    meta = golden.meta
    model = build_pretraining(meta).to(golden.device).train()
    yield from compare_pos_embeds(model, golden)
    model.load_state_dict(initial_state(golden))
    model.teacher.decay = meta['ema_decay']
    wrapper = WeightDecayConstructor(
        dict(
            optimizer=dict(
                type=meta['optimizer'],
                lr=meta['lr'],
                betas=tuple(meta['betas']),
                weight_decay=meta['weight_decay'],
            )
        )
    )(model)
    for step in range(meta['steps']):
        data = golden.tensors(f'step{step}')
        yield from compare_step(model, data, step, meta['num_masked'])
        wrapper.step()
        wrapper.zero_grad()
        model.teacher.follow(model.backbone)()
    yield from compare_norms(golden, 'final_student_norm', release_parameters(model))
    teacher = dict(model.teacher.encoder.named_parameters())
    yield from compare_norms(
        golden, 'final_teacher_norm', checkpoint.to_release(teacher, checkpoint.ENCODER_NAMES)
    )


def initial_state(golden: Golden) -> dict[str, Tensor]:
    """Student and teacher of a golden file in our layout, complete."""
    state = checkpoint.from_release(golden.tensors('student'))
    teacher = checkpoint.from_release(golden.tensors('teacher'), checkpoint.ENCODER_NAMES)
    return {**state, **{f'teacher.encoder.{name}': value for name, value in teacher.items()}}


def compare_pos_embeds(model: BootMAE, golden: Golden) -> Iterator[Row]:
    """The fixed position embeddings that we compute, against the stored ones."""
    stored = golden.tensors('student')
    for name, ours in (
        ('pos_embed', model.backbone.pos_embed),
        ('de_pos_embed', model.regressor.pos_embed),
    ):
        difference = largest_relative_difference(ours.detach(), stored[name])
        yield Row(f'student {name}', difference, OUTPUT_TOLERANCE)


def compare_step(model: BootMAE, data: dict[str, Tensor], step: int, num_masked: int):
    """Forward and backward of one step against ``data``; leaves the gradients in place."""
    ids_BN = data['ids_shuffle'].long()
    num_visible = ids_BN.shape[1] - num_masked
    samples = [
        DataSample(ids_visible=ids[:num_visible], ids_masked=ids[num_visible:])
        for ids in ids_BN.cpu().numpy()
    ]
    model.feature_weight = float(data['feature_weight'])
    losses = model.loss(data['images'], samples)
    losses['loss'].backward()
    ours = dict(pixel_loss=losses['L_pixel'], feature_loss=losses['L_feature'], loss=losses['loss'])
    ours.update(masks(model, ids_BN[:, num_visible:]))
    if 'pixel_pred' in data:
        ours.update(predictions(model, data['images'], ids_BN, num_visible))
    for name, value in ours.items():
        difference = largest_relative_difference(value.detach(), data[name])
        yield Row(f'step {step} {name}', difference, OUTPUT_TOLERANCE)
    explained = order_follows_blocks(ids_BN, data['block_mask'].flatten(1))
    yield Row(f'step {step} block_mask', 0.0 if explained else float('inf'), OUTPUT_TOLERANCE)
    gradients = {
        name.removeprefix('grad_norm/'): v for name, v in data.items() if name.startswith('grad')
    }
    if gradients:
        ours = checkpoint.to_release({n: p.grad for n, p in trained(model).items()})
        yield from norm_rows(f'step {step} grad norm', ours, gradients)


def masks(model: BootMAE, ids_masked_BM: Tensor) -> dict[str, Tensor]:
    """Mask and token weights over the whole grid."""
    mask_BN = tokens.mask_from_ids(ids_masked_BM, model.grid[0] * model.grid[1])
    weights = torch.zeros(mask_BN.shape, device=mask_BN.device)
    weights.scatter_(1, ids_masked_BM, model.token_weights(ids_masked_BM))
    return dict(mask=mask_BN.unflatten(1, model.grid).float(), token_weight=weights)


def order_follows_blocks(ids_BN: Tensor, block_mask_BN: Tensor, max_roll: int = 3) -> bool:
    """Whether one roll by 0 to ``max_roll`` turns "patches outside the blocks first" into
    ``ids_BN`` for the whole batch (see :func:`.pretrain.masking.order_patches`)."""
    blocked_BN = block_mask_BN.gather(1, ids_BN)
    unrolled = (blocked_BN.roll(-roll, dims=1) for roll in range(max_roll + 1))
    return any(bool((rows.diff(dim=1) >= 0).all()) for rows in unrolled)


@torch.no_grad()
def predictions(
    model: BootMAE, images: Tensor, ids_BN: Tensor, num_visible: int
) -> dict[str, Tensor]:
    """Predictions and targets for all patches, in the grid's order."""
    ids_masked = ids_BN[:, num_visible:]
    encoded = model.encode(images, ids_BN[:, :num_visible])
    restore_BN = ids_BN.argsort(1)

    def in_order(decoder: TargetAwareDecoder) -> Tensor:
        shuffled = model.decode(decoder, encoded, ids_masked, predict_visible=True)
        return tokens.gather(shuffled, restore_BN)

    def as_images(patches_BNP: Tensor) -> Tensor:
        return tokens.unpatchify(patches_BNP.unflatten(2, (3, -1)), model.grid)

    everything = torch.arange(ids_BN.shape[1], device=ids_BN.device).expand_as(ids_BN)
    return dict(
        pixel_pred=as_images(in_order(model.regressor)),
        pixel_target=as_images(model.pixel_head.target(images, everything, model.patch_size)),
        feature_pred=in_order(model.predictor),
        teacher_feature=model.teacher(images, everything),
    )


def trained(model: BootMAE) -> dict[str, Tensor]:
    """The parameters that are trained, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def release_parameters(model: BootMAE) -> dict[str, Tensor]:
    """The student's trained parameters under the release's names."""
    return checkpoint.to_release(trained(model))


def compare_norms(golden: Golden, prefix: str, ours: dict[str, Tensor]) -> Iterator[Row]:
    """L2 norms of ``ours`` against those stored under ``prefix``."""
    stored = {
        name.removeprefix(f'{prefix}/'): array
        for name, array in golden.arrays.items()
        if name.startswith(f'{prefix}/')
    }
    yield from norm_rows(prefix.replace('_', ' '), ours, stored)


def norm_rows(title: str, ours: dict[str, Tensor], golden: dict[str, Tensor]) -> Iterator[Row]:
    """A row per module: the worst parameter in it. A parameter missing on our side fails."""
    worst: dict[str, float] = {}
    for name, norm in golden.items():
        mine = ours[name].detach().double().norm() if name in ours else float('nan')
        module = name.partition('.')[0]
        worst[module] = max(worst.get(module, 0.0), largest_relative_difference(mine, norm))
    for module, difference in worst.items():
        yield Row(f'{title}: {module}', difference, GRADIENT_TOLERANCE)
