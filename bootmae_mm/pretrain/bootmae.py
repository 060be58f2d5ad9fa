"""BootMAE (Bootstrapped Masked Autoencoders, ECCV 2022), Fig. 1 as an algorithm.

    image ─ masking ─ encoder ─┬─ regressor (context: first block) ─ pixel head ──┐
                               └─ predictor (context: last block) ── feature head ┴─ loss
    image ─ teacher (no gradient) ──────────────────────────────── feature target ┘

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmpretrain.models.selfsup import BaseSelfSupervisor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ..encoder import tokens
from .decoder import TargetAwareDecoder
from .heads import token_std
from .preprocessing import to_device
from .teacher import MomentumTeacher

COLOURS = 3  # channels of the pixel target


class Encoded(NamedTuple):
    """What the encoder makes of the visible patches, the class token first.

    Attributes:
        latent_BTD: Output of the last block after the final norm.
        outputs: Output ``(B, T, D)`` of every block that a decoder has as context, un-normalised.
    """

    latent_BTD: Tensor
    outputs: dict[int, Tensor]


@MODELS.register_module()
class BootMAE(BaseSelfSupervisor):
    """The algorithm. Leave out a part to ablate it (Tables 1 and 3).

    Args:
        backbone: The encoder, a ``BootMAEViT``.
        regressor: The pixel decoder, a ``TargetAwareDecoder``; None for no pixel target.
        pixel_head: The pixel target and loss, a ``PixelHead``.
        predictor: The feature decoder, a ``TargetAwareDecoder``; None for no feature target.
        feature_head: The feature target and loss, a ``FeatureHead``.
        teacher: ``MomentumTeacher`` or ``FrozenTeacher``; None without predictor.
        centre_weighting: Weigh the centre of masked blocks up to twice as much.
        data_preprocessor: mmpretrain's ``SelfSupDataPreprocessor``, which is built as the
            :class:`.preprocessing.PromptDataPreprocessor`: configs and runs of before name it.
        init_cfg: Initialisation, see mmengine's ``BaseModule``.

    Raises:
        ValueError: If neither target is asked for, a target lacks one of its parts, the image is
            not a whole number of patches, or a context layer is not a block of the encoder.
    """

    def __init__(
        self,
        backbone: dict,
        regressor: dict | None = None,
        pixel_head: dict | None = None,
        predictor: dict | None = None,
        feature_head: dict | None = None,
        teacher: dict | None = None,
        centre_weighting: bool = True,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        data_preprocessor = dict(data_preprocessor or {})
        if data_preprocessor.get('type', 'SelfSupDataPreprocessor') == 'SelfSupDataPreprocessor':
            data_preprocessor['type'] = 'PromptDataPreprocessor'
        super().__init__(backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        require_parts(
            dict(regressor=regressor, pixel_head=pixel_head),
            dict(predictor=predictor, feature_head=feature_head, teacher=teacher),
        )
        require_colours(self.backbone)
        self.centre_weighting = centre_weighting
        self.patch_size = whole_patches(self.backbone)
        self.grid = tuple(self.backbone.patch_resolution)
        self.feature_weight = 1.0
        self.check_losses = require_finite  # HealthHook's also says which part is to blame
        self.regressor = self.predictor = self.teacher = None
        if regressor:
            self.regressor = self._build_decoder(
                regressor, out_channels=COLOURS, out_patch_size=self.patch_size
            )
            self.pixel_head = MODELS.build(pixel_head)
        if predictor:
            self.predictor = self._build_decoder(predictor, out_channels=self.backbone.embed_dims)
            self.feature_head = MODELS.build(feature_head)
            self.teacher = MODELS.build(teacher, default_args=dict(student=self.backbone))

    def _build_decoder(self, cfg: dict, **output: int) -> torch.nn.Module:
        cfg = dict(cfg)
        num_layers = self.backbone.num_layers
        layer = cfg.get('context_layer')
        if layer is not None:
            if not -num_layers <= layer < num_layers:
                raise ValueError(
                    f'The encoder has blocks 0 to {num_layers - 1}, found context_layer={layer}; '
                    'choose one of them, or -1 for the last.'
                )
            cfg['context_layer'] = layer % num_layers
        return MODELS.build(
            cfg,
            default_args=dict(
                encoder_dims=self.backbone.embed_dims,
                num_heads=self.backbone.arch_settings['num_heads'],
                grid=self.grid,
                **output,
            ),
        )

    def init_weights(self) -> None:
        """Initialise; the momentum teacher then starts as an exact copy of the student."""
        super().init_weights()
        if isinstance(self.teacher, MomentumTeacher):
            self.teacher.copy_from(self.backbone)

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """One masked view of a batch (eq. 1 to 6), or several views that share the teacher's pass.

        Args:
            inputs: Normalised images ``(B, 3, H, W)``.
            data_samples: Samples with ``ids_visible`` and ``ids_masked``, as the transforms of
                :mod:`bootmae_mm.pretrain.masking` write them: ``(V,)`` and ``(M,)``, or ``(R, V)``
                and ``(R, M)`` for R masks of each image.

        Returns:
            ``loss``, the sum to minimise, and for the log its parts ``L_pixel`` and ``L_feature``
            (unweighted), the spreads of targets and predictions, ``feature_weight`` and
            ``teacher_decay``.

        Raises:
            ValueError: If images or masks are not of the size that the model was built for.
        """
        ids_visible_BV, ids_masked_BM = self.patch_ids(data_samples, inputs.device)
        self.require_sizes(inputs, ids_visible_BV.shape[1] + ids_masked_BM.shape[1])
        weight_BM = self.token_weights(ids_masked_BM)
        encoded = self.encode(inputs, ids_visible_BV)

        loss, parts, shown = 0.0, {}, {}
        if self.regressor is not None:
            pixels = self.decode(self.regressor, encoded, ids_masked_BM)
            target = self.pixel_head.target(inputs, ids_masked_BM, self.patch_size)
            parts['L_pixel'] = self.pixel_head.loss(pixels, target, weight_BM)
            shown['pixel_spread'] = pixels
            loss = loss + parts['L_pixel']
        if self.predictor is not None:
            ids_BK = self.target_ids(ids_masked_BM)
            K = ids_BK.shape[1]
            features = self.decode(self.predictor, encoded, ids_masked_BM, num_predicted=K)
            target = self.feature_head.target(self.teacher(inputs, ids_BK))
            parts['L_feature'] = self.feature_head.loss(features, target, weight_BM[:, :K])
            shown.update(feature_spread=features, teacher_spread=target)
            loss = loss + self.feature_weight * parts['L_feature']
        return dict(loss=loss, **parts, **self.monitored(shown))

    def monitored(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """What the log shows beside the losses: the outputs' spreads, and the schedules."""
        log = {name: token_std(output) for name, output in outputs.items()}
        settings = dict(feature_weight=self.feature_weight) if self.predictor is not None else {}
        if isinstance(self.teacher, MomentumTeacher):
            settings['teacher_decay'] = self.teacher.decay
        like = next(iter(log.values()))
        return {**log, **{name: torch.full_like(like, value) for name, value in settings.items()}}

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The loss to minimise, and the log: every value averaged over the processes, as a float.

        The host waits for the device once, for all of them together.

        Raises:
            FloatingPointError: If a part of the loss is not finite, in all processes alike.
        """
        values = torch.stack([value.detach().float() for value in losses.values()])
        all_reduce(values, op='mean')
        log = dict(zip(losses, values.tolist(), strict=True))
        self.check_losses(log)
        return losses['loss'], log

    def patch_ids(
        self, data_samples: list[DataSample], device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """``(ids_visible_BV, ids_masked_BM)`` of a batch, on ``device``; with several masks of an
        image, one after the other, B counts the masks."""
        ids = (
            np.stack([np.atleast_2d(s.get(key)) for s in data_samples])
            for key in ('ids_visible', 'ids_masked')
        )
        return tuple(to_device(torch.from_numpy(x).flatten(0, 1), device) for x in ids)

    def require_sizes(self, images_BCHW: Tensor, num_patches: int) -> None:
        """Raise ``ValueError`` for images or masks of another size than the model's."""
        size, expected = tuple(images_BCHW.shape[2:]), tuple(self.backbone.img_size)
        rows, columns = self.grid
        if size != expected or num_patches != rows * columns:
            raise ValueError(
                f'The model expects images of {expected} pixels and masks over {rows} × {columns} '
                f'patches, found images of {size} and masks over {num_patches} patches; set '
                "scale and grid in the pipeline to the model's img_size and grid."
            )

    def token_weights(self, ids_masked_BM: Tensor) -> Tensor:
        """Loss weight of every masked patch, ``(B, M)``; ones without centre weighting."""
        if not self.centre_weighting:
            return torch.ones_like(ids_masked_BM, dtype=torch.float32)
        mask_BN = tokens.mask_from_ids(ids_masked_BM, self.grid[0] * self.grid[1])
        return tokens.centre_weights(mask_BN, self.grid).gather(1, ids_masked_BM)

    def encode(self, images_BCHW: Tensor, ids_visible_BV: Tensor) -> Encoded:
        """Encode the visible patches, and keep what the decoders are handed as context."""
        decoders = [d for d in (self.regressor, self.predictor) if d is not None]
        taps = {d.context_layer for d in decoders} - {None}
        last_BTD, outputs = self.backbone.encode(images_BCHW, ids_visible_BV, taps)
        return Encoded(self.backbone.ln1(last_BTD), outputs)

    def decode(
        self, decoder: TargetAwareDecoder, encoded: Encoded, ids_masked_BM: Tensor, **options
    ) -> Tensor:
        """What a decoder predicts (eq. 2 and 3), handed its context.

        Args:
            decoder: The regressor or the predictor.
            encoded: What :meth:`encode` made of the visible patches.
            ids_masked_BM: Indices of the masked patches.
            **options: ``num_predicted`` and ``predict_visible``, see :class:`TargetAwareDecoder`.
        """
        context_BTD = encoded.outputs.get(decoder.context_layer)
        return decoder(encoded.latent_BTD, context_BTD, ids_masked_BM, **options)

    def target_ids(self, ids_masked_BM: Tensor) -> Tensor:
        """The masked patches that the teacher gives a target for, ``(B, K)``: the first ones."""
        num_patches = self.grid[0] * self.grid[1]
        return ids_masked_BM[:, : self.teacher.num_targets(num_patches, ids_masked_BM.shape[1])]


