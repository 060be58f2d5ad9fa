"""Which part of the model a value that is not finite comes from.

But for :func:`in_weights` all of it may take long: it runs once, before a run is stopped.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`.
"""

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.optim import Optimizer

from ...pretrain.bootmae import BootMAE
from .measures import norms

PARTS = dict(
    backbone='student encoder', regressor='regressor', predictor='predictor', teacher='teacher'
)
LOSSES = dict(L_pixel='pixel loss', L_feature='feature loss')
LARGEST = 1e15  # the sum of 1e8 squares of it is float32's largest number


class Cause(NamedTuple):
    """The part that a fault is in, by its name in the paper, and what was found there."""

    part: str
    detail: str


def find_cause(
    model: BootMAE, images_BCHW: Tensor, samples: list[DataSample], optimizer: Optimizer
) -> Cause:
    """Where a loss that is not finite comes from: images, weights or a module's output.

    Has to be called by all processes, and tells all of them the same.
    """
    cause = first_of_all(in_images(images_BCHW, samples))
    cause = cause or in_weights(model, optimizer)
    cause = cause or first_of_all(in_outputs(model, images_BCHW, samples))
    unknown = Cause('unknown part', 'the same batch gives a finite loss when computed again')
    return cause or unknown


def first_of_all(own: Cause | None) -> Cause | None:
    """The cause that the first process found, of those that found any."""
    return next((cause for cause in all_gather_object(own) if cause), None)


def parts_of(names: Iterable[str]) -> str:
    """The parts that parameters or modules belong to, in the order of the model.

    The teacher follows the student encoder: it is not named beside it.
    """
    found = {name.partition('.')[0] for name in names}
    if 'backbone' in found:
        found.discard('teacher')
    return ' and '.join(part for prefix, part in PARTS.items() if prefix in found)


def in_images(images_BCHW: Tensor, samples: list[DataSample]) -> Cause | None:
    """Images with values that are not finite, with the paths of the first."""
    bad = (~images_BCHW.isfinite().flatten(1).all(1)).nonzero().flatten().tolist()
    if not bad:
        return None
    paths = [str(samples[index].get('img_path')) for index in bad[:3]]
    found = f'{len(bad)} of {len(images_BCHW)} have values that are not finite'
    return Cause('input images', f'{found} ({", ".join(paths)}{", …" * (len(bad) > 3)})')


def in_weights(model: BootMAE, optimizer: Optimizer) -> Cause | None:
    """Parameters, and the optimiser's state of them, whose norm is not finite or beyond 1e15.

    Reads the device once. The norms are averaged over the processes, so that all agree.
    """
    weights = dict(model.named_parameters())
    states = {
        f'{key} of {name}': value
        for name, param in weights.items()
        for key, value in optimizer.state.get(param, {}).items()
        if isinstance(value, Tensor) and value.shape == param.shape
    }
    tensors = {**weights, **states}
    found = norms(tensors.values())
    all_reduce(found, op='mean')
    bad = {
        name: norm
        for name, norm in zip(tensors, found.tolist(), strict=True)
        if not norm <= LARGEST
    }
    if not bad:
        return None
    name, norm = next(iter(bad.items()))
    more = f' (and {len(bad) - 1} more tensors)' * (len(bad) > 1)
    detail = f'{name} has norm {norm:.3g}{more}'
    bad_states = [key.rpartition(' ')[2] for key in bad if key in states]
    bad_weights = [key for key in bad if key in weights]
    if not bad_weights:
        return Cause(f'optimiser state of the {parts_of(bad_states)}', detail)
    if bad_states:  # a step on finite weights and finite gradients leaves both finite
        return Cause(f'gradient of the {parts_of(bad_states)}', f'after an earlier step {detail}')
    return Cause(parts_of(bad_weights), detail)


@torch.no_grad()
def in_outputs(model: BootMAE, images_BCHW: Tensor, samples: list[DataSample]) -> Cause | None:
    """The first module whose output is not finite or beyond 1e15 in a forward pass on a batch; or
    the loss, if none is."""
    found = []

    def look(name: str, module: nn.Module, args: tuple, output: object) -> None:
        value = output[0] if isinstance(output, tuple) else output
        if isinstance(value, Tensor) and value.is_floating_point() and not found:
            largest = value.abs().max().item()
            if not largest <= LARGEST:
                found.append(Cause(parts_of([name]), f'output of {name} has values of {largest:g}'))

    modules = [(name, module) for name, module in model.named_modules() if name]
    hooks = [module.register_forward_hook(partial(look, name)) for name, module in modules]
    try:
        with torch.compiler.set_stance('force_eager'):
            losses = model.loss(images_BCHW, samples)
    finally:
        for hook in hooks:
            hook.remove()
    for key, name in LOSSES.items():
        if key in losses and not losses[key].isfinite() and not found:
            found.append(Cause(name, f'{key}={losses[key].item()} from outputs that are finite'))
    return found[0] if found else None


def in_gradients(
    model: BootMAE, images_BCHW: Tensor, samples: list[DataSample], scale: float
) -> Cause | None:
    """Parameters whose gradient of the scaled loss of a batch is not finite, in any process."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    loss = model.loss(images_BCHW, samples)['loss'] * scale
    grads = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    bad = [
        name
        for name, grad in zip(trained, grads, strict=True)
        if grad is not None and not grad.isfinite().all()
    ]
    cause = Cause(f'gradient of the {parts_of(bad)}', f'({bad[0]} and others)') if bad else None
    return first_of_all(cause)
