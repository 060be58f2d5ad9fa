"""The device that these tests are about: the GPU, or where there is none, the CPU as a rehearsal.

Each file is run by a process of its own where there are several, so that the files share the time.
"""

import os
from collections.abc import Iterator

import pytest
import torch

from tests.helpers.images import write_images

# Without it cuBLAS refuses to be deterministic; it is read when cuBLAS is first used.
os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')


@pytest.fixture(scope='session')
def device() -> torch.device:
    """Where mmengine's runner trains."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


@pytest.fixture
def folder(tmp_path):
    """Sixteen pictures."""
    return write_images(tmp_path / 'images', 16)


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    """No TF32, and afterwards no setting that a runner leaves behind."""
    cudnn = torch.backends.cudnn
    cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = True, False, False
    torch.use_deterministic_algorithms(False)
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode('default')
