"""How far two results are apart."""

import torch


def largest_relative_difference(ours, golden) -> float:
    """``max |ours - golden| / max |golden|``; inf for different shapes or anything not finite."""
    ours, golden = (torch.as_tensor(x, dtype=torch.double, device='cpu') for x in (ours, golden))
    if ours.shape != golden.shape or not (ours.isfinite().all() and golden.isfinite().all()):
        return float('inf')
    return ((ours - golden).abs().max() / golden.abs().max().clamp(min=1e-12)).item()
