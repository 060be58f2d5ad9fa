"""Checkpoints as those of the authors' release, of timm, transformers, safetensors and ONNX:
:func:`.conversion.convert` is all of it."""
