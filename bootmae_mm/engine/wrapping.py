"""The model itself, whatever is wrapped around it."""

from torch import nn

# Names that distributed training, test-time augmentation and torch.compile give to what they wrap.
WRAPPERS = ('module', '_orig_mod')


def unwrap(model: nn.Module) -> nn.Module:
    """A model without its wrappers."""
    children = dict(model.named_children())
    inner = next((children[name] for name in WRAPPERS if name in children), None)
    return model if inner is None else unwrap(inner)
