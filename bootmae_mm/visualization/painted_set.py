"""A test set's images with the predictions painted in."""

import os

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..data.loading import read_image
from ..engine.datasets import parts


@HOOKS.register_module()
class PaintTestSetHook(Hook):
    """Has the visualizer of any of the three toolboxes paint the prediction for every test image
    into its file, upright and in its own size, as ``<folder>/<image>.png``.

    ``<image>`` is the file's path below the folder that all test images are in, so that images of
    one name in different folders stay apart.

    Args:
        folder: Folder to write to.
    """

    changes_training = False

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def before_test(self, runner: Runner) -> None:
        """Find the images' common folder."""
        datasets = list(parts(runner.test_dataloader.dataset))
        paths = [data.get_data_info(i)['img_path'] for data in datasets for i in range(len(data))]
        self.root = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Paint a batch."""
        visualizer = runner.visualizer
        paint = getattr(visualizer, 'visualize_cls', None) or visualizer.add_datasample
        for sample in outputs:
            name = os.path.relpath(os.path.abspath(sample.img_path), self.root)
            paint(
                name=name,
                image=read_image(sample.img_path)[0],
                data_sample=sample,
                out_file=os.path.join(self.folder, f'{name}.png'),
            )
