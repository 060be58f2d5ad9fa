"""How far two results are apart."""

import numpy as np


def largest_relative_difference(ours, golden) -> float:
    """``max |ours - golden| / max |golden|``; inf for different shapes or anything not finite."""
    ours, golden = np.asarray(ours, np.float64), np.asarray(golden, np.float64)
    if ours.shape != golden.shape or not (np.isfinite(ours).all() and np.isfinite(golden).all()):
        return float('inf')
    scale = max(np.abs(golden).max(), 1e-12)
    return float(np.abs(ours - golden).max() / scale)
