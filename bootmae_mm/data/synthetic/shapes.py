"""Procedural labelled pictures: flat-coloured shapes over textures, drawn from a seed.

The class is carried by the outline alone: all classes are drawn with the same area, and colours,
rotation, position and texture are drawn without looking at the class. Every picture comes with
the mask of each shape, so that one generator serves classification, segmentation and detection.

Coordinates are (x, y) pairs in units of the picture's side, y downwards.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

# Raise it when the same seed gives other pictures.
GENERATOR_VERSION = 2
SIZE_RANGE = (0.24, 0.40)
MAX_SIZE = 0.8  # from 0.5 on, the longest class, the bar, may not fit
MIN_SHAPE_PIXELS = 3

_SUPERSAMPLING = 4
_NUM_COLOUR_CANDIDATES = 16
_COLOUR_CONTRAST = 0.45
_ARC_POINTS = 48


@dataclass(frozen=True)
class Shape:
    """One drawn shape: its class and the pixels at least half covered by it.

    Attributes:
        class_id: index into `CLASSES`.
        mask: bool (size, size). The masks of one scene do not overlap.
    """

    class_id: int
    mask: np.ndarray


@dataclass(frozen=True)
class Scene:
    """One picture with its annotations.

    Attributes:
        image: uint8 (size, size, 3), RGB.
        label: class of the main shape, an index into `CLASSES`.
        shapes: all shapes, the main one first.
    """

    image: np.ndarray
    label: int
    shapes: list[Shape]


# ---------------------------------------------------------------------------------------------
# Outlines: a closed polygon (N, 2) and the polygons of its holes


def _polar(radius: float | np.ndarray, angles: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _regular_polygon(num_corners: int, radius: float = 1.0) -> np.ndarray:
    return _polar(radius, np.arange(num_corners) * 2 * np.pi / num_corners)


def _circle(radius: float = 1.0) -> np.ndarray:
    return _regular_polygon(_ARC_POINTS, radius)


def _star(num_points: int = 5, inner_radius: float = 0.42) -> np.ndarray:
    angles = np.arange(2 * num_points) * np.pi / num_points
    return _polar(np.tile([1.0, inner_radius], num_points), angles)


def _cross(half_width: float = 0.3) -> np.ndarray:
    arm = np.array([(half_width, half_width), (half_width, 1), (-half_width, 1)])
    quarter_turn = np.array([(0, 1), (-1, 0)])
    return np.concatenate([arm @ np.linalg.matrix_power(quarter_turn, k) for k in range(4)])


def _bar(aspect: float = 4.0) -> np.ndarray:
    return np.array([(aspect, 1), (-aspect, 1), (-aspect, -1), (aspect, -1)], dtype=float)


def _crescent(shift: float = 0.5, inner_radius: float = 0.8) -> np.ndarray:
    """The unit disc less a disc of `inner_radius` whose centre lies `shift` to the right."""
    horn_x = (1 + shift**2 - inner_radius**2) / (2 * shift)
    outer_start = math.acos(horn_x)
    inner_start = math.acos((horn_x - shift) / inner_radius)
    outer = np.linspace(outer_start, 2 * np.pi - outer_start, _ARC_POINTS)
    inner = np.linspace(2 * np.pi - inner_start, inner_start, _ARC_POINTS)
    return np.concatenate([_polar(1.0, outer), _polar(inner_radius, inner) + (shift, 0)])


def _polygon_area(points: np.ndarray) -> float:
    """The shoelace formula."""
    x, y = points.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _outline(polygon: np.ndarray, *holes: np.ndarray) -> tuple[np.ndarray, ...]:
    """The polygon, then its holes, scaled to the area of a disc of diameter 1."""
    area = _polygon_area(polygon) - sum(_polygon_area(hole) for hole in holes)
    scale = math.sqrt(math.pi / 4 / area)
    return tuple(points * scale for points in (polygon, *holes))


# In alphabetical order: class folders are numbered in that order by the readers of the layout.
OUTLINES = {
    'bar': _outline(_bar()),
    'crescent': _outline(_crescent()),
    'cross': _outline(_cross()),
    'disc': _outline(_circle()),
    'ring': _outline(_circle(), _circle(0.55)),
    'square': _outline(_regular_polygon(4)),
    'star': _outline(_star()),
    'triangle': _outline(_regular_polygon(3)),
}
CLASSES = tuple(OUTLINES)


# ---------------------------------------------------------------------------------------------
# Textures: float32 (size, size) in [0, 1], the mixing weight of two colours


def _turned_coordinates(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixel centres' coordinates in a frame turned by a random angle, both (size, size)."""
    centres = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    x, y = centres[None, :], centres[:, None]
    return x * cos + y * sin, y * cos - x * sin


