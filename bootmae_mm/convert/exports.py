"""Our encoders and classifiers as models of other libraries.

Each export builds the other library's model from our weights, writes it, and returns the outputs of
ours and of theirs on the same images.
"""

import importlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.torch_version import TorchVersion

from .. import checkpoint
from ..checkpoint import State
from .files import save_state
from .layout import encoder_part
from .models import Outputs, classifier_model, load, random_images, tokens_model
from .weights import Arch, Weights

TIMM_NAMES = {
    **checkpoint.TRANSFER_ENCODER_NAMES,
    'blocks.*.ls1.gamma': 'layers.*.attn.gamma1.weight',
    'blocks.*.ls2.gamma': 'layers.*.ffn.gamma2.weight',
}

ONNX_BATCHES = 1, 3
ONNX_FROM = TorchVersion('2.8')  # exports any batch size


def to_timm(ours: Weights, arch: Arch, path: Path, meta: dict) -> tuple[Outputs, Outputs]:
    """timm's ``VisionTransformer``. A classifier is one with ``global_pool='avg'``; an encoder is
    one without head, of which all tokens are compared."""
    _refuse_parts(ours, arch, 'timm', 'relative_position_bias')
    vit = needed('timm.models.vision_transformer').VisionTransformer
    model = vit(
        img_size=arch.img_size,
        patch_size=arch.patch_size,
        embed_dim=arch.embed_dims,
        depth=arch.num_layers,
        num_heads=arch.num_heads,
        mlp_ratio=arch.feedforward_channels / arch.embed_dims,
        init_values=1.0 if arch.layer_scale else None,
        num_classes=len(ours.state['head.fc.weight']) if ours.kind == 'classifier' else 0,
        global_pool='avg' if ours.kind == 'classifier' else 'token',
    )
    names = {mine: theirs for theirs, mine in TIMM_NAMES.items()}
    state = {
        checkpoint.translate(name, names): value
        for name, value in _without_key_bias(_encoder(ours, arch)).items()
    }
    if ours.kind == 'classifier':
        state.update({f'head.{leaf}': ours.state[f'head.fc.{leaf}'] for leaf in ('weight', 'bias')})
    load(model, state)
    save_state(path, state, 'state_dict', meta)
    return _compared(ours, arch, model if ours.kind == 'classifier' else model.forward_features)


def to_transformers(ours: Weights, arch: Arch, path: Path, meta: dict) -> tuple[Outputs, Outputs]:
    """transformers' ``ViTModel`` without pooler, a folder for ``from_pretrained``."""
    if ours.kind == 'classifier':
        raise ValueError(
            "Expected an encoder, found a classifier that averages the patches, and transformers' "
            'ViTForImageClassification reads the class token; convert it to timm or ONNX.'
        )
    _refuse_parts(ours, arch, 'transformers', 'relative_position_bias', 'layer_scale')
    transformers = needed('transformers')
    config = transformers.ViTConfig(
        hidden_size=arch.embed_dims,
        num_hidden_layers=arch.num_layers,
        num_attention_heads=arch.num_heads,
        intermediate_size=arch.feedforward_channels,
        image_size=arch.img_size[0] if len(set(arch.img_size)) == 1 else arch.img_size,
        patch_size=arch.patch_size,
        layer_norm_eps=1e-6,
        converted=meta,
    )
    model = transformers.ViTModel(config, add_pooling_layer=False)
    load(model, _transformers_state(_without_key_bias(_encoder(ours, arch))))
    model.save_pretrained(path)
    model = transformers.ViTModel.from_pretrained(path, add_pooling_layer=False).eval()
    return _compared(ours, arch, lambda images: model(images).last_hidden_state)


def to_safetensors(ours: Weights, arch: Arch, path: Path, meta: dict) -> tuple[Outputs, Outputs]:
    """The encoder's tensors under our names without prefix, read again for the comparison."""
    save_state(path, _encoder(ours, arch), '', meta)
    encoder = ours._replace(kind='encoder')
    written = encoder._replace(state=checkpoint.read_state_dict(path))
    return _compared(encoder, arch, tokens_model(written, arch))


