"""Probes inside a run: what they log, when they are due, and that training does not notice them."""

import json
import random
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from PIL import Image

from bootmae_mm.checkpoint.reading import read_checkpoint
from bootmae_mm.engine.resume import random_state
from bootmae_mm.engine.resume.stopping import STOP_FILE
from bootmae_mm.monitors.probes import OnlineProbeHook, budget, hook, measuring
from bootmae_mm.monitors.probes.budget import Budget
from bootmae_mm.training import resume_if_possible
from bootmae_mm.transfer.ridge import RIDGE
from tests.helpers.health_runs import run
from tests.helpers.images import write_images
from tests.helpers.launching import dist_train
from tests.helpers.models import build_tiny
from tests.helpers.probe_data import (
    CLASSES,
    image_hook,
    map_configs,
    miou_by_loops,
    read,
    ridge_scores,
    write_label_maps,
    write_labelled,
)
from tests.helpers.resuming import Interrupt, PowerCut, assert_identical, losses
from tests.helpers.runs import run_config


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    for module in (budget, hook, measuring):
        monkeypatch.setattr(module, 'monotonic', clock)
    return clock


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('probed')
    write_images(root / 'images', 16)
    write_labelled(root / 'labelled')
    write_label_maps(root / 'maps')
    return root


def config(data: Path, work_dir: Path, *hooks: dict, epochs: int = 3):
    """Two steps an epoch, with drop path, so that the model draws random numbers."""
    cfg = run_config(data / 'images', work_dir, total=8, batch=8, epochs=epochs)
    cfg.model.backbone.drop_path_rate = 0.2
    cfg.custom_hooks.update({f'probes_{index}': hook for index, hook in enumerate(hooks)})
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1  # which reads none back
    return cfg


def probes_logged(work_dir: Path) -> list[dict]:
    """Rows of scalars.json with the scores of probes."""
    texts = [path.read_text() for path in sorted(work_dir.rglob('scalars.json'))]
    rows = [json.loads(line) for text in texts for line in text.splitlines()]
    return [row for row in rows if 'probe/share' in row]


def log_of(work_dir: Path) -> str:
    return '\n'.join(path.read_text() for path in work_dir.rglob('*.log'))


# What is logged ----------------------------------------------------------------------------------


def test_a_probe_logs_what_loops_over_the_checkpoint_find(data, tmp_path, clock):
    probe = image_hook(data / 'labelled', segmentation=map_configs(data / 'maps'))
    cfg = config(data, tmp_path / 'run', probe)
    cfg.optim_wrapper.optimizer.lr = 0.05  # student and teacher are to differ
    cfg.custom_hooks.teacher.milestones = [(0, 1.0)]
    run(cfg)

    model = build_tiny()
    model.load_state_dict(read_checkpoint(tmp_path / 'run/epoch_3.pth')['state_dict'])
    logged = probes_logged(tmp_path / 'run')
    assert [(row['epoch'], row['step']) for row in logged] == [(1, 2), (2, 4), (3, 6)]
    expected = {}
    for who, encoder in (('student', model.backbone), ('teacher', model.teacher.encoder)):
        scores = {**image_scores(encoder, data / 'labelled'), **map_score(encoder, data / 'maps')}
        expected.update({f'probe/{who}_{name}': value for name, value in scores.items()})
    found = {k: v for k, v in logged[-1].items() if k.startswith(('probe/student', 'probe/teach'))}
    assert found == pytest.approx(expected)
    assert len(set(expected.values())) > 6, 'scores that differ, so that none stands for another'
    text = log_of(tmp_path / 'run')
    knn, blocks = expected['probe/student_knn'], [1, 2, 3]
    linear = ' '.join(f'{expected[f"probe/student_linear_block{b}"]:.1f}' for b in blocks)
    assert f'Probes after epoch 3: student: knn {knn:.1f}, linear by block {linear}, seg' in text


