"""The ViT that pretraining, classification, segmentation and detection share."""

from .vit import BootMAEViT

__all__ = ['BootMAEViT']
