"""The procedural pictures: what a class is, what is annotated, and what ends up on disk."""

import ast
import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.data.synthetic import layout, shapes
from bootmae_mm.data.synthetic.shapes import CLASSES, OUTLINES, Scene, draw_scene

NUM_CLASSES = 8


def scene_of(seed, label=None, size=48, **kwargs) -> Scene:
    return draw_scene(np.random.default_rng(seed), size, label, **kwargs)


def inside_polygon(points, x, y) -> np.ndarray:
    """Even-odd rule: count the edges that a ray to the right of each (x, y) crosses."""
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


def grown(mask, num_pixels) -> np.ndarray:
    """The pixels within a square neighbourhood of a mask's pixels."""
    padded = np.pad(mask, num_pixels)
    height, width = mask.shape
    shifts = range(2 * num_pixels + 1)
    return np.any([padded[y : y + height, x : x + width] for y in shifts for x in shifts], axis=0)


def shrunk(mask, num_pixels) -> np.ndarray:
    """The pixels whose square neighbourhood lies in the mask, and in the picture."""
    outside = np.pad(~mask, num_pixels, constant_values=True)
    inner = slice(num_pixels, -num_pixels)
    return ~grown(outside, num_pixels)[inner, inner]


def file_hashes(root) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*.png'))
    }


