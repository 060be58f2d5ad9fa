"""Which registry the types of a part of a config come from, and the class that a type names."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from mmengine import registry as root
from mmengine.registry import Registry
from mmpretrain.registry import BATCH_AUGMENTS


class Place(NamedTuple):
    """What is expected at a place of a config.

    Attributes:
        registry: Where its types are registered.
        strict: Whether a type must be in that registry; otherwise it may be in any (an assigner in
            a model, a pipeline in a hook).
        supplied: Arguments that the framework adds; None if that is not known.
        extra: Keys that are taken out before the class sees them.
        default: Type of a part without one; None where a type has to be given.
    """

    registry: Registry
    strict: bool = True
    supplied: tuple[str, ...] | None = ()
    extra: tuple[str, ...] = ()
    default: str | None = None


MODEL = Place(root.MODELS)
INNER = Place(root.MODELS, strict=False, supplied=None, default='')
NORM = INNER._replace(extra=('requires_grad',))
SAMPLER = Place(root.DATA_SAMPLERS, supplied=('dataset', 'seed', 'sampler', 'batch_size'))
PIPELINE = Place(root.TRANSFORMS)
FUNCTION = Place(root.FUNCTIONS, supplied=None)
INIT = Place(root.WEIGHT_INITIALIZERS, supplied=None, extra=('override', 'name'))
LOOP = Place(root.LOOPS, supplied=('runner', 'dataloader', 'evaluator'), extra=('by_epoch',))
METRIC = Place(root.METRICS, strict=False)  # or an evaluator around several
HOOK = Place(root.HOOKS, extra=('priority',))

# Keys at the top of a config that hold parts with a type.
SECTIONS = {
    'model': MODEL,
    'tta_model': Place(root.MODELS, supplied=('module',)),
    'data_preprocessor': INNER,
    'tta_pipeline': PIPELINE,
    'optim_wrapper': Place(
        root.OPTIM_WRAPPERS,
        supplied=('optimizer',),
        extra=('constructor', 'paramwise_cfg', 'optimizer'),
        default='OptimWrapper',
    ),
    'param_scheduler': Place(
        root.PARAM_SCHEDULERS, supplied=('optimizer',), extra=('convert_to_iter_based',)
    ),
    'train_cfg': LOOP._replace(default='EpochBasedTrainLoop'),
    'val_cfg': LOOP._replace(default='ValLoop'),
    'test_cfg': LOOP._replace(default='TestLoop'),
    'val_evaluator': METRIC,
    'test_evaluator': METRIC,
    'default_hooks': HOOK,
    'custom_hooks': HOOK,
    'visualizer': Place(root.VISUALIZERS, supplied=('name',), default='Visualizer'),
    'log_processor': Place(root.LOG_PROCESSORS, default='LogProcessor'),
}
# Keys below that say what is in them, wherever they are.
KEYS = {
    'pipeline': PIPELINE,
    'transforms': PIPELINE,
    'init_cfg': INIT,
    'vis_backends': Place(root.VISBACKENDS, supplied=('save_dir',)),
    'optimizer': Place(root.OPTIMIZERS, supplied=('params',)),
}
LOADER_KEYS = {
    'dataset': Place(root.DATASETS),
    'datasets': Place(root.DATASETS),
    'sampler': SAMPLER,
    'batch_sampler': SAMPLER,
    'collate_fn': FUNCTION,
    'worker_init_fn': FUNCTION,
}
# Parts that models build as they stand, with nothing added.
MODEL_KEYS = dict.fromkeys(('backbone', 'neck', 'head', 'decode_head', 'auxiliary_head'), MODEL)
# Types below these keys are functions of mmcv.ops, not registered.
OPERATORS = ('nms', 'nms_cfg', 'roi_layer')

# Where a type may come from at a place that is not strict.
ANYWHERE = (
    *(root.MODELS, root.TASK_UTILS, root.TRANSFORMS, root.METRICS, root.EVALUATOR, root.DATASETS),
    *(root.HOOKS, root.WEIGHT_INITIALIZERS, root.VISUALIZERS, root.VISBACKENDS, root.OPTIMIZERS),
    *(root.FUNCTIONS, root.PARAM_SCHEDULERS, BATCH_AUGMENTS),
)


def is_scope(scope: str) -> bool:
    """Whether there is a toolbox of that name, which this imports."""
    try:
        import_module(f'{scope}.registry')
    except ImportError:
        return False
    return True


def find(kind: str, place: Place, scope: str | None) -> Callable | None:
    """The class of that name; None if there is none."""
    registries = [place.registry, *(() if place.strict else ANYWHERE)]
    return next((found for r in registries if (found := _get(r, kind, scope))), None)


def _get(registry: Registry, kind: str, scope: str | None) -> Callable | None:
    try:
        return _of_scope(registry, scope).get(kind)
    except RuntimeError:  # what it raises for a name that is not registered
        return None


def _of_scope(registry: Registry, scope: str | None) -> Registry:
    """The scope's own registry of the kind, if it has one."""
    if scope is not None:
        is_scope(scope)
    return registry.children.get(scope, registry)


def known_names(place: Place, scope: str | None) -> set[str]:
    """The names that a type of this place can have in ``scope`` without a prefix."""
    names, registry = set(), _of_scope(place.registry, scope)
    while registry is not None:
        names |= set(registry.module_dict)
        registry = registry.parent
    return names


def other_scopes(kind: str, place: Place) -> list[str]:
    """``scope.kind`` for the toolboxes in use that have the type."""
    children = place.registry.children
    return [f'{scope}.{kind}' for scope, child in children.items() if kind in child.module_dict]
