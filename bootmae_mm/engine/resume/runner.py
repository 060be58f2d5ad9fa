"""mmengine's runner, which also goes on exactly where a run stopped."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from ...checkpoint import read_state_dict
from ...checkpoint.complete import load_completely
from ...checkpoint.reading import read_checkpoint
from ..datasets import replace_nothing
from ..hooks import DEFAULT_HOOKS, hook_list
from ..total_batch import accumulated_batches
from ..wrapping import unwrap
from . import changes, files, random_state, workers
from .loop import ResumableTrainLoop


@RUNNERS.register_module()
class ResumableRunner(Runner):
    """Does right what mmengine's runner leaves open about stopping and going on:

    - A checkpoint is written beside its place, flushed and moved there; it also has the states of
      the random number generators of every process, and the settings that training reads.
    - The one to go on from is the newest that is whole. Its settings are compared with today's:
      what changes the result has to be accepted (``accept_changes = True`` in the config).
    - Weights are loaded completely or not at all, and no code in a file is run.
    - Schedules by epochs are turned into schedules by optimiser steps, not batches: they do not
      depend on how many batches are accumulated, and a run may go on with another number.
    - The config kept in the work directory is that of the run: a start that is refused leaves it;
      and a config that lies there itself stays as its user wrote it.
    - What is evaluated on is read to the last file, or not at all.
    - Custom hooks may have names as default hooks do, and any hook by name may be None: left out.
    """

    counts_optimizer_steps = True

    def __init__(
        self, *args, custom_hooks: Mapping | Sequence | None = None, cfg=None, **kwargs
    ) -> None:
        hooks = hook_list(custom_hooks)
        if isinstance(custom_hooks, Mapping) and cfg is not None:
            cfg['custom_hooks'] = hooks  # so that what a run writes has them in their order
        super().__init__(*args, custom_hooks=hooks, cfg=cfg, **kwargs)

    def register_default_hooks(self, hooks: Mapping | None = None) -> None:
        """Hooks by name; None leaves one out, not only one of mmengine's."""
        hooks = (hooks or {}).items()
        super().register_default_hooks(
            {name: hook for name, hook in hooks if hook is not None or name in DEFAULT_HOOKS}
        )

    def dump_config(self) -> None:
        """Write the config into the work directory; to go on with a run, once that is allowed."""
        if not self._resume:
            self._dump_config()

    def _dump_config(self) -> None:
        """Into a file of the config's name, but not over the file that the user wrote."""
        written = self.cfg.filename and Path(self.cfg.filename)
        kept = written and Path(self.work_dir, written.name)
        if not (kept and kept.exists() and written.exists() and kept.samefile(written)):
            super().dump_config()

    def build_param_scheduler(self, scheduler):
        """Schedulers; one by epochs that is to be by iterations becomes one by optimiser steps."""
        steps = len(self.train_dataloader) // accumulated_batches(self)
        for cfg in scheduler if isinstance(scheduler, Sequence) else [scheduler]:
            if isinstance(cfg, dict) and cfg.get('convert_to_iter_based'):
                cfg['epoch_length'] = steps
        return super().build_param_scheduler(scheduler)

    def build_val_loop(self, loop):
        """The loop of validation, which leaves nothing out."""
        built = super().build_val_loop(loop)
        replace_nothing(built.dataloader.dataset)
        return built

    def build_test_loop(self, loop):
        """The loop of the test, which leaves nothing out."""
        built = super().build_test_loop(loop)
        replace_nothing(built.dataloader.dataset)
        return built

    @staticmethod
    def build_dataloader(*args, **kwargs) -> DataLoader:
        """A data loader whose workers leave signals to the main process."""
        return workers.shield(Runner.build_dataloader(*args, **kwargs))

    def train(self) -> nn.Module:
        """Train, and end the data loaders' workers; returns the model."""
        try:
            return super().train()
        finally:
            for loop in (self._train_loop, self._val_loop):
                if isinstance(loop, BaseLoop):
                    workers.end(loop)

    def save_checkpoint(
        self, out_dir: str, filename: str, *args, meta: dict | None = None, **kwargs
    ) -> None:
        """Write a checkpoint, all or nothing; to be called by every process.

        Raises:
            RuntimeError: If the disk refuses it.
        """
        meta = dict(meta or {})
        meta['random_states'] = all_gather_object(random_state.capture())
        if not is_main_process():
            return
        iterations = meta.get('iter', self.iter)
        meta['optimizer_steps'] = iterations // accumulated_batches(self)
        meta['training'] = changes.snapshot(self.cfg)
        meta['num_samples'] = len(self.train_dataloader.dataset)
        with files.replacing(Path(out_dir) / filename) as temporary:
            super().save_checkpoint(out_dir, temporary.name, *args, meta=meta, **kwargs)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str = 'cpu',
        strict: bool = True,
        revise_keys: Sequence = (),
    ) -> dict:
        """Load the weights of a checkpoint: every tensor of the model, and nothing else.

        The last three arguments are there for mmengine, which passes them.

        Raises:
            ValueError: If the file is damaged or does not fit the model.
        """
        if self._resume:
            checkpoint = read_checkpoint(filename)
        else:  # weights to start from need no state of a run
            checkpoint = dict(state_dict=read_state_dict(filename))
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_completely(unwrap(self.model), checkpoint['state_dict'], filename)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def load_or_resume(self) -> None:
        """Go on from the newest whole checkpoint of the work directory, or from a named one.

        Raises:
            ValueError: If that belongs to another experiment, or no checkpoint is whole.
        """
        if self._has_loaded or not self._resume or self._load_from is not None:
            super().load_or_resume()
            return
        path = self._newest_checkpoint()
        if path is None:
            self.logger.info(f'Nothing to go on from in {self.work_dir}: a new run.')
            self._dump_config()
            return
        self.resume(path)

    def _newest_checkpoint(self) -> str | None:
        """Looked for by the main process, for all of them."""
        found = [None]
        if is_main_process():
            for name in files.remove_unfinished(Path(self.work_dir)):
                self.logger.info(f'Removed {name}, which was not written to its end.')
            path = files.newest_intact(self.work_dir, self.logger.warning)
            found = [str(path) if path else None]
        broadcast_object_list(found)
        return found[0]

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Take up a run from a checkpoint: weights, optimiser, schedules, logs, random numbers.

        Raises:
            ValueError: If the checkpoint is of another experiment, or its settings differ in what
                changes the result and that is not accepted.
        """
        meta = read_checkpoint(filename, mmap=True)['meta']
        self._check_settings(meta, filename)
        self._dump_config()
        super().resume(filename, *args, **kwargs)
        self.train_loop._iter = meta['optimizer_steps'] * accumulated_batches(self)
        states = meta['random_states']
        if get_rank() < len(states):
            self._restore(states[get_rank()])
        self.logger.info(
            f'Going on from {filename}: epoch {self.epoch + 1}, '
            f'{meta["optimizer_steps"]} optimiser steps done.'
        )

    def _restore(self, states: dict) -> None:
        """Random numbers of this process: now, or where the loop knows a better moment, then."""
        if isinstance(self.train_loop, ResumableTrainLoop):
            self.train_loop.random_states = states
        else:
            random_state.restore(states)

    def _check_settings(self, meta: dict, filename: str) -> None:
        if 'training' not in meta:
            raise ValueError(
                f"Expected a checkpoint of this project's training in {filename!r}, found one "
                'without its settings; choose another work directory.'
            )
        relevant, harmless = changes.changes(meta['training'], changes.snapshot(self.cfg))
        images = len(self.train_dataloader.dataset)
        if images != meta['num_samples']:
            relevant.append(changes.Change('training samples', meta['num_samples'], images))
        if harmless:
            self.logger.info(f'Changed, without effect on the result: {_listed(harmless)}.')
        if relevant and not self.cfg.get('accept_changes'):
            raise ValueError(changes.refusal(filename, relevant))
        if relevant:
            self.logger.warning(f'Going on with a changed run: {_listed(relevant)}.')


def _listed(found: Sequence[changes.Change]) -> str:
    return '; '.join(str(change) for change in found)