def test_needs_only_numpy_and_pillow():
    tree = ast.parse(Path(shapes.__file__).read_text())
    imported = {
        name.split('.')[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    assert imported - set(sys.stdlib_module_names) == {'numpy', 'PIL'}


# ------------------------------------------------------------------------------------ outlines


def test_class_numbers_follow_the_order_of_the_folder_names():
    assert len(CLASSES) == NUM_CLASSES
    assert list(CLASSES) == sorted(CLASSES)


@pytest.mark.parametrize(
    ('name', 'corners'),
    [
        ('bar', 4),
        ('cross', 12),
        ('square', 4),
        ('star', 10),
        ('triangle', 3),
    ],
)
def test_polygons_have_their_corners(name, corners):
    (points,) = OUTLINES[name]
    edges = np.roll(points, -1, axis=0) - points
    following = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    assert len(points) == np.count_nonzero(np.abs(turns) > 1e-6) == corners


@pytest.mark.parametrize('name', CLASSES)
def test_outlines_have_the_area_of_a_disc_of_diameter_one(name):
    """Independent of the shoelace formula: random points, counted by the even-odd rule."""
    points = np.random.default_rng(0).uniform(-1, 1, (2, 200_000))
    inside = sum(inside_polygon(loop, *points).astype(int) for loop in OUTLINES[name])
    area = 4 * (inside == 1).mean()
    assert area == pytest.approx(math.pi / 4, rel=0.015)  # 4 standard deviations


# -------------------------------------------------------------------------------------- scenes


def test_scene_is_reproducible_and_described_by_its_annotations():
    scene, again = scene_of(3, label=5), scene_of(3, label=5)
    assert scene.image.dtype == np.uint8 and scene.image.shape == (48, 48, 3)
    assert np.array_equal(scene.image, again.image)
    assert scene.label == 5 and [shape.class_id for shape in scene.shapes] == [5]
    assert scene.shapes[0].mask.dtype == bool and scene.shapes[0].mask.shape == (48, 48)
    assert not np.array_equal(scene.image, scene_of(4, label=5).image)


def test_random_labels_cover_all_classes():
    assert {scene_of(seed, size=16, size_range=(0.4, 0.4)).label for seed in range(100)} == set(
        range(NUM_CLASSES)
    )


@pytest.mark.parametrize('label', range(NUM_CLASSES))
def test_shape_is_flat_coloured_stands_out_and_lies_inside(label):
    """Pixels whose neighbours are all in the mask are the shape's alone: they have one colour,
    and pixels well away from the shape have another."""
    for seed in range(60):
        scene = scene_of(seed, label, size=96, size_range=(0.4, 0.4))
        mask = scene.shapes[0].mask
        core, near = shrunk(mask, 1), grown(mask, 2)
        inner = scene.image[core].astype(int)
        assert len(inner) > 50
        assert np.ptp(inner, axis=0).max() == 0
        outer = scene.image[~near].astype(int)
        distance = np.linalg.norm((outer - inner[0]) / 255, axis=1).min()
        assert distance > 0.2, f'seed {seed}'


def test_contrast_is_the_asked_one_for_nearly_all_pictures():
    """The distance of the flat colour to all background pixels, over many pictures."""
    distances = []
    for seed in range(200):
        scene = scene_of(seed, CLASSES.index('disc'), size=32)
        mask = scene.shapes[0].mask
        y, x = (round(float(v.mean())) for v in np.nonzero(mask))
        colour = scene.image[y, x].astype(int)
        coordinates = np.indices(mask.shape)
        far = np.hypot(coordinates[0] - y, coordinates[1] - x) > 0.5 * 0.4 * 32 + 2
        difference = (scene.image[far].astype(int) - colour) / 255
        distances.append(np.linalg.norm(difference, axis=1).min())
    assert np.mean(np.array(distances) >= 0.44) > 0.98


@pytest.mark.parametrize('share', [0.24, 0.4])
def test_area_tells_nothing_about_the_class(share):
    """Every class covers the area of a disc whose diameter is `share` of the side."""
    expected = math.pi / 4 * (share * 64) ** 2
    for label in range(NUM_CLASSES):
        areas = [
            scene_of(seed, label, size=64, size_range=(share, share)).shapes[0].mask.sum()
            for seed in range(20)
        ]
        assert np.mean(areas) == pytest.approx(expected * 1.03, rel=0.04), CLASSES[label]


def test_colour_and_texture_do_not_depend_on_the_class():
    """With the same random numbers, pictures of two classes are the same but for the shape."""
    for seed in range(20):
        disc, star = (scene_of(seed, CLASSES.index(name)) for name in ('disc', 'star'))
        changed = (disc.image != star.image).any(axis=2)
        far = ~grown(disc.shapes[0].mask | star.shapes[0].mask, 3)
        assert not changed[far].any()
        disc_colour = disc.image[shrunk(disc.shapes[0].mask, 1)][0]
        star_colour = star.image[shrunk(star.shapes[0].mask, 1)][0]
        assert np.array_equal(disc_colour, star_colour)


def test_mask_is_the_turned_and_placed_outline():
    """The bar's sides, from the second moments of its mask, averaged over rotations."""
    sides = []
    for seed in range(40):
        mask = scene_of(seed, CLASSES.index('bar'), size=96, size_range=(0.3, 0.3)).shapes[0].mask
        variances = np.linalg.eigvalsh(np.cov(np.stack(np.nonzero(mask))))
        sides.append(np.sqrt(12 * variances))  # variance of a uniform distribution: side^2 / 12
    expected = math.sqrt(math.pi / 4 / 4) * 0.3 * 96  # a 4:1 bar of the disc's area
    assert np.mean(sides, axis=0) == pytest.approx([expected, 4 * expected], abs=0.6)


def test_position_and_rotation_are_unrestricted():
    total = sum(scene_of(seed, size=24).shapes[0].mask.astype(int) for seed in range(600))
    assert total.sum(axis=0).min() > 0 and total.sum(axis=1).min() > 0
    assert total[:12].sum() / total.sum() == pytest.approx(0.5, abs=0.05)
    assert total[:, :12].sum() / total.sum() == pytest.approx(0.5, abs=0.05)
    angles = []
    for seed in range(60):
        y, x = np.nonzero(scene_of(seed, CLASSES.index('bar')).shapes[0].mask)
        _, axes = np.linalg.eigh(np.cov(np.stack([x, y])))
        angles.append(math.degrees(math.atan2(axes[1, 1], axes[0, 1])) % 180)
    assert np.histogram(angles, bins=6, range=(0, 180))[0].min() >= 3


def test_all_four_textures_are_drawn():
    assert len(set(shapes._TEXTURES.values())) == 4
    for texture in shapes._TEXTURES.values():
        for seed in range(20):
            values = texture(np.random.default_rng(seed), 48)
            assert values.shape == (48, 48)
            assert values.min() >= 0 and values.max() <= 1
            assert np.ptp(values) > 0.3, texture.__name__


def test_textures_are_those_asked_for():
    """A gradient changes by the same step from pixel to pixel; nothing else does."""
    for seed in range(10):
        scene = scene_of(seed, size=32, textures=('gradient',))
        outside = ~scene.shapes[0].mask
        second = np.abs(np.diff(scene.image.astype(int), n=2, axis=0)).max(axis=-1)
        inside_three = outside[:-2] & outside[1:-1] & outside[2:]
        assert np.median(second[inside_three]) <= 1


def test_rotation_is_limited():
    angles = []
    for seed in range(40):
        mask = scene_of(seed, CLASSES.index('bar'), max_rotation=0.3).shapes[0].mask
        y, x = np.nonzero(mask)
        _, axes = np.linalg.eigh(np.cov(np.stack([x, y])))
        angles.append((math.atan2(axes[1, 1], axes[0, 1]) + np.pi / 2) % np.pi - np.pi / 2)
    assert 0.2 < np.abs(angles).max() < 0.33


@pytest.mark.parametrize('num_shapes', [2, 4, 5])
def test_several_shapes_have_disjoint_visible_masks(num_shapes):
    for seed in range(20):
        scene = scene_of(seed, label=1, size=64, num_shapes=num_shapes)
        masks = np.stack([shape.mask for shape in scene.shapes])
        assert len(masks) == num_shapes and scene.shapes[0].class_id == scene.label == 1
        assert masks.sum(axis=0).max() == 1
        cell = 64 / math.ceil(math.sqrt(num_shapes))
        smallest, largest = (math.pi / 4 * (share * cell) ** 2 for share in (0.24, 0.40))
        areas = masks.sum(axis=(1, 2))
        assert (areas > 0.8 * smallest).all() and (areas < 1.25 * largest).all()


@pytest.mark.parametrize('seed', [692, 1375, 1545])
def test_shapes_that_meet_in_a_pixel_do_not_share_it(seed):
    """Seeds found by search: two neighbours each cover half of a pixel between their cells."""
    scene = scene_of(seed, size=33, num_shapes=16, size_range=(0.5, 0.5))
    assert sum(shape.mask.astype(int) for shape in scene.shapes).max() == 1


def test_smallest_shapes_keep_a_mask_and_smaller_ones_are_refused():
    for label in range(NUM_CLASSES):
        for seed in range(50):
            assert scene_of(seed, label, size=10, size_range=(0.3, 0.3)).shapes[0].mask.any()
    with pytest.raises(ValueError, match='at least 3 pixels'):
        scene_of(0, size=9, size_range=(0.3, 0.3))
    with pytest.raises(ValueError, match='at least 3 pixels'):
        scene_of(0, size=48, num_shapes=17)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'label': 8}, '0..7'),
        ({'label': -1}, '0..7'),
        ({'num_shapes': 0}, 'at least one shape'),
        ({'size_range': (0.4, 0.3)}, 'size_range'),
        ({'size_range': (0.3, 0.9)}, 'size_range'),
        ({'size_range': (0.0, 0.3)}, 'size_range'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        scene_of(0, **arguments)


def test_longest_shape_of_the_largest_size_fits():
    """None is cut off by the picture's edge: the mask keeps the whole area."""
    for seed in range(200):
        mask = scene_of(seed, CLASSES.index('bar'), size=64, size_range=(0.5, 0.5)).shapes[0].mask
        assert 0.99 < mask.sum() / (math.pi / 4 * 32**2) < 1.09


# --------------------------------------------------------------------------------------- files


def test_layout_on_disk(tmp_path):
    root = tmp_path / 'shapes'
    calls = []
    layout.write_imagenet_layout(root, 24, 16, 20, 7, progress=lambda *call: calls.append(call))
    assert calls == [(done, 40) for done in range(1, 41)]
    parameters = json.loads((root / 'dataset.json').read_text())
    assert parameters.pop('textures') == list(shapes.TEXTURES)
    assert parameters.pop('max_rotation') == pytest.approx(math.pi)
    assert parameters == {
        'generator_version': shapes.GENERATOR_VERSION,
        'classes': list(CLASSES),
        'num_train': 24,
        'num_val': 16,
        'size': 20,
        'seed': 7,
        'size_range': [0.24, 0.40],
    }
    assert sorted(path.name for path in root.iterdir()) == ['dataset.json', 'train', 'val']
    for split, count in (('train', 24), ('val', 16)):
        assert sorted(path.name for path in (root / split).iterdir()) == list(CLASSES)
        for label, name in enumerate(CLASSES):
            names = sorted(path.name for path in (root / split / name).iterdir())
            assert names == [f'{i:06d}.png' for i in range(label, count, NUM_CLASSES)]
    with Image.open(root / 'train' / CLASSES[3] / '000011.png') as image:
        assert image.mode == 'RGB'
        assert np.array_equal(np.asarray(image), layout.split_scene(7, 'train', 11, 20).image)
    hashes = file_hashes(root)
    assert len(set(hashes.values())) == len(hashes) == 40


def test_picture_depends_on_seed_split_and_index_only(tmp_path):
    layout.write_imagenet_layout(tmp_path / 'small', 8, 8, 20, 1)
    layout.write_imagenet_layout(tmp_path / 'large', 16, 16, 20, 1)
    layout.write_imagenet_layout(tmp_path / 'other', 8, 8, 20, 2)
    small, large, other = (file_hashes(tmp_path / name) for name in ('small', 'large', 'other'))
    assert small.items() <= large.items()
    assert not set(small.values()) & set(other.values())


def test_size_range_reaches_the_pictures(tmp_path):
    layout.write_imagenet_layout(tmp_path, 8, 8, 32, 1, size_range=(0.5, 0.5))
    with Image.open(tmp_path / 'val' / CLASSES[2] / '000002.png') as image:
        written = np.asarray(image)
    scene = layout.split_scene(1, 'val', 2, 32, size_range=(0.5, 0.5))
    assert np.array_equal(written, scene.image)
    assert scene.shapes[0].mask.sum() == pytest.approx(math.pi / 4 * 16**2, rel=0.15)


def test_written_once(tmp_path):
    layout.write_imagenet_layout(tmp_path, 8, 8, 20, 0)
    (tmp_path / 'train' / CLASSES[0] / '000000.png').write_bytes(b'untouched')
    calls = []
    layout.write_imagenet_layout(tmp_path, 8, 8, 20, 0, progress=lambda *call: calls.append(call))
    assert not calls
    assert (tmp_path / 'train' / CLASSES[0] / '000000.png').read_bytes() == b'untouched'


def test_interrupted_write_is_redone(tmp_path):
    def interrupt(done, total):
        if done == 10:
            raise KeyboardInterrupt

    root = tmp_path / 'interrupted'
    with pytest.raises(KeyboardInterrupt):
        layout.write_imagenet_layout(root, 8, 8, 20, 0, progress=interrupt)
    assert not (root / 'dataset.json').exists()
    (root / 'val' / CLASSES[1] / '000001.png').write_bytes(b'cut off')
    with pytest.raises(ValueError, match='seed is 0, asked for is 1'):
        layout.write_imagenet_layout(root, 8, 8, 20, 1)
    layout.write_imagenet_layout(root, 8, 8, 20, 0)
    layout.write_imagenet_layout(tmp_path / 'whole', 8, 8, 20, 0)
    assert file_hashes(root) == file_hashes(tmp_path / 'whole')
    assert sorted(path.name for path in root.iterdir()) == ['dataset.json', 'train', 'val']


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'size': 24}, 'size is 20, asked for is 24'),
        ({'seed': 1}, 'seed is 0, asked for is 1'),
        ({'num_train': 16}, 'num_train is 8, asked for is 16'),
        ({'num_val': 9}, 'num_val is 8, asked for is 9'),
        ({'size_range': (0.3, 0.4)}, r'size_range is \[0.24, 0.4\], asked for is \[0.3, 0.4\]'),
    ],
)
def test_other_parameters_in_a_written_folder_are_refused(tmp_path, changed, message):
    arguments = {'num_train': 8, 'num_val': 8, 'size': 20, 'seed': 0}
    layout.write_imagenet_layout(tmp_path, **arguments)
    before = file_hashes(tmp_path)
    with pytest.raises(ValueError, match=message + '.*remove that folder or choose another'):
        layout.write_imagenet_layout(tmp_path, **{**arguments, **changed})
    assert file_hashes(tmp_path) == before


def test_foreign_and_damaged_folders_are_refused(tmp_path):
    (tmp_path / 'precious.txt').write_text('mine')
    with pytest.raises(ValueError, match='not written by this generator'):
        layout.write_imagenet_layout(tmp_path, 8, 8, 20, 0)
    (tmp_path / 'dataset.json').write_text('{')
    with pytest.raises(ValueError, match='damaged'):
        layout.write_imagenet_layout(tmp_path, 8, 8, 20, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['dataset.json', 'precious.txt']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((7, 8, 20, 0), 'num_train=7'),
        ((8, 7, 20, 0), 'num_val=7'),
        ((8, 8, 20, -1), 'seed'),
        ((8, 8, 20, 2**32), 'seed'),
        ((8, 8, 5, 0), 'at least 3 pixels'),
    ],
)
def test_bad_data_set_arguments_leave_no_folder(tmp_path, arguments, message):
    root = tmp_path / 'data'
    with pytest.raises(ValueError, match=message):
        layout.write_imagenet_layout(root, *arguments)
    assert not root.exists()
