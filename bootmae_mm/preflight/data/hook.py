"""Data checked at the start of a run."""

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import nn

from .datasets import check_dataset, check_same_classes


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Looks once at what the run's data sets hold, and stops all processes with one sentence if
    training or testing on them would fail or go wrong.

    Before training it checks the train and val sets, before testing the test set: files that are
    listed but missing; labels and numbers of classes against the heads; label maps of segmentation
    by a sample (:class:`.seg_labels.CheckSegLabels` sees all of them); instances without
    segmentation for a mask head. It takes seconds for a hundred thousand images.

    Raises:
        ValueError: In every process, saying what was expected and what was found.
    """

    priority = 'VERY_HIGH'
    changes_training = False
    acts_in_steps = False

    def __init__(self) -> None:
        self.checked = set()

    def before_train(self, runner: Runner) -> None:
        """Check the train set, and the val set if there is one."""
        datasets = {'train': runner.train_dataloader.dataset}
        if runner.val_loop is not None:
            datasets['val'] = runner.val_dataloader.dataset
        self._check(runner, datasets)

    def before_val(self, runner: Runner) -> None:
        """Check the val set when it is validated without training."""
        self._check(runner, {'val': runner.val_dataloader.dataset})

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner, {'test': runner.test_dataloader.dataset})

    def _check(self, runner: Runner, datasets: dict) -> None:
        """The main process looks, all raise."""
        new = {split: data for split, data in datasets.items() if split not in self.checked}
        if not new:
            return
        self.checked.update(new)
        message = [self._problem(runner, new) if is_main_process() else None]
        broadcast_object_list(message)
        if message[0] is not None:
            raise ValueError(message[0])

    @staticmethod
    def _problem(runner: Runner, datasets: dict) -> str | None:
        model = runner.model
        while isinstance(getattr(model, 'module', None), nn.Module):  # DDP, test-time augmentation
            model = model.module
        try:
            for split, dataset in datasets.items():
                for finding in check_dataset(dataset, model, split):
                    runner.logger.warning(finding.sentence)
            if len(datasets) == 2:
                check_same_classes(*datasets.values())
        except ValueError as error:
            return str(error)
        return None
