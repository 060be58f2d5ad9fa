"""Time and peak memory of one training step and one prediction of the dense configs, real size.

python benchmarks/dense_step.py [seg] [det] [--variant plain checkpointed windowed]

Images and targets are random: UperNet gets 2 images of 512 × 512, Mask R-CNN one of 800 × 1333
with 7 objects. The training step is the second one in effect: AdamW's state is there. Prediction
is in float32, as in validation; Mask R-CNN keeps its 100 highest boxes whatever their scores, so
that random weights predict as many masks as a trained model at most.

Each figure comes from a process of its own. Peak memory is what it adds to the imports: on a CPU
the process's largest resident memory, on a GPU the largest memory allocated by PyTorch.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import mmcv
import mmdet
import mmengine
import mmseg
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

import bootmae_mm  # noqa: F401  (registers everything)
from bootmae_mm.training import replace_sync_batch_norm
from bootmae_mm.transfer import checkpoint_blocks

CONFIGS = Path(__file__).parent.parent / 'configs'
FILES = {
    ('seg', 'plain'): 'seg/upernet_bootmae_vitb_160k.py',
    ('det', 'plain'): 'det/mask_rcnn_bootmae_vitb_1x.py',
    ('det', 'checkpointed'): 'det/mask_rcnn_bootmae_vitb_1x_checkpointed.py',
    ('det', 'windowed'): 'det/mask_rcnn_bootmae_vitb_1x_windowed.py',
}
NAMES = dict(seg='UperNet, ViT-B', det='Mask R-CNN, ViT-B')
SIZES = dict(seg=(512, 512), det=(800, 1333))
BATCHES = dict(seg=2, det=1)
OBJECTS = 7  # an average picture of COCO
PHASES = ('training', 'prediction')
HEADS = ('model', 'form', 'phase', 'precision', 'device', 'seconds', 'peak memory in GiB')


def main() -> None:
    """Measure what was asked for, one process after the other, and print the table."""
    args = parse_args()
    context = multiprocessing.get_context('spawn')
    rows = []
    print('\n'.join(map(line, (HEADS, ['---'] * len(HEADS)))), flush=True)
    for phase, (task, variant) in product(args.phase, FILES):
        if task in args.tasks and variant in args.variant:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                rows.append(pool.submit(measure, task, variant, phase, args.dtype).result())
            print(line(rows[-1].values()), flush=True)
    print('\n' + ', '.join(f'{name} {version}' for name, version in versions().items()))
    if args.json:
        Path(args.json).write_text(json.dumps(dict(versions=versions(), rows=rows), indent=2))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('tasks', nargs='*', metavar='TASK', help='seg, det; default both')
    variants = sorted({variant for _, variant in FILES})
    parser.add_argument('--variant', nargs='+', choices=variants, default=variants)
    parser.add_argument('--phase', nargs='+', choices=PHASES, default=PHASES)
    parser.add_argument('--dtype', choices=['float32', 'bfloat16'], default='float32')
    parser.add_argument('--json', metavar='FILE', help='write the figures there, too')
    args = parser.parse_args()
    args.tasks = args.tasks or list(SIZES)
    if not {*args.tasks} <= {*SIZES}:
        parser.error(f'expected tasks out of seg and det, found {" ".join(args.tasks)}')
    if not any(task in args.tasks and variant in args.variant for task, variant in FILES):
        parser.error(f'there is no {" or ".join(args.variant)} form of {" or ".join(args.tasks)}')
    return args


def measure(task: str, variant: str, phase: str, dtype: str) -> dict:
    """Seconds and GiB of one phase, in this process."""
    MMLogger.get_instance('benchmark', log_level='WARNING')
    baseline, device = peak_memory(), get_device()
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIGS / FILES[task, variant])
    model = build(cfg, device)
    data = batch(task)
    if phase == 'training':
        cfg.optim_wrapper.dtype = dtype
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        fill_state(wrapper)
        model.train()
        seconds = timed(lambda: model.train_step(data, wrapper))
    else:
        model.eval()
        with torch.no_grad():
            seconds = timed(lambda: model.val_step(data))
    return dict(
        model=NAMES[task],
        variant=variant,
        phase=phase,
        precision=dtype if phase == 'training' else 'float32',
        device=device,
        seconds=round(seconds, 1),
        peak_gib=round((peak_memory() - baseline) / 2**30, 2),
    )


def build(cfg: Config, device: str) -> torch.nn.Module:
    """The config's model with random weights."""
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = None
    replace_sync_batch_norm(cfg.model)  # one process
    if 'rcnn' in cfg.model.test_cfg:
        cfg.model.test_cfg.rcnn.score_thr = 0.0
    model = MODELS.build(cfg.model)
    model.init_weights()
    if any(hook.type == 'BlockCheckpointHook' for hook in cfg.custom_hooks):
        checkpoint_blocks(model.backbone)
    return model.to(device)


def batch(task: str) -> dict:
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
    """Squares of 64 pixels, each with one of 150 labels."""
    labels = rng.integers(0, 150, (size[0] // 64, size[1] // 64)).repeat(64, 0).repeat(64, 1)
    return SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(labels)[None]))


def detection_sample(rng: np.random.Generator, size: tuple[int, int]) -> DetDataSample:
    """Rectangles of 30 to 300 pixels, each with one of 80 labels."""
    corners = rng.uniform((0, 0), (size[1] - 300, size[0] - 300), (OBJECTS, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(30, 300, (OBJECTS, 2))], axis=1)
    masks = np.zeros((OBJECTS, *size), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.astype(int), strict=True):
        mask[top:bottom, left:right] = 1
    instances = InstanceData(
        bboxes=torch.from_numpy(boxes).float(),
        labels=torch.from_numpy(rng.integers(0, 80, OBJECTS)),
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


def timed(step) -> float:
    """Seconds that ``step()`` takes."""
    start = time.perf_counter()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_memory() -> int:
    """Bytes: largest allocation so far on the GPU, or largest resident memory of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if platform.system() == 'Darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def versions() -> dict[str, str]:
    """Of what decides the figures."""
    modules = dict(torch=torch, mmengine=mmengine, mmcv=mmcv, mmseg=mmseg, mmdet=mmdet)
    return {name: str(module.__version__) for name, module in modules.items()}


def line(cells: Iterable) -> str:
    """A line of a Markdown table."""
    return f'| {" | ".join(map(str, cells))} |'


if __name__ == '__main__':
    main()
