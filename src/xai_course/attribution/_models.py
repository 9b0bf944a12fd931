"""Anything that can be explained, made ready for the libraries, or refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from xai_course.networks import PiecewiseLinearNetwork

if TYPE_CHECKING:
    from torch import nn

_Function = Callable[[Any], Any]

_ROUNDING = 1e-5  # of a sum of probabilities in float32
_FORMS = {"logits": "decision_function", "probabilities": "predict_proba"}
_NEEDS = {
    "module": "a PiecewiseLinearNetwork or a torch module (shap_kernel takes any function)",
    "trees": "a fitted scikit-learn estimator made of trees (shap_exact takes any model)",
    "texts": "a function from a list of texts to (n_texts, n_outputs)",
}


def read_model(
    given: Any, method: str, takes: str, wants: str
) -> tuple[nn.Module | None, _Function]:
    """Return a copy of the module, if it is one, and a function from inputs to outputs."""
    is_network = isinstance(given, PiecewiseLinearNetwork)
    kind, module = "trees" if hasattr(given, "predict") else "texts", None
    if hasattr(given, "named_modules"):  # torch is not loaded for other models
        kind, module = "module", _read_module(given, method, wants)
    elif is_network:
        kind = "module"
        if takes == "module":
            module = _read_module(given.to_torch(), method, "logits")
    takes = "module" if takes == "network" else takes
    fits = takes in (kind, "function") or (takes == "texts" and kind == "trees")
    if not fits or not (is_network or callable(given) or kind == "trees"):
        needs = _NEEDS.get(takes, "a network, a torch module, a fitted estimator or a function")
        raise TypeError(f"{method} needs {needs}, got {type(given).__name__}.")
    if module is not None:
        return module, partial(_forward, module)
    if kind == "trees":
        return None, _predict(given, wants)
    return None, given.forward if is_network else given


def _read_module(given: nn.Module, method: str, wants: str) -> nn.Module:
    from xai_course.attribution._structure import check_structure, ends_in_link

    if any(part.training for part in given.modules()):
        raise ValueError("The module is in training mode; call .eval() on it first.")
    if wants == "logits" and (link := ends_in_link(given)):
        raise ValueError(_refusal(f"The module ends in {link}"))
    check_structure(method, given)
    module = deepcopy(given)
    for part in module.modules():
        if getattr(part, "inplace", False):
            part.inplace = False  # or hooks would not see what the layer was given
    return module


def _forward(module: nn.Module, X: np.ndarray) -> np.ndarray:
    import torch

    from xai_course.training import as_inputs

    with torch.no_grad():
        return module(as_inputs(module, X)).double().cpu().numpy()


def _predict(given: Any, wants: str) -> _Function:
    form = _FORMS[wants] if hasattr(given, "classes_") else "predict"
    if not hasattr(given, form):
        others = [f"output={name!r}" for name, form in _FORMS.items() if hasattr(given, form)]
        name = type(given).__name__
        raise ValueError(f"{name} has no {form}; say {others[0] if others else 'another model'}.")
    predict, names = getattr(given, form), getattr(given, "feature_names_in_", None)
    return predict if names is None else lambda X: predict(pd.DataFrame(X, columns=names))


def check_outputs(found: Any, n_rows: int, may_be_flat: bool, wants: str) -> np.ndarray:
    """Return outputs as float64, shape (n_rows, n_outputs), or raise."""
    found = np.asarray(found, dtype=np.float64)
    if found.ndim == 1 and may_be_flat:
        found = found[:, None]
    if found.ndim != 2 or len(found) != n_rows or not np.isfinite(found).all():
        raise ValueError(
            f"For {n_rows} rows the model must return finite numbers of shape ({n_rows}, "
            f"n_outputs), got shape {found.shape}; .unsqueeze(1) adds a missing dimension."
        )
    for form in (found, np.exp(np.minimum(found, 1))) if wants == "logits" else ():
        sums = form.sum(axis=1)
        if found.shape[1] > 1 and (form >= 0).all() and (np.abs(sums - 1) < _ROUNDING).all():
            raise ValueError(_refusal("Each row of the model's outputs adds up to 1"))
    return found


def _refusal(what: str) -> str:
    return (
        f"{what}: these are probabilities, or their logarithms, and not logits; their gradients "
        "vanish where the model is sure. Give the part that returns logits, such as "
        "xai_course.conversion.split_link(module)[0], or say output='probabilities'."
    )
