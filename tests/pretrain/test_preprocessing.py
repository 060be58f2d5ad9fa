"""Pictures on their way into the model."""

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from bootmae_mm.pretrain.preprocessing import PromptDataPreprocessor
from tests.helpers.images import some_pixels
from tests.helpers.models import build_tiny


@pytest.mark.parametrize(
    'options', [{}, dict(to_rgb=True), dict(mean=[10, 20, 30], std=[1, 3, 7], to_rgb=True)]
)
def test_a_batch_is_what_mmpretrain_makes_of_it_to_the_bit(options):
    """Whose name the configs have."""
    named = dict(type='SelfSupDataPreprocessor', **options)
    model = build_tiny(data_preprocessor=named)
    assert type(model.data_preprocessor) is PromptDataPreprocessor
    assert named['type'] == 'SelfSupDataPreprocessor'
    pixels = torch.from_numpy(some_pixels()).permute(0, 3, 1, 2)
    batch = dict(inputs=pixels, data_samples=['a', 'b'])
    found, expected = (part(batch, True) for part in (model.data_preprocessor, MODELS.build(named)))
    assert torch.equal(found['inputs'], expected['inputs'])
    assert found['inputs'].dtype == torch.float32 and found['data_samples'] == ['a', 'b']


def test_samples_stay_on_the_host_in_training_only():
    preprocess = PromptDataPreprocessor(mean=[0, 0, 0], std=[1, 1, 1]).to('meta')
    pixels = torch.from_numpy(some_pixels()).permute(0, 3, 1, 2)
    batch = dict(inputs=pixels, data_samples=[DataSample().set_gt_label(1)])
    for training, device in ((True, 'cpu'), (False, 'meta')):
        data = preprocess(batch, training)
        assert data['inputs'].device.type == 'meta'
        assert data['data_samples'][0].gt_label.device.type == device


def test_another_preprocessor_is_left_as_it_is():
    preprocessor = build_tiny(data_preprocessor=dict(type='BaseDataPreprocessor'))
    assert type(preprocessor.data_preprocessor).__name__ == 'BaseDataPreprocessor'
