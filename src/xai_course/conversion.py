"""Torch modules in and out, apart from `networks` because torch takes seconds to import."""

from __future__ import annotations

from copy import copy

from torch import nn

__all__ = ["split_link"]

# What turns logits into probabilities or their logarithms.
_LINKS = {nn.Sigmoid: "sigmoid", nn.Softmax: "softmax", nn.LogSoftmax: "log_softmax"}


def split_link(module: nn.Module) -> tuple[nn.Module, str | None]:
    """Take the link off the end of a module, so that what is left returns logits.

    Parameters
    ----------
    module : torch.nn.Module
        Looked into as far as it is an `nn.Sequential` (they may be nested) without a forward of its
        own; `nn.Identity` and `nn.Flatten` may stand behind the link.

    Returns
    -------
    before : torch.nn.Module
        The module with `nn.Identity` in the link's place. It shares the layers of `module`, which
        stays as it is.
    link : {"sigmoid", "softmax", "log_softmax", None}
        None: the module does not end in a link, and `before` is `module`.

    Examples
    --------
    >>> before, link = split_link(nn.Sequential(nn.Linear(3, 1), nn.Sigmoid()))
    >>> link
    'sigmoid'
    >>> before[1]
    Identity()
    """
    kind = type(module)
    if "forward" in vars(module):
        return module, None
    if kind in _LINKS and getattr(module, "dim", None) in (None, 1, -1):
        return nn.Identity(), _LINKS[kind]
    if kind.forward is not nn.Sequential.forward:
        return module, None
    for name, part in reversed(module._modules.items()):
        before, link = split_link(part)
        if link is not None:
            split = copy(module)
            split._modules = {**module._modules, name: before}
            return split, link
        if not isinstance(part, nn.Identity | nn.Flatten):
            break
    return module, None
