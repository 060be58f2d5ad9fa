"""Checkpoints as those of the authors' release, of timm, transformers, safetensors and ONNX."""

from .conversion import SUFFIXES, TOLERANCE, Report, convert

__all__ = ['SUFFIXES', 'TOLERANCE', 'Report', 'convert']
