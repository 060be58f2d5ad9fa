"""What every test gets."""

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

import bootmae_mm.registration  # noqa: F401


@pytest.fixture
def images() -> torch.Tensor:
    """Two normalised 32-pixel images."""
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def fresh_start():
    """Every test starts from the same random state, and not in the scope that a runner of an
    earlier test has set for its process."""
    torch.manual_seed(0)
    np.random.seed(0)
    DefaultScope._instance_dict.clear()
