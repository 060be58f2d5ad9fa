"""Time and peak memory of a training step and a prediction of the dense models, at real size,
beside mmpretrain's stock VisionTransformer in the same segmentor and detector.

python benchmarks/dense_step.py [seg] [det] [--forms stock plain checkpointed windowed] [--out DIR]

Images and targets are random: UperNet gets 2 images of 512 × 512, Mask R-CNN one of 800 × 1333
with 7 objects. The training step is the second one in effect: AdamW's state is there. Prediction
is in float32, as in validation; Mask R-CNN keeps its 100 highest boxes whatever their scores, so
that random weights predict as many masks as a trained model at most.

Times are taken in turn in one process (medians; the ratio is to the stock form). Each figure of
memory comes from a process of its own and is what it adds to the imports: on a CPU the process's
largest resident memory, on a GPU the largest memory allocated by PyTorch. Memory kept is what the
encoder's forward pass keeps for its backward pass: counted, so that it repeats exactly.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import common
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import nn

import bootmae_mm.registration  # noqa: F401
from bootmae_mm.engine.build import replace_sync_batch_norm
from bootmae_mm.engine.memory import checkpoint_blocks

CONFIGS = Path(__file__).parent.parent / 'configs'
FILES = dict(seg='seg/upernet_bootmae_vitb_160k.py', det='det/mask_rcnn_bootmae_vitb_1x.py')
WINDOWED = 'det/mask_rcnn_bootmae_vitb_1x_windowed.py'
FORMS = ('stock', 'plain', 'checkpointed', 'windowed')
NAMES = dict(seg='UperNet, ViT-B', det='Mask R-CNN, ViT-B')
SIZES = dict(seg=(512, 512), det=(800, 1333))
BATCHES = dict(seg=2, det=1)
NUM_CLASSES = dict(seg=150, det=80)
OBJECTS = 7  # an average picture of COCO
PHASES = ('training', 'prediction')


def main() -> None:
    """Measure what was asked for and write the tables."""
    args = parse_args()
    measure(
        args.tasks, args.forms, args.phases, args.dtype, args.rounds, args.out, args.processor_time
    )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('tasks', nargs='*', metavar='TASK', help='seg, det; default both')
    parser.add_argument('--forms', nargs='+', choices=FORMS, default=FORMS)
    parser.add_argument('--phases', nargs='+', choices=PHASES, default=PHASES)
    parser.add_argument('--dtype', choices=['float32', 'bfloat16'], default='float32')
    parser.add_argument(
        '--rounds', type=int, default=2, help='that are timed, after one that is not'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/dense_step'))
    parser.add_argument(
        '--processor-time',
        action='store_true',
        help='time the processor with one thread instead of the clock: for a CPU that others use',
    )
    args = parser.parse_args(argv)
    args.tasks = args.tasks or list(SIZES)
    if not {*args.tasks} <= {*SIZES}:
        parser.error(f'expected tasks out of seg and det, found {" ".join(args.tasks)}')
    if args.rounds < 1:
        parser.error(f'expected at least one round, found {args.rounds}')
    return args


def measure(
    tasks: Sequence[str],
    forms: Sequence[str],
    phases: Sequence[str],
    dtype: str,
    rounds: int,
    out: Path,
    processor_time: bool = False,
) -> dict[str, list[dict]]:
    """A table for every task and phase, printed and written as soon as it is there."""
    unit = 'processor seconds, one thread' if processor_time else 'seconds'
    sections = {}
    for task, phase in product(tasks, phases):
        precision = dtype if phase == 'training' else 'float32'
        title = f'{NAMES[task]}: {phase} in {precision}'
        print(f'{title}: time of {", ".join(forms)} in turn …', flush=True)
        seconds = common.in_own_process(times, task, phase, forms, dtype, rounds, processor_time)
        memory = {}
        for form in forms:
            print(f'{title}: memory of {form} …', flush=True)
            memory[form] = common.in_own_process(peak, task, phase, form, dtype)
        sections[title] = [row(form, seconds, memory, unit) for form in forms]
        print(f'\n## {title}\n\n{common.table(sections[title])}\n', flush=True)
        common.write(out, 'dense_step', 'Dense models: time and memory', sections)
    return sections


def row(
    form: str, seconds: dict[str, float], memory: dict[str, dict], unit: str = 'seconds'
) -> dict[str, object]:
    """A line of the table; ratios are to the stock form, None where that was not measured."""

    def ratio(values: dict[str, float]) -> float | None:
        return values[form] / values['stock'] if 'stock' in values else None

    peaks = {name: found['peak'] / 2**30 for name, found in memory.items()}
    return {
        'form': form,
        unit: seconds[form],
        'time / stock': ratio(seconds),
        'peak GiB': peaks[form],
        'peak / stock': ratio(peaks),
        'kept by the encoder, GiB': memory[form]['kept'] / 2**30,
    }


def times(
    task: str, phase: str, forms: Sequence[str], dtype: str, rounds: int, processor_time: bool
) -> dict[str, float]:
    """Median seconds of every form, all of them in this process."""
    quiet()
    clock = 'process_time' if processor_time else 'perf_counter'
    if processor_time:
        torch.set_num_threads(1)
    steps = {form: build_step(task, form, phase, dtype)[1] for form in forms}
    return common.medians(common.in_turn(steps, rounds, clock=clock))


def peak(task: str, phase: str, form: str, dtype: str) -> dict[str, int]:
    """Bytes that one step adds to this process, and that the encoder keeps in it."""
    quiet()
    baseline = common.peak_memory()
    model, step = build_step(task, form, phase, dtype)
    kept = KeptMemory(model.backbone)
    step()
    return dict(peak=common.peak_memory() - baseline, kept=kept.bytes)


def quiet() -> None:
    """Warnings of the toolboxes only."""
    MMLogger.get_instance('benchmark', log_level='WARNING')


def build_step(
    task: str, form: str, phase: str, dtype: str
) -> tuple[nn.Module, Callable[[], object]]:
    """The model, and a function that does one step with it."""
    torch.manual_seed(0)
    cfg = form_config(task, form)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        replace_sync_batch_norm(cfg.model)  # one process
        model = MODELS.build(cfg.model)
        model.init_weights()
    if form == 'checkpointed':
        checkpoint_blocks(model.backbone)
    model.to(get_device())
    data = random_batch(task)
    if phase == 'prediction':
        model.eval()
        return model, lambda: predict(model, data)
    cfg.optim_wrapper.dtype = dtype
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    fill_state(wrapper)
    model.train()
    return model, lambda: model.train_step(data, wrapper)


def form_config(task: str, form: str) -> Config:
    """The task's config with random weights and the encoder in one of ``FORMS``.

    The stock form has mmpretrain's ``VisionTransformer`` with the same settings; its position
    embedding is trained, and resized to the grid of the image as ours is. Windows are those of the
    detector's windowed config.
    """
    cfg = load(FILES[task])
    backbone = cfg.model.backbone
    backbone.init_cfg = None
    if form == 'stock':
        backbone.type = 'mmpretrain.VisionTransformer'
    elif form == 'windowed':
        windowed = load(WINDOWED).model.backbone
        backbone.update({key: windowed[key] for key in ('window_size', 'global_blocks')})
    if 'rcnn' in cfg.model.test_cfg:
        cfg.model.test_cfg.rcnn.score_thr = 0.0
    return cfg


def load(name: str) -> Config:
    """A config of this project."""
    return Config.fromfile(CONFIGS / name)


class KeptMemory:
    """Counts the memory that a module's forward pass keeps for the backward pass, in ``bytes``:
    every storage once, parameters and buffers not at all."""

    def __init__(self, module: nn.Module) -> None:
        self.storages = {}
        owned = [*module.parameters(), *module.buffers()]
        self.owned = {tensor.untyped_storage().data_ptr() for tensor in owned}
        self.hooks = None
        module.register_forward_pre_hook(self._start)
        module.register_forward_hook(self._stop)

    @property
    def bytes(self) -> int:
        """Kept by the forward passes so far."""
        return sum(self.storages.values())

    def _start(self, module: nn.Module, inputs: object) -> None:
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self._note, lambda x: x)
        self.hooks.__enter__()

    def _stop(self, module: nn.Module, inputs: object, outputs: object) -> None:
        self.hooks.__exit__(None, None, None)

    def _note(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.owned:
            self.storages[storage.data_ptr()] = storage.nbytes()
        return tensor


def predict(model: nn.Module, data: dict) -> None:
    """As in validation."""
    with torch.no_grad():
        model.val_step(data)


def random_batch(task: str) -> dict:
    """Random images with random targets, as a data loader gives them."""
    rng = np.random.default_rng(0)
    height, width = size = SIZES[task]
    count = BATCHES[task]
    images = rng.integers(0, 256, (count, 3, height, width), dtype=np.uint8)
    sample = dict(seg=segmentation_sample, det=detection_sample)[task]
    samples = [sample(rng, size) for _ in range(count)]
    meta = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    for data_sample in samples:
        data_sample.set_metainfo(meta)
    return dict(inputs=list(torch.from_numpy(images)), data_samples=samples)


def segmentation_sample(rng: np.random.Generator, size: tuple[int, int]) -> SegDataSample:
    """64 squares, each with a label."""
    labels = (
        rng.integers(0, NUM_CLASSES['seg'], (8, 8)).repeat(size[0] // 8, 0).repeat(size[1] // 8, 1)
    )
    return SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(labels)[None]))


def detection_sample(rng: np.random.Generator, size: tuple[int, int]) -> DetDataSample:
    """Rectangles of up to 3/8 of the image's height, each with a label."""
    largest = size[0] * 3 // 8
    corners = rng.uniform((0, 0), (size[1] - largest, size[0] - largest), (OBJECTS, 2))
    sides = rng.uniform(largest / 10, largest, (OBJECTS, 2))
    boxes = np.concatenate([corners, corners + sides], axis=1)
    masks = np.zeros((OBJECTS, *size), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = 1
    instances = InstanceData(
        bboxes=torch.from_numpy(boxes).float(),
        labels=torch.from_numpy(rng.integers(0, NUM_CLASSES['det'], OBJECTS)),
        masks=BitmapMasks(masks, *size),
    )
    return DetDataSample(gt_instances=instances)


def fill_state(wrapper: OptimWrapper) -> None:
    """A step with zero gradients, after which AdamW's state is there."""
    for group in wrapper.param_groups:
        for p in group['params']:
            p.grad = torch.zeros_like(p)
    wrapper.optimizer.step()
    wrapper.zero_grad()


if __name__ == '__main__':
    main()
