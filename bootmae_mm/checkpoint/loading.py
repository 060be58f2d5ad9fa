"""Loading an encoder completely or not at all."""

from collections.abc import Mapping

from torch import Tensor, nn

from .release import ENCODER_NAMES, NEW_IN_TRANSFER, from_release


def load_encoder(encoder: nn.Module, state: Mapping[str, Tensor]) -> str:
    """Load every tensor of an encoder, or fail. What transfer adds (``NEW_IN_TRANSFER``) is loaded
    if it is there.

    Args:
        encoder: A ``BootMAEViT`` or another mmpretrain ``VisionTransformer``.
        state: Weights of an algorithm or classifier (``backbone.…``), of the release
            (``blocks.…``), or of the bare encoder.

    Returns:
        The report ``loaded n/n encoder tensors``.

    Raises:
        ValueError: If a tensor of the encoder is missing in ``state`` or has another size.
    """
    if any(name.startswith('backbone.') for name in state):
        state = {
            name.removeprefix('backbone.'): value
            for name, value in state.items()
            if name.startswith('backbone.')
        }
    elif any(name.startswith('blocks.') for name in state):
        tops = {name.partition('.')[0] for name in ENCODER_NAMES}
        release = {name: v for name, v in state.items() if name.partition('.')[0] in tops}
        state = from_release(release, ENCODER_NAMES)
    own = {
        name: value
        for name, value in encoder.state_dict().items()
        if name in state or not NEW_IN_TRANSFER.search(name)
    }
    missing = [name for name in own if name not in state]
    if missing:
        raise ValueError(
            f'Expected all {len(own)} tensors of the encoder, found {len(own) - len(missing)} in '
            f'the checkpoint; missing are {", ".join(missing[:5])}{" …" * (len(missing) > 5)}.'
        )
    try:
        encoder.load_state_dict({**encoder.state_dict(), **{name: state[name] for name in own}})
    except RuntimeError as error:
        raise ValueError(f'The checkpoint is of another encoder: {error}') from error
    return f'loaded {len(own)}/{len(own)} encoder tensors'
