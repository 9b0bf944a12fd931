"""The methods, and how close each comes to the exact answers."""

from __future__ import annotations

import copy
import json
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xai_course import metrics
from xai_course.scoreboard.subjects import REFERENCES, Subject

__all__ = ["METHODS", "METRICS", "MethodError", "published", "score", "summary", "table"]

TABLE = Path(__file__).parent / "table.json"
COMMAND = "python reproduce/scoreboard.py table"

# A method takes the module, inputs (n_rows, ...), one baseline (...) and targets (n_rows,), all of
# them tensors, and returns one number per input.
Explain = Callable[[Any, Any, Any, Any], Any]
Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _top_overlap(a: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return the overlap of the five strongest features, of half of them where there are few."""
    return metrics.top_k_overlap(a, exact, k=min(5, exact[0].size // 2))


def _rank_correlation(a: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation; ranking nothing counts as guessing, so that it gains none."""
    found = metrics.rank_correlation(a, exact)
    flat = a.reshape(len(a), -1)
    ranks_nothing = (flat == flat[:, :1]).all(axis=1) & np.isfinite(
        metrics.rank_correlation(exact, exact)
    )
    return np.where(ranks_nothing, 0.0, found)


#: How close a method comes to an exact answer, by name.
METRICS: dict[str, Metric] = {
    "rank_correlation": _rank_correlation,
    "sign_agreement": partial(metrics.sign_agreement, rounding=1e-6),
    "top_overlap": _top_overlap,
    "relative_error": metrics.relative_error,
}


class MethodError(ValueError):
    """A method raised an error, or did not return one finite number per input."""


# The methods of the book. All that compare, compare with the same baseline.

_PATCH = 4  # pixels: the side of what is hidden at once, and of a superpixel
_FEWEST_PIXELS = 64


def _ask(name: str, baseline: str = "none", **options: Any) -> Explain:
    """Return a method of `xai_course.attribution`, asked as on the scoreboard."""

    def explain(module: Any, inputs: Any, baseline_: Any, target: Any) -> np.ndarray:
        from xai_course.attribution import attribute

        X, point = inputs.numpy(), baseline_.numpy()
        how = {key: value(X) if callable(value) else value for key, value in options.items()}
        given = {"none": None, "point": point, "background": point[None]}[baseline]
        return attribute(name, module, X, target.numpy(), baseline=given, **how).values

    return explain


def _is_image(X: np.ndarray) -> bool:
    return X[0].size >= _FEWEST_PIXELS


def _occlusion(module: Any, inputs: Any, baseline: Any, target: Any) -> np.ndarray:
    """Hide patches of images, also where the network takes them as rows; else single features."""
    X = inputs.numpy()
    if not _is_image(X):
        return _ask("occlusion", "point")(module, inputs, baseline, target)
    from torch import nn

    shape = (len(X), 1, 28, 28)
    images = nn.Sequential(nn.Flatten(), module).eval() if X.ndim == 2 else module
    ask = _ask("occlusion", "point", window=_PATCH, stride=_PATCH // 2)
    return ask(images, inputs.reshape(shape), baseline.reshape(shape[1:]), target).reshape(X.shape)


def _lime(module: Any, inputs: Any, baseline: Any, target: Any) -> np.ndarray:
    """Fit a linear model around the row: on superpixels of images, else on normal noise."""
    X = inputs.numpy()
    if _is_image(X):
        place = np.arange(28) // _PATCH
        segments = place[:, None] * (place.max() + 1) + place
        return _ask("lime_image", segments=segments, hide_color=0)(module, inputs, baseline, target)
    from xai_course.attribution import attribute

    noise = np.random.default_rng(0).normal(size=(500, X.shape[1]))
    how = {"discretize": False, "around": True, "num_samples": 2000}
    return attribute("lime_tabular", module, X, target.numpy(), baseline=noise, **how).values


def _noise(module: Any, inputs: Any, baseline: Any, target: Any) -> np.ndarray:
    draw = zlib.crc32(inputs.numpy().tobytes())  # other numbers for other rows
    return np.random.default_rng(draw).normal(size=tuple(inputs.shape))


def _difference(module: Any, inputs: Any, baseline: Any, target: Any) -> np.ndarray:
    return (inputs - baseline).numpy()


#: The methods that are scored, by name.
METHODS: dict[str, Explain] = {
    "random numbers (control)": _noise,
    "input - baseline (control)": _difference,
    "gradient": _ask("saliency"),
    "SmoothGrad": _ask("smoothgrad", sigma=lambda X: 0.1 * float(X.max() - X.min())),
    "guided backprop": _ask("guided_backprop"),
    "deconvolution": _ask("deconvolution"),
    "gradient x input": _ask("input_x_gradient"),
    "LRP epsilon": _ask("lrp", epsilon=1e-6),
    "DeepLIFT": _ask("deeplift", "point"),
    "integrated gradients, 50 steps": _ask("integrated_gradients", "point"),
    "Grad-CAM": _ask("grad_cam", layer="4"),
    "occlusion": _occlusion,
    "feature ablation": _ask("feature_ablation", "point"),
    "LIME": _lime,
    "SHAP deep": _ask("shap_deep", "background"),
    "SHAP gradient": _ask("shap_gradient", "background"),
    "SHAP kernel": _ask("shap_kernel", "background"),
    "SHAP permutation": _ask("shap_permutation", "background"),
    "local contributions, exact": _ask("exact_contributions", "point"),
    "integrated gradients, exact": _ask("exact_integrated_gradients", "point"),
}


# Scores


def _explain(explain: Explain, subject: Subject) -> tuple[np.ndarray, float]:
    """Return a method's attributions for a subject and the CPU milliseconds per row, or raise."""
    import torch

    module = copy.deepcopy(subject.module)  # a method may leave hooks behind, or other weights
    given = (torch.tensor(getattr(subject, name)) for name in ("inputs", "baseline", "targets"))
    start = time.process_time()
    try:
        found = _numbers(explain(module, *given))
    except Exception as error:
        raise MethodError(brief(error)) from error
    seconds = time.process_time() - start
    if found.shape != subject.inputs.shape:
        raise MethodError(f"returned shape {found.shape}; {subject.inputs.shape} is right")
    if not np.isfinite(found).all():
        raise MethodError(f"returned {int((~np.isfinite(found)).sum())} NaN or infinite numbers")
    return found, 1000 * seconds / len(found)


def brief(error: Exception) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


def _numbers(found: Any) -> np.ndarray:
    """Return what a method gave, a tensor of any kind or anything like an array, as float64."""
    if found is None:
        raise TypeError("returned None instead of one number per input")
    if hasattr(found, "detach"):
        found = found.detach().cpu()
        found = (found if found.is_complex() else found.double()).numpy()
    array = np.asarray(found)
    if array.dtype.kind not in "buif":
        raise TypeError(f"returned {array.dtype} instead of real numbers")
    return array.astype(float)


def score(explain: Explain, subjects: Iterable[Subject]) -> dict[str, Any]:
    """Compare a method with the exact answers.

    Parameters
    ----------
    explain : callable
        Takes a module in evaluation mode that returns logits, and tensors: inputs of shape
        (n_rows, ...), a baseline of shape (...) and targets of shape (n_rows,), the outputs to
        explain. Returns one number per input, as a tensor or an array of the shape of the inputs.
    subjects : iterable of Subject

    Returns
    -------
    dict
        For each network either ``{"error": ...}``, or the CPU milliseconds per row, the seeds, and
        for each reference and each of `METRICS` the mean of each seed's rows (``by_seed``), the
        mean and the standard deviation of these (``mean``, ``sd_seeds``), the mean over seeds of
        the standard deviation over rows (``sd_rows``), and the number of rows (``n``). Rows whose
        exact answer is not known, or ranks nothing, do not count.

    Notes
    -----
    Explained in the chapter *ground-truth*.
    """
    by_network: dict[str, list[Subject]] = {}
    for subject in subjects:
        by_network.setdefault(subject.network, []).append(subject)
    return {name: _score_network(explain, group) for name, group in by_network.items()}


def _score_network(explain: Explain, group: list[Subject]) -> dict[str, Any]:
    try:
        answers = [_explain(explain, subject) for subject in group]
    except MethodError as error:
        return {"error": str(error)}
    scores: dict[str, Any] = {
        "milliseconds": float(np.median([ms for _, ms in answers])),
        "seeds": [subject.seed for subject in group],
    }
    for reference in REFERENCES:
        known = [subject.references.get(reference) for subject in group]
        if not any(exact is not None and _is_known(exact).any() for exact in known):
            continue
        scores[reference] = {
            name: _spread(
                [
                    _measured(measure, found, exact)
                    for (found, _), exact in zip(answers, known, strict=True)
                ]
            )
            for name, measure in METRICS.items()
        }
    return scores


def _measured(measure: Metric, found: np.ndarray, exact: np.ndarray | None) -> np.ndarray:
    """Return a metric for the rows whose exact answer is known and for which it has a value."""
    rows = np.zeros(len(found), bool) if exact is None else _is_known(exact)
    if exact is None or not rows.any():
        return np.empty(0)
    values = measure(found[rows], exact[rows])
    return values[np.isfinite(values)]


def _is_known(reference: np.ndarray) -> np.ndarray:
    return np.isfinite(reference.reshape(len(reference), -1)).all(axis=1)


def _spread(by_seed: list[np.ndarray]) -> dict[str, Any]:
    """Return the mean and the spreads of a metric's values, one array for each seed."""
    means = [float(values.mean()) if len(values) else None for values in by_seed]
    counted = [mean for mean in means if mean is not None]
    several = [values.std(ddof=1) for values in by_seed if len(values) > 1]
    return {
        "mean": float(np.mean(counted)) if counted else None,
        "sd_seeds": float(np.std(counted, ddof=1)) if len(counted) > 1 else None,
        "sd_rows": float(np.mean(several)) if several else None,
        "n": sum(map(len, by_seed)),
        "by_seed": means,
    }


def summary(
    scores: dict[str, Any],
    metric: str = "rank_correlation",
    networks: Collection[str] | None = None,
) -> dict[str, float | None]:
    """Return one number per reference: the mean over the networks on which a method ran.

    Parameters
    ----------
    scores : dict
        From `score`.
    metric : str
        One of `METRICS`.
    networks : collection of str, optional
        All by default.

    Returns
    -------
    dict
        None where the method has no score. ``"networks"`` is the number of networks that count, and
        ``"milliseconds"`` the median over them.
    """
    ran = [
        found
        for name, found in scores.items()
        if "error" not in found and name in (networks or scores)
    ]
    result: dict[str, float | None] = {}
    for reference in REFERENCES:
        means = [found[reference][metric]["mean"] for found in ran if reference in found]
        means = [mean for mean in means if mean is not None]
        result[reference] = float(np.mean(means)) if means else None
    times = [found["milliseconds"] for found in ran]
    return result | {"networks": len(ran), "milliseconds": float(np.median(times)) if ran else None}


def table(scores: dict[str, dict[str, Any]], marked: str, metric: str = "rank_correlation") -> str:
    """Return the rows of several methods as text, the best mean over the references first.

    Those that ran on fewer networks stand below the others.

    Parameters
    ----------
    scores : dict
        By method, from `score` or `published`.
    marked : str
        The method that gets an arrow; only the networks count on which it ran.
    metric : str
        One of `METRICS`.
    """
    networks = [name for name, found in scores[marked].items() if "error" not in found]
    rows = {name: summary(one, metric, networks or None) for name, one in scores.items()}

    def mean(name: str) -> float:
        known = [rows[name][key] for key in REFERENCES if rows[name][key] is not None]
        value = sum(known) / len(known) if known else 0.0
        return -value if metric == "relative_error" else value

    # Who refuses the hardest network must not gain by it.
    order = sorted(rows, key=lambda name: (-rows[name]["networks"], -mean(name)))
    columns = (*REFERENCES, "networks", "milliseconds")
    above, below = zip(*(name.rpartition("_")[::2] for name in columns), strict=True)
    first = max(map(len, rows)) + 2
    widths = [max(map(len, names)) + 2 for names in zip(above, below, strict=True)]

    def line(name: str, cells: Sequence[str]) -> str:
        return f"{name:<{first}}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))

    lines = [line("", above), line(metric.replace("_", " "), below)]
    for name in order:
        cells = [rows[name][key] for key in columns]
        texts = [
            "-" if c is None else f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells
        ]
        lines.append(line(("> " if name == marked else "  ") + name, texts))
    return "\n".join(lines)


def published() -> dict[str, dict[str, Any]]:
    """Return the scores of all of `METHODS`, as `score` gave them at full size.

    Made by ``python reproduce/scoreboard.py table``.

    Raises
    ------
    OSError
        If the file is missing or damaged.
    """
    try:
        return json.loads(TABLE.read_text("utf-8"))["table"]
    except (OSError, ValueError, KeyError) as error:
        raise OSError(
            f"{TABLE} cannot be read: {brief(error)}\nInstall the package again, or make the file "
            f"with {COMMAND!r}."
        ) from error
