"""Weights between layouts, and reading them from files."""

from .layouts import TRANSFORMERS_NAMES
from .reading import read_state_dict
from .release import (
    CLASSIFIER_NAMES,
    ENCODER_NAMES,
    NEW_IN_TRANSFER,
    PRETRAIN_NAMES,
    PYRAMID_NAMES,
    TRANSFER_ENCODER_NAMES,
    State,
    from_release,
    pyramid_from_release,
    to_release,
    translate,
)

__all__ = [
    'CLASSIFIER_NAMES',
    'ENCODER_NAMES',
    'NEW_IN_TRANSFER',
    'PRETRAIN_NAMES',
    'PYRAMID_NAMES',
    'TRANSFER_ENCODER_NAMES',
    'TRANSFORMERS_NAMES',
    'State',
    'from_release',
    'pyramid_from_release',
    'read_state_dict',
    'to_release',
    'translate',
]
