"""What the demo runs, counts and shows; the demo itself is run by ``make demo``."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from bootmae_mm.data.synthetic import data_sets
from bootmae_mm.data.synthetic.shapes import CLASSES
from bootmae_mm.engine.tables import as_text
from bootmae_mm.studies.demo import predictions, running, stages, summary
from bootmae_mm.studies.demo.stages import Job
from bootmae_mm.visualization.outlines import COLOURS, label_regions, outlined
from tests.helpers.demo_outcomes import OUTCOMES, shown

ONE_SEED = {job: scores for job, scores in OUTCOMES.items() if job.seed == 0}


def test_the_table_gives_mean_spread_and_gain():
    assert summary.table(OUTCOMES) == [
        ('classification', 'top-1', '41.0 ± 1.0 %', '51.0 ± 1.0 %', '+10.0'),
        ('segmentation', 'mIoU', '11.0 ± 1.0 %', '13.5 ± 1.0 %', '+2.5'),
        ('detection', 'box AP', '2.0 ± 1.0 %', '1.0 ± 1.0 %', '-1.0'),
        ('detection', 'mask AP', '3.0 ± 1.0 %', '6.0 ± 1.0 %', '+3.0'),
    ]
    lines = as_text(summary.HEADER, summary.table(OUTCOMES)).splitlines()
    assert lines[1].index('51.0') == lines[0].index('pretrained')
    assert summary.table(ONE_SEED)[0] == ('classification', 'top-1', '40.0 %', '50.0 %', '+10.0')


def test_the_sentence_has_the_numbers_of_the_table():
    told = summary.sentence(OUTCOMES)
    assert '51 % of shapes right after 100 labelled' in told and 'from scratch names 41 %' in told
    assert 'by 14 %, not 11 %' in told


def test_metrics_hold_every_run(tmp_path):
    summary.write_metrics(tmp_path / 'metrics.json', OUTCOMES, {'pretrain': 3.5})
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert len(metrics['runs']) == 18 and metrics['seconds'] == {'pretrain': 3.5}
    expected = {'task': 'detection', 'start': 'pretrained', 'seed': 2, 'box AP': 2.0}
    assert {**expected, 'mask AP': 7.0} in metrics['runs']


def test_the_page_begins_with_the_sentence_and_pictures(tmp_path):
    summary.write_report(tmp_path / 'report.html', OUTCOMES, shown(), {'pretrain': 1.0})
    page = (tmp_path / 'report.html').read_text()
    order = [summary.sentence(OUTCOMES), 'segmentation!', '<img', '13.5 ± 1.0 %', 'detection!']
    places = [page.index(part) for part in order]
    assert places == sorted(places) and 'over 3 seeds' in page
    assert page.count('<img') == 2 * (3 + 3 + 4)
    for name, colour in zip(data_sets.DENSE_CLASSES, COLOURS, strict=False):
        assert page.count(f'<i style="background: rgb{colour}"></i>{name}') == 2
    summary.write_report(tmp_path / 'report.html', ONE_SEED, shown(), {'pretrain': 1.0})
    assert 'One seed.' in (tmp_path / 'report.html').read_text()


@pytest.fixture
def few(monkeypatch):
    """Few pictures of everything."""
    for name in ('NUM_TRAIN', 'NUM_VAL', 'NUM_LABELLED_VAL', 'NUM_DENSE_TRAIN', 'NUM_DENSE_VAL'):
        monkeypatch.setattr(data_sets, name, 8)
    monkeypatch.setattr(data_sets, 'LABELS_PER_CLASS', 2)


def test_what_is_drawn(few, tmp_path):
    """Every class has its labelled pictures, and none of them is among those without labels."""
    data_sets.draw(tmp_path, print)
    for root, count in (('shapes', 1), ('shapes_labelled', 2)):
        folders = [*(tmp_path / root / 'train').iterdir()]
        assert {path.name for path in folders} == {*CLASSES}
        assert {len([*path.iterdir()]) for path in folders} == {count}
    pixels = [{path.read_bytes() for path in (tmp_path / root).rglob('*.png')} for root in
              ('shapes', 'shapes_labelled')]  # fmt: skip
    assert len(pixels[0] | pixels[1]) == 8 + 8 + 16 + 8
    names = (tmp_path / 'shapes_dense/ade/classes.txt').read_text().split()
    assert names == ['background', *data_sets.DENSE_CLASSES]


def test_the_truth_is_outlined(few, tmp_path):
    data_sets.draw(tmp_path, print)
    ade = tmp_path / 'shapes_dense/ade'
    maps = sorted((ade / 'annotations/validation').iterdir())
    files = [ade / 'images/validation' / file.name for file in maps]
    found = predictions.truth(files, maps)
    assert len(found) == 8
    for picture, file, labels in zip(found, files, maps, strict=True):
        drawn = np.asarray(Image.open(labels))
        classes = dict(classes=['background', *data_sets.DENSE_CLASSES])
        [region] = label_regions(drawn, classes)
        expected = outlined(np.asarray(Image.open(file)), [region])
        assert np.array_equal(picture, expected)
        assert region.colour == COLOURS[drawn.max() - 1]


def test_of_a_detection_the_most_certain_is_shown(monkeypatch, tmp_path):
    regions = [('uncertain',), ('certain',)]

    class Predictor:
        scope = 'mmdet'

        def __init__(self, cfg, checkpoint):
            assert (cfg.name, checkpoint) == ('cfg', str(tmp_path / 'epoch_2.pth'))

        def regions(self, picture, min_score):
            assert min_score == 0.0
            return regions

    (tmp_path / 'config.py').write_text("name = 'cfg'")
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    Image.new('RGB', (8, 8)).save(tmp_path / 'a.png')
    monkeypatch.setattr(predictions, 'Predictor', Predictor)
    monkeypatch.setattr(predictions, 'outlined', lambda pixels, regions: regions)
    assert predictions.predicted(tmp_path, [tmp_path / 'a.png']) == [[('certain',)]]
    Predictor.scope = 'mmseg'
    assert predictions.predicted(tmp_path, [tmp_path / 'a.png']) == [regions]


@pytest.mark.parametrize('task', stages.TASKS)
def test_the_first_seed_is_a_command_and_others_train_its_config(task, tmp_path):
    kind = stages.TASKS[task]
    for start in stages.STARTS:
        out = tmp_path / f'{kind.command}_{start}'
        words = Job(task, start, 0).command(tmp_path / 'data', tmp_path)
        assert words[:5] == [
            sys.executable, '-m', 'bootmae_mm', kind.command, str(tmp_path / 'data' / kind.data)
        ]  # fmt: skip
        assert ('--scratch' in words) == (start == 'scratch')
        assert words[-1] == str(out) and str(tmp_path / 'pretrain') in words
        words = Job(task, start, 2).command(tmp_path / 'data', tmp_path)
        assert words[1].endswith('tools/train.py') and words[2] == str(out / 'config.py')
        assert words[-3:] == [f'{out}_seed2', '--cfg-options', 'randomness.seed=2']


def fake_run(folder, code=''):
    """A command that writes scores where a run would."""
    log = folder / '20260101_000000/vis_data'
    rows = [
        {'loss': 1.0, 'iter': 1, 'step': 1},
        {'accuracy/top1': 25.0, 'data_time': 0.1, 'step': 1},
    ]
    text = '\n'.join(map(json.dumps, rows))
    script = (
        f'import os, pathlib; pathlib.Path({str(log)!r}).mkdir(parents=True, exist_ok=True); '
        f'pathlib.Path({str(log)!r}, "scalars.json").write_text({text!r}); '
        f'print(len(os.sched_getaffinity(0)), os.environ["OMP_NUM_THREADS"]); {code}'
    )
    return [sys.executable, '-c', script]


def test_jobs_have_a_core_each_and_their_scores_are_read(monkeypatch, tmp_path):
    jobs = [Job('classification', start, 0) for start in stages.STARTS]
    monkeypatch.setattr(Job, 'command', lambda self, data, work: fake_run(self.folder(work)))
    found = dict(stages.transfer(jobs, tmp_path, tmp_path, print))
    assert found == dict.fromkeys(jobs, {'top-1': 25.0})
    for job in jobs:
        printed = job.folder(tmp_path).with_suffix('.txt').read_text()
        assert printed.split() == ['1', '1']


def test_pretraining_is_shown_and_its_failure_told(monkeypatch, tmp_path):
    code = 'print("a line"); raise SystemExit(2)'
    monkeypatch.setattr(stages, 'command', lambda *words: [sys.executable, '-c', code, *words[:1]])
    said = []
    with pytest.raises(RuntimeError, match='ended with status 2'):
        stages.pretrain(tmp_path, tmp_path, said.append)
    assert said[0].endswith(' pretrain') and said[1:] == ['  a line']


def test_a_job_that_fails_says_where_to_look(monkeypatch, tmp_path):
    failing = 'raise SystemExit(3)'
    monkeypatch.setattr(
        Job, 'command', lambda self, data, work: fake_run(self.folder(work), failing)
    )
    with pytest.raises(RuntimeError, match='classification ended with status 3, see .*scratch.txt'):
        list(stages.transfer([Job('classification', 'scratch', 0)], tmp_path, tmp_path, print))


def test_seeds_come_after_the_runs_whose_configs_they_take(monkeypatch, tmp_path):
    begun = []

    def transfer(jobs, data, work_dir, say):
        begun.append([job.seed for job in jobs])
        return ((job, OUTCOMES[job]) for job in jobs)

    monkeypatch.setattr(stages, 'transfer', transfer)
    assert running.evaluate(True, tmp_path, tmp_path, print) == OUTCOMES
    assert begun == [[0] * 6, [1] * 6 + [2] * 6]
    begun.clear()
    short = {job: scores for job, scores in ONE_SEED.items() if job.task != 'detection'}
    assert running.evaluate(False, tmp_path, tmp_path, print) == short and begun == [[0] * 4]
