"""One probe: all encoders of a run, all labelled data."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from time import monotonic

import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner, set_random_seed
from torch.utils.data import Dataset

from ...engine.datasets import skipped_files
from ...engine.resume import random_state
from ...engine.resume.stopping import StopOnSignalHook, asked_by_launcher
from ...engine.wrapping import unwrap
from ...pretrain.teacher import MomentumTeacher
from .frozen import FrozenEncoder
from .sources import Probe, Source, loader

# A probe may take this share of the time after which waiting processes give up.
SHARE_OF_TIMEOUT = 0.25


class GivenUp(Exception):
    """A probe that is left unfinished; the message says why."""


class TooLong(GivenUp):
    """It would not end before the other processes do."""


@torch.no_grad()
def measure(
    runner: Runner, sources: Sequence[Source], batch_size: int, num_batches: int | None = None
) -> dict[str, float]:
    """What the encoders of student and momentum teacher are worth now.

    Args:
        runner: The runner of pretraining.
        sources: The labelled data.
        batch_size: Images at a time.
        num_batches: So many of each data set, for a trial; None for all.

    Returns:
        The scores of the probes, ``student_knn`` and so on.

    Raises:
        GivenUp: If the run is asked to stop.
        TooLong: If other processes have waited for too long.
        RuntimeError: If features are not finite.
    """
    frozen, stop_if_asked = frozen_encoders(runner), interruption(runner)
    scores = {}
    for source in sources:
        probes = {who: source.probe(encoder) for who, encoder in frozen.items()}
        train, val = (
            islice(batches(runner, dataset, batch_size, stop_if_asked), num_batches)
            for dataset in (source.train, source.val)
        )
        scores.update(scores_of(probes, train, val))
    return scores


def frozen_encoders(runner: Runner) -> dict[str, FrozenEncoder]:
    """``student``, and ``teacher`` where it is a momentum teacher."""
    model = unwrap(runner.model)
    encoders = dict(student=model.backbone)
    if isinstance(model.teacher, MomentumTeacher):
        encoders['teacher'] = model.teacher.encoder
    precision = partial(runner.optim_wrapper.optim_context, model)
    return {who: FrozenEncoder(encoder, precision) for who, encoder in encoders.items()}


def batches(runner: Runner, dataset: Dataset, batch_size: int, stop_if_asked: Callable) -> Iterator:
    """Images and samples of a data set, normalised and on the device."""
    preprocess = unwrap(runner.model).data_preprocessor
    for batch in loader(dataset, batch_size, runner.train_dataloader.num_workers):
        stop_if_asked()
        for path, why in skipped_files(batch):
            runner.logger.warning(f'Probes skip {path}, which cannot be read: {why}')
        data = preprocess(batch, False)
        yield data['inputs'], data['data_samples']


def scores_of(probes: Mapping[str, Probe], train: Iterable, val: Iterable) -> dict[str, float]:
    """Let the probes of all encoders learn and judge the same batches; their scores by
    ``<encoder>_<score>``."""
    for images_BCHW, samples in train:
        for probe in probes.values():
            probe.learn(images_BCHW, samples)
    for probe in probes.values():
        probe.fit()
    for images_BCHW, samples in val:
        for probe in probes.values():
            probe.judge(images_BCHW, samples)
    return {
        f'{who}_{name}': value
        for who, probe in probes.items()
        for name, value in probe.scores().items()
    }


def interruption(runner: Runner) -> Callable[[], None]:
    """A function to call before every batch, which raises :class:`GivenUp` or :class:`TooLong`."""
    stops = [hook for hook in runner.hooks if isinstance(hook, StopOnSignalHook)]
    timeout = runner.cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    begin = monotonic()

    def stop_if_asked() -> None:
        if any(hook.signal for hook in stops) or asked_by_launcher():
            raise GivenUp('the run is asked to stop')
        seconds = monotonic() - begin
        if get_world_size() > 1 and timeout and seconds > SHARE_OF_TIMEOUT * timeout:
            raise TooLong(
                f'it has taken {seconds:.0f} s, and the other processes wait for {timeout} s at '
                'most (env_cfg.dist_cfg.timeout)'
            )

    return stop_if_asked


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Everything within has the same random numbers every time, and nothing outside notices."""
    states = random_state.capture()
    set_random_seed(0)
    try:
        yield
    finally:
        random_state.restore(states)