def to_onnx(ours: Weights, arch: Arch, path: Path, meta: dict) -> tuple[Outputs, Outputs]:
    """An ONNX file of any batch size: ``images`` to ``tokens`` or ``scores``, run by onnxruntime at
    two of them."""
    if torch.__version__ < ONNX_FROM:
        raise ValueError(
            f'Expected PyTorch {ONNX_FROM} or newer to write ONNX, found {torch.__version__}; '
            'install a newer one.'
        )
    onnx, runtime = needed('onnx'), needed('onnxruntime')
    needed('onnxscript')
    expected = _run(_ours_model(ours, arch), ours, arch, ONNX_BATCHES)
    with (
        sdpa_kernel(SDPBackend.MATH),  # of the others the exporter gets the strides wrong
        warnings.catch_warnings(),
    ):
        # The exporter's own use of what PyTorch deprecates.
        warnings.filterwarnings('ignore', r'`isinstance\(treespec, LeafSpec\)`', FutureWarning)
        torch.onnx.export(
            _ours_model(ours, arch),
            (random_images(arch),),
            path,
            input_names=['images'],
            output_names=['scores' if ours.kind == 'classifier' else 'tokens'],
            dynamic_shapes=({0: torch.export.Dim('batch')},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, meta)
    onnx.save(model, path)
    session = runtime.InferenceSession(path, providers=['CPUExecutionProvider'])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {'images': images.numpy()})[0])

    return expected, _run(run, ours, arch, ONNX_BATCHES)


EXPORTS = {
    'timm': to_timm,
    'transformers': to_transformers,
    'safetensors': to_safetensors,
    'onnx': to_onnx,
}


def needed(name: str):
    """Import a library of the extra ``convert``.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f'Expected the library {name.partition(".")[0]}, found none ({error}); install it with '
            "pip install 'bootmae-mm[convert]'."
        ) from error


def _refuse_parts(ours: Weights, arch: Arch, library: str, *parts: str) -> None:
    """Raise if the encoder has one of the parts, or lacks the final norm that the tokens of both
    libraries go through."""
    found = [f'with {part.replace("_", " ")}' for part in parts if getattr(arch, part)]
    if ours.kind != 'classifier' and not arch.final_norm:
        found.append('without final norm')
    if found:
        raise ValueError(
            f'Expected an encoder that {library} has a model for, found one '
            f'{" and ".join(found)}; convert it to safetensors or ONNX.'
        )


def _encoder(ours: Weights, arch: Arch) -> State:
    """The encoder's tensors, without a norm that only a classifier's average goes through."""
    state = encoder_part(ours.state)
    if ours.kind == 'classifier':
        return state
    return {name: value for name, value in state.items() if not name.startswith('ln2.')}


def _without_key_bias(state: State) -> State:
    """A stored key bias changes nothing and is ignored by ours; other libraries read zeros."""
    cleared = dict(state)
    for name, value in state.items():
        if name.endswith('.qkv.bias'):
            q, k, v = value.chunk(3)
            cleared[name] = torch.cat([q, torch.zeros_like(k), v])
    return cleared


def _transformers_state(state: State) -> State:
    names = {mine: theirs for theirs, mine in checkpoint.TRANSFORMERS_NAMES.items()}
    theirs = {}
    for name, value in state.items():
        name = checkpoint.translate(name, names)
        if '.qkv.' in name:
            for part, rows in zip(('query', 'key', 'value'), value.chunk(3), strict=True):
                theirs[name.replace('.qkv.', f'.{part}.')] = rows
        else:
            theirs[name] = value
    return theirs


def _compared(
    ours: Weights, arch: Arch, theirs: Callable[[Tensor], Tensor]
) -> tuple[Outputs, Outputs]:
    return _run(_ours_model(ours, arch), ours, arch), _run(theirs, ours, arch)


def _ours_model(ours: Weights, arch: Arch) -> nn.Module:
    return (classifier_model if ours.kind == 'classifier' else tokens_model)(ours, arch)


@torch.no_grad()
def _run(
    model: Callable[[Tensor], Tensor], ours: Weights, arch: Arch, batches: Sequence[int] = (2,)
) -> Outputs:
    what = 'class scores' if ours.kind == 'classifier' else 'tokens'
    return {f'{what}, batch {size}': model(random_images(arch, size)) for size in batches}
