"""Piecewise linear networks: patterns, local linear models, conversion.

A network with piecewise linear activations is a set of linear models, one per region of its input
space. Everything that the book says about such networks starts from the class of this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_array
from xai_course.activations import PiecewiseLinear, read_only
from xai_course.approximation import SMOOTH_ACTIVATIONS, Approximation, approximate

if TYPE_CHECKING:
    import torch

    from xai_course.regions import Region, Regions

__all__ = ["PiecewiseLinearNetwork"]

# Temporary arrays stay below this size, whatever the number of rows or patterns.
_CHUNK_BYTES = 2**20


# An activation, or the weight and bias of an affine map.
_Step = PiecewiseLinear | tuple[np.ndarray, np.ndarray]


def one_a_class(outputs: np.ndarray) -> np.ndarray:
    """Return one logit per class, where one output is that of the second of two classes."""
    return np.column_stack([np.zeros(len(outputs)), outputs]) if outputs.shape[1] == 1 else outputs


class PiecewiseLinearNetwork:
    """A feed-forward network that is linear on each region of its input space.

    Parameters
    ----------
    weights : sequence of array_like, shape (n_out, n_in)
        One matrix per layer, the output layer last. ``weights[l]`` maps layer ``l`` to ``l + 1``.
    biases : sequence of array_like, shape (n_out,)
        One vector per layer.
    activation : {"relu"}, PiecewiseLinear or sequence of PiecewiseLinear
        The activation of every hidden neuron, or one per hidden layer.

    Attributes
    ----------
    weights, biases : tuple of ndarray of float64
        Read-only copies of what was given.
    activations : tuple of PiecewiseLinear
        One per hidden layer.
    n_features, n_outputs, n_hidden : int
        Widths of the input and the output, and the number of hidden neurons in all layers, which is
        the length of a pattern.
    hidden_sizes : tuple of int
        Hidden neurons per layer.

    Raises
    ------
    ValueError
        If the shapes do not chain, a parameter is not finite, or the activation is not supported.

    Notes
    -----
    Outputs are values *before the link*: logits for a classifier, predictions for a regression.
    A ReLU neuron is on when its input ``z >= 0`` (Sudjianto et al. 2020, section 2.1); with other
    activations a neuron has as many states as the activation has segments (Dong et al. 2021,
    section 5.1).

    Explained in the chapter *local-linear-models*.

    Examples
    --------
    The absolute value is a network with two hidden neurons and two regions:

    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> network.forward([[-2.0], [3.0]]).ravel()
    array([2., 3.])
    >>> network.activation_pattern([[-2.0], [3.0]])
    array([[0, 1],
           [1, 0]], dtype=uint8)
    """

    def __init__(
        self,
        weights: Sequence[ArrayLike],
        biases: Sequence[ArrayLike],
        activation: str | PiecewiseLinear | Sequence[PiecewiseLinear] = "relu",
    ) -> None:
        if len(weights) != len(biases) or len(weights) == 0:
            raise ValueError(
                "weights and biases must hold one entry per layer and at least one layer, got "
                f"{len(weights)} and {len(biases)}."
            )
        self.activations = _one_per_layer(activation, len(weights) - 1)
        self.weights = tuple(check_array(w, f"weights[{i}]", 2) for i, w in enumerate(weights))
        self.biases = tuple(check_array(b, f"biases[{i}]", 1) for i, b in enumerate(biases))
        self.n_features = n_in = self.weights[0].shape[1]
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.shape != (len(bias), n_in) or 0 in weight.shape:
                raise ValueError(
                    f"weights[{i}] and biases[{i}] must have shapes (n_out, {n_in}) and (n_out,) "
                    f"with no empty dimension, got {weight.shape} and {bias.shape}."
                )
            n_in = len(bias)
        *hidden, self.n_outputs = map(len, self.biases)
        self.hidden_sizes, self.n_hidden = tuple(hidden), sum(hidden)
        read_only(*self.weights, *self.biases)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Copies and pickles of an array may be written to.
        self.__dict__.update(state)
        read_only(*self.weights, *self.biases)

    def __repr__(self) -> str:
        sizes = " -> ".join(map(str, (self.n_features, *self.hidden_sizes, self.n_outputs)))
        names = list(dict.fromkeys(a.name or repr(a) for a in self.activations)) or ["relu"]
        return f"{type(self).__name__}({sizes}, activation={', '.join(map(repr, names))})"

    # Evaluation

    def forward(self, X: ArrayLike) -> np.ndarray:
        """Return the outputs of the network, before the link.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of float64, shape (n_samples, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If `X` is not numeric, not two-dimensional, not finite, or of another width.
        """
        X = self.check_inputs(X)
        output = np.empty((len(X), self.n_outputs))
        for rows in self._row_chunks(len(X)):
            *_, output[rows] = self._preactivations(X[rows])
        return output

    def logits(self, X: ArrayLike) -> np.ndarray:
        """Return the logits of a classifier, always one column per class.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of float64, shape (n_samples, max(2, n_outputs))
            A single output is the logit of the second of two classes; that of the first is zero.

        Raises
        ------
        TypeError, ValueError
            As for `forward`.
        """
        return one_a_class(self.forward(X))

    def decide(self, X: ArrayLike) -> np.ndarray:
        """Return the class that a classifier decides for, as a number.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            The class of the largest of `logits`; at a tie the first, as in scikit-learn and torch.

        Raises
        ------
        TypeError, ValueError
            As for `forward`.
        """
        return self.logits(X).argmax(axis=1)

    def activation_pattern(self, X: ArrayLike) -> np.ndarray:
        """Return the segment that every hidden neuron is on, layer after layer.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of uint8, shape (n_samples, n_hidden)
            The segment of the activation that holds the neuron's input ``z``; for ReLU 1 where
            ``z >= 0``, else 0 (Sudjianto et al. 2020, eq. 5). Rows with equal patterns lie in the
            same region and share one local linear model.

        Raises
        ------
        TypeError, ValueError
            As for `forward`.
        """
        X = self.check_inputs(X)
        patterns = np.empty((len(X), self.n_hidden), dtype=np.uint8)
        for rows in self._row_chunks(len(X)):
            layers = np.split(patterns[rows], np.cumsum(self.hidden_sizes), axis=1)
            # The output layer's inputs, the last, belong to no activation.
            inputs = self._preactivations(X[rows])
            for activation, segments, z in zip(self.activations, layers, inputs, strict=False):
                segments[:] = activation.segment(z)
        return patterns

    def local_linear_models(self, patterns: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the linear model of each pattern's region.

        Parameters
        ----------
        patterns : array_like of whole numbers, shape (n_patterns, n_hidden)
            As from `activation_pattern`: for ReLU 0 and 1.

        Returns
        -------
        coef : ndarray of float64, shape (n_patterns, n_outputs, n_features)
        intercept : ndarray of float64, shape (n_patterns, n_outputs)
            On the region of pattern ``r`` the network equals ``coef[r] @ x + intercept[r]``
            (Sudjianto et al. 2020, Theorem 1, eq. 13).

        Raises
        ------
        TypeError, ValueError
            If the patterns have another width or hold a segment that a neuron does not have.

        Notes
        -----
        The product of eq. 13 is taken from the output side, where the matrices are smallest. The
        patterns are handled in chunks, so that beside the result only a fixed amount of memory is
        used.
        """
        patterns = self.check_patterns(patterns)
        coef = np.empty((len(patterns), self.n_outputs, self.n_features))
        intercept = np.empty((len(patterns), self.n_outputs))
        for rows in self._row_chunks(len(patterns), copies=self.n_outputs):
            coef[rows], intercept[rows] = self._unwrap(patterns[rows])
        return coef, intercept

    def approximation_error_bound(self, X: ArrayLike | None = None) -> np.ndarray:
        """Return how far the network may be from the smooth one that it approximates.

        Parameters
        ----------
        X : array_like, optional, shape (n_samples, n_features)
            Bound the distance at these rows; without rows, anywhere.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_outputs) or (n_outputs,)
            No output differs by more (beyond rounding) from that of the network with the `target`
            of each activation in its place.

        Raises
        ------
        ValueError
            If an activation is neither an approximation nor continuous.

        Notes
        -----
        Dong et al. (2021), eqs. 7 and 8, as numbers. A neuron whose input is off by `d` has an
        output that is off by at most ``L * d + e``: `L` is the steepest slope of the smooth
        activation within reach of the input, `e` the distance of the two activations. So the slopes
        of the approximation do not matter, and a step may stand among them. With rows, `L` and `e`
        are those at the row's own inputs.

        Explained in the chapter *certified-approximation*.
        """
        if X is None:
            return self._error_bound([None] * len(self.weights), np.zeros(self.n_features))
        X = self.check_inputs(X)
        bound = np.empty((len(X), self.n_outputs))
        for rows in self._row_chunks(len(X)):
            inputs = self._preactivations(X[rows])
            bound[rows] = self._error_bound(inputs, np.zeros(X[rows].shape))
        return bound

    def _error_bound(self, inputs: Iterable[np.ndarray | None], error: np.ndarray) -> np.ndarray:
        for activation, weight, z in zip(self.activations, self.weights, inputs, strict=False):
            error = activation.error_after(z, error @ np.abs(weight).T)
        return error @ np.abs(self.weights[-1]).T

    def _unwrap(self, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_layer = np.split(patterns, np.cumsum(self.hidden_sizes)[:-1], axis=1)
        coef = np.broadcast_to(self.weights[-1], (len(patterns), *self.weights[-1].shape))
        intercept = np.broadcast_to(self.biases[-1], (len(patterns), self.n_outputs))
        layers = zip(self.weights[:-1], self.biases[:-1], self.activations, by_layer, strict=False)
        for weight, bias, activation, segments in reversed(list(layers)):
            if activation.is_relu:
                gated = coef * segments[:, None, :]
            else:
                offsets = activation.intercepts[segments]
                intercept = intercept + np.einsum("roh,rh->ro", coef, offsets)
                gated = coef * activation.slopes[segments][:, None, :]
            intercept = intercept + gated @ bias
            coef = gated @ weight
        return coef, intercept

    def _preactivations(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the input ``z`` of every layer, the output layer's last."""
        z, activations = X, [None, *self.activations]
        for activation, weight, bias in zip(activations, self.weights, self.biases, strict=True):
            z = (z if activation is None else activation(z)) @ weight.T
            z += bias
            yield z

    def _row_chunks(self, n_rows: int, copies: int = 1) -> Iterator[slice]:
        widest = max(self.n_features, self.n_outputs, *self.hidden_sizes)
        step = max(1, _CHUNK_BYTES // (8 * copies * widest))
        for start in range(0, n_rows, step):
            yield slice(start, start + step)

    def check_inputs(self, X: ArrayLike) -> np.ndarray:
        """Return rows for this network as finite float64, or raise as `forward` does."""
        names = list(getattr(self, "feature_names_in_", []))
        columns = list(getattr(X, "columns", []))
        if names and columns != names and any(isinstance(c, str) for c in columns):
            raise ValueError(
                f"X has the columns {columns}; the network was fitted on {names}, in this order."
            )
        X = check_array(X, "X", 2)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but the network has {self.n_features} inputs."
            )
        return X

    def check_patterns(self, patterns: ArrayLike) -> np.ndarray:
        """Return patterns of this network as uint8, or raise as `local_linear_models` does."""
        array = np.asarray(patterns)
        if array.ndim != 2 or array.shape[1] != self.n_hidden:
            raise ValueError(
                f"patterns must have shape (n_patterns, {self.n_hidden}), got {array.shape}."
            )
        if array.dtype.kind not in "buif":
            raise TypeError(f"patterns must hold whole numbers, got dtype {array.dtype}.")
        most = np.repeat([a.n_segments - 1 for a in self.activations], self.hidden_sizes)
        if not ((array >= 0) & (array <= most)).all() or (array % 1).any():
            raise ValueError(f"patterns must be whole numbers from 0 to {most.max(initial=1)}.")
        return array.astype(np.uint8, copy=False)

    # Regions

    def region(self, pattern: ArrayLike) -> Region:
        """Return the region of a pattern: where every hidden neuron is on its segment.

        Parameters
        ----------
        pattern : array_like, shape (n_hidden,)

        Returns
        -------
        Region
            Half-spaces, local linear model, facets, neighbours; not cut off at any bounds.

        Raises
        ------
        TypeError, ValueError
            If the pattern does not fit the network.
        """
        from xai_course.regions import Region

        return Region(self, pattern)

    def enumerate_regions(self, bounds: ArrayLike, max_regions: int = 100_000) -> Regions:
        """Return all regions within a box, each cut off at it.

        Parameters
        ----------
        bounds : array_like, shape (n_features, 2)
            Lower and upper bound of every input.
        max_regions : int
            The budget.

        Returns
        -------
        Regions
            A sequence of `Region`, ordered by pattern; see `xai_course.regions.enumerate_regions`.

        Raises
        ------
        RegionBudgetError
            If there are more than `max_regions`.
        TypeError, ValueError
            If the bounds do not fit the network.
        """
        from xai_course.regions import enumerate_regions

        return enumerate_regions(self, bounds, max_regions)

    # Conversion

    @classmethod
    def from_torch(cls, module: torch.nn.Module, n_segments: int | None = None) -> Self:
        """Read a torch network, and prove on random rows that what was read is what it computes.

        Parameters
        ----------
        module : torch.nn.Module
            An `nn.Sequential` (they may be nested) of `nn.Linear`, `nn.ReLU`, `nn.LeakyReLU`,
            `nn.Hardtanh`, `nn.ReLU6`, `nn.Identity`, `nn.Dropout` in evaluation mode and
            `nn.Flatten`, in any order; on any device and of any floating dtype.
        n_segments : int, optional
            Also read `nn.Sigmoid`, `nn.Tanh`, `nn.ELU`, `nn.GELU`, `nn.SiLU` and `nn.Softplus`, and
            replace them by their approximations with this many pieces
            (`xai_course.approximation.approximate`; Dong et al. 2021, section 5.2).

        Returns
        -------
        PiecewiseLinearNetwork
            In float64. Linear layers without an activation between them become one. An
            `nn.Sigmoid`, `nn.Softmax` or `nn.LogSoftmax` at the end is the link and no layer: the
            network is what stands before it and returns logits.

        Raises
        ------
        TypeError
            If the module holds another kind of layer; the message names it.
        ValueError
            If a dropout layer is in training mode, there is no linear layer, or the module does not
            take rows. Also if it computes something else than its layers say (with the smooth
            activations in their places): through a forward of its own or through hooks.

        Notes
        -----
        The module is evaluated without gradients and stays as it was, its mode and the random
        numbers included. Only a weight that hooks compute anew on each call, as with `weight_norm`,
        is computed once more.
        """
        from xai_course import conversion

        return cls._from_steps(conversion.read_module(module, n_segments))

    @classmethod
    def from_sklearn(cls, mlp: MLPClassifier | MLPRegressor, n_segments: int | None = None) -> Self:
        """Read a fitted scikit-learn network.

        Parameters
        ----------
        mlp : MLPClassifier or MLPRegressor
            Fitted, with ``activation="relu"`` or ``"identity"``.
        n_segments : int, optional
            Also read ``"logistic"`` and ``"tanh"``, and replace them by their approximations with
            this many pieces.

        Returns
        -------
        PiecewiseLinearNetwork
            Its outputs are the logits of a classifier (one for two classes) and the predictions of
            a regression (their logarithm where the loss is Poisson). It has ``feature_names_in_``
            if `mlp` has.

        Raises
        ------
        TypeError
            If `mlp` is another kind of estimator.
        ValueError
            If the activation is another one.
        sklearn.exceptions.NotFittedError
            If `mlp` is not fitted.
        """
        if not isinstance(mlp, MLPClassifier | MLPRegressor):
            raise TypeError(
                f"from_sklearn takes an MLPClassifier or MLPRegressor, got {type(mlp).__name__}."
            )
        check_is_fitted(mlp)
        weights = [weight.T for weight in mlp.coefs_]
        activation = {"logistic": "sigmoid"}.get(mlp.activation, mlp.activation)
        if activation in SMOOTH_ACTIVATIONS:
            if n_segments is None:
                raise ValueError(
                    f"activation must be 'relu' or 'identity', got {mlp.activation!r}, which is "
                    "not piecewise linear; n_segments=3, say, approximates it with three pieces."
                )
            activation = approximate(activation, n_segments)
        if activation == "identity":
            network = cls._from_steps(list(zip(weights, mlp.intercepts_, strict=True)))
        else:
            network = cls(weights, mlp.intercepts_, activation)
        if hasattr(mlp, "feature_names_in_"):
            network.feature_names_in_ = mlp.feature_names_in_.copy()
        return network

    @classmethod
    def _from_steps(cls, steps: Sequence[_Step]) -> Self:
        """Chain affine maps and activations into layers that alternate."""
        width = next(step[0].shape[1] for step in steps if isinstance(step, tuple))
        layers, activations = [(np.eye(width), np.zeros(width))], []
        for previous, step in zip([None, *steps], steps, strict=False):
            if isinstance(step, tuple):
                (weight, bias), (before, offset) = step, layers[-1]
                layers[-1] = weight @ before, weight @ offset + bias
                width = len(bias)
            # A second ReLU changes nothing; a second function that ReLU approximates may.
            elif step != previous or not step.is_relu or isinstance(step, Approximation):
                activations.append(step)
                layers.append((np.eye(width), np.zeros(width)))
        return cls(*zip(*layers, strict=True), activations)

    def to_torch(self, dtype: torch.dtype | None = None) -> torch.nn.Sequential:
        """Return the same network as a torch module on the CPU.

        Parameters
        ----------
        dtype : torch.dtype, optional
            Defaults to ``torch.float64``, which keeps every parameter as it is.

        Returns
        -------
        torch.nn.Sequential
            Alternating `nn.Linear` and activations (`nn.ReLU` where that is what they are), in
            evaluation mode.
        """
        from xai_course import conversion

        return conversion.make_module(self, dtype)


def _one_per_layer(activation: Any, n_layers: int) -> tuple[PiecewiseLinear, ...]:
    """Return one activation per hidden layer."""
    if activation == "relu":
        activation = PiecewiseLinear.relu()
    given = [activation] * n_layers if isinstance(activation, PiecewiseLinear) else activation
    is_whole = isinstance(given, Sequence) and len(given) == n_layers
    if not is_whole or not all(isinstance(one, PiecewiseLinear) for one in given):
        raise ValueError(
            "activation must be 'relu', a PiecewiseLinear (as xai_course.approximation.approximate "
            f"makes), or {n_layers} of them, one per hidden layer, got {given!r}."
        )
    return tuple(given)
