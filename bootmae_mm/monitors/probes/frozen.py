"""Features of an encoder as it is at a moment.

Shape suffixes: B images, N patches, D channels.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy

from torch import Tensor

from ...encoder.vit import BootMAEViT


class FrozenEncoder:
    """A copy of an encoder, in evaluation mode; to be used without gradient.

    A copy, since the mode of the original, what was compiled of it and its hooks belong to
    training. It takes the memory of the weights for as long as the probe lasts.

    Args:
        encoder: Encoder of the student or of the teacher.
        precision: Gives the context of a forward pass in the run's precision.
    """

    def __init__(
        self, encoder: BootMAEViT, precision: Callable[[], AbstractContextManager]
    ) -> None:
        self.encoder = deepcopy(encoder).eval()
        self.precision = precision
        self.num_blocks = encoder.num_layers
        self.num_features = encoder.embed_dims
        self.patch_size = encoder.patch_embed.projection.kernel_size[0]
        self.device = encoder.pos_embed.device

    def block_averages(self, images_BCHW: Tensor) -> list[Tensor]:
        """The average of the patch tokens after every block, ``(B, D)`` each, float32."""
        with self.precision():
            _, outputs = self.encoder.encode(images_BCHW, taps=range(self.num_blocks))
        return [outputs[block][:, 1:].float().mean(dim=1) for block in range(self.num_blocks)]

    def patches(self, images_BCHW: Tensor) -> Tensor:
        """The patch tokens after the last block, ``(B, N, D)``, float32."""
        with self.precision():
            tokens_BTD, _ = self.encoder.encode(images_BCHW)
        return tokens_BTD[:, 1:].float()
