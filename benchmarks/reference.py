"""A training step that computes what BootMAE says in the plainest way: what the speed of ours is
compared with, and a second oracle of its loss.

What the authors' release is known to do is done here: names and shapes of the weights, a full
teacher, token order restored before the decoders, predictions and targets for every patch of the
image, the pixel head as a transposed convolution on the map of tokens, automatic mixed precision.
What is not known is written as a textbook would: attention as two products with the matrix of
scores between them, AdamW and the teacher's average parameter by parameter, losses read after every
step. Nothing is made slow on purpose. It shares no code with our model but the names of weights.

Shape suffixes: see :mod:`bootmae_mm.encoder.tokens`; E is a decoder's width, H × W the image.
"""

from collections import OrderedDict
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bootmae_mm.checkpoint import to_release
from bootmae_mm.engine.optim import decays
from bootmae_mm.pretrain import BootMAE

DECAY = 0.999
PARTS = ('backbone.layers.', 'regressor.blocks.', 'predictor.blocks.')  # made of blocks


def mix(q: Tensor, k: Tensor, v: Tensor, num_heads: int) -> Tensor:
    """Softmax attention of several heads, its matrix of scores written out."""
    q, k, v = (x.unflatten(2, (num_heads, -1)).transpose(1, 2) for x in (q, k, v))
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """q and v have a bias, k has none."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        inner = dims // num_heads * num_heads
        self.num_heads = num_heads
        self.qkv = nn.Linear(dims, 3 * inner, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(inner))
        self.v_bias = nn.Parameter(torch.zeros(inner))
        self.proj = nn.Linear(inner, dims)

    def forward(self, x_BTD: Tensor) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        q, k, v = F.linear(x_BTD, self.qkv.weight, bias).chunk(3, dim=-1)
        return self.proj(mix(q, k, v, self.num_heads))


class CrossAttention(nn.Module):
    """Queries from the decoder, keys and values from the context of another width."""

    def __init__(self, dims: int, context_dims: int, num_heads: int) -> None:
        super().__init__()
        inner = dims // num_heads * num_heads
        self.num_heads = num_heads
        self.q = nn.Linear(dims, inner, bias=False)
        self.kv = nn.Linear(context_dims, 2 * inner, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(inner))
        self.v_bias = nn.Parameter(torch.zeros(inner))
        self.proj = nn.Linear(inner, dims)

    def forward(self, query_BTE: Tensor, context_BTD: Tensor) -> Tensor:
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        k, v = F.linear(context_BTD, self.kv.weight, bias).chunk(2, dim=-1)
        q = F.linear(query_BTE, self.q.weight, self.q_bias)
        return self.proj(mix(q, k, v, self.num_heads))


class Mlp(nn.Module):
    """Two linear layers with GELU between."""

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dims, hidden)
        self.fc2 = nn.Linear(hidden, dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Block of the encoder."""

    def __init__(self, dims: int, hidden: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = SelfAttention(dims, num_heads)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = Mlp(dims, hidden)

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.attn(self.norm1(x_BTD))
        return x_BTD + self.mlp(self.norm2(x_BTD))


class DecoderBlock(nn.Module):
    """Block of a decoder, on all tokens of the image."""

    def __init__(self, dims: int, context_dims: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = SelfAttention(dims, num_heads)
        self.norm3 = nn.LayerNorm(dims, eps=1e-6)
        self.norm4 = nn.LayerNorm(context_dims, eps=1e-6)
        self.c_attn = CrossAttention(dims, context_dims, num_heads)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = Mlp(dims, 4 * dims)

    def forward(self, x_BTE: Tensor, context_BTD: Tensor) -> Tensor:
        x_BTE = x_BTE + self.attn(self.norm1(x_BTE))
        x_BTE = x_BTE + self.c_attn(self.norm3(x_BTE), self.norm4(context_BTD))
        return x_BTE + self.mlp(self.norm2(x_BTE))


class Encoder(nn.Module):
    """ViT on the chosen patches; all of them are embedded first."""

    def __init__(
        self, dims: int, hidden: int, depth: int, num_heads: int, patch_size: int, num_patches: int
    ) -> None:
        super().__init__()
        self.patch_embed = nn.Sequential(
            OrderedDict(proj=nn.Conv2d(3, dims, patch_size, stride=patch_size))
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + num_patches, dims), requires_grad=False)
        self.blocks = nn.ModuleList(Block(dims, hidden, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dims, eps=1e-6)

    def forward(self, images_BCHW: Tensor, ids_BK: Tensor | None = None) -> list[Tensor]:
        """The outputs of all blocks, without the final norm."""
        x = self.patch_embed(images_BCHW).flatten(2).transpose(1, 2) + self.pos_embed[:, 1:]
        if ids_BK is not None:
            x = take(x, ids_BK)
        class_token = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        outputs = [torch.cat([class_token, x], dim=1)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs[1:]


class Decoder(nn.Module):
    """Predicts every patch of the image from the latent of the visible ones, in the grid's
    order."""

    def __init__(self, encoder_dims: int, dims: int, depth: int, num_heads: int, head: nn.Module):
        super().__init__()
        self.down = nn.Linear(encoder_dims, dims)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.decode_blocks = nn.ModuleList(
            DecoderBlock(dims, encoder_dims, num_heads) for _ in range(depth)
        )
        self.decode_norm = nn.LayerNorm(dims, eps=1e-6)
        self.lm_head = head

    def forward(
        self, latent_BTD: Tensor, context_BTD: Tensor, pos_embed: Tensor, order_BN: Tensor
    ) -> Tensor:
        """``(B, N, E)``; ``order_BN`` lists the patches, visible ones first."""
        x = self.down(latent_BTD)
        num_visible = x.shape[1] - 1
        masked = self.mask_token + take(pos_embed[:, 1:], order_BN[:, num_visible:])
        shuffled = torch.cat([x[:, 1:], masked.to(x.dtype)], dim=1)
        x = torch.cat([x[:, :1], take(shuffled, order_BN.argsort(1))], dim=1)
        for block in self.decode_blocks:
            x = block(x, context_BTD)
        return self.decode_norm(x)[:, 1:]


def take(x_BND: Tensor, ids_BK: Tensor) -> Tensor:
    """Rows ``ids_BK``, image by image."""
    x_BND = x_BND.expand(len(ids_BK), -1, -1)
    return x_BND.gather(1, ids_BK[:, :, None].expand(-1, -1, x_BND.shape[2]))


def patches(images_BCHW: Tensor, grid: tuple[int, int]) -> Tensor:
    """``(B, N, C, p * p)``, row by row."""
    rows, columns = grid
    x = images_BCHW.unflatten(3, (columns, -1)).unflatten(2, (rows, -1))  # B C rows p columns p
    return x.permute(0, 2, 4, 1, 3, 5).flatten(4).flatten(1, 2)


class Reference(nn.Module):
    """Student and teacher with the weights of one of our models."""

    def __init__(self, ours: BootMAE) -> None:
        super().__init__()
        state = ours.state_dict()
        dims, hidden = state['backbone.layers.0.ffn.layers.1.weight'].shape
        width = state['regressor.embed.weight'].shape[0]
        depths = [1 + max(block_of(name, part) for name in state) for part in PARTS]
        num_heads, patch_size = ours.backbone.arch_settings['num_heads'], ours.patch_size
        self.grid = tuple(ours.grid)
        num_patches = self.grid[0] * self.grid[1]
        self.student = Encoder(dims, hidden, depths[0], num_heads, patch_size, num_patches)
        pixels = OrderedDict(proj=nn.ConvTranspose2d(width, 3, patch_size, stride=patch_size))
        self.regressor = Decoder(dims, width, depths[1], num_heads, nn.Sequential(pixels))
        self.predictor = Decoder(dims, dims, depths[2], num_heads, nn.Linear(dims, dims))
        self.register_buffer('de_pos_embed', state['regressor.pos_embed'].clone())
        self.load(state)
        self.teacher = deepcopy(self.student).requires_grad_(False)

    @torch.no_grad()
    def load(self, ours: dict[str, Tensor]) -> None:
        """Take over our student's weights, every one of them or fail."""
        students = {n: value for n, value in ours.items() if not n.startswith('teacher.')}
        release = to_release(students)
        del release['de_pos_embed']
        for part, suffix in ((self.regressor, ''), (self.predictor, '_1')):
            names = {name: suffixed(name, suffix) for name in part.state_dict()}
            part.load_state_dict({own: release.pop(theirs) for own, theirs in names.items()})
        self.student.load_state_dict(release)

    def forward(
        self, images_BCHW: Tensor, ids_visible_BV: Tensor, ids_masked_BM: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The pixel loss and the feature loss."""
        order_BN = torch.cat([ids_visible_BV, ids_masked_BM], dim=1)
        outputs = self.student(images_BCHW, ids_visible_BV)
        latent = self.student.norm(outputs[-1])
        pixels = self.regressor(latent, outputs[0], self.de_pos_embed, order_BN)
        pixels = pixels.transpose(1, 2).unflatten(2, self.grid)
        pixels = patches(self.regressor.lm_head(pixels), self.grid).flatten(2)
        features = self.predictor(latent, outputs[-1], self.student.pos_embed, order_BN)
        features = self.predictor.lm_head(features).float()

        cut = patches(images_BCHW, self.grid)
        var, mean = torch.var_mean(cut, dim=3, correction=0, keepdim=True)
        target = ((cut - mean) / (var + 1e-5).sqrt()).flatten(2)
        with torch.no_grad():
            taught = self.teacher(images_BCHW)[-1][:, 1:].float()
        width = taught.shape[2:]
        feature_error = F.layer_norm(features, width, eps=1e-6) - F.layer_norm(
            taught, width, eps=1e-6
        )
        mask_BN = torch.zeros_like(order_BN, dtype=torch.float).scatter_(1, ids_masked_BM, 1.0)
        return (
            self.weighted(pixels.float() - target, mask_BN),
            self.weighted(feature_error, mask_BN),
        )

    def weighted(self, error_BND: Tensor, mask_BN: Tensor) -> Tensor:
        """The squared error of masked patches, the centre of a block weighing up to twice."""
        masks = mask_BN.unflatten(1, (1, *self.grid))
        weight_BN = (masks * (1 + F.avg_pool2d(masks, 3, stride=1, padding=1))).flatten(1)
        per_image = (error_BND.square().mean(2) * weight_BN).sum(1) / mask_BN.sum(1)
        return per_image.mean()

    @torch.no_grad()
    def update_teacher(self) -> None:
        """The moving average, parameter by parameter."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for teacher, student in pairs:
            teacher.mul_(DECAY).add_(student, alpha=1 - DECAY)


def block_of(name: str, part: str) -> int:
    """The index of the block that a weight of ``part`` is in; -1 for other weights."""
    return int(name.removeprefix(part).partition('.')[0]) if name.startswith(part) else -1


def suffixed(name: str, suffix: str) -> str:
    """The release's name of a decoder's weight."""
    top, dot, rest = name.partition('.')
    return f'{top}{suffix}{dot}{rest}'


def build_optimizer(model: Reference, lr: float) -> torch.optim.AdamW:
    """AdamW as torch has it without its fast paths."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        dict(params=[p for name, p in trained if decays(name, p)], weight_decay=0.05),
        dict(params=[p for name, p in trained if not decays(name, p)], weight_decay=0.0),
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), foreach=False, fused=False)


def take_step(
    model: Reference,
    optimizer: torch.optim.AdamW,
    images_BCHW: Tensor,
    ids: tuple[Tensor, Tensor],
    dtype: torch.dtype,
) -> dict[str, float]:
    """Forward, backward, AdamW, teacher; the losses, read from the device one by one."""
    with torch.autocast(images_BCHW.device.type, dtype, enabled=dtype != torch.float32):
        pixel_loss, feature_loss = model(images_BCHW, *ids)
    loss = pixel_loss + feature_loss
    log = dict(loss=loss.item(), L_pixel=pixel_loss.item(), L_feature=feature_loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.update_teacher()
    return log
