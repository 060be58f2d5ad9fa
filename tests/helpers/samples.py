"""What a pretraining sample is made of, and its fingerprint."""

import hashlib

PIPELINE = [
    dict(type='LoadAnyImage'),
    dict(type='RandomCropFlip', scale=32, crop_ratio_range=(0.2, 1.0)),
    dict(type='BlockwiseMasking', grid=4, num_masked=12),
    dict(type='PackInputs', algorithm_keys=('ids_visible', 'ids_masked')),
]


def digest(sample: dict) -> str:
    """A fingerprint of a sample's picture and mask, to the bit."""
    data = sample['data_samples']
    arrays = sample['inputs'].numpy(), data.get('ids_visible'), data.get('ids_masked')
    return hashlib.sha256(b''.join(array.tobytes() for array in arrays)).hexdigest()
