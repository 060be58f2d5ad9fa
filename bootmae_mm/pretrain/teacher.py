"""The teacher: where the feature target comes from (paper, sections 3.4 and 4.2, Table 5).

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..encoder import BootMAEViT, tokens
from ..encoder.loading import load_encoder_file


class Teacher(nn.Module):
    """An encoder that is only ever asked for features: no gradient, always in eval mode.

    Args:
        student: The encoder to copy.
        fraction: Share of all patches that the teacher sees and gives targets for (Table 5).
            1.0 (default): the full image, targets for every masked patch; less: that share of the
            patches, taken from the masked ones.

    Raises:
        ValueError: If ``fraction`` is not in (0, 1].
    """

    def __init__(self, student: BootMAEViT, fraction: float = 1.0) -> None:
        super().__init__()
        if not 0 < fraction <= 1:
            raise ValueError(
                f'The share of the image that the teacher sees must be above 0 and at most 1, '
                f'found fraction={fraction}.'
            )
        self.fraction = fraction
        self.encoder = deepcopy(student).requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> 'Teacher':
        """Stay in eval mode: a teacher never runs drop path."""
        return super().train(False)

    def num_targets(self, num_patches: int, num_masked: int) -> int:
        """How many masked patches of an image get a target.

        Raises:
            ValueError: If ``fraction`` asks for more patches than are masked.
        """
        if self.fraction == 1:
            return num_masked
        count = round(self.fraction * num_patches)
        if not 1 <= count <= num_masked:
            raise ValueError(
                f'A teacher that sees a share of the masked patches needs between 1 and '
                f'{num_masked} of {num_patches}, found {count} (fraction={self.fraction}); '
                'change fraction, or use 1.0 for the full image.'
            )
        return count

    @torch.no_grad()
    def forward(self, images_BCHW: Tensor, ids_BK: Tensor) -> Tensor:
        """Features ``(B, K, D)`` of patches ``ids_BK``: the last block's output before the final
        norm. With ``fraction < 1`` these patches (and the class token) are all the teacher sees.

        ``ids_BK`` has a row for each image, or several: the full image is then encoded once for all
        of its masks.
        """
        if self.fraction == 1 and len(ids_BK) == len(images_BCHW):
            return self.encoder.encode_patches(images_BCHW, ids_BK)
        if self.fraction == 1:
            features_BTD, _ = self.encoder.encode(images_BCHW)
            return tokens.gather(features_BTD[:, 1:], ids_BK)
        features_BTD, _ = self.encoder.encode(images_BCHW, ids_BK)
        return features_BTD[:, 1:]


@MODELS.register_module()
class MomentumTeacher(Teacher):
    """The momentum encoder: an exponential moving average of the student.

    ``decay`` is the share it keeps at every update (0.999 and up; never its complement). It is in
    the checkpoint, under ``teacher.``. Hooks set ``decay`` and make the updates; see
    :class:`~bootmae_mm.pretrain.hooks.MomentumTeacherHook`.
    """

    def __init__(self, student: BootMAEViT, fraction: float = 1.0) -> None:
        super().__init__(student, fraction)
        self.decay = 0.999

    @torch.no_grad()
    def copy_from(self, student: BootMAEViT) -> None:
        """Become an exact copy of the student."""
        self.encoder.load_state_dict(student.state_dict())

    def follow(self, student: BootMAEViT) -> Callable[[], None]:
        """What makes ``teacher = decay * teacher + (1 - decay) * student`` at every call.

        The parameters are listed now: at every update a GPU would wait for that, 2 % of a step on
        an H200.
        """
        weights = list(self.encoder.parameters()), list(student.parameters())

        @torch.no_grad()
        def update() -> None:
            torch._foreach_lerp_(*weights, 1 - self.decay)

        return update


@MODELS.register_module()
class FrozenTeacher(Teacher):
    """A pretrained encoder that never moves, such as an 800-epoch MAE (Tables 3 and 9).

    Args:
        student: The encoder whose architecture it has.
        checkpoint: Path of the pretrained weights, in any layout that
            :func:`bootmae_mm.encoder.loading.load_encoder` reads.
        fraction: Share of the patches that the teacher sees, see :class:`Teacher`.
        prefix: Which encoder of the file is meant, where there are several.
    """

    def __init__(
        self, student: BootMAEViT, checkpoint: str, fraction: float = 1.0, prefix: str | None = None
    ) -> None:
        super().__init__(student, fraction)
        load_encoder_file(self.encoder, checkpoint, prefix)
