"""Index algebra against plain loops."""

import pytest
import torch

from bootmae_mm.encoder import tokens


def random_mask(batch: int, num_patches: int, num_masked: int) -> torch.Tensor:
    order = torch.rand(batch, num_patches).argsort(1)
    return order < num_masked


def test_mask_from_ids_marks_the_listed_patches():
    ids = torch.stack([torch.randperm(20)[:15] for _ in range(4)])
    mask = tokens.mask_from_ids(ids, 20)
    assert mask.dtype == torch.bool
    for row in range(4):
        assert mask[row].tolist() == [patch in ids[row].tolist() for patch in range(20)]


def test_gather_is_indexing():
    x, ids = torch.randn(3, 6, 5), torch.tensor([[0, 5], [3, 3], [2, 1]])
    expected = torch.stack([x[b, ids[b]] for b in range(3)])
    assert torch.equal(tokens.gather(x, ids), expected)
    assert torch.equal(tokens.gather(x[:1], ids)[2], x[0, ids[2]])


def test_gather_takes_several_rows_of_ids_for_one_image():
    x, ids = torch.randn(2, 6, 5), torch.tensor([[0, 5], [3, 3], [2, 1], [4, 0]])
    expected = torch.stack([x[row // 2, ids[row]] for row in range(4)])
    assert torch.equal(tokens.gather(x, ids), expected)


def test_patchify_is_cutting_with_slices():
    images = torch.randn(2, 3, 8, 12)
    patches = tokens.patchify(images, 4)
    assert patches.shape == (2, 6, 3, 16)
    for row in range(2):
        for column in range(3):
            square = images[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            assert torch.equal(patches[:, 3 * row + column], square.flatten(2))
    assert torch.equal(tokens.unpatchify(patches, (2, 3)), images)


def test_centre_weights_count_masked_neighbours():
    grid = (4, 5)
    mask = random_mask(3, 20, 13)
    weights = tokens.centre_weights(mask, grid)
    for b in range(3):
        cells = mask[b].reshape(grid)
        for row in range(4):
            for column in range(5):
                square = cells[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
                expected = float(cells[row, column]) * (1 + square.sum().item() / 9)
                assert weights[b, 5 * row + column].item() == pytest.approx(expected, abs=1e-6)