@torch.no_grad()
def image_scores(encoder, root: Path) -> dict[str, float]:
    """kNN and linear classifiers by plain loops."""
    paths = {split: sorted((root / split).rglob('*.png')) for split in ('train', 'val')}
    labels = {split: [int(p.parent.name[-1]) for p in found] for split, found in paths.items()}
    averages = {}
    for split, found in paths.items():
        _, outputs = encoder.encode(read(found), taps=[0, 1, 2])
        averages[split] = [outputs[block][:, 1:].mean(1).numpy() for block in range(3)]
    scores = {}
    for block in range(3):
        train, val = (averages[split][block] for split in ('train', 'val'))
        predicted = ridge_scores(train, np.eye(CLASSES)[labels['train']], val, RIDGE).argmax(1)
        right = sum(int(p) == label for p, label in zip(predicted, labels['val'], strict=True))
        scores[f'linear_block{block + 1}'] = 100 * right / len(predicted)
    right = 0
    for query, label in zip(val, labels['val'], strict=True):
        cosine = train @ query / np.linalg.norm(train, axis=1) / np.linalg.norm(query)
        votes = [0.0] * CLASSES
        for index in sorted(range(len(train)), key=lambda i: -cosine[i])[:5]:
            votes[labels['train'][index]] += np.exp(cosine[index] / 0.07)
        right += votes.index(max(votes)) == label
    return dict(knn=100 * right / len(val), **scores)


@torch.no_grad()
def map_score(encoder, root: Path) -> dict[str, float]:
    """Segmentation by least squares over patches, judged pixel by pixel."""
    features, labels = {}, {}
    for split in ('train', 'val'):
        paths = sorted((root / split / 'images').iterdir())
        output, _ = encoder.encode(read(paths))
        features[split] = output[:, 1:].flatten(0, 1).numpy()
        maps = sorted((root / split / 'labels').iterdir())
        labels[split] = np.stack([np.asarray(Image.open(path)) for path in maps])
    targets = [
        [(image[r : r + 8, c : c + 8] == label).mean() for label in range(CLASSES)]
        for image in labels['train']
        for r in range(0, 32, 8)
        for c in range(0, 32, 8)
    ]
    scores = ridge_scores(features['train'], np.array(targets), features['val'], RIDGE)
    predicted = scores.argmax(1).reshape(-1, 4, 4).repeat(8, axis=1).repeat(8, axis=2)
    return dict(seg_miou=miou_by_loops(predicted, labels['val']))


def test_without_a_momentum_teacher_the_student_is_probed(data, tmp_path, clock):
    cfg = config(data, tmp_path / 'run', image_hook(data / 'labelled', interval=2), epochs=3)
    cfg.model.update(predictor=None, feature_head=None, teacher=None)
    run(cfg)
    logged = probes_logged(tmp_path / 'run')
    assert [row['epoch'] for row in logged] == [2, 3], 'every second one, and the last'
    scores = {f'probe/student_{n}' for n in ('knn', *(f'linear_block{b}' for b in (1, 2, 3)))}
    assert logged[0].keys() == {*scores, 'probe/share', 'probe/seconds', 'epoch', 'step'}


def test_a_frozen_teacher_is_not_probed(tmp_path):
    """Which is the same at every epoch."""
    torch.save(dict(state_dict=build_tiny().state_dict()), tmp_path / 'weights.pth')
    teacher = dict(type='FrozenTeacher', checkpoint=str(tmp_path / 'weights.pth'))
    wrapper = SimpleNamespace(optim_context=nullcontext)
    for model, probed in (
        (build_tiny(), ['student', 'teacher']),
        (build_tiny(teacher=teacher), ['student']),
    ):
        runner = SimpleNamespace(model=model, optim_wrapper=wrapper)
        assert list(measuring.frozen_encoders(runner)) == probed


# What is left alone ------------------------------------------------------------------------------


def test_training_is_the_same_bit_for_bit_with_and_without(data, tmp_path, clock):
    """Also when it was cut off after a probe and goes on; the probes' pipelines draw random
    numbers, and so does the model."""
    probe = image_hook(data / 'labelled', flip=0.5, segmentation=map_configs(data / 'maps'))
    run(config(data, tmp_path / 'without'))
    run(config(data, tmp_path / 'with', probe))
    with pytest.raises(PowerCut):
        run(config(data, tmp_path / 'cut off', probe), Interrupt(4, 'power cut'))
    cfg = config(data, tmp_path / 'cut off', probe)
    resume_if_possible(cfg)
    run(cfg)

    expected = read_checkpoint(tmp_path / 'without/epoch_3.pth')
    assert 'probes' not in expected
    for name in ('with', 'cut off'):
        found = read_checkpoint(tmp_path / name / 'epoch_3.pth')
        assert found['probes']['num_probes'] == 3
        for part in ('state_dict', 'optimizer', 'param_schedulers'):
            assert_identical(expected[part], found[part], part)
        assert_identical(expected['meta']['random_states'], found['meta']['random_states'])
        assert losses(expected) == losses(found)
    whole, parts = (probes_logged(tmp_path / name) for name in ('with', 'cut off'))
    assert sorted(parts, key=lambda row: row['epoch']) == whole, 'probes are the same, too'