def whole_patches(backbone) -> int:
    """The patch's side, after checking that the image is a whole number of square patches."""
    sides = backbone.patch_embed.projection.kernel_size
    if sides[0] != sides[1] or any(length % sides[0] for length in backbone.img_size):
        raise ValueError(
            f'Pretraining needs square patches that divide the image, found patches of {sides} '
            f'pixels in an image of {tuple(backbone.img_size)}; change img_size or patch_size.'
        )
    return sides[0]


def require_colours(encoder: torch.nn.Module) -> None:
    """Check the encoder's number of channels.

    Raises:
        ValueError: If it is not that of the pictures and of the pixel target.
    """
    channels = getattr(encoder, 'in_channels', COLOURS)
    if channels != COLOURS:
        raise ValueError(
            f'Expected backbone.in_channels=3, as pictures are read with three channels (grey ones '
            f'with three alike), found {channels}; leave it at 3, and mean and std of '
            'data_preprocessor at three values.'
        )


def require_parts(*targets: dict[str, dict | None]) -> None:
    """Check that each target has all of its parts or none, and that one target is there."""
    for parts in targets:
        missing = [name for name, cfg in parts.items() if not cfg]
        if missing and len(missing) < len(parts):
            raise ValueError(
                f'A target needs all of {", ".join(parts)}, found no {", ".join(missing)}; '
                'add it, or set all of them to None.'
            )
    if not any(all(parts.values()) for parts in targets):
        raise ValueError(
            'BootMAE needs a regressor (pixel target), a predictor (feature target) or both, '
            'found neither.'
        )


def require_finite(log: dict[str, float]) -> None:
    """Raise ``FloatingPointError`` naming the values that are not finite."""
    broken = [f'{name}={value}' for name, value in log.items() if not math.isfinite(value)]
    if broken:
        raise FloatingPointError(
            f'Training stopped since a part of the loss is not finite: {", ".join(broken)}. Resume '
            'from the last checkpoint with a lower learning rate, or with bfloat16 or float32 '
            'instead of float16.'
        )
