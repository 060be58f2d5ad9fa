"""What the health of a run is judged by: pure functions of features, weights and losses.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from statistics import median

import torch
from torch import Tensor

SAMPLE = 16  # images, and patches of each, that the effective rank is computed from
WINDOW = 100  # losses that a new one is compared with
FEWEST = 20  # of them, before which nothing is called a spike
DEVIATIONS, RATIO = 8, 2  # from the median, in standard deviations and relative, both exceeded


def sample_rows(x_BKD: Tensor) -> Tensor:
    """At most 16 patches of at most 16 images, evenly spread, as rows ``(N, D)``."""
    B, K, _ = x_BKD.shape
    return x_BKD[:: math.ceil(B / SAMPLE), :: math.ceil(K / SAMPLE)].flatten(0, 1)


def effective_rank(x_ND: Tensor) -> float:
    """In how many directions the rows of a matrix vary: ``exp(H(p))`` with the entropy H of
    ``p_i = s_i / sum(s)``, where ``s`` are the singular values of the matrix without its mean row
    (Roy and Vetterli, "The effective rank", EUSIPCO 2007, who leave the mean in).

    From 1, all rows on a line, to the smaller of N - 1 and D; 0 if all rows are the same. The
    singular values are the roots of the eigenvalues of the N × N matrix of products, in float64 on
    the CPU: a few milliseconds for 256 rows.
    """
    x_ND = x_ND.detach().cpu().double()
    centred = x_ND - x_ND.mean(0)
    singular = torch.linalg.eigvalsh(centred @ centred.T).clamp(min=0).sqrt()
    total = singular.sum()
    # Rows that are the same leave rounding errors of their mean behind.
    if total <= 1e-12 * x_ND.norm():
        return 0.0
    share = singular / total
    return torch.special.entr(share).sum().exp().item()


def norms(tensors: Iterable[Tensor]) -> Tensor:
    """The 2-norm of every tensor, float32, not read from the device."""
    return torch.stack([norm.float() for norm in torch._foreach_norm(list(tensors))])


def relative_distance(tensors: Sequence[Tensor], reference: Sequence[Tensor]) -> Tensor:
    """``||tensors - reference|| / ||reference||`` over all of them, not read from the device."""
    apart = norms(torch._foreach_sub(list(tensors), list(reference)))
    return apart.norm() / norms(reference).norm()


def checksum(tensors: Iterable[Tensor]) -> Tensor:
    """Sum of the bit patterns of float32 tensors, int64, not read from the device.

    A single element that changes by the least amount changes it.
    """
    sums = [tensor.view(torch.int32).sum(dtype=torch.int64) for tensor in tensors]
    return torch.stack(sums).sum()


def average_moves(averages: Iterable[Tensor], values: Iterable[Tensor], decay: float) -> bool:
    """Whether ``average = decay * average + (1 - decay) * value`` changes any element.

    It need not: near the values, or with a decay near 1, float32 rounds the change away.
    """
    pairs = zip(averages, values, strict=True)
    return any((torch.lerp(mean, value, 1 - decay) != mean).any().item() for mean, value in pairs)


class LossWindow:
    """The latest losses of a run, to tell a spike from noise.

    A loss is a spike if it is above ``median + max(8 * 1.4826 * MAD, median)`` of up to 100 losses
    before it, at least 20; MAD is the median absolute deviation, and 1.4826 times it the standard
    deviation of normal noise. Spikes do not enter the window, so that a loss that stays high
    remains one. The largest losses in half a demo were 1.04 (pixels) and 1.40 times the median
    (features, which grow while the teacher learns), and 2 and 3.4 deviations above it.

    Args:
        losses: Those that it begins with.
    """

    def __init__(self, losses: Iterable[float] = ()) -> None:
        self.losses = deque(losses, maxlen=WINDOW)

    def add(self, loss: float) -> bool:
        """Take in the loss of a step, unless it is a spike; returns whether it was taken in."""
        usual = loss <= self.limit()
        if usual:
            self.losses.append(loss)
        return usual

    def limit(self) -> float:
        """The largest loss that is not a spike."""
        if len(self.losses) < FEWEST:
            return math.inf
        middle = median(self.losses)
        deviation = 1.4826 * median(abs(loss - middle) for loss in self.losses)
        return middle + max(DEVIATIONS * deviation, (RATIO - 1) * middle)
