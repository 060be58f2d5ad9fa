"""A sample's randomness depends on (seed, epoch, index) and on nothing else."""

import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from bootmae_mm.data import sampling
from bootmae_mm.data.dataset import UnlabelledImages
from bootmae_mm.data.sampling import EpochSampler, SampleKey, seeded
from bootmae_mm.engine.build import build_runner
from tests.helpers.images import write_images
from tests.helpers.paths import ROOT
from tests.helpers.runs import run_config
from tests.helpers.samples import PIPELINE, digest


def keys_of(sampler: EpochSampler, epoch: int) -> list:
    sampler.set_epoch(epoch)
    return list(sampler)


def split_over(monkeypatch, world_size: int, **arguments) -> list:
    """The sampler of every one of ``world_size`` processes."""
    samplers = []
    for rank in range(world_size):
        monkeypatch.setattr(sampling, 'get_dist_info', lambda rank=rank: (rank, world_size))
        samplers.append(EpochSampler(**arguments))
    return samplers


class TestEpochSampler:
    def test_an_epoch_is_a_permutation_cut_to_whole_total_batches(self):
        sampler = EpochSampler(range(23), total_batch_size=8, seed=3)
        keys = keys_of(sampler, 5)
        assert len(keys) == len(sampler) == 16
        assert {(key.seed, key.epoch) for key in keys} == {(3, 5)}
        indices = [key.index for key in keys]
        assert len(set(indices)) == 16
        assert set(indices) <= set(range(23))
        assert all(type(index) is int for index in indices)

    def test_nothing_is_left_out_where_the_batch_divides_the_dataset(self):
        keys = keys_of(EpochSampler(range(24), total_batch_size=8, seed=0), 0)
        assert sorted(key.index for key in keys) == list(range(24))

    def test_every_epoch_and_seed_has_its_own_permutation(self):
        orders = [
            tuple(key.index for key in keys_of(EpochSampler(range(50), 50, seed), epoch))
            for seed in range(3)
            for epoch in range(4)
        ]
        assert len(set(orders)) == 12
        for one, two in combinations(orders, 2):
            assert np.mean(np.equal(one, two)) < 0.15  # 1 of 50 on average

    def test_every_sample_is_left_out_equally_often(self):
        sampler = EpochSampler(range(9), total_batch_size=5, seed=0)
        epochs, p = 2000, 5 / 9
        counts = np.zeros(9)
        for epoch in range(epochs):
            counts[[key.index for key in keys_of(sampler, epoch)]] += 1
        assert (np.abs(counts / epochs - p) < 5 * np.sqrt(p * (1 - p) / epochs)).all()

    def test_an_epoch_can_be_repeated_whatever_came_between(self):
        sampler = EpochSampler(range(20), 4, seed=1)
        first = keys_of(sampler, 2)
        keys_of(sampler, 7)
        np.random.rand(5)
        assert keys_of(sampler, 2) == first == keys_of(EpochSampler(range(20), 4, seed=1), 2)

    def test_it_starts_with_epoch_0(self):
        assert {key.epoch for key in EpochSampler(range(8), 4, seed=0)} == {0}

    @pytest.mark.parametrize('world_size', [2, 4])
    def test_a_step_sees_the_same_samples_for_any_number_of_processes(
        self, monkeypatch, world_size
    ):
        arguments = dict(dataset=range(53), total_batch_size=8, seed=9)
        (whole,) = split_over(monkeypatch, 1, **arguments)
        parts = split_over(monkeypatch, world_size, **arguments)
        for epoch in (0, 3):
            single = keys_of(whole, epoch)
            split = [keys_of(part, epoch) for part in parts]
            assert [len(keys) for keys in split] == [len(part) for part in parts]
            assert len(split[0]) == 48 // world_size
            share = 8 // world_size
            for step in range(6):
                union = [k for keys in split for k in keys[step * share : (step + 1) * share]]
                assert sorted(union) == sorted(single[step * 8 : (step + 1) * 8])

    def test_the_seed_is_the_runs_and_is_required(self):
        """mmengine hands no seed to a sampler when every process has its own."""
        assert {key.seed for key in EpochSampler(range(8), 4, seed=7)} == {7}
        with pytest.raises(ValueError, match='leave out diff_rank_seed'):
            EpochSampler(range(8), 4, seed=None)

    @pytest.mark.parametrize('total', [9, 0, -4])
    def test_a_total_batch_that_the_dataset_cannot_fill_is_refused(self, total):
        with pytest.raises(ValueError, match=f'total_batch_size={total} and 8 images'):
            EpochSampler(range(8), total, seed=0)

    def test_wrappers_that_take_numbers_only_are_refused(self, tmp_path):
        images = UnlabelledImages(str(write_images(tmp_path / 'images', 4)), PIPELINE)
        for wrapped in (ConcatDataset([images, images]), RepeatDataset(images, times=2)):
            name = type(wrapped).__name__
            with pytest.raises(ValueError, match=rf'found {name}; for several folders set data_r'):
                EpochSampler(wrapped, total_batch_size=4, seed=0)

    def test_a_total_batch_that_the_processes_do_not_divide_is_refused(self, monkeypatch):
        with pytest.raises(ValueError, match='3 processes and total_batch_size=8'):
            split_over(monkeypatch, 3, dataset=range(16), total_batch_size=8, seed=0)


def draw(key: SampleKey) -> tuple:
    """Numbers from all three global generators."""
    with seeded(key):
        return random.random(), tuple(np.random.rand(2)), tuple(torch.rand(2).tolist())


