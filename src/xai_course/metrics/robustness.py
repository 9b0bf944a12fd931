"""How attributions change with the input and with the model's weights.

Explained in the chapter *sanity-checks*.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_choice, check_whole
from xai_course.metrics._arrays import attributions_of, check_function, check_row, check_rows
from xai_course.metrics.agreement import rank_correlation

if TYPE_CHECKING:
    import torch
    from torch import nn

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]

# The two that Adebayo et al. compute from ranks.
SIMILARITIES: Mapping[str, Similarity] = {
    "rank correlation": rank_correlation,
    "absolute rank correlation": lambda a, b: rank_correlation(np.abs(a), np.abs(b)),
}


def max_sensitivity(
    explain: Callable[[np.ndarray], ArrayLike],
    X: ArrayLike,
    *,
    radius: ArrayLike,
    n_samples: int = 50,
    norm: float = 2,
    random_state: int = 0,
) -> np.ndarray:
    """Return captum's max-sensitivity: the largest change of an attribution in a box around a row.

    Parameters
    ----------
    explain : callable
        Takes rows like `X`, always all of them in this order, and gives attributions of the same
        shape. So it may explain another output of each row.
    X : array_like, shape (n_rows, ...)
    radius : array_like
        Half the width of the box: a number, or one for each feature, as features with different
        units need.
    n_samples : int
        Points drawn from the box for each row.
    norm : {1, 2, np.inf}
        Norm of the attributions and of their change.
    random_state : int
        Seed of the points.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        The largest change found, relative to the norm of the attribution at the row; as it is where
        that norm is zero.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite or has another shape, a radius is negative, or an option is not
        accepted.

    Notes
    -----
    Yeh et al. (2019), definition 3.1, computed by `captum.metrics.sensitivity_max`. It is a lower
    bound: random points miss the worst one, and the more features there are, the more they do.

    Examples
    --------
    >>> max_sensitivity(lambda rows: 2 * rows, [[1.0, 1.0]], radius=0.1).round(2)
    array([0.1])
    """
    import torch
    from captum.metrics import sensitivity_max

    check_function(explain, "explain")
    X = check_rows(X, "X")
    width = check_row(radius, X, "radius")
    check_whole(n_samples, "n_samples", 1)
    check_choice(norm, "norm", (1, 2, np.inf))
    rng = np.random.default_rng(random_state)

    # captum hands in a tuple first, takes each row of a bare tensor for another input, and forbids
    # the gradients that explain may need.
    def explained(rows: Any) -> tuple[torch.Tensor]:
        rows = rows[0] if isinstance(rows, tuple) else rows
        with torch.enable_grad():
            return (torch.as_tensor(attributions_of(explain, rows.numpy())),)

    return sensitivity_max(
        explained,
        torch.as_tensor(X),
        lambda rows: torch.as_tensor(X + width * rng.uniform(-1, 1, X.shape)),
        n_perturb_samples=n_samples,
        norm_ord=norm,
        max_examples_per_batch=len(X),  # one point a row at a time, so that explain sees all rows
    ).numpy()


@dataclass(frozen=True)
class Randomisation:
    """How similar attributions are before and after layers were initialised anew.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers, in the order of their randomisation.
    similarities : dict of ndarray, shape (n_layers, n_rows)
        By the name of the measure. NaN where a measure is not defined: a rank correlation with an
        attribution that is the same for all features.
    """

    layers: tuple[str, ...]
    similarities: dict[str, np.ndarray]


def randomisation(
    explain: Callable[[nn.Module, np.ndarray], ArrayLike],
    module: nn.Module,
    X: ArrayLike,
    *,
    cascading: bool = True,
    similarities: Mapping[str, Similarity] = SIMILARITIES,
    random_state: int = 0,
) -> Randomisation:
    """Return how similar attributions stay while a module's layers are initialised anew.

    Parameters
    ----------
    explain : callable
        ``explain(module, X)`` gives attributions like `X`.
    module : torch.nn.Module
        Copies of it are changed, and put into evaluation mode. Its layers with parameters have a
        method ``reset_parameters``, as torch's own have. The top is the layer registered last.
    X : array_like, shape (n_rows, ...)
    cascading : bool
        Randomise from the top down, each layer on top of those before. Otherwise one layer at a
        time, the others as they were.
    similarities : mapping of str to callable
        Each takes two arrays of attributions and gives one number a row; by default Spearman's rank
        correlation of the values and of their absolute values. Which one is taken may decide what
        the test says, so look at several.
    random_state : int
        Seed of the new weights.

    Returns
    -------
    Randomisation
        If cascading, all layers up to the one named are random.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite or has another shape, or a layer can't be
        initialised anew.

    Notes
    -----
    The model parameter randomisation test of Adebayo et al. (2018), section 3.1. An attribution
    that stays the same does not depend on what the network learnt; one that changes may still be
    wrong. Input times anything keeps the input's pattern, and so some similarity.
    """
    from xai_course.training import reproducible

    X, start = check_rows(X, "X"), copy.deepcopy(module).eval()
    parts = {
        name: part for name, part in start.named_modules() if [*part.parameters(recurse=False)]
    }
    fixed = [name for name, part in parts.items() if not hasattr(part, "reset_parameters")]
    if fixed or not parts:
        raise ValueError(
            "randomisation needs a module whose layers with parameters all have a method "
            f"reset_parameters; without it: {fixed or 'no layer has parameters'}."
        )
    before, after, changed = attributions_of(explain, start, X), [], copy.deepcopy(start)
    layers = tuple(parts)[::-1]
    with reproducible((random_state,), next(start.parameters()).device):
        for name in layers:
            if not cascading:
                changed = copy.deepcopy(start)
            changed.get_submodule(name).reset_parameters()
            after.append(attributions_of(explain, changed, X))
    found = {
        name: np.array([measure(before, values) for values in after])
        for name, measure in similarities.items()
    }
    return Randomisation(layers, found)
