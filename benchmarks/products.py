"""The matrix products of a training step: how many operations they are, and how fast this machine
does them.

An operation is a multiplication or an addition, so that a product of ``(m, k)`` and ``(k, n)`` has
``2 m k n``. What is counted is what a step needs: of ours only the visible patches are embedded and
only the rows that a loss reads go through the last blocks of decoders and teacher, of the reference
everything is computed. Norms, softmax, GELU and the optimiser are not counted.
"""

import statistics
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import common
import torch
import torch.nn.functional as F

REPEATS = 3


class Product(NamedTuple):
    """``count`` times ``matrices`` products of (rows, inner) and (inner, columns), each with
    ``gradients`` of its two gradients, which are as large as the product itself."""

    part: str
    rows: int
    inner: int
    columns: int
    gradients: int
    count: int = 1
    matrices: int = 1

    @property
    def operations(self) -> int:
        """All of them, forward and backward."""
        each = 2 * self.rows * self.inner * self.columns
        return each * self.matrices * self.count * (1 + self.gradients)


class Sizes(NamedTuple):
    """What the products of a step depend on."""

    dims: int
    hidden: int
    depth: int
    num_heads: int
    patch_values: int
    num_patches: int
    num_masked: int
    decoder_dims: int
    decoder_depth: int


def attention_block(
    part: str, batch: int, rows: int, tokens: int, width: int, num_heads: int, gradients: int,
    count: int = 1,
) -> Iterator[Product]:  # fmt: skip
    """Self-attention of ``rows`` queries to ``tokens`` keys, with its four projections."""
    inner = width // num_heads * num_heads
    yield Product(part, batch * rows, width, inner, gradients, count)
    yield Product(part, batch * tokens, width, 2 * inner, gradients, count)
    yield from mixing(part, batch, rows, tokens, inner, num_heads, gradients, count)
    yield Product(part, batch * rows, inner, width, gradients, count)


def mixing(
    part: str, batch: int, rows: int, tokens: int, inner: int, num_heads: int, gradients: int,
    count: int,
) -> Iterator[Product]:  # fmt: skip
    """Scores, and the mixture of values, of all heads."""
    head, matrices = inner // num_heads, batch * num_heads
    yield Product(part, rows, head, tokens, gradients, count, matrices)
    yield Product(part, rows, tokens, head, gradients, count, matrices)


def mlp(
    part: str, rows: int, width: int, hidden: int, gradients: int, count: int = 1
) -> Iterator[Product]:
    """The two layers of a block."""
    yield Product(part, rows, width, hidden, gradients, count)
    yield Product(part, rows, hidden, width, gradients, count)


def encoder(
    part: str, sizes: Sizes, batch: int, embedded: int, tokens: int, last_rows: int, gradients: int
) -> Iterator[Product]:
    """A ViT that embeds ``embedded`` patches, runs ``tokens`` of them and the class token, and
    ``last_rows`` through the last block."""
    yield Product(part, batch * embedded, sizes.patch_values, sizes.dims, min(gradients, 1))
    for rows, count in ((tokens, sizes.depth - 1), (last_rows, 1)):
        yield from attention_block(
            part, batch, rows, tokens, sizes.dims, sizes.num_heads, gradients, count
        )
        yield from mlp(part, batch * rows, sizes.dims, sizes.hidden, gradients, count)


def decoder(
    part: str, sizes: Sizes, batch: int, width: int, outputs: int, last_rows: int, head_rows: int
) -> Iterator[Product]:
    """A target-aware decoder; ``last_rows`` of its tokens go through the last block and
    ``head_rows`` through the head."""
    tokens, context = sizes.num_patches + 1, sizes.num_patches - sizes.num_masked + 1
    inner = width // sizes.num_heads * sizes.num_heads
    yield Product(part, batch * context, sizes.dims, width, 2)
    for rows, count in ((tokens, sizes.decoder_depth - 1), (last_rows, 1)):
        yield from attention_block(part, batch, rows, tokens, width, sizes.num_heads, 2, count)
        yield Product(part, batch * rows, width, inner, 2, count)
        yield Product(part, batch * context, sizes.dims, 2 * inner, 2, count)
        yield from mixing(part, batch, rows, context, inner, sizes.num_heads, 2, count)
        yield Product(part, batch * rows, inner, width, 2, count)
        yield from mlp(part, batch * rows, width, 4 * width, 2, count)
    yield Product(part, batch * head_rows, width, outputs, 2)


