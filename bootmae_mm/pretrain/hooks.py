"""What happens around the training step: one hook, one job."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch.nn.utils import get_total_norm

from ..engine.log_interval import log_interval
from ..engine.total_batch import accumulated_batches
from ..engine.wrapping import unwrap
from . import schedules
from .bootmae import BootMAE
from .teacher import MomentumTeacher


def require_bootmae(runner: Runner, hook: Hook) -> BootMAE:
    """The algorithm, for a hook that can do with no other.

    Raises:
        ValueError: If it is another one.
    """
    model = unwrap(runner.model)
    if not isinstance(model, BootMAE):
        name = type(hook).__name__
        raise ValueError(
            f'Expected a BootMAE model for {name}, found {type(model).__name__}; leave {name} out '
            'of custom_hooks.'
        )
    return model


@HOOKS.register_module()
class MomentumTeacherHook(Hook):
    """Moves the momentum teacher: once per optimiser step, and only when the step was taken.

    A fresh run starts from an exact copy of the student, also after ``load_from``; a resumed one
    keeps the teacher of the checkpoint. Under gradient accumulation, and when a float16 step is
    skipped for an overflow, the teacher stays. Does nothing with a frozen teacher or none.

    Args:
        milestones: ``(epoch, decay)`` pairs, see :func:`.schedules.teacher_decay`; the decay is set
            at the start of every epoch, as in the paper.
        memory: In place of milestones, for runs of any length: ``(share of the run, memory)``
            pairs, see :func:`.schedules.decay_of_memory`; the decay is set at every step.

    Raises:
        ValueError: If not one of the two is given.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        milestones: Sequence[tuple[float, float]] | None = None,
        memory: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        if (milestones is None) == (memory is None):
            raise ValueError(
                'Expected either milestones or memory for MomentumTeacherHook, found '
                f'milestones={milestones} and memory={memory}; set the other one to None.'
            )
        self.milestones = milestones
        self.memory = memory

    def before_train(self, runner: Runner) -> None:
        """Copy the student if the run is fresh, and follow the optimiser."""
        model = require_bootmae(runner, self)
        if not isinstance(model.teacher, MomentumTeacher):
            return
        if runner.iter == 0:
            model.teacher.copy_from(model.backbone)
        update = model.teacher.follow(model.backbone)

        def follow(optimizer, args, kwargs) -> None:
            # A fused optimiser skips an overflowing float16 step inside itself.
            overflow = getattr(optimizer, 'found_inf', None)
            if overflow is None or not overflow.item():
                update()

        runner.optim_wrapper.optimizer.register_step_post_hook(follow)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the decay of this epoch."""
        teacher = unwrap(runner.model).teacher
        if isinstance(teacher, MomentumTeacher) and self.milestones is not None:
            teacher.decay = schedules.teacher_decay(runner.epoch, self.milestones)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the decay of this step."""
        teacher = unwrap(runner.model).teacher
        if isinstance(teacher, MomentumTeacher) and self.memory is not None:
            accumulated = accumulated_batches(runner)
            step, steps = runner.iter // accumulated, runner.max_iters // accumulated
            teacher.decay = schedules.decay_of_memory(step, steps, self.memory)


@HOOKS.register_module()
class FeatureWeightHook(Hook):
    """Sets the weight λ of the feature loss at the start of every epoch.

    Args:
        weight: λ after the ramp.
        ramp: Share of the run over which λ grows linearly, a quarter in the release; 0 for none.
        by_epoch: False sets it at every step instead, for runs of few epochs.
    """

    priority = 'NORMAL'

    def __init__(self, weight: float = 1.0, ramp: float = 0.25, by_epoch: bool = True) -> None:
        self.weight = weight
        self.ramp = ramp
        self.by_epoch = by_epoch

    def before_train(self, runner: Runner) -> None:
        """Look whether there is a feature loss to weigh."""
        require_bootmae(runner, self)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the weight of this epoch."""
        if self.by_epoch:
            self.set(runner, runner.epoch, runner.max_epochs)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Set the weight of this step."""
        if not self.by_epoch:
            self.set(runner, runner.iter, runner.max_iters)

    def set(self, runner: Runner, done: int, length: int) -> None:
        """The weight after so many epochs or steps of a run's."""
        weight = schedules.feature_weight(done, self.ramp * length, self.weight)
        unwrap(runner.model).feature_weight = weight


@HOOKS.register_module()
class GradNormHook(Hook):
    """Logs the norm of the whole gradient, once every ``interval`` optimiser steps.

    Args:
        interval: Steps between two measurements; the logger's interval by default.
    """

    priority = 'NORMAL'
    changes_training = False

    def __init__(self, interval: int | None = None) -> None:
        self.interval = interval
        self.num_steps = 0

    def before_train(self, runner: Runner) -> None:
        """Measure just before the optimiser uses the gradients."""
        interval = self.interval or log_interval(runner)

        def measure(optimizer, args, kwargs) -> None:
            self.num_steps += 1
            if self.num_steps % interval and self.num_steps != 1:
                return
            params = (p for group in optimizer.param_groups for p in group['params'])
            norm = get_total_norm([p.grad for p in params if p.grad is not None])
            runner.message_hub.update_scalar('train/grad_norm', norm.item())

        runner.optim_wrapper.optimizer.register_step_pre_hook(measure)