class TestSeeded:
    def test_a_key_decides_all_three_generators(self):
        first = draw(SampleKey(1, 2, 3))
        random.random(), np.random.rand(), torch.rand(1)
        assert draw(SampleKey(1, 2, 3)) == first

    def test_keys_that_differ_draw_differently(self):
        keys = [SampleKey(*numbers) for numbers in np.ndindex(4, 4, 4)]
        keys += [SampleKey(2**31 - 1, 799, 1281166), SampleKey(2**31 - 1, 1281166, 799)]
        for values in zip(*map(draw, keys), strict=True):
            assert len(set(values)) == len(keys)

    def test_draws_of_neighbouring_keys_are_uniform_and_unrelated(self):
        draws = [draw(SampleKey(0, 0, i)) for i in range(1000)]
        for values in ([d[0] for d in draws], [d[1][0] for d in draws], [d[2][0] for d in draws]):
            assert np.mean(values) == pytest.approx(0.5, abs=5 * np.sqrt(1 / 12 / 1000))
            assert np.var(values) == pytest.approx(1 / 12, rel=0.15)
            assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 5 / np.sqrt(1000)

    @pytest.mark.parametrize('fail', [False, True])
    def test_the_main_process_gets_its_states_back(self, fail):
        def following() -> tuple:
            return random.random(), np.random.rand(), torch.rand(1).item()

        def use() -> None:
            with seeded(SampleKey(0, 1, 2)):
                following()
                if fail:
                    raise KeyError

        random.seed(4), np.random.seed(4), torch.manual_seed(4)
        expected = following()
        random.seed(4), np.random.seed(4), torch.manual_seed(4)
        if fail:
            with pytest.raises(KeyError):
                use()
        else:
            use()
        assert following() == expected


def digests(folder, epochs=(0, 1), **loader) -> dict:
    """``(epoch, file name)`` to the fingerprint of what a data loader gave."""
    dataset = UnlabelledImages(str(folder), PIPELINE)
    sampler = EpochSampler(dataset, total_batch_size=4, seed=5)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, collate_fn=list, **loader)
    found = {}
    for epoch in epochs:
        sampler.set_epoch(epoch)
        for sample in (sample for batch in loader for sample in batch):
            found[epoch, Path(sample['data_samples'].img_path).name] = digest(sample)
    return found


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp('sampling') / 'images', 12)


@pytest.fixture(scope='module')
def expected(folder) -> dict:
    return digests(folder)


class TestSamples:
    def test_another_epoch_has_another_crop_and_mask(self, folder, expected):
        assert len(expected) == len(set(expected.values())) == 24
        dataset = UnlabelledImages(str(folder), PIPELINE)
        images, masks = set(), set()
        for epoch in range(8):
            sample = dataset[SampleKey(5, epoch, 0)]
            images.add(sample['inputs'].numpy().tobytes())
            masks.add(sample['data_samples'].get('ids_masked').tobytes())
        assert len(images) == len(masks) == 8

    @pytest.mark.parametrize(('workers', 'persistent'), [(1, False), (3, False), (3, True)])
    def test_any_number_of_workers_gives_the_same(self, folder, expected, workers, persistent):
        torch.manual_seed(workers)  # mmengine's and torch's seeds of the workers play no part
        loader = dict(num_workers=workers, persistent_workers=persistent)
        assert digests(folder, **loader) == expected

    def test_a_run_that_starts_with_a_later_epoch_gives_the_same(self, folder, expected):
        later = digests(folder, epochs=(1,))
        assert later == {key: value for key, value in expected.items() if key[0] == 1}

    def test_another_process_gives_the_same(self, folder, expected):
        """Another interpreter, whose hash seed and generators differ."""
        code = (
            'import sys, random, numpy, torch\n'
            'import bootmae_mm.registration\n'
            'from tests.data.test_sampling import digests\n'
            'random.seed(99), numpy.random.seed(99), torch.manual_seed(99)\n'
            'print("FOUND", sorted(digests(sys.argv[1]).items()))\n'
        )
        output = subprocess.run(
            [sys.executable, '-c', code, str(folder)],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
        ).stdout  # fmt: skip
        assert f'FOUND {sorted(expected.items())}' in output

    def test_a_plain_index_is_seed_0_and_epoch_0(self, folder):
        dataset = UnlabelledImages(str(folder), PIPELINE)
        assert digest(dataset[3]) == digest(dataset[SampleKey(0, 0, 3)])

    def test_every_process_of_a_group_draws_its_samples_as_one_would(
        self, folder, expected, monkeypatch
    ):
        found = {}
        for rank in range(2):
            monkeypatch.setattr(sampling, 'get_dist_info', lambda rank=rank: (rank, 2))
            found.update(digests(folder))
        assert found == expected


class Record(Hook):
    """Notes the fingerprints of what the model is trained on."""

    def __init__(self):
        self.found = {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        for image, data in zip(data_batch['inputs'], data_batch['data_samples'], strict=True):
            sample = dict(inputs=image, data_samples=data)
            self.found[runner.epoch, data.sample_idx] = digest(sample)


@pytest.mark.parametrize('workers', [0, 2])
def test_a_runner_tells_the_sampler_its_epoch(folder, tmp_path, workers):
    """With persistent workers, which keep the dataset of the first epoch."""
    cfg = run_config(folder, tmp_path / 'run', total=4, batch=4, epochs=2)
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    runner, record = build_runner(cfg), Record()
    runner.register_hook(record)
    runner.train()
    loader = runner.train_dataloader
    seed = loader.sampler.seed
    assert len(record.found) == 24
    for (epoch, index), found in record.found.items():
        assert digest(loader.dataset[SampleKey(seed, epoch, index)]) == found
