"""What travels to a GPU machine: the profile's tables from a made-up trace, the new sections at
tiny sizes, and the kit's script."""

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.helpers.labelled_data import write_pictures
from tests.helpers.paths import ROOT

BENCHMARKS = ROOT / 'benchmarks'
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / 'gpu_suite')]

import contestants  # noqa: E402
import kernels  # noqa: E402
import products  # noqa: E402
import sections  # noqa: E402
import torch  # noqa: E402
from kernels import Kernel  # noqa: E402

GEMM, NORM = 'nvjet_tst_128x256', 'void at::native::layer_norm_kernel<c10::BFloat16>'


def event(name: str, start: float, duration: float, category: str = 'kernel') -> dict:
    return dict(name=name, ts=start, dur=duration, cat=category)


@pytest.fixture
def traced() -> list[Kernel]:
    """Two steps in 1,000 µs: busy 0 to 100, 300 to 400 (twice), 450 to 600 and 990 to 1000."""
    return kernels.read_trace(
        dict(
            traceEvents=[
                event(GEMM, 450, 150),
                event(GEMM, 0, 100),
                event(NORM, 300, 100),
                event('Memcpy HtoD (Pageable -> Device)', 310, 20, 'gpu_memcpy'),
                event('Memset (Device)', 990, 10, 'gpu_memset'),
                event('cudaLaunchKernel', 100, 150, 'cuda_runtime'),
                event('ProfilerStep#1', 0, 1000, 'gpu_user_annotation'),
                dict(name='process_name', ph='M'),
            ]
        )
    )


def test_a_trace_gives_kernels_and_copies_in_order(traced):
    assert [kernel.start for kernel in traced] == [0, 300, 310, 450, 990]
    kinds = ['matrix products', 'norms', 'copies', 'matrix products', 'copies']
    assert [kernel.kind for kernel in traced] == kinds


@pytest.mark.parametrize(
    'name, kind',
    [
        ('pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<64>>', 'attention'),
        ('cutlass_80_wmma_tensorop_bf16_s161616gemm_bf16_32x32', 'matrix products'),
        ('at::native::(anonymous namespace)::GammaBetaBackwardCUDAKernelTemplate', 'norms'),
        ('multi_tensor_apply_kernel<TensorListMetadata<4>, FusedAdamMathFunctor>',
         'optimiser and teacher'),
        ('at::native::elementwise_kernel<direct_copy_kernel_cuda>', 'copies'),
        ('triton_per_fused__to_copy_add_native_layer_norm_3', 'fused by the compiler'),
        ('at::native::vectorized_elementwise_kernel<4, GeluCUDAKernelImpl>',
         'elementwise and others'),
    ],
)  # fmt: skip
def test_the_kind_of_a_kernel(name, kind):
    assert Kernel(name, 0, 1).kind == kind


def test_gaps_are_times_when_nothing_ran(traced):
    assert kernels.gaps(traced) == [
        (200, GEMM, NORM),
        (50, NORM, GEMM),  # the copy that ends earlier leaves no gap
        (390, GEMM, 'Memset (Device)'),
    ]
    row = kernels.summary('ours', traced, steps=2)
    assert row == {
        'step': 'ours',
        'ms': 0.5,
        'kernels': 2.5,
        'gaps, ms': 0.32,
        'gaps, share': '64 %',
        'gaps above 100 µs, ms': 0.295,
        'such gaps': 1.0,
    }


def test_the_tables_of_a_profile(traced, monkeypatch):
    monkeypatch.setattr(kernels, 'MOST_KERNELS', 2)
    monkeypatch.setattr(kernels, 'MOST_GAPS', 1)
    tables = kernels.tables(dict(ours=traced, mae=traced[:2]), steps=2)
    assert [row['step'] for row in tables['Device in a step']] == ['ours', 'mae']
    first, second = tables['Longest kernels of ours']
    assert first == {
        'name': GEMM, 'calls in a step': 1.0, 'ms in a step': 0.125, 'share': '66 %',
    }  # fmt: skip
    assert second['name'] == 'layer_norm_kernel<c10::BFloat16>'
    assert [row['kind'] for row in tables['Kinds of kernels']] == ['matrix products', 'norms'] * 2
    widest = {'µs': 390, 'after': GEMM, 'before': 'Memset (Device)'}
    assert tables['Longest gaps of ours'] == [widest]


def test_a_long_name_is_cut_and_breaks_no_table():
    assert kernels.short('a|b') == 'a/b'
    assert len(kernels.short('x' * 1000)) == kernels.NAME_LENGTH


