"""Pictures of what a model does: reconstructions, features, attention, predictions, masks."""

from .hook import PicturesHook

__all__ = ['PicturesHook']
