"""Pictures while training goes on."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..engine.wrapping import unwrap
from ..pretrain.bootmae import BootMAE
from .images import centre_crops, read_evenly
from .masks import find_masking
from .painting import sheet
from .pretraining import pretraining_figures


@HOOKS.register_module()
class PicturesHook(Hook):
    """Draws what a pretraining model makes of a few images of the training set, every ``interval``
    epochs and at the end: reconstructions, cosine of predicted and teacher features, and principal
    components of the encoder's features.

    They are always the same images, taken evenly from the training set and cropped in the middle,
    under the same masks, so that epochs can be compared. The run's visualizer gets them as
    ``reconstruction``, ``cosine`` and ``pca``, at the number of iterations done: mmengine's
    ``LocalVisBackend`` writes ``<run>/vis_data/vis_image/<name>_<iterations>.png``, and
    ``TensorboardVisBackend`` shows them.

    Training is bit for bit what it is without: no global random state is used, and the model is
    left in the mode it was in. Only the main process draws, after the checkpoint is written; the
    others wait for it in their next step. A model that is not a ``BootMAE`` has no such pictures,
    which is logged.

    Args:
        interval: Epochs between pictures.
        num_images: Images to show.
        seed: Seed of the masks.

    Raises:
        ValueError: If the interval or the number of images is not positive, or the training
            pipeline has no masks.
    """

    priority = 'LOWEST'  # after the checkpoint
    changes_training = False
    acts_in_steps = False

    def __init__(self, interval: int = 50, num_images: int = 4, seed: int = 0) -> None:
        if interval < 1 or num_images < 1:
            raise ValueError(
                'PicturesHook expects an interval and num_images of at least 1, found '
                f'interval={interval} and num_images={num_images}.'
            )
        self.interval = interval
        self.num_images = num_images
        self.seed = seed
        self.pixels = None

    def before_train(self, runner: Runner) -> None:
        """Find the masks and read the images."""
        model = unwrap(runner.model)
        if not isinstance(model, BootMAE):
            runner.logger.warning(
                f'PicturesHook draws what a BootMAE does, found a {type(model).__name__}: there '
                'will be no pictures.'
            )
            return
        dataset = runner.train_dataloader.dataset
        self.masking = find_masking(getattr(dataset.pipeline, 'transforms', ()))
        if is_main_process():
            pictures = read_evenly(
                lambda index: dataset.get_data_info(index)['img_path'],
                len(dataset),
                self.num_images,
            )
            self.pixels = centre_crops(pictures, model.backbone.img_size)

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw if it is time to."""
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        if self.pixels is None or not due:
            return
        figures = pretraining_figures(unwrap(runner.model), self.pixels, self.masking, self.seed)
        for figure in figures:
            runner.visualizer.add_image(figure.name, sheet(figure), runner.iter)
