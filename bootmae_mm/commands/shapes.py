"""Which encoder, and on pictures and patches of which size: by what is there to train it."""

from typing import NamedTuple


class Arch(NamedTuple):
    """An encoder and its decoders.

    Attributes:
        backbone: What ``BootMAEViT`` takes as ``arch``.
        width: Channels of the encoder.
        regressor: The pixel decoder's settings; two thirds of the encoder's width and two blocks,
            as the paper's.
        predictor: The feature decoder's settings.
    """

    backbone: str | dict
    width: int
    regressor: dict
    predictor: dict


def sizes(width: int, depth: int, heads: int) -> dict[str, int]:
    """The four numbers of a ViT."""
    return dict(embed_dims=width, num_layers=depth, num_heads=heads, feedforward_channels=4 * width)


_SHALLOW = dict(depth=1, num_heads=4)
ARCHS = {
    # Of the study on photographs: an hour of a processor core is enough to see it learn.
    'mini': Arch(sizes(96, 6, 3), 96, dict(embed_dims=64, **_SHALLOW), _SHALLOW),
    'tiny': Arch(sizes(192, 12, 3), 192, dict(embed_dims=128, depth=2), dict(depth=2)),
    'small': Arch('small', 384, dict(embed_dims=256, depth=2), dict(depth=2)),
    'base': Arch('base', 768, dict(embed_dims=512, depth=2), dict(depth=2)),
    'large': Arch('large', 1024, dict(embed_dims=512, depth=2), dict(depth=2)),
    'huge': Arch('huge', 1280, dict(embed_dims=512, depth=2), dict(depth=2)),
}
LARGE_PICTURES = 128  # short side from which on pictures are taken at 224 pixels


def arch_of(backbone: str | dict) -> tuple[str, Arch]:
    """One of ``ARCHS`` by a config's ``arch``, with its name.

    Raises:
        ValueError: If it is none of them.
    """
    for name, arch in ARCHS.items():
        if arch.backbone == backbone:
            return name, arch
    raise ValueError(
        f'Expected an encoder of one of the sizes {", ".join(ARCHS)}, found {backbone}; write a '
        'config for it, as docs/quick_start.md does.'
    )


def depth_of(backbone: str | dict) -> int:
    """Blocks of one of ``ARCHS``."""
    deep = dict(small=12, base=12, large=24, huge=32)
    return backbone['num_layers'] if isinstance(backbone, dict) else deep[backbone]


class Shape(NamedTuple):
    """Size of the input and of its patches, in pixels.

    Attributes:
        size: ``(height, width)``.
        patch: Side of a patch.
    """

    size: tuple[int, int]
    patch: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.size[0] // self.patch, self.size[1] // self.patch

    @property
    def patches(self) -> int:
        """Their number."""
        return self.grid[0] * self.grid[1]


def choose_shape(
    short_side: float, on_gpu: bool, size: tuple[int, int] | None, patch: int | None
) -> Shape:
    """The size of the input, and of patches such that there are some 64 to 256 of them.

    Args:
        short_side: Of the median picture, in pixels.
        on_gpu: Whether there is a GPU, without which only 64 pixels are practical.
        size: ``(height, width)`` where the user says so.
        patch: The patches' side where the user says so.

    Raises:
        ValueError: If the size is not a whole number of patches, at least two either way.
    """
    if size is None:
        side = 224 if on_gpu and short_side >= LARGE_PICTURES else 64
        side = side if patch is None else side // patch * patch
        size = side, side
    patch = patch or (16 if min(size) >= 160 else 8)
    shape = Shape(size, patch)
    if any(side % patch or side < 2 * patch for side in size):
        height, width = (max(2, round(side / patch)) * patch for side in size)
        raise ValueError(
            f'Expected a size of whole patches of {patch} pixels, at least two either way, found '
            f'{size[0]} × {size[1]}; take --size {height}x{width} or another --patch.'
        )
    return shape


def pair(size: int | tuple[int, int]) -> tuple[int, int]:
    """``(height, width)`` of a config's size."""
    return (size, size) if isinstance(size, int) else tuple(size)
