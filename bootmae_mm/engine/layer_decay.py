"""Layer-wise learning-rate decay for classifiers, segmentors and detectors."""

from collections import defaultdict

from mmengine.logging import print_log
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from .optim import WeightDecayConstructor, decays
from .tables import as_text
from .wrapping import WRAPPERS, unwrap

# Parts of a backbone that come after its blocks or belong to all of them: full learning rate.
AFTER_BLOCKS = ('ln1', 'ln2', 'rel_pos_bias')
COLUMNS = ('depth', 'lr', 'weight decay', 'tensors', 'parameters')  # of the table in the log


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(WeightDecayConstructor):
    """Builds the optimiser wrapper with a learning rate that falls towards the input.

    ``lr = base * layer_decay_rate ** (num_blocks + 1 - depth)``, where the depth is 0 for patch
    embedding, class, mask and position embeddings, ``l + 1`` for block ``l``, and
    ``num_blocks + 1`` (the full rate) for all that comes after: final norms, necks, heads (BEiT's
    rule, as in the authors' release). Weight decay as :func:`.optim.decays` says. There is
    one parameter group per learning rate and weight decay; a table of them is logged.

    The release's segmentation decays class token, position embedding and relative-position tables
    as well, as ``decay_embeddings=True`` does: its list of exceptions lacks the ``backbone.`` that
    their names begin with there, and has no tables. At the schedule of ADE20K that alone shrinks
    the last block's table to 0.36.

    Works for every model with a ``backbone`` that has mmpretrain's ``get_layer_depth``: mmpretrain
    classifiers, mmseg segmentors and mmdet detectors, also wrapped in DDP or compiled.

    Args:
        optim_wrapper_cfg: Config of the wrapper, with the ``optimizer`` in it; its ``lr`` is the
            base.
        paramwise_cfg: ``dict(layer_decay_rate=rate)`` with a rate above 0 and at most 1; and
            ``decay_embeddings``, False by default.

    Raises:
        ValueError: On another ``paramwise_cfg``, an optimiser without ``lr``, a model without such
            a backbone, or a trained parameter of the backbone whose depth is not known.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        super().__init__(optim_wrapper_cfg)
        settings = dict(paramwise_cfg or {})
        self.rate = settings.pop('layer_decay_rate', 0)
        self.decay_embeddings = settings.pop('decay_embeddings', False)
        if settings or not 0 < self.rate <= 1:
            raise ValueError(
                'LayerDecayConstructor expects paramwise_cfg=dict(layer_decay_rate=rate) with a '
                f'rate above 0 and at most 1, and perhaps decay_embeddings, found {paramwise_cfg}.'
            )
        if 'lr' not in self.optimizer_cfg:
            raise ValueError(
                'Layer-wise decay needs a base learning rate, found none in the optimizer '
                f'{self.optimizer_cfg}; set its lr.'
            )

    def _groups(self, model: nn.Module) -> list[dict]:
        backbone = _find_backbone(model)
        members = defaultdict(list)
        for name, param in model.named_parameters():
            if param.requires_grad:
                decay = decays(name, param, self.decay_embeddings)
                members[(*_depth(backbone, name), decay)].append(param)
        groups, rows = [], []
        for (depth, top, decay), params in sorted(members.items(), key=lambda item: item[0]):
            lr = self.optimizer_cfg['lr'] * self.rate ** (top - depth)
            groups.append(dict(params=params, lr=lr, **({} if decay else dict(weight_decay=0.0))))
            count = sum(p.numel() for p in params)
            decayed = 'yes' if decay else 'no'
            rows.append((str(depth), f'{lr:.3e}', decayed, str(len(params)), f'{count:,}'))
        table = as_text(COLUMNS, rows, right=range(len(COLUMNS)))
        print_log(f'Layer-wise decay {self.rate}\n{table}', logger='current')
        return groups


def _find_backbone(model: nn.Module) -> nn.Module:
    backbone = getattr(unwrap(model), 'backbone', None)
    if backbone is not None:
        backbone = unwrap(backbone)
    if not hasattr(backbone, 'get_layer_depth'):
        found = 'no backbone' if backbone is None else f'a {type(backbone).__name__}'
        raise ValueError(
            "Layer-wise decay expects a model whose backbone has mmpretrain's get_layer_depth, "
            f'found {found} in {type(unwrap(model)).__name__}; choose a BootMAEViT or another '
            'vision transformer of mmpretrain.'
        )
    return backbone


def _depth(backbone: nn.Module, name: str) -> tuple[int, int]:
    """The depth of a parameter of the whole model, and the largest there is.

    The backbone gives the depth of the parts after its blocks to any name that it does not know,
    so only known ones of these are let through.
    """
    name = '.'.join(part for part in name.split('.') if part not in WRAPPERS)
    depth, num_depths = backbone.get_layer_depth(name, 'backbone.')
    owner, _, rest = name.partition('.')
    if owner == 'backbone' and depth == num_depths - 1:
        part = rest.partition('.')[0]
        if part == 'mask_token':
            depth = 0
        elif part not in AFTER_BLOCKS:
            raise ValueError(
                f'Layer-wise decay knows no depth for the parameter {name!r}: expected the patch '
                f'embedding, tokens, blocks or {", ".join(AFTER_BLOCKS)} in the backbone; freeze '
                'it or move it to a neck.'
            )
    return depth, num_depths - 1
