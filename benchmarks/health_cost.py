"""What the health monitor costs, as a share of a training step.

    python benchmarks/health_cost.py [--arch base] [--batch 8] [--dtype float32] [--rounds 3]
                                     [--out DIR]

Steps without the monitor, with it, and with one of its measurements, in turn. Differences of whole
steps drown in noise, so the share is that of the monitor's own calls, timed alone after each step.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import common
import contestants
import pretrain_step
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub, MMLogger
from timing import say
from torch import Tensor

from bootmae_mm.monitors.health.hook import HealthHook

INTERVAL = 50  # steps between two measurements, as in the configs


class Watched:
    """A contestant with the monitor, and how long the monitor's calls take.

    Args:
        ours: The contestant.

    Attributes:
        alone: Seconds of the monitor in each step, without a measurement (False) and with (True).
    """

    def __init__(self, ours: contestants.Contestant) -> None:
        self.ours = ours
        self.hook = HealthHook()
        self.alone: dict[bool, list[float]] = {False: [], True: []}
        self.features = Tensor()
        ours.model.teacher.register_forward_hook(self.keep)
        self.runner = SimpleNamespace(
            model=ours.model,
            optim_wrapper=ours.train.keywords['optim_wrapper'],
            iter=0,
            epoch=0,
            hooks=[LoggerHook(interval=INTERVAL)],
            train_dataloader=range(10**9),
            message_hub=MessageHub.get_instance('health_cost'),
            logger=MMLogger.get_instance('benchmark'),
            work_dir='.',
        )
        self.hook.before_train(self.runner)

    def keep(self, teacher: object, args: tuple, features: Tensor) -> None:
        """Keep the teacher's features, which the monitor samples in the middle of a step."""
        self.features = features

    def step(self, measured: bool) -> None:
        """Take a step as the loop does."""
        self.runner.iter = INTERVAL - 1 if measured else 0
        self.hook.before_train_iter(self.runner, 0, self.ours.data)
        outputs = self.ours()
        self.hook.after_train_iter(self.runner, 0, self.ours.data, outputs)
        for name, window in self.hook.windows.items():  # full, as after the first steps of a run
            window.losses.extend([outputs[name]] * (window.losses.maxlen - len(window.losses)))
        self.alone[measured].append(common.seconds(partial(self.watch, outputs)))

    def watch(self, outputs: dict[str, float]) -> None:
        """What the monitor does in a step, without the step."""
        self.hook.before_train_iter(self.runner, 0, self.ours.data)
        model = self.ours.model
        self.hook.keep_features(model.feature_head, model.teacher, (), self.features)
        self.hook.after_train_iter(self.runner, 0, self.ours.data, outputs)


def measure(arch: str, batch: int, dtype: str, rounds: int) -> list[dict]:
    """The table: a step, a step with the monitor, one with a measurement, and their average.

    Args:
        arch: 'base', 'large', or 'tiny', which is for tests.
        batch: Images in a step.
        dtype: 'float32', or 'bfloat16' for mixed precision.
        rounds: How often each kind of step is taken, after one that does not count.
    """
    ours = contestants.build('ours', arch, batch, dtype)
    watched = Watched(ours)
    names = 'step', 'with the monitor', 'with a measurement'
    steps = dict(
        zip(names, (ours, partial(watched.step, False), partial(watched.step, True)), strict=True)
    )
    whole = common.medians(common.in_turn(steps, rounds))
    for values in watched.alone.values():
        del values[0]  # the warm-up
    alone = common.medians(watched.alone)
    seconds = whole['step']
    average = alone[False] + (alone[True] - alone[False]) / INTERVAL
    case = dict(architecture=arch, precision=dtype, batch=batch)
    monitors = (0.0, alone[False], alone[True], average)
    return [
        dict(
            case,
            kind=name,
            **{
                'monitor, ms': 1000 * monitor,
                'of a step': pretrain_step.percent(monitor / seconds),
            },
            seconds=whole.get(name),
            rounds=rounds,
        )
        for name, monitor in zip(
            (*names, f'average, one of {INTERVAL} measured'), monitors, strict=True
        )
    ]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--arch', choices=sorted(contestants.ARCHS), default='base')
    parser.add_argument(
        '--batch', type=pretrain_step.positive, help='images in a step; 8 on a CPU, 64 on a GPU'
    )
    parser.add_argument('--dtype', choices=pretrain_step.DTYPES, default='float32')
    parser.add_argument('--rounds', type=pretrain_step.positive, default=3)
    parser.add_argument('--out', type=Path, help='folder to write the table into')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = parse_args(argv)
    batch = args.batch or pretrain_step.default_batch()
    rows = measure(args.arch, batch, args.dtype, args.rounds)
    say(common.table(rows))
    if args.out:
        title = 'What the health monitor costs'
        common.write(args.out, 'health_cost', title, {'Health monitor': rows})


if __name__ == '__main__':
    main()
