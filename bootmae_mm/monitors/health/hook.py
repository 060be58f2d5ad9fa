"""Training that notices when it goes wrong."""

import math
from collections.abc import Callable
from functools import partial

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from ...engine.log_interval import log_interval
from ...engine.wrapping import unwrap
from ...pretrain.bootmae import BootMAE
from ...pretrain.heads import token_std
from ...pretrain.hooks import require_bootmae
from ...pretrain.teacher import MomentumTeacher
from . import diagnosis, measures
from .diagnosis import LOSSES, Cause
from .faults import Faults, NonFiniteTraining


@HOOKS.register_module()
class HealthHook(Hook):
    """Watches losses, weights and the teacher; warns of a fault, and stops the run if it lasts.

    ======================  ==============================================  ====================
    part that is named      fault                                           stops the run
    ======================  ==============================================  ====================
    images, a part of the   a loss, a weight or the optimiser's state is    at once, before a
    model or its gradient   not finite, or the norm of one beyond 1e15      step or a checkpoint
    gradient (float16)      the loss scale is below 1, 17 overflows from    after ``patience``
                            where it began                                  measurements
    teacher features        spread below ``min_spread`` or effective rank   after ``patience``
                            below ``min_rank``                              measurements
    teacher update          no bit of the teacher has changed, though the   after ``patience``
                            student has and an update would change it       measurements
    teacher                 its weights are further than ``max_distance``   after ``patience``
                            from the student's                              measurements
    pixel or feature loss   a spike (:class:`.measures.LossWindow`)         after ``spike_steps``
                                                                            steps in a row
    ======================  ==============================================  ====================

    Every first fault is a warning; the error at the stop names the newest checkpoint from before.

    Losses are looked at in every step, when they are on the host for the log anyway. The rest is
    measured at the logger's interval and in the last step of an epoch, so that no checkpoint is
    written of weights that are not finite. The log gets ``teacher_rank``, ``teacher_image_spread``
    (the spread of the images' mean features) and ``teacher_distance``. All processes see the same
    figures and stop together. Losses and counts are in the checkpoint, under ``health``.

    Args:
        patience: Measurements in a row that stop the run; a large number for warnings alone.

    Raises:
        ValueError: If it is not positive; before training, if the model is no BootMAE.
    """

    priority = 'NORMAL'  # before LoggerHook and CheckpointHook
    changes_training = False

    spike_steps = 100
    # Least spread of the teacher's normalised features. ViT-B begins with 0.46; 0.29 was the least
    # in the demo; 0.001 is the rounding of bfloat16.
    min_spread = 0.02
    # Least effective rank of them. ViT-B begins with 55; 23 was the least in the demo, of width 96;
    # below 2 there are not even two directions.
    min_rank = 2.0
    # Largest ||teacher - student|| / ||student||. The teacher is an average of former students, so
    # that it is at most 2 if the student was never longer than it is now; 0.09 was the most in half
    # a demo.
    max_distance = 2.0

    def __init__(self, patience: int = 3) -> None:
        if patience <= 0:
            raise ValueError(f'patience of HealthHook must be positive, found {patience}.')
        self.patience = patience
        self.loaded = None
        self.measuring = False

    # ------------------------------------------------------------------------------ when it looks

    def before_train(self, runner: Runner) -> None:
        """Begin anew or, in a resumed run, where the checkpoint was; follow losses and teacher."""
        model = require_bootmae(runner, self)
        state = (self.loaded if runner.iter > 0 else None) or {}
        self.faults = Faults(state.get('streaks', {}))
        self.checksums = state.get('checksums')
        losses = state.get('losses', {})
        self.windows = {name: measures.LossWindow(losses.get(name, ())) for name in LOSSES}
        self.interval = log_interval(runner)
        model.check_losses = partial(self.check_losses, runner)
        if model.teacher is not None:
            model.teacher.register_forward_hook(partial(self.keep_features, model.feature_head))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what a checkpoint has of earlier steps."""
        self.loaded = checkpoint.get('health')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put into the checkpoint what later steps are compared with."""
        checkpoint['health'] = dict(
            losses={name: list(window.losses) for name, window in self.windows.items()},
            streaks=self.faults.streaks,
            checksums=self.checksums,
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Decide whether to measure; keep the batch in case its loss is not finite."""
        self.batch = data_batch
        self.measuring = self.every_n_train_iters(runner, self.interval) or self.end_of_epoch(
            runner.train_dataloader, batch_idx
        )

    def keep_features(
        self, head: nn.Module, teacher: nn.Module, args: tuple, features_BKD: Tensor
    ) -> None:
        """When measuring, keep what is needed of the teacher's features."""
        if self.measuring:
            target_BKD = head.target(features_BKD)
            self.rows = measures.sample_rows(target_BKD)
            self.image_spread = token_std(target_BKD.mean(1, keepdim=True))

    def check_losses(self, runner: Runner, losses: dict[str, float]) -> None:
        """Stop the run before the step, where the model's own check would, but with the cause.

        Raises:
            NonFiniteTraining: If a part of the loss is not finite.
        """
        bad = [f'{name}={value}' for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            optimizer = runner.optim_wrapper.optimizer
            cause = diagnose(runner, self.batch, diagnosis.find_cause, optimizer)
            detail = f'{cause.detail}, and {", ".join(bad)}'
            self.faults.stop(runner, Cause(cause.part, detail), NonFiniteTraining)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Compare the losses with those before; measure the rest when it is time to."""
        self.batch = None
        for name in LOSSES:
            if name in outputs:
                self.judge_loss(runner, name, outputs[name])
        if self.measuring:
            self.measuring = False
            self.measure(runner, outputs, data_batch)

    # ----------------------------------------------------------------------------- what it judges

    def judge_loss(self, runner: Runner, name: str, loss: float) -> None:
        """Look for a spike."""
        limit, text = self.windows[name].limit(), None
        if not self.windows[name].add(loss):
            text = f'a spike, {name}={loss:.4g} where up to {limit:.4g} would be usual,'
        self.faults.judge(runner, LOSSES[name], text, self.spike_steps, 'steps')

    def measure(self, runner: Runner, outputs: dict[str, float], data_batch: dict) -> None:
        """Measure the weights, the scale of the loss, and the teacher."""
        model = unwrap(runner.model)
        cause = diagnosis.in_weights(model, runner.optim_wrapper.optimizer)
        if cause:
            self.faults.stop(runner, cause, NonFiniteTraining)
        self.judge_loss_scale(runner, data_batch)
        if model.teacher is not None:
            self.judge_features(runner, outputs['teacher_spread'])
        if isinstance(model.teacher, MomentumTeacher):
            self.judge_teacher(runner, model)

    def judge_loss_scale(self, runner: Runner, data_batch: dict) -> None:
        """Look whether float16 skips one step after the other; some skipped ones are usual."""
        scaler = getattr(runner.optim_wrapper, 'scaler', None)
        scale = scaler.get_scale() if scaler else 1.0
        text = f'overflows have brought the scale of the loss down to {scale:.3g}'
        self.faults.judge(
            runner,
            'gradient',
            text if scale < 1 else None,
            self.patience,
            diagnose=lambda: diagnose(runner, data_batch, diagnosis.in_gradients, scale),
        )

    def judge_features(self, runner: Runner, teacher_spread: float) -> None:
        """Look whether the teacher's features are nearly the same for all patches."""
        rank, image_spread = mean_over_processes(
            measures.effective_rank(self.rows), self.image_spread.item()
        )
        log(runner, teacher_rank=rank, teacher_image_spread=image_spread)
        text = (
            f'nearly the same for all patches, with spread {teacher_spread:.3g} (at least '
            f'{self.min_spread}) and effective rank {rank:.3g} (at least {self.min_rank}),'
        )
        bad = teacher_spread < self.min_spread or rank < self.min_rank
        self.faults.judge(runner, 'teacher features', text if bad else None, self.patience)

    def judge_teacher(self, runner: Runner, model: BootMAE) -> None:
        """Look whether the teacher follows the student, and not too far behind."""
        pair = list(model.teacher.encoder.parameters()), list(model.backbone.parameters())
        decay = model.teacher.decay
        before, now = self.checksums, [measures.checksum(part).item() for part in pair]
        self.checksums = now
        step_taken = before is not None and now[1] != before[1]
        frozen = step_taken and now[0] == before[0] and measures.average_moves(*pair, decay)
        distance, frozen = mean_over_processes(
            measures.relative_distance(*pair).item(), float(frozen)
        )
        log(runner, teacher_distance=distance)
        text = f'{distance:.3g} away from the student (at most {self.max_distance})'
        far = distance > self.max_distance
        self.faults.judge(runner, 'teacher', text if far else None, self.patience)
        if step_taken:
            text = f'none at all, with decay {decay} and at a distance of {distance:.3g},'
            self.faults.judge(runner, 'teacher update', text if frozen else None, self.patience)


def mean_over_processes(*values: float) -> list[float]:
    """The means of values over all processes, the same in each of them."""
    means = torch.tensor(values)
    all_reduce(means, op='mean')
    return means.tolist()


def log(runner: Runner, **values: float) -> None:
    """Have values in the next line of the log."""
    for name, value in values.items():
        runner.message_hub.update_scalar(f'train/{name}', value)


def diagnose(runner: Runner, data_batch: dict, look: Callable, *args) -> Cause | None:
    """``look(model, images, samples, *args)`` on a batch, in the precision of the run."""
    model = unwrap(runner.model)
    with runner.optim_wrapper.optim_context(model):
        data = model.data_preprocessor(data_batch, True)
        return look(model, data['inputs'], data['data_samples'], *args)
