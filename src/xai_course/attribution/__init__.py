"""One face over captum, shap, lime and the exact answers: what made the output what it is.

`attribute` asks any of the methods in `METHODS`, always in the same way, and returns an
`Attribution`. What the libraries would answer wrongly without a word is refused, with the reason
and the way out. The model that is given stays as it is, and so do the global random numbers.

Explained in the chapters *shapley*, *gradients*, *relevance-propagation* and
*class-activation-maps*.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course._models import check_targets
from xai_course._validation import check_choice, check_whole
from xai_course.attribution import _captum, _exact, _lime, _shap
from xai_course.attribution._inputs import as_image, check_baseline, read_inputs
from xai_course.attribution._models import read_model
from xai_course.attribution._question import Method, Question, quiet_and_seeded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["METHODS", "Attribution", "Method", "attribute"]

#: Every method by its name, with what it needs and what it promises.
METHODS: dict[str, Method] = _captum.METHODS | _shap.METHODS | _lime.METHODS | _exact.METHODS


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each input of each row did for the output, as one method sees it.

    Attributes
    ----------
    values : ndarray of float64, or list of them
        Shaped like the inputs; for texts one array per text, with one number per word.
    method : str
    baseline : ndarray or None
        As it was used: like the inputs, or the background's rows.
    target : ndarray of int, shape (n_rows,)
        The column of the outputs that was explained, one per row.
    output : ndarray of float64, shape (n_rows,)
        The number that was explained: logits (predictions for a regression), unless the settings
        say ``output="probabilities"``.
    settings : dict
        Every option, defaults included.
    seconds : float
        Without the import of the method's library.
    completeness_error : ndarray of float64, shape (n_rows,), or None
        How far the sum of a row's values is from f(x) - f(baseline); None where the method does not
        promise that they are equal. For a background, f(baseline) is the mean over its rows.
    words : list of list of str, or None
        For texts: the words that the values belong to.
    """

    values: Any
    method: str
    baseline: np.ndarray | None
    target: np.ndarray
    output: np.ndarray
    settings: dict[str, Any]
    seconds: float
    completeness_error: np.ndarray | None = None
    words: list[list[str]] | None = None

    def plot(
        self, row: int = 0, names: Sequence[str] | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw one row: an image as a signed map, a text with coloured words, all else as bars.

        Parameters
        ----------
        row : int
        names : sequence of str, optional
            One per feature; a flat row with names is never taken for an image.
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes

        Notes
        -----
        A flat row is an image where its length is a square, such as 784, from 64 on. Of an image
        with several channels their sum is drawn. The largest bar is on top.
        """
        from xai_course.plotting import SIGNED, plot_contributions, plot_words, plt

        ax, values = plt.gca() if ax is None else ax, self.values[row]
        if self.words is not None:
            return plot_words(self.words[row], values, unit=self.method, ax=ax)
        picture = as_image(values) if names is None else None
        if picture is None:
            names = names or [f"x{i + 1}" for i in range(values.size)]
            return plot_contributions(names, values.ravel(), unit=self.method, ax=ax)
        picture = picture.sum(axis=0)
        most = np.abs(picture).max() or 1.0
        drawn = ax.imshow(picture, cmap=SIGNED, vmin=-most, vmax=most)
        ax.figure.colorbar(drawn, ax=ax, label=self.method)
        ax.set_axis_off()
        return ax


def attribute(
    method: str,
    model: Any,
    X: Any,
    target: ArrayLike | None = None,
    *,
    baseline: ArrayLike | None = None,
    output: str = "logits",
    random_state: int = 0,
    **options: Any,
) -> Attribution:
    """Explain the output of a model at each row with one method.

    Parameters
    ----------
    method : str
        One of `METHODS`, which says what each needs and promises.
    model : PiecewiseLinearNetwork, torch.nn.Module, fitted estimator or callable
        A module must be in evaluation mode and return (n_rows, n_outputs). A callable takes inputs
        like `X` and returns (n_rows,) or (n_rows, n_outputs).
    X : array_like, shape (n_rows, ...); for `lime_text` a sequence of str
    target : int or array_like of int, shape (n_rows,), optional
        The output to explain, for all rows or for each. Not needed for a single output.
    baseline : array_like, optional
        A number, one input or one per row (default 0); for a background its rows, shape
        (n_background, ...), which must be given.
    output : {"logits", "probabilities"}
        What the model returns and is explained. Probabilities are refused unless they are asked
        for, because their gradients vanish where the model is sure. Of an estimator,
        `decision_function` or `predict_proba` (of a regression `predict`) is explained.
    random_state : int
        The values depend on this number only, not on the state of any global generator.
    **options
        The method's own: ``METHODS[method].options`` holds them with their defaults.

    Returns
    -------
    Attribution

    Raises
    ------
    TypeError
        If the method cannot explain this kind of model, or has no such option.
    ValueError
        If the input is not finite, a target or a background is missing or does not fit, or the
        method's answer would be silently wrong for this model.

    Notes
    -----
    `saliency` keeps the gradient's sign; `cam` and `grad_cam` are enlarged to the image's size and
    the same in every channel; `lime_image` gives each pixel the weight of its superpixel.
    `shap_kernel` keeps all features where shap by itself keeps ten (``l1_reg=False``), and no
    background is cut down to 100 rows, as shap's maskers do. `occlusion` and `feature_ablation`
    count in float32 whatever the module does, as captum does, and so does `shap_gradient`. The
    first call of shap's explainers may compile for seconds: time a second one.

    Explained in the chapters *shapley*, *gradients*, *relevance-propagation* and
    *class-activation-maps*.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1, 1]], [[2]]], [[0], [0]])
    >>> attribute("deeplift", network, [[1.0, 3.0]], baseline=0.0).values
    array([[2., 6.]])
    """
    check_choice(method, "method", METHODS)
    check_choice(output, "output", ("logits", "probabilities"))
    check_whole(random_state, "random_state", 0, 2**32 - 1)
    entry = METHODS[method]
    settings = entry.settings(options)
    is_text, per_row = entry.takes == "texts", entry.baseline == "point"
    X = read_inputs(X, is_text)
    module, function = read_model(model, method, entry.takes, output)
    base = check_baseline(baseline, entry.baseline, X, method)
    question = Question(model, module, function, output, random_state, X, base, 0)
    outputs, rows = question.ask(X), np.arange(len(X))
    targets = check_targets(target, outputs.shape[1], len(X))
    values: list[Any] = [None] * len(X)
    with quiet_and_seeded(entry.library, random_state):
        start = time.perf_counter()
        for one in np.unique(targets):
            chosen = rows[targets == one]
            given = [X[i] for i in chosen] if is_text else X[chosen]
            against = base[chosen] if per_row else base
            part = replace(question, X=given, baseline=against, target=int(one))
            for i, found in zip(chosen, entry.answer(part, **settings), strict=True):
                values[i] = found
        seconds = time.perf_counter() - start
    explained, error, words = outputs[rows, targets], None, None
    if is_text:
        words = [[word for word, _ in found] for found in values]
        values = [np.array([weight for _, weight in found]) for found in values]
    else:
        values = np.reshape(np.array(values, dtype=np.float64), X.shape)
    if entry.complete and base is not None:
        reached = question.ask(base)
        first = reached[rows, targets] if per_row else reached.mean(0)[targets]
        error = np.abs(values.reshape(len(X), -1).sum(axis=1) - (explained - first))
    settings |= {"output": output, "random_state": random_state}
    return Attribution(values, method, base, targets, explained, settings, seconds, error, words)
