"""Metafiles: whole, parsed by OpenMMLab's own reader, and equal to what the configs say."""

import pytest
import yaml
from modelindex.load_model_index import load

from bootmae_mm.studies.reproduction import metafiles
from bootmae_mm.studies.reproduction.runs import Paths
from tests.helpers.paths import ROOT


@pytest.fixture(scope='module')
def index():
    """All models and collections of model-index.yml."""
    return load(str(ROOT / 'model-index.yml'))


def test_every_config_is_listed_once_by_a_name_of_its_own(index) -> None:
    listed = [model.config for model in index.models]
    paths = [path for folder in metafiles.FOLDERS for path in metafiles.config_paths(ROOT, folder)]
    assert sorted(listed) == sorted(path.relative_to(ROOT).as_posix() for path in paths)
    names = [model.name for model in index.models]
    assert len(set(names)) == len(names)


def test_openmmlabs_reader_has_nothing_to_say_against_them(index) -> None:
    # It looks for READMEs beside the metafile, OpenMMLab's files name them from the root.
    assert [error for error in index.check(silent=True) if 'README' not in str(error)] == []
    assert all((ROOT / collection.readme).is_file() for collection in index.collections)
    index.build_models_with_collections()
    paper = 'https://arxiv.org/abs/2207.07116'
    assert all(model.full_model.paper['URL'] == paper for model in index.models)


@pytest.mark.long
def test_metafiles_are_up_to_date() -> None:
    """All of them, as `python tools/metafiles.py --check` sees it."""
    for folder in metafiles.FOLDERS:
        path = ROOT / 'configs' / folder / 'metafile.yml'
        assert path.read_text() == metafiles.metafile(ROOT, folder), path
    assert (ROOT / 'model-index.yml').read_text() == metafiles.model_index()


def test_there_are_no_weights_to_download_and_only_the_papers_results(index) -> None:
    for model in index.models:
        assert model.weights is None
        for result in model.results or ():
            assert all(name.endswith('(paper)') for name in result.metrics), model.name


@pytest.mark.parametrize(
    'name',
    [
        'pretrain/bootmae_vitb_800e',
        'linear/bootmae_vitl_linear_50e',
        'seg/upernet_bootmae_vitb_160k',
    ],
)
def test_metafiles_say_what_the_config_says(name: str) -> None:
    path = ROOT / f'configs/{name}.py'
    content = yaml.safe_load((path.parent / 'metafile.yml').read_text())
    found = next(model for model in content['Models'] if model['Name'] == path.stem)
    assert found == metafiles.entry(ROOT, path)


@pytest.mark.parametrize(
    ('name', 'values'),
    [
        ('finetune/bootmae_vitb_finetune_100e', [84.2]),
        ('finetune/baselines/mae_vitb_finetune_100e', [83.4]),
        ('det/baselines/mae_vitb_mask_rcnn_1x', [46.8, 41.9]),
        ('seg/upernet_bootmae_vitb_160k', []),
        ('seg/upernet_bootmae_vitb_160k_release', [49.1]),
        ('seg/baselines/mae_vitb_upernet_160k_release', [47.6]),
    ],
)
def test_results_are_those_of_the_start_that_the_config_names(name: str, values: list) -> None:
    """Not of the other rows that share the config."""
    paths = Paths(ROOT / 'configs')
    found = metafiles.results(ROOT / f'configs/{name}.py', paths, 'ImageNet-1k')
    assert [value for result in found for value in result['Metrics'].values()] == values
