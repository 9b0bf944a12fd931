"""shap's explainers."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_course._validation import check_whole
from xai_course.attribution._question import Method, Question, flat

if TYPE_CHECKING:
    from torch import nn

_MOST_FEATURES = 15  # 2 ** 15 coalitions
_FEWEST_ROWS = 3  # of a background whose features are clustered by their correlation


def _column(question: Question) -> nn.Module:
    """Return the module with one output, by a linear layer: every explainer has a rule for it."""
    import torch
    from torch import nn

    n_outputs = question.ask(question.X[:1]).shape[1]
    last = nn.Linear(n_outputs, 1, bias=False).to(question.tensor(question.X[:0]))
    last.load_state_dict({"weight": torch.eye(n_outputs)[[question.target]]})
    return nn.Sequential(deepcopy(question.module), last).eval()


def _network(kind: str, question: Question, **how: Any) -> np.ndarray:
    import shap

    module = _column(question)
    background, X = question.tensor(question.baseline), question.tensor(question.X)
    if kind == "DeepExplainer":  # the completeness error is reported instead of raised
        return shap.DeepExplainer(module, background).shap_values(X, check_additivity=False)
    explainer = shap.GradientExplainer(module.float(), background.float())  # it knows no other
    return explainer.shap_values(X.float(), rseed=question.random_state, **how)


def _kernel(question: Question, **how: Any) -> np.ndarray:
    import shap

    explainer = shap.KernelExplainer(question.ask_flat, flat(question.baseline))
    return explainer.shap_values(flat(question.X), silent=True, **how)


def _game(
    kind: str, question: Question, n_evaluations: int, seed: dict[str, int], **masks: Any
) -> np.ndarray:
    import shap

    # By itself a masker keeps only 100 rows of the background.
    masker = shap.maskers.Partition if masks else shap.maskers.Independent
    background = masker(flat(question.baseline), max_samples=len(question.baseline), **masks)
    explainer = getattr(shap.explainers, kind)(question.ask_flat, background, **seed)
    return explainer(flat(question.X), max_evals=n_evaluations, silent=True).values


def _permutation(question: Question, n_permutations: int) -> np.ndarray:
    check_whole(n_permutations, "n_permutations", 1)
    n_evaluations = n_permutations * (2 * question.X[0].size + 1)
    return _game("Permutation", question, n_evaluations, {"seed": question.random_state})


def _exact(question: Question) -> np.ndarray:
    n_features = question.X[0].size
    if n_features > _MOST_FEATURES:
        raise ValueError(
            f"shap_exact asks the model about all coalitions of {n_features} features; from "
            f"{_MOST_FEATURES + 1} on use shap_permutation or shap_kernel."
        )
    return _game("Exact", question, 2**n_features, {})


def _partition(question: Question, n_evaluations: int, clustering: str) -> np.ndarray:
    if len(question.baseline) < _FEWEST_ROWS:
        raise ValueError("shap_partition clusters features by the background: give 3 rows or more.")
    return _game("Partition", question, n_evaluations, {}, clustering=clustering)


def _tree(question: Question) -> np.ndarray:
    import shap

    if hasattr(question.given, "decision_function") and question.wants == "probabilities":
        raise ValueError(
            "shap_tree only rescales the values of boosted trees' logits to the probabilities; "
            "explain the logits, or the probabilities with shap_exact."
        )
    explainer = shap.TreeExplainer(question.given, question.baseline, model_output="raw")
    values = np.asarray(explainer.shap_values(question.X, check_additivity=False))
    return values[..., question.target] if values.ndim > 2 else values


def _method(answer: Any, takes: str, baseline: str = "background", **options: Any) -> Method:
    return Method(answer, "shap", takes, baseline, True, options)


METHODS = {
    "shap_deep": _method(partial(_network, "DeepExplainer"), "module"),
    "shap_gradient": _method(partial(_network, "GradientExplainer"), "module", nsamples=200),
    "shap_kernel": _method(_kernel, "function", nsamples="auto", l1_reg=False),
    "shap_permutation": _method(_permutation, "function", n_permutations=10),
    "shap_exact": _method(_exact, "function"),
    "shap_partition": _method(_partition, "function", n_evaluations=500, clustering="correlation"),
    "shap_tree": _method(_tree, "trees", "optional"),
}
