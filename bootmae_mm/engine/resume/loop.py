"""An epoch that can be entered anywhere."""

import torch
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from . import random_state


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop over epochs, which also goes on inside an epoch.

    The iteration says how far the epoch had come: the sampler leaves out so many samples, and the
    first batch has the index that it would have had. The states of the random number generators,
    if a checkpoint gave any, are put back right before that batch; the data loader's iterators have
    a generator of their own, so that a new one moves none of those.

    The sampler needs a method ``skip(num_samples)``, after which its next iteration leaves out the
    first so many samples of this process.

    Args:
        *args: Those of mmengine's ``EpochBasedTrainLoop``.
        **kwargs: Likewise.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.dataloader.generator = torch.Generator()
        self.random_states = None

    def run_epoch(self) -> None:
        """One epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self.iter - self.epoch * len(self.dataloader)
        if done:
            self.dataloader.sampler.skip(done * self.dataloader.batch_size)
        batches = iter(self.dataloader)
        if self.random_states is not None:
            random_state.restore(self.random_states)
            self.random_states = None
        for index, batch in enumerate(batches, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