def ours(sizes: Sizes, batch: int, fraction: float = 1.0) -> list[Product]:
    """What a step of BootMAE needs, with a teacher that sees a share of the patches."""
    N, M = sizes.num_patches, sizes.num_masked
    V, K = N - M, M if fraction == 1 else round(fraction * N)
    seen = N if fraction == 1 else K
    return [
        *encoder('encoder', sizes, batch, V, V + 1, V + 1, gradients=2),
        *decoder('regressor', sizes, batch, sizes.decoder_dims, sizes.patch_values, M, M),
        *decoder('predictor', sizes, batch, sizes.dims, sizes.dims, K, K),
        *encoder('teacher', sizes, batch, seen, seen + 1, K, gradients=0),
    ]


def reference(sizes: Sizes, batch: int) -> list[Product]:
    """What the reference computes."""
    N, V = sizes.num_patches, sizes.num_patches - sizes.num_masked
    return [
        *encoder('encoder', sizes, batch, N, V + 1, V + 1, gradients=2),
        *decoder('regressor', sizes, batch, sizes.decoder_dims, sizes.patch_values, N + 1, N),
        *decoder('predictor', sizes, batch, sizes.dims, sizes.dims, N + 1, N),
        *encoder('teacher', sizes, batch, N, N + 1, N + 1, gradients=0),
    ]


def mae(sizes: Sizes, batch: int, width: int, depth: int, num_heads: int) -> list[Product]:
    """What mmpretrain's MAE computes, with its decoder's own width, depth and heads."""
    N, V = sizes.num_patches, sizes.num_patches - sizes.num_masked
    rows = batch * (N + 1)
    return [
        *encoder('encoder', sizes, batch, N, V + 1, V + 1, gradients=2),
        Product('decoder', batch * (V + 1), sizes.dims, width, 2),
        *attention_block('decoder', batch, N + 1, N + 1, width, num_heads, 2, depth),
        *mlp('decoder', rows, width, 4 * width, 2, depth),
        Product('decoder', rows, width, sizes.patch_values, 2),
    ]


def operations(products: Iterable[Product]) -> int:
    """The operations of all of them."""
    return sum(product.operations for product in products)


def by_part(products: Iterable[Product]) -> dict[str, int]:
    """The operations of every part."""
    parts: dict[str, int] = {}
    for product in products:
        parts[product.part] = parts.get(product.part, 0) + product.operations
    return parts


def ceiling(products: Iterable[Product], dtype: torch.dtype, device: str) -> float:
    """Operations per second of the layers' products, each with the gradients it has and as often
    as it occurs, one after the other with nothing between them.

    Products of attention are left out: fused kernels do them without storing scores.
    """
    layers = [product for product in products if product.matrices == 1]
    total = 0.0
    for layer in layers:
        each = forms(layer.rows, layer.inner, layer.columns, dtype, device)
        total += layer.count * sum(each[: 1 + layer.gradients])
    return operations(layers) / total


@cache
@torch.no_grad()
def largest_rate(dtype: torch.dtype, device: str) -> float:
    """Operations per second of one large square product of random matrices: what this machine
    reaches at its best."""
    side, calls = (8192, 10) if device == 'cuda' else (1024, 1)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / median_of(lambda: a @ b, calls)


@cache
@torch.no_grad()
def forms(rows: int, inner: int, columns: int, dtype: torch.dtype, device: str) -> list[float]:
    """Seconds of a layer's product, of the gradient of its weight and of that of its input,
    measured once in a process."""
    x = torch.randn(rows, inner, device=device, dtype=dtype)
    weight = torch.randn(columns, inner, device=device, dtype=dtype)
    grad = torch.randn(rows, columns, device=device, dtype=dtype)
    calls = 10 if device == 'cuda' else 1
    steps = dict(
        product=lambda: F.linear(x, weight),
        weight=lambda: grad.T @ x,
        input=lambda: grad @ weight,
    )
    return [median_of(step, calls) for step in steps.values()]


def median_of(step, calls: int) -> float:
    """Seconds of one call, from ``calls`` in a row."""

    def repeated() -> None:
        for _ in range(calls):
            step()

    repeated()
    return statistics.median(common.seconds(repeated) for _ in range(REPEATS)) / calls
