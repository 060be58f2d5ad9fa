"""When to probe, and what is said about it."""

from collections.abc import Mapping
from time import monotonic

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ...pretrain.bootmae import BootMAE
from ...pretrain.hooks import require_bootmae
from .budget import Budget
from .measuring import GivenUp, TooLong, measure, random_numbers_kept
from .sources import Source, image_source, map_source


@HOOKS.register_module()
class OnlineProbeHook(Hook):
    """Measures at the ends of epochs what the frozen encoders of student and momentum teacher are
    worth, within a share of the run's time, and logs it.

    ============================  ============================================================
    ``probe/…`` in the log        for ``student`` and ``teacher``, in percent
    ============================  ============================================================
    ``student_knn``               top-1 of the ``k`` nearest neighbours (:class:`.image.ImageProbe`)
    ``student_linear_block4``     top-1 of a linear classifier on block 4 of 1, 2, … (the same)
    ``student_seg_miou``          mean IoU of a linear classifier of patches
                                  (:class:`.segmentation.SegmentationProbe`)
    ``share``, ``seconds``        share of the run's time that probes took so far, from 0 to 1;
                                  what this one took
    ============================  ============================================================

    **When.** At the end of an epoch that ``interval`` divides, and of the last one, if
    :class:`.budget.Budget` has room for one more that takes as long as the last one. The length of
    the first is estimated from a trial before training, which also finds what is wrong with the
    data. So which epochs are probed depends on the machine; what a probe finds depends on the
    weights alone. A run that goes on carries on with its budget, which is in the checkpoint, under
    ``probes``.

    **What it leaves alone.** Encoders are copied and random numbers put back: training does the
    same steps as without, bit for bit. A probe that fails is reported; there are no more then.

    **Several processes.** The main process probes; the others go on to where they need it next, and
    wait. So that they do not give up, a probe that has taken a quarter of
    ``env_cfg.dist_cfg.timeout`` is left unfinished. So is one during which the run is asked to
    stop.

    Args:
        images: Configs of labelled data sets of mmpretrain's, ``train`` and ``val``
            (:func:`.sources.image_source`); None for segmentation alone.
        segmentation: Configs of data sets with label maps, ``train`` and ``val``
            (:func:`.sources.map_source`); None for images alone.
        interval: Epochs between two probes, at least.
        max_share: Largest share of the run's time that probes may take, above 0 and below 1. It is
            kept to within what a probe takes longer than the one before.
        k: Number of nearest neighbours.
        max_images: Most train images, and most val images, that are used, evenly spaced.
        max_label_maps: Likewise for segmentation.
        batch_size: Images at a time.

    Raises:
        ValueError: If a setting is out of range; before training, in all processes, if the data is
            missing or does not fit.
    """

    priority = 'LOW'  # before CheckpointHook, so that a checkpoint has what was spent
    changes_training = False
    acts_in_steps = False

    def __init__(
        self,
        images: dict | None = None,
        segmentation: dict | None = None,
        interval: int = 1,
        max_share: float = 0.02,
        k: int = 20,
        max_images: int = 10000,
        max_label_maps: int = 1000,
        batch_size: int = 64,
    ) -> None:
        require_splits(images=images, segmentation=segmentation)
        require_positive(
            interval=interval, k=k, max_images=max_images, max_label_maps=max_label_maps,
            batch_size=batch_size,
        )  # fmt: skip
        if not 0 < max_share < 1:
            raise ValueError(
                f'max_share of OnlineProbeHook must be above 0 and below 1, found {max_share}.'
            )
        self.images, self.segmentation = images, segmentation
        self.interval, self.max_share, self.k = interval, max_share, k
        self.max_images, self.max_label_maps = max_images, max_label_maps
        self.batch_size = batch_size
        self.loaded = None
        self.enabled = is_main_process()

    # --------------------------------------------------------------------------- a run's beginning

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what a checkpoint has of earlier probes."""
        self.loaded = checkpoint.get('probes')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put into the checkpoint what was spent."""
        checkpoint['probes'] = self.budget.state()

    def before_train(self, runner: Runner) -> None:
        """Try the data; all processes stop if something is wrong with it."""
        model = require_bootmae(runner, self)
        self.budget = Budget(self.max_share, runner.epoch, self.loaded if runner.iter else None)
        message = [self.prepare(runner, model) if self.enabled else None]
        broadcast_object_list(message)
        if message[0] is not None:
            raise ValueError(message[0])

    def prepare(self, runner: Runner, model: BootMAE) -> str | None:
        """Build the data sets and try them; what is wrong with them, if anything."""
        with self.budget.spending(), random_numbers_kept():
            try:
                self.sources = self.build_sources(tuple(model.backbone.img_size))
                seconds = self.estimate(runner)
            except ValueError as error:
                return str(error)
        self.budget.cost = self.budget.cost or seconds
        every = self.budget.cost / self.budget.per_trained
        runner.logger.info(
            f'Probes: one takes about {self.budget.cost:.3g} s, so that there is time for one '
            f'every {every:.3g} s of training (max_share={self.max_share}).'
        )
        return None

    def build_sources(self, img_size: tuple[int, int]) -> list[Source]:
        """The data that was asked for."""
        found = []
        if self.images:
            found.append(image_source(self.images, img_size, self.max_images, self.k))
        if self.segmentation:
            found.append(map_source(self.segmentation, img_size, self.max_label_maps))
        return found

    def estimate(self, runner: Runner) -> float:
        """The seconds that the first probe will take, from a trial with a batch of everything.

        The trial is run twice, as its first run starts much that is not started again. As if all
        of it were loading, its time is shared by the loader's workers.
        """
        for _ in range(2):
            begin = monotonic()
            measure(runner, self.sources, self.batch_size, num_batches=1)
            seconds = monotonic() - begin
        sets = [dataset for source in self.sources for dataset in (source.train, source.val)]
        batches = sum(-(-len(dataset) // self.batch_size) for dataset in sets)
        return seconds * batches / len(sets) / max(1, runner.train_dataloader.num_workers)

    # ------------------------------------------------------------------------------- epoch by epoch

    def after_train_epoch(self, runner: Runner) -> None:
        """Probe if it is time to and there is time for it."""
        epoch, last = runner.epoch + 1, runner.max_epochs
        due = epoch % self.interval == 0 or epoch == last
        if self.enabled and due and self.budget.allows(epoch, last):
            self.probe(runner, epoch)

    def probe(self, runner: Runner, epoch: int) -> None:
        """One probe; whatever comes of it, training goes on."""
        spent = self.budget.spent
        try:
            with self.budget.spending(), random_numbers_kept():
                scores = measure(runner, self.sources, self.batch_size)
        except GivenUp as reason:
            self.enabled = not isinstance(reason, TooLong)
            advice = '' if self.enabled else '; there are no more in this run: lower max_images'
            runner.logger.warning(
                f'The probe after epoch {epoch} was left unfinished: {reason}{advice}.'
            )
        except (OSError, RuntimeError, ValueError) as error:
            self.enabled = False
            runner.logger.error(
                f'The probe after epoch {epoch} failed, and there are no more in this run: '
                f'{type(error).__name__}: {error}'
            )
        else:
            self.budget.cost = self.budget.spent - spent
            self.budget.num_probes += 1
            self.log(runner, epoch, scores)

    def log(self, runner: Runner, epoch: int, scores: Mapping[str, float]) -> None:
        """To the log, and to the visualizer at the step of the epoch's last losses."""
        share, seconds = self.budget.share, self.budget.cost
        values = {**scores, 'share': share, 'seconds': seconds}
        values = {f'probe/{name}': value for name, value in values.items()}
        for name, value in values.items():
            runner.message_hub.update_scalar(name, value)
        runner.visualizer.add_scalars({**values, 'epoch': epoch}, step=runner.iter)
        runner.logger.info(
            f'Probes after epoch {epoch}: {in_words(scores)} ({seconds:.3g} s; {share:.2%} of the '
            f'run so far, at most {self.max_share:.2%}).'
        )

    def after_train(self, runner: Runner) -> None:
        """Say so if there never was time."""
        if self.enabled and not self.budget.num_probes:
            runner.logger.warning(
                f'Expected time for a probe, found that one takes about {self.budget.cost:.3g} s '
                f'and that {self.max_share:.2%} of this run is less; raise max_share of '
                'OnlineProbeHook, or lower max_images and max_label_maps.'
            )


def in_words(scores: Mapping[str, float]) -> str:
    """``student: knn 45.2, linear by block 30.1 41.0 44.2, seg_miou 22.1; teacher: …``."""
    parts = []
    for who in dict.fromkeys(name.partition('_')[0] for name in scores):
        own = {k.removeprefix(f'{who}_'): v for k, v in scores.items() if k.startswith(f'{who}_')}
        linear = [f'{value:.1f}' for name, value in own.items() if name.startswith('linear_')]
        words = [f'{name} {v:.1f}' for name, v in own.items() if not name.startswith('linear_')]
        if linear:
            words.insert(1, f'linear by block {" ".join(linear)}')
        parts.append(f'{who}: {", ".join(words)}')
    return '; '.join(parts)


def require_splits(**data: Mapping | None) -> None:
    """Check that there is data, and that it has two parts.

    Raises:
        ValueError: If not.
    """
    if not any(data.values()):
        raise ValueError(
            f'OnlineProbeHook needs {" or ".join(data)}, found neither; give one of them.'
        )
    for name, parts in data.items():
        if parts and set(parts) != {'train', 'val'}:
            raise ValueError(
                f'Expected train and val in {name} of OnlineProbeHook, found '
                f'{", ".join(sorted(parts))}; give both, and nothing else.'
            )


def require_positive(**settings: int) -> None:
    """Raise ``ValueError`` for a setting that is not positive."""
    for name, value in settings.items():
        if value <= 0:
            raise ValueError(f'{name} of OnlineProbeHook must be positive, found {value}.')
