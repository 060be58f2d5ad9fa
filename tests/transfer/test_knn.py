"""Nearest neighbours against plain loops and closed cases, and the whole evaluation."""

import math
from pathlib import Path

import pytest
import torch

from bootmae_mm.transfer import knn
from tests.helpers.labelled_data import load_tool, tiny_run, write_pictures
from tests.helpers.models import build_tiny


def unit(count: int, width: int = 5, seed: int = 0) -> torch.Tensor:
    """Random rows of length 1."""
    rows = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    return rows / rows.norm(dim=1, keepdim=True)


@pytest.mark.parametrize('bank_chunk, query_chunk', [(100, 100), (7, 3), (2, 1)])
def test_neighbours_match_a_plain_loop_for_any_chunk(monkeypatch, bank_chunk, query_chunk):
    monkeypatch.setattr(knn, 'BANK_CHUNK', bank_chunk)
    monkeypatch.setattr(knn, 'QUERY_CHUNK', query_chunk)
    queries, bank = unit(8, seed=1), unit(23, seed=2)
    similarity, index = knn.nearest(queries, bank, k=5)
    for row, query in enumerate(queries):
        pairs = sorted(((float(query @ b), i) for i, b in enumerate(bank)), reverse=True)[:5]
        assert index[row].tolist() == [i for _, i in pairs]
        assert similarity[row].tolist() == pytest.approx([s for s, _ in pairs], abs=1e-6)


def test_the_vote_matches_a_plain_loop():
    similarity = torch.rand(6, 4).sort(dim=1, descending=True).values
    labels = torch.randint(3, (6, 4))
    scores = knn.vote(similarity, labels, 3)
    for row in range(6):
        expected = [0.0, 0.0, 0.0]
        for s, label in zip(similarity[row].tolist(), labels[row].tolist(), strict=True):
            expected[label] += math.exp(s / 0.07)
        total = scores[row] / scores[row].sum()
        assert total.tolist() == pytest.approx([e / sum(expected) for e in expected], rel=1e-4)


def test_closeness_outweighs_number():
    """exp(0.1 / 0.07) = 4.17: one neighbour nearer by 0.1 beats four others, not five."""
    labels = torch.tensor([[0, 1, 1, 1, 1, 1]])
    similarity = torch.tensor([[0.9, 0.8, 0.8, 0.8, 0.8, 0.8]])
    assert knn.vote(similarity[:, :5], labels[:, :5], 2).argmax() == 0
    assert knn.vote(similarity, labels, 2).argmax() == 1


def test_too_few_training_images_are_an_error():
    with pytest.raises(ValueError, match='k of at most the 3 training images, found 4'):
        knn.nearest(unit(2), unit(3), k=4)


@pytest.fixture
def run(tmp_path):
    """A probing config on tiny pictures, and a pretraining checkpoint of its encoder."""
    root = write_pictures(tmp_path / 'data')
    cfg = tiny_run('linear/bootmae_vitb_linear_90e', root, tmp_path / 'run')
    checkpoint = tmp_path / 'pretrained.pth'
    torch.save(dict(state_dict=build_tiny().state_dict()), checkpoint)
    return cfg, str(checkpoint)


@pytest.mark.parametrize('block', [None, 1])
def test_the_evaluation_matches_plain_loops(run, block):
    cfg, checkpoint = run
    told = []
    found = knn.evaluate_knn(cfg, checkpoint, [1, 3], block, lambda *step: told.append(step))
    assert told[-1] == ('val', 3, 3) and ('train', 3, 3) in told  # 12 images in batches of 5

    encoder = build_tiny().backbone
    features, labels = {}, {}
    for split in ('train', 'val'):
        dataset = knn._loaders(cfg)[split == 'val'].dataset
        assert dataset.data_prefix['img_path'].endswith(split)
        samples = [dataset[i] for i in range(len(dataset))]
        images = torch.stack([s['inputs'].flip(0).float() / 127.5 - 1 for s in samples])
        with torch.no_grad():
            _, tapped = encoder.encode(images, taps=[(block or 3) - 1])
        pooled = tapped[(block or 3) - 1][:, 1:].mean(dim=1)
        features[split] = pooled / pooled.norm(dim=1, keepdim=True)
        labels[split] = [int(s['data_samples'].gt_label) for s in samples]
        extracted = knn.extract(
            knn._classifier(cfg, checkpoint), knn._loaders(cfg)[split == 'val'], block or 3,
            torch.float32, lambda *_: None,
        )  # fmt: skip
        torch.testing.assert_close(extracted[0], features[split], rtol=1e-5, atol=1e-6)
        assert extracted[1].tolist() == labels[split]
    for k in (1, 3):
        right = 0
        for query, label in zip(features['val'], labels['val'], strict=True):
            votes = [0.0] * 3
            similarities = (features['train'] @ query).tolist()
            order = sorted(range(12), key=similarities.__getitem__, reverse=True)[:k]
            for i in order:
                votes[labels['train'][i]] += math.exp(similarities[i] / 0.07)
            right += votes.index(max(votes)) == label
        assert found[k] == pytest.approx(100 * right / 12)


def test_images_that_are_their_own_neighbours_are_all_right(run):
    cfg, checkpoint = run
    cfg.train_dataloader.dataset.data_prefix = 'val'
    assert knn.evaluate_knn(cfg, checkpoint, [1], None, lambda *_: None) == {1: 100.0}


def test_what_cannot_be_read_is_left_out_of_the_bank_and_refused_as_a_query(run, monkeypatch):
    cfg, checkpoint = run
    root = Path(cfg.train_dataloader.dataset.data_root)
    (root / 'train/red/0.png').write_bytes(b'')
    told = []
    monkeypatch.setattr(knn, 'print_log', lambda message, **_: told.append(message))
    knn.evaluate_knn(cfg, checkpoint, [1], None, lambda *_: None)
    assert len(told) == 1 and 'red/0.png is skipped: ' in told[0]
    (root / 'val/red/0.png').write_bytes(b'')
    with pytest.raises(ValueError, match='found .*val/red/0.png.* that is not'):
        knn.evaluate_knn(cfg, checkpoint, [1], None, lambda *_: None)


def test_wrong_settings_are_refused(run):
    cfg, checkpoint = run
    with pytest.raises(ValueError, match='a block from 1 to 3, found 4'):
        knn.evaluate_knn(cfg, checkpoint, [1], 4, lambda *_: None)
    cfg.val_dataloader = None
    with pytest.raises(ValueError, match='Expected the config of a classifier'):
        knn.evaluate_knn(cfg, checkpoint, [1], None, lambda *_: None)


def test_the_command(run, tmp_path, capsys):
    cfg, checkpoint = run
    cfg.dump(tmp_path / 'config.py')
    arguments = [str(tmp_path / 'config.py'), checkpoint, '--k', '1', '5', '--block', '2']
    load_tool('knn').main(arguments)
    printed = capsys.readouterr().out.splitlines()
    expected = knn.evaluate_knn(cfg, checkpoint, [1, 5], 2, lambda *_: None)
    assert printed[-2:] == [f'{k} nearest neighbours: {expected[k]:.2f} % top-1' for k in (1, 5)]
    assert any(line.startswith('val: 3 of 3 batches, about 0 s left') for line in printed)
    with pytest.raises(SystemExit):
        load_tool('knn').main([*arguments[:3], '0'])
    assert 'expected numbers of neighbours from 1 up, found 0' in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        load_tool('knn').main([*arguments[:3], '1', '--block', '9'])
    assert stop.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert 'error: Expected a block from 1 to 3, found 9' in last
