"""Checkpoints of a run on the disk: written all or nothing, kept, told whole from damaged."""

import resource
import signal
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from bootmae_mm.checkpoint import reading
from bootmae_mm.engine.resume import DurableCheckpointHook, checkpoint_hook, files
from bootmae_mm.engine.run_files import checkpoints


def write(path, steps: int = 0, epoch: int = 0):
    """A checkpoint with some weights."""
    meta = dict(optimizer_steps=steps, epoch=epoch)
    state = dict(weight=torch.arange(1000.0) + steps)
    torch.save(dict(meta=meta, state_dict=state), path)
    return path


def flip(path, place: int) -> None:
    """Change a byte."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def place_of_weight(path) -> int:
    """A byte of the tensor's values."""
    return path.read_bytes().index(torch.arange(1000.0)[500:510].numpy().tobytes())


class TestReplacing:
    def test_the_file_is_there_at_the_end_and_nothing_else(self, tmp_path):
        path = tmp_path / 'epoch_1.pth'
        path.write_text('old')
        with files.replacing(path) as temporary:
            temporary.write_text('new')
            assert path.read_text() == 'old' and temporary.parent == tmp_path
        assert path.read_text() == 'new' and list(tmp_path.iterdir()) == [path]

    def test_it_reaches_the_disk_before_it_takes_the_place(self, tmp_path, monkeypatch):
        done = []
        flush, replace = files._flush, files.os.replace
        monkeypatch.setattr(files, '_flush', lambda p: (done.append(p.name), flush(p)))
        monkeypatch.setattr(
            files.os, 'replace', lambda *paths: (done.append('moved'), replace(*paths))
        )
        with files.replacing(tmp_path / 'a.pth') as temporary:
            temporary.touch()
        assert done == [temporary.name, 'moved', tmp_path.name]

    def test_a_full_disk_leaves_the_old_file(self, tmp_path):
        """The system refuses to write more than 1,000 bytes into a file."""
        path = tmp_path / 'epoch_1.pth'
        path.write_text('old')
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with (
                pytest.raises(RuntimeError, match='disk refused .*GiB are free.*make room'),
                files.replacing(path) as temporary,
            ):
                temporary.write_bytes(bytes(5000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
        assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]

    def test_what_a_killed_process_left_is_removed(self, tmp_path):
        write(tmp_path / 'epoch_1.pth')
        (tmp_path / '.epoch_2.pth.writing').write_bytes(b'half')
        assert files.remove_unfinished(tmp_path) == ['.epoch_2.pth.writing']
        assert [path.name for path in tmp_path.iterdir()] == ['epoch_1.pth']


class TestNewest:
    def test_by_the_steps_in_it_not_by_name_or_date(self, tmp_path):
        for name, steps in (('iter_40.pth', 20), ('epoch_3.pth', 30), ('iter_9.pth', 25)):
            write(tmp_path / name, steps)
        write(tmp_path / 'best_epoch_9.pth', 99)
        assert files.newest_intact(tmp_path, pytest.fail).name == 'epoch_3.pth'
        assert [path.name for path in files.newest_first(tmp_path)[0]] == [
            *('epoch_3.pth', 'iter_9.pth', 'iter_40.pth')
        ]

    def test_an_epoch_that_has_ended_comes_before_its_last_step(self, tmp_path):
        write(tmp_path / 'iter_40.pth', 40, epoch=3)
        write(tmp_path / 'epoch_4.pth', 40, epoch=4)
        assert files.newest_intact(tmp_path, pytest.fail).name == 'epoch_4.pth'

    @pytest.mark.parametrize('kind', ['cut off', 'a flipped byte', 'empty'])
    def test_a_damaged_one_is_told_and_the_one_before_taken(self, tmp_path, kind):
        write(tmp_path / 'epoch_1.pth', 10)
        path = write(tmp_path / 'epoch_2.pth', 20)
        if kind == 'a flipped byte':
            flip(path, path.read_bytes().index(torch.tensor(777.0 + 20).numpy().tobytes()))
        else:
            path.write_bytes(path.read_bytes()[: 3000 if kind == 'cut off' else 0])
        told = []
        assert files.newest_intact(tmp_path, told.append).name == 'epoch_1.pth'
        assert len(told) == 1 and told[0].startswith('epoch_2.pth is left aside, it is damaged: ')

    def test_none_and_none_whole(self, tmp_path):
        assert files.newest_intact(tmp_path / 'not there', pytest.fail) is None
        assert files.newest_intact(tmp_path, pytest.fail) is None
        (tmp_path / 'epoch_2.pth').write_bytes(b'')
        with pytest.raises(ValueError, match=r'found 1 and all of them damaged \(epoch_2.pth\)'):
            files.newest_intact(tmp_path, lambda sentence: None)


class TestDamage:
    def test_a_flipped_bit_in_a_tensor_is_seen(self, tmp_path):
        path = write(tmp_path / 'a.pth')
        assert reading.corruption(path) is None
        flip(path, place_of_weight(path))
        assert 'check sum of ' in reading.corruption(path) or 'Bad CRC' in reading.corruption(path)

    def test_bare_weights_are_no_run(self, tmp_path):
        torch.save(dict(weight=torch.ones(2)), tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='found weights without the state of their run'):
            reading.read_checkpoint(tmp_path / 'a.pth')

    def test_code_is_not_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return open, (str(tmp_path / 'was run'), 'w')

        torch.save(dict(meta=dict(evil=Evil()), state_dict={}), tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='damaged or holds other objects'):
            reading.read_checkpoint(tmp_path / 'a.pth')
        assert not (tmp_path / 'was run').exists()


class TestKept:
    """The hook without a run: what is left of 12 epochs."""

    def left_after(self, tmp_path, hook, epochs=range(1, 13)) -> list[str]:
        hook.out_dir = str(tmp_path)
        errors = []
        runner = SimpleNamespace(logger=SimpleNamespace(error=errors.append))
        for epoch in epochs:
            hook.last_ckpt = str(write(tmp_path / f'epoch_{epoch}.pth', epoch * 10, epoch))
            hook._tidy_up(runner)
        self.errors = errors
        return sorted((path.name for path in checkpoints(tmp_path)), key=lambda n: int(n[6:-4]))

    def test_the_newest(self, tmp_path):
        assert self.left_after(tmp_path, DurableCheckpointHook(max_keep_ckpts=2)) == [
            *('epoch_11.pth', 'epoch_12.pth')
        ]

    def test_and_every_fifth(self, tmp_path):
        hook = DurableCheckpointHook(max_keep_ckpts=1, keep_every=5)
        write(tmp_path / 'iter_5.pth', 5)  # where a signal stopped it: not kept for good
        assert self.left_after(tmp_path, hook) == ['epoch_5.pth', 'epoch_10.pth', 'epoch_12.pth']

    def test_and_every_tenth_iteration(self, tmp_path):
        hook = DurableCheckpointHook(max_keep_ckpts=1, keep_every=10, by_epoch=False)
        hook.out_dir = str(tmp_path)
        write(tmp_path / 'epoch_10.pth', 1)
        for steps in (5, 10, 15, 20, 25):
            hook.last_ckpt = str(write(tmp_path / f'iter_{steps}.pth', steps))
            hook._tidy_up(None)
        assert sorted(path.name for path in checkpoints(tmp_path)) == [
            *('iter_10.pth', 'iter_20.pth', 'iter_25.pth')
        ]

    def test_none_is_written_between_two_steps(self, tmp_path):
        runner = SimpleNamespace(
            work_dir=str(tmp_path), hooks=[], logger=SimpleNamespace(info=str),
            optim_wrapper=SimpleNamespace(_accumulative_counts=2),
        )  # fmt: skip
        DurableCheckpointHook(interval=4, by_epoch=False).before_train(runner)
        DurableCheckpointHook(interval=3).before_train(runner)
        with pytest.raises(ValueError, match='takes 2 batches, found .*interval=3; .* of 2'):
            DurableCheckpointHook(interval=3, by_epoch=False).before_train(runner)

    def test_the_best_one_is_there_until_a_better_one_is(self, tmp_path):
        """Scores 50, 60 and 55 after epochs 1 to 3."""
        seen = []

        def save_checkpoint(folder, filename, **kwargs):
            seen.append([path.name for path in tmp_path.glob('best_*')])
            (tmp_path / filename).touch()

        hook = DurableCheckpointHook(save_best='top1', rule='greater')
        runner = SimpleNamespace(
            work_dir=str(tmp_path), hooks=[], logger=SimpleNamespace(info=str), iter=0,
            optim_wrapper=SimpleNamespace(_accumulative_counts=1),
            message_hub=MessageHub('best'), save_checkpoint=save_checkpoint,
        )  # fmt: skip
        hook.before_train(runner)
        for epoch, score in enumerate((50.0, 60.0, 55.0), start=1):
            runner.epoch = epoch
            hook.after_val_epoch(runner, dict(top1=score))
        assert seen == [[], ['best_top1_epoch_1.pth']]
        assert [path.name for path in tmp_path.glob('best_*')] == ['best_top1_epoch_2.pth']

    def test_all(self, tmp_path):
        assert len(self.left_after(tmp_path, DurableCheckpointHook())) == 12

    def test_nothing_is_removed_when_the_new_one_cannot_be_read(self, tmp_path, monkeypatch):
        self.left_after(tmp_path, DurableCheckpointHook(max_keep_ckpts=2), epochs=[1, 2])
        monkeypatch.setattr(checkpoint_hook, 'corruption', lambda path: 'the disk lies')
        left = self.left_after(tmp_path, DurableCheckpointHook(max_keep_ckpts=2), epochs=[3])
        assert left == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
        assert 'cannot be read back (the disk lies)' in self.errors[0]