def test_random_numbers_are_the_same_within_and_go_on_outside():
    def draw() -> list[float]:
        return [random.random(), np.random.rand(), torch.rand(()).item()]

    draw()  # away from the seed that every test begins with
    before = random_state.capture()
    expected = [draw(), draw()]
    random_state.restore(before)
    with measuring.random_numbers_kept():
        first = draw()
    found = [draw()]
    with pytest.raises(OSError), measuring.random_numbers_kept():
        second = draw()
        raise OSError
    assert [*found, draw()] == expected
    assert first == second != expected[0]


def test_the_model_is_left_in_its_modes(data, tmp_path, clock):
    class Look(Hook):
        def after_train(self, runner):
            model = runner.model
            modes = {name: module.training for name, module in model.named_modules()}
            assert all(mode != name.startswith('teacher') for name, mode in modes.items())
            assert all(p.requires_grad for p in model.backbone.layers.parameters())
            self.looked = True

    look = Look()
    run(config(data, tmp_path / 'run', image_hook(data / 'labelled'), epochs=1), look)
    assert look.looked and probes_logged(tmp_path / 'run')


# When --------------------------------------------------------------------------------------------


@pytest.mark.parametrize('share', [0.02, 0.1, 0.5])
@pytest.mark.parametrize('cost, per_epoch', [(40, 400), (3, 10), (30, 7), (1, 1000)])
def test_the_share_is_kept_used_and_kept_for_the_end(clock, share, cost, per_epoch):
    """100 epochs, probes between which vary by a tenth, of a run that is cut off after 30."""
    account, spent, begin, probed = Budget(share, 0), 0.0, clock.now, []
    account.cost = 1.1 * cost
    for epoch in range(1, 101):
        clock.now += per_epoch
        if account.allows(epoch, 100):
            probed.append(epoch)
            seconds = cost * (1.1 if epoch % 2 else 0.9)
            with account.spending():
                clock.now += seconds
            spent += seconds
        assert account.spent == pytest.approx(spent)
        total = clock.now - begin
        assert account.share == pytest.approx(spent / total)
        assert spent <= share * total + 0.2 * cost, f'after epoch {epoch}'
        if epoch == 30:
            state = json.loads(json.dumps(account.state()))
            clock.now += 12345  # between two runs
            begin += 12345
            account = Budget(share, 30, state)
    possible = share / (1 - share) * 100 * per_epoch / cost
    assert len(probed) >= min(0.8 * possible, 100) - 2
    assert probed[-1:] == [100] if possible > 1.2 else not probed


def test_probes_added_later_have_their_share_from_there_on(clock):
    """A ninth of the time trained; two more fit into a ninth of the 100 s that there will be."""
    account = Budget(0.1, 90)
    account.cost, clock.now = 2.0, clock.now + 10
    assert not account.allows(91, 100)
    clock.now += 10
    assert account.allows(92, 100)


def test_what_a_failed_probe_took_is_spent(clock):
    account = Budget(0.1, 0)
    with pytest.raises(OSError), account.spending():
        clock.now += 3
        raise OSError
    assert account.spent == 3.0


class Logger:
    """Keeps what is logged, by level."""

    def __init__(self) -> None:
        self.lines = []

    def __getattr__(self, level):
        return lambda text: self.lines.append((level, text))


def fake_runner(**changes) -> SimpleNamespace:
    return SimpleNamespace(
        epoch=0, iter=1, max_epochs=4, logger=Logger(), hooks=[], cfg={},
        message_hub=SimpleNamespace(update_scalar=lambda *_: None),
        visualizer=SimpleNamespace(add_scalars=lambda *_, **__: None),
        train_dataloader=SimpleNamespace(num_workers=0),
        model=build_tiny(), **changes,
    )  # fmt: skip