def _wave(rng: np.random.Generator, position: np.ndarray) -> np.ndarray:
    """A wave in [-1, 1] of 2 to 7 periods a side, between sinusoidal and nearly square."""
    frequency, phase = rng.uniform(2, 7), rng.uniform(0, 2 * np.pi)
    wave = np.sin(np.float32(2 * np.pi * frequency) * position + np.float32(phase))
    return np.clip(np.float32(rng.uniform(1, 4)) * wave, -1, 1)


def _stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    return 0.5 + 0.5 * _wave(rng, _turned_coordinates(rng, size)[0])


def _checkers(rng: np.random.Generator, size: int) -> np.ndarray:
    along, across = _turned_coordinates(rng, size)
    return 0.5 + 0.5 * _wave(rng, along) * _wave(rng, across)


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    along, _ = _turned_coordinates(rng, size)
    low, high = along.min(), along.max()
    return (along - low) / max(high - low, np.float32(1e-6))


def _value_noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random values on a grid of 3 to 8 points a side, interpolated."""
    num_points = int(rng.integers(3, 9))
    grid = Image.fromarray(rng.random((num_points, num_points), dtype=np.float32))
    return np.clip(np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC)), 0, 1)


_TEXTURES = {
    'stripes': _stripes,
    'checkers': _checkers,
    'gradient': _gradient,
    'value_noise': _value_noise,
}
TEXTURES = tuple(_TEXTURES)
DEFAULT_STYLE = {'size_range': SIZE_RANGE, 'max_rotation': np.pi, 'textures': TEXTURES}


# ---------------------------------------------------------------------------------------------
# Scenes


def _contrasting_colour(rng: np.random.Generator, background: np.ndarray) -> np.ndarray:
    """A random RGB colour in [0, 1] away from every mixture of two background colours (2, 3).

    The first of a few candidates whose distance to the segment between the two reaches the
    contrast, or the farthest of them when none does.
    """
    candidates = rng.random((_NUM_COLOUR_CANDIDATES, 3))
    start, direction = background[0], background[1] - background[0]
    weight = (candidates - start) @ direction / max(float(direction @ direction), 1e-12)
    nearest = start + np.clip(weight, 0, 1)[:, None] * direction
    distance = np.linalg.norm(candidates - nearest, axis=1)
    return candidates[np.argmax(np.minimum(distance, _COLOUR_CONTRAST))]


def _place(
    rng: np.random.Generator,
    class_id: int,
    corner: tuple[float, float],
    cell: float,
    size_range: tuple[float, float],
    max_rotation: float,
) -> list[np.ndarray]:
    """A class's outline, randomly sized and turned, placed at random inside a square cell; one that
    is too long for the cell sticks out on both sides."""
    angle = rng.uniform(-max_rotation, max_rotation)
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([(cos, sin), (-sin, cos)])
    transform = rotation * (rng.uniform(*size_range) * cell)
    outline = [points @ transform for points in OUTLINES[CLASSES[class_id]]]
    low, high = outline[0].min(axis=0), outline[0].max(axis=0)
    offset = corner - low + rng.random(2) * (cell - (high - low))
    return [points + offset for points in outline]


def _coverage(outline: list[np.ndarray], size: int) -> np.ndarray:
    """The share of every pixel that a shape covers, float32 (size, size) in [0, 1]."""
    fine_size = size * _SUPERSAMPLING
    canvas = Image.new('L', (fine_size, fine_size))
    draw = ImageDraw.Draw(canvas)
    polygon, *holes = ((points * fine_size).ravel().tolist() for points in outline)
    draw.polygon(polygon, fill=255)
    for hole in holes:
        draw.polygon(hole, fill=0)
    return np.asarray(canvas.reduce(_SUPERSAMPLING), dtype=np.float32) / 255


def _cells_per_side(num_shapes: int) -> int:
    """Side of the smallest square grid with a cell for every shape."""
    return math.isqrt(num_shapes - 1) + 1


def check_scene_arguments(
    size: int, label: int | None, num_shapes: int, size_range: tuple[float, float]
) -> None:
    """Raise ``ValueError`` for what :func:`draw_scene` cannot draw."""
    if label is not None and not 0 <= label < len(CLASSES):
        raise ValueError(f'the label must lie in 0..{len(CLASSES) - 1}, got {label}')
    if num_shapes < 1:
        raise ValueError(f'a scene needs at least one shape, got num_shapes={num_shapes}')
    low, high = size_range
    if not 0 < low <= high <= MAX_SIZE:
        raise ValueError(
            f'size_range must be (low, high) with 0 < low <= high <= {MAX_SIZE}, got {size_range}'
        )
    smallest = low * size / _cells_per_side(num_shapes)
    if smallest < MIN_SHAPE_PIXELS:
        raise ValueError(
            f'shapes need at least {MIN_SHAPE_PIXELS} pixels to be told apart, the smallest here '
            f'have {smallest:.1f}; draw larger pictures, larger shapes or fewer'
        )


def draw_scene(
    rng: np.random.Generator,
    size: int,
    label: int | None = None,
    num_shapes: int = 1,
    size_range: tuple[float, float] = SIZE_RANGE,
    max_rotation: float = np.pi,
    textures: tuple[str, ...] = TEXTURES,
    classes: tuple[str, ...] = CLASSES,
) -> Scene:
    """Draw one picture.

    Args:
        rng: the only source of randomness.
        size: side of the square picture in pixels.
        label: class of the main shape; drawn at random when None.
        num_shapes: number of shapes. Several are put in different cells of a square grid, so
            they never overlap; the classes of all but the main one are random.
        size_range: range of a shape's size, as a share of its cell's side (with one shape the
            cell is the picture). The size is the diameter of the disc of equal area; the
            longest class, the bar, is 1.8 times as long.
        max_rotation: shapes are turned by up to this angle (radians) to either side.
        textures: names of the textures to choose from, of `TEXTURES`.
        classes: names of the classes to choose from at random, of `CLASSES`.

    Raises:
        ValueError: an argument is out of range, or a shape could be smaller than 3 pixels.
    """
    check_scene_arguments(size, label, num_shapes, size_range)
    choices = [CLASSES.index(name) for name in classes]
    class_ids = [choices[i] for i in rng.integers(len(choices), size=num_shapes)]
    if label is not None:
        class_ids[0] = int(label)

    background = rng.random((2, 3))
    texture = _TEXTURES[textures[rng.integers(len(textures))]](rng, size)[..., None]
    canvas = background[0] + texture * (background[1] - background[0])

    cells_per_side = _cells_per_side(num_shapes)
    cell = 1 / cells_per_side
    shapes, taken = [], np.zeros((size, size), dtype=bool)
    for class_id, index in zip(class_ids, rng.permutation(cells_per_side**2), strict=False):
        row, column = divmod(int(index), cells_per_side)
        corner = (column * cell, row * cell)
        outline = _place(rng, class_id, corner, cell, size_range, max_rotation)
        coverage = _coverage(outline, size)
        colour = _contrasting_colour(rng, background)
        canvas += coverage[..., None] * (colour - canvas)
        mask = (coverage >= 0.5) & ~taken
        taken |= mask
        shapes.append(Shape(class_id, mask))
    return Scene(np.rint(canvas * 255).astype(np.uint8), class_ids[0], shapes)