def test_a_real_trace_has_the_steps_operations():
    a = torch.randn(64, 64)
    found = kernels.trace(lambda: a @ a, steps=3)
    assert [kernel.name for kernel in found].count('aten::mm') == 3
    assert all(kernel.duration > 0 for kernel in found)


def test_operations_are_told_by_the_shapes_they_are_given():
    a, b = torch.randn(64, 300), torch.randn(300, 500)
    rows = kernels.operations(lambda: a @ b)
    (product,) = (row for row in rows if row['operation'] == 'aten::mm')
    assert (product['shapes'], product['calls']) == ('[64, 300] [300, 500]', 1)
    assert product['ms'] > 0


def test_several_masks_of_an_image_are_counted_as_views():
    rows = sections.numbers_of_masks(sections.TINY._replace(batch=4))['Masks of an image']
    assert [(row['masks'], row['images']) for row in rows] == [(1, 4), (2, 2), (4, 1)]
    for row in rows:
        assert row['masked views/s'] == pytest.approx(4 / row['seconds'])
        assert row['images/s'] == pytest.approx(row['images'] / row['seconds'])
    samples = contestants.make_batch('tiny', 1, 4)['data_samples']
    assert samples[0].get('ids_masked').shape == (4, 12)


def test_the_largest_product_counts_its_operations(monkeypatch):
    monkeypatch.setattr(products, 'median_of', lambda step, calls: 0.5)
    rate = products.largest_rate.__wrapped__(torch.float32, 'cpu')
    assert rate == 2 * 1024**3 / 0.5


# ------------------------------------------------------------------------------------------ the kit


@pytest.mark.parametrize('arguments', [[], ['race', '1', 'x'], ['speed', 'soon', 'x']])
def test_the_kits_script_says_what_it_expects(arguments):
    script = BENCHMARKS / 'gpu_suite/run_kit.sh'
    done = subprocess.run(['bash', str(script), *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith('Expected')


def test_the_kit_has_what_the_toolboxes_need():
    """By the metadata of what is installed here, less what such a machine has."""
    from importlib.metadata import requires

    script = (BENCHMARKS / 'gpu_suite/pack_kit.sh').read_text()
    packed = set(re.search(r'packages=\((.*?)\)', script, re.DOTALL).group(1).split())
    there = {
        'matplotlib', 'numpy', 'packaging', 'pyyaml', 'rich', 'opencv-python', 'pillow',
    }  # fmt: skip
    for package in sorted(packed):
        for line in requires(package) or ():
            if ';' not in line:
                assert re.match(r'[\w-]+', line).group().lower() in packed | there, (package, line)


@pytest.mark.long
def test_the_kit_packs_and_runs(tmp_path):
    """The whole way, as on such a machine, at tiny sizes; needs the wheels or their cache."""
    kit, archive = tmp_path / 'kit', tmp_path / 'images.tar.xz'
    photographs = write_pictures(tmp_path / 'photographs', per_class=120)
    with tarfile.open(archive, 'w:xz') as file:
        for split in ('train', 'val'):
            file.add(photographs / split, split)
    pack = [str(BENCHMARKS / 'gpu_suite/pack_kit.sh'), '--images', str(archive), str(kit)]
    subprocess.run(['bash', *pack], check=True)
    speed = run_part(kit, tmp_path, 'speed', '--tiny', '--sections', 'device')
    assert speed == {'gpu_suite.md', 'gpu_suite.json', 'speed.log'}
    # 360 pictures are 11 steps an epoch of the budget for CPUs.
    study = run_part(
        kit, tmp_path, 'study', '--budget', 'photos', '--rows', 'MAE 300', 'BootMAE 300'
    )
    assert study == {'records.tar.gz', 'study.log'}
    with tarfile.open(tmp_path / 'study/records.tar.gz') as records:
        names = {Path(name).name for name in records.getnames() if 'results/photos' in name}
    assert len(names) == 2 * 3  # pretrained, fine-tuned and probed, of MAE and of BootMAE
    assert '| BootMAE | 300 |' in (tmp_path / 'study/study.log').read_text()


def run_part(kit, folder, part, *options) -> set[str]:
    """Run a part of a kit; the names of the files that come back."""
    run = ['bash', str(kit / 'run.sh'), part, '9', str(folder / part), *options]
    environment = dict(PATH=f'{sys.exec_prefix}/bin:/usr/bin:/bin', TMPDIR=str(folder))
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(rf'\| {part} \| 0 \|', done.stdout)
    return {path.name for path in (folder / part).iterdir()}