def train_epochs(probes: OnlineProbeHook, runner, clock: Clock, seconds: float = 10.0) -> None:
    """The calls that a run makes."""
    probes.before_train(runner)
    for epoch in range(runner.max_epochs):
        runner.epoch = epoch
        clock.now += seconds
        probes.after_train_epoch(runner)
    probes.after_train(runner)


@pytest.fixture
def fake_probes(data, clock, monkeypatch):
    """A hook whose probes take 2 s, or ``seconds``, and give what a test puts into ``outcomes``; a
    trial takes a batch of 72 images in batches of 10 and so 2 / 8 of 2 s."""
    cfg = image_hook(data / 'labelled', max_share=0.5)
    probes = OnlineProbeHook(**{key: value for key, value in cfg.items() if key != 'type'})
    probes.outcomes, probes.seconds = {}, 2.0

    def measure(runner, sources, batch_size, num_batches=None):
        clock.now += probes.seconds if num_batches is None else 0.5
        outcome = probes.outcomes.get(runner.epoch + 1) if num_batches is None else None
        if outcome is not None:
            raise outcome
        return dict(student_knn=50.0)

    monkeypatch.setattr(hook, 'measure', measure)
    return probes


def test_the_first_probe_is_estimated_from_a_trial(fake_probes, clock):
    """Two trials of 0.5 s each for 2 of 2 × 4 batches: 2 s for all of them, which is a tenth of 20
    s; the trials have cost 1 s already."""
    runner = fake_runner()
    fake_probes.max_share = 1 / 11  # a tenth of the training
    train_epochs(fake_probes, runner, clock)
    lines = [text for level, text in runner.logger.lines]
    assert 'one takes about 2 s, so that there is time for one every 20 s' in lines[0]
    assert [line.partition(':')[0] for line in lines[1:]] == ['Probes after epoch 4']
    assert '(2 s; 6.98% of the run so far, at most 9.09%)' in lines[1]
    assert fake_probes.budget.spent == 3.0


def test_workers_share_the_first_probe(fake_probes):
    runner = fake_runner()
    runner.train_dataloader.num_workers = 2
    fake_probes.before_train(runner)
    assert 'one takes about 1 s' in runner.logger.lines[0][1]


def test_the_next_probe_is_expected_to_take_as_long_as_the_last(fake_probes, clock):
    """12 s instead of 2, after trials of 1 s: 13 and 12 more do not fit into 20 s of training, and
    in epoch 3 not beside 18 more at its end into 40."""
    fake_probes.seconds, runner = 12.0, fake_runner()
    train_epochs(fake_probes, runner, clock)
    lines = [text for _, text in runner.logger.lines[1:]]
    assert [line.partition(':')[0] for line in lines] == [
        *('Probes after epoch 1', 'Probes after epoch 4')
    ]
    assert '(12 s; ' in lines[0] and fake_probes.budget.cost == 12.0


def test_what_was_spent_is_taken_along_by_the_run_that_goes_on_alone(fake_probes, clock):
    """Not by a new run that starts from these weights."""
    train_epochs(fake_probes, fake_runner(), clock)
    checkpoint = {}
    fake_probes.before_save_checkpoint(None, checkpoint)
    assert checkpoint['probes']['spent'] == 1 + 4 * 2.0
    for iteration, spent in ((8, 1 + 9.0), (0, 1.0)):
        runner = fake_runner()
        runner.iter = iteration
        fake_probes.after_load_checkpoint(runner, checkpoint)
        fake_probes.before_train(runner)
        assert fake_probes.budget.spent == spent


def test_a_run_without_time_for_a_probe_says_so(fake_probes, clock):
    runner = fake_runner()
    fake_probes.max_share = 0.01
    train_epochs(fake_probes, runner, clock)
    (_, (level, text)) = runner.logger.lines
    assert level == 'warning' and 'one takes about 2 s and that 1.00% of this run is less' in text


def test_a_probe_that_fails_is_the_last_and_training_goes_on(fake_probes, clock):
    fake_probes.outcomes[2] = OSError('the disk is gone')
    runner = fake_runner()
    train_epochs(fake_probes, runner, clock)
    levels = [level for level, _ in runner.logger.lines]
    assert levels == ['info', 'info', 'error']
    assert 'after epoch 2 failed' in runner.logger.lines[2][1]
    assert 'OSError: the disk is gone' in runner.logger.lines[2][1]


