"""One conversion from file to file: read, convert, compare, write."""

from pathlib import Path
from typing import NamedTuple

from ..checkpoint import read_state_dict
from ..checkpoint.differences import largest_relative_difference
from ..version import __version__
from .exports import EXPORTS
from .files import save_state, written_whole
from .formats import TOLERANCE, check_suffix
from .layout import encoder_part, to_ours, to_release
from .models import Outputs, our_outputs, release_outputs
from .weights import Arch, Weights, identify, infer_arch, model_of_run


class Report(NamedTuple):
    """What was converted: layout and kind of the source, sizes of the encoder, how far the two
    models' outputs are apart, and how many tensors of the source were left out."""

    layout: str
    kind: str
    arch: Arch
    differences: dict[str, float]
    num_left_out: int


def convert(
    source: str | Path,
    target: str | Path,
    to: str,
    num_heads: int | None = None,
    force: bool = False,
) -> Report:
    """Convert a checkpoint of the authors' release or of this project.

    Both models run on the same input before the result gets its name.

    Args:
        source: A PyTorch or safetensors file.
        target: What to write: for 'transformers' a folder, else a file.
        to: 'ours' or 'release' (the whole model); 'timm' or 'onnx' (the encoder or the classifier);
            'transformers' or 'safetensors' (the encoder).
        num_heads: Heads of the encoder; None for that of the run that wrote the checkpoint, or the
            standard number of its width.
        force: Overwrite ``target``.

    Raises:
        ValueError: If the source is of another kind, the target's format has no place for the
            model, the target's name does not fit the format or exists, a library is missing, or
            the outputs differ by more than ``TOLERANCE``.
    """
    target = Path(target)
    check_suffix(target, to)
    weights = identify(read_state_dict(source))
    if weights.layout == to:
        raise ValueError(
            f'Expected a checkpoint to convert, found that {str(source)!r} has the layout '
            f'{to!r} already; choose another one.'
        )
    ours = to_ours(weights)
    model = model_of_run(source)
    arch = infer_arch(encoder_part(ours.state), model.get('backbone', {}), num_heads)
    if to == 'release':
        _require_heads_of_the_encoder(model, arch, source)
    meta = _meta(source, weights, arch)
    with written_whole(target, force) as path:
        differences = {}
        if weights.layout == 'release':
            differences = _differences(release_outputs(weights, arch), our_outputs(ours, arch))
            _check(differences)
        if to == 'ours':
            save_state(path, ours.state, 'state_dict', meta)
        else:
            export = _to_release if to == 'release' else EXPORTS[to]
            differences |= _differences(*export(ours, arch, path, meta))
        _check(differences)
    return Report(weights.layout, weights.kind, arch, differences, _num_left_out(ours, to))


def _require_heads_of_the_encoder(model: dict, arch: Arch, source: str | Path) -> None:
    """Raise ``ValueError`` if a decoder has another number of heads, which the release's have
    not."""
    for name in ('regressor', 'predictor'):
        heads = (model.get(name) or {}).get('num_heads', arch.num_heads)
        if heads != arch.num_heads:
            raise ValueError(
                f"Expected decoders with the encoder's {arch.num_heads} heads, as the release's "
                f'have, found a {name} with {heads} in {str(source)!r}; convert the encoder alone: '
                '--to safetensors.'
            )


def _to_release(ours: Weights, arch: Arch, path: Path, meta: dict) -> tuple[Outputs, Outputs]:
    """Write the release's layout, and read it again for the comparison."""
    release = to_release(ours, arch.grid)
    save_state(path, release.state, 'model', meta)
    written = release._replace(state=read_state_dict(path))
    return our_outputs(ours, arch), release_outputs(written, arch)


def _meta(source: str | Path, weights: Weights, arch: Arch) -> dict[str, str]:
    """What is stored with the result, as text, which every format can hold."""
    sizes = ', '.join(f'{name}={value}' for name, value in arch._asdict().items())
    return dict(
        converted_from=Path(source).name,
        source_layout=weights.layout,
        source_kind=weights.kind,
        encoder=sizes,
        bootmae_mm_version=__version__,
    )


def _differences(one: Outputs, other: Outputs) -> dict[str, float]:
    return {name: largest_relative_difference(other[name], one[name]) for name in one}


def _check(differences: dict[str, float]) -> None:
    """Raise if an output differs too much."""
    worst = max(differences, key=differences.get)
    if not differences[worst] <= TOLERANCE:
        raise ValueError(
            f'Expected the same outputs before and after the conversion, found {worst} '
            f'{differences[worst]:.1e} apart where {TOLERANCE:.0e} is allowed; nothing was written.'
        )


def _num_left_out(ours: Weights, to: str) -> int:
    """Tensors of the source that the format has no place for: a teacher, decoders, heads."""
    if to == 'ours':
        return 0
    if to == 'release' and ours.kind != 'encoder':
        return sum(name.startswith('teacher.') for name in ours.state)
    if ours.kind == 'classifier' and to in ('timm', 'onnx'):
        return 0
    return len(ours.state) - len(encoder_part(ours.state))
