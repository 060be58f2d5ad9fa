"""The probe in closed form: against ridge regression and neighbours written out, and as a run."""

import json

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from bootmae_mm.engine.build import build_runner
from bootmae_mm.transfer import ClosedFormHead
from bootmae_mm.transfer.ridge import RIDGE
from tests.helpers.configs import load
from tests.helpers.labelled_data import shrink, write_pictures
from tests.helpers.probe_data import ridge_scores

CLASSES, DIMS = 3, 5


def data(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of two blocks ``(2, N, D)``, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    return rng.normal(size=(2, count, DIMS)) + np.eye(CLASSES, DIMS)[labels], labels


def samples(labels) -> list[DataSample]:
    return [DataSample().set_gt_label(int(label)) for label in labels]


def predicted(shares: tuple[float, ...], batches: int = 4) -> tuple[list[dict], tuple, tuple]:
    """What a head says of ten rows that has learned from a hundred."""
    head, (x, labels), (new, new_labels) = (
        ClosedFormHead([2, 7], CLASSES, shares, k=4), data(100, 0), data(10, 1)
    )  # fmt: skip
    for rows in np.array_split(np.arange(100), batches):
        head.learn(torch.from_numpy(x[:, rows]).unbind(0), samples(labels[rows]))
    found = head.predict(torch.from_numpy(new).unbind(0), samples(new_labels))
    return [sample.block_scores for sample in found], (x, labels), new


LABELS = ('_labels_0.1', '')


def test_every_block_and_share_is_a_ridge_regression_of_its_own():
    scores, (x, labels), new = predicted((0.1, 1.0))
    assert list(scores[0]) == ['knn', *(f'block_{b}{s}' for b in (2, 7) for s in LABELS)]
    tenth, seen = [], [0] * CLASSES
    for row, label in enumerate(labels):  # the first of each class, the twentieth, the thirtieth
        seen[label] += 1
        if seen[label] == 1 or (seen[label] % 10 == 0 and seen[label] > 10):
            tenth.append(row)
    for index, block in enumerate((2, 7)):
        for name, rows in {'': range(100), '_labels_0.1': tenth}.items():
            targets = np.eye(CLASSES)[labels[list(rows)]]
            expected = ridge_scores(x[index][list(rows)], targets, new[index], RIDGE)
            found = torch.stack([s[f'block_{block}{name}'] for s in scores]).numpy()
            assert found == pytest.approx(expected, abs=1e-6)


def test_neighbours_are_those_of_the_last_block():
    scores, (x, labels), new = predicted((1.0,))
    for query, found in zip(new[1], scores, strict=True):
        cosine = x[1] @ query / np.linalg.norm(x[1], axis=1) / np.linalg.norm(query)
        votes = np.zeros(CLASSES)
        for row in np.argsort(-cosine)[:4]:
            votes[labels[row]] += np.exp((cosine[row] - cosine.max()) / 0.07)
        assert found['knn'].numpy() == pytest.approx(votes, rel=1e-4)


def test_the_order_of_batches_does_not_matter():
    one, four = (predicted((0.1, 1.0), batches)[0] for batches in (1, 4))
    for first, second in zip(one, four, strict=True):
        for name, score in first.items():
            torch.testing.assert_close(score, second[name])


@pytest.mark.parametrize('share', [0, -0.1, 1.5])
def test_a_share_is_above_nothing_and_at_most_all(share):
    with pytest.raises(ValueError, match='Expected shares of the labels above 0 and up to 1'):
        ClosedFormHead([1], 2, (share,))


def test_a_run_takes_every_picture_once_and_logs_every_score(tmp_path):
    """Pictures of one colour a class are told apart; the encoder stays as it is."""
    write_pictures(tmp_path, per_class=8)
    cfg = load('photos/photos_linear')
    cfg.model.data_preprocessor.num_classes = cfg.model.head.num_classes = CLASSES
    arch = dict(embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48)
    cfg.model.backbone.update(arch=arch, img_size=32, out_indices=[0, 1, 2])
    cfg.model.head.blocks = blocks = [1, 2, 3]
    pipeline = shrink(cfg.val_dataloader.dataset.pipeline)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.batch_size = 5
        loader.dataset.update(data_root=str(tmp_path), pipeline=pipeline)
    cfg.work_dir = str(tmp_path / 'run')
    runner = build_runner(cfg)
    runner.train()
    assert not runner.optim_wrapper.optimizer.state  # it was never asked for a step
    head = runner.model.head
    assert head.classifiers['block_1'].total_C.sum() == len(runner.train_dataloader.dataset)
    [scalars] = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    row = json.loads(scalars.read_text().splitlines()[-1])
    names = [name for name in row if name.startswith('accuracy/')]
    assert len(names) == 1 + len(blocks) * 3 and row['accuracy/block_3/top1'] == 100