def test_a_probe_is_left_for_a_stop_and_for_processes_that_wait(
    data, tmp_path, clock, monkeypatch, fake_probes
):
    stop = measuring.StopOnSignalHook()
    cfg = dict(env_cfg=dict(dist_cfg=dict(timeout=600)))
    runner = SimpleNamespace(hooks=[stop], cfg=cfg)
    proceed = measuring.interruption(runner)
    clock.now += 151
    proceed()  # one process alone
    monkeypatch.setattr(measuring, 'get_world_size', lambda: 2)
    with pytest.raises(measuring.TooLong, match='taken 151 s, and .* wait for 600 s'):
        proceed()
    clock.now -= 2
    proceed()
    monkeypatch.setenv(STOP_FILE, str(tmp_path))
    with pytest.raises(measuring.GivenUp, match='asked to stop'):
        proceed()
    monkeypatch.delenv(STOP_FILE)
    stop.signal = 15
    with pytest.raises(measuring.GivenUp, match='asked to stop'):
        proceed()

    fake_probes.outcomes.update({1: measuring.GivenUp('stop'), 3: measuring.TooLong('slow')})
    runner = fake_runner()
    train_epochs(fake_probes, runner, clock)
    said = [text for level, text in runner.logger.lines[1:]]
    assert 'after epoch 1 was left unfinished: stop.' in said[0]
    assert said[1].startswith('Probes after epoch 2')
    assert 'after epoch 3 was left unfinished: slow; there are no more' in said[2]
    assert len(said) == 3


def test_one_batch_is_enough_to_notice_the_stop(data, tmp_path, clock):
    """The real probe, in a real run."""

    class Signal(Hook):
        """What a signal does that comes when an epoch ends."""

        def after_train_epoch(self, runner):
            (stop,) = (h for h in runner.hooks if isinstance(h, measuring.StopOnSignalHook))
            stop.signal = 15

    run(config(data, tmp_path / 'run', image_hook(data / 'labelled'), epochs=1), Signal())
    assert probes_logged(tmp_path / 'run') == []
    assert 'left unfinished: the run is asked to stop.' in log_of(tmp_path / 'run')


# Settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'settings, expected',
    [
        (dict(), 'needs images or segmentation, found neither'),
        (dict(images=dict(train={})), 'train and val in images .* found train;'),
        (dict(images=dict(train={}, val={}, test={})), 'found test, train, val;'),
        (dict(max_share=0), 'above 0 and below 1, found 0'),
        (dict(max_share=1.0), 'above 0 and below 1, found 1.0'),
        (dict(interval=0), 'interval of OnlineProbeHook must be positive, found 0'),
        (dict(k=-1), 'k of OnlineProbeHook must be positive, found -1'),
    ],
)
def test_settings_out_of_range(settings, expected):
    base = dict(images=dict(train={}, val={})) if settings and 'images' not in settings else {}
    with pytest.raises(ValueError, match=expected):
        OnlineProbeHook(**base, **settings)


def test_wrong_data_stops_the_run_before_its_first_step(data, tmp_path):
    probe = image_hook(data / 'labelled', k=37)
    with pytest.raises(ValueError, match='k of at most the 36 train images'):
        run(config(data, tmp_path / 'run', probe))
    assert 'Epoch(train)' not in log_of(tmp_path / 'run')


# Several processes -------------------------------------------------------------------------------


@pytest.mark.long
def test_two_processes_train_on_as_without_probes(data, tmp_path):
    """The second one waits while the first one probes, with workers of its own."""
    finished = []
    for name, probes in (('without', []), ('with', [image_hook(data / 'labelled')])):
        for probe in probes:
            probe['max_share'] = 0.99
        cfg = config(data, tmp_path / name, *probes, epochs=4)
        cfg.train_dataloader.update(batch_size=4, num_workers=1)
        cfg.dump(str(tmp_path / f'{name}.py'))
        result = dist_train(f'{name}.py', 2, tmp_path)
        assert result.returncode == 0, result.stderr[-6000:]
        finished.append(read_checkpoint(tmp_path / name / 'epoch_4.pth'))
    assert probes_logged(tmp_path / 'with')
    expected, found = finished
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_identical(expected[part], found[part], part)
    assert_identical(expected['meta']['random_states'], found['meta']['random_states'])
