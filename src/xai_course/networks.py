"""Piecewise linear networks: patterns, local linear models, conversion.

A ReLU network is a set of linear models, one per region of its input space. Everything that the
book says about such networks starts from the class of this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array
from xai_course.regions import Region, Regions, enumerate_regions

if TYPE_CHECKING:
    import torch
    from sklearn.neural_network import MLPClassifier, MLPRegressor

__all__ = ["PiecewiseLinearNetwork"]

# Temporary arrays stay below this size, whatever the number of rows or patterns.
_CHUNK_BYTES = 32 * 2**20


class _Affine(NamedTuple):
    """The map ``x -> weight @ x + bias``."""

    weight: np.ndarray
    bias: np.ndarray

    def after(self, first: _Affine) -> _Affine:
        """Return the map that applies `first` and then this one."""
        if self.weight.shape[1] != len(first.bias):
            raise ValueError(
                f"A linear layer takes {self.weight.shape[1]} inputs, but gets {len(first.bias)}."
            )
        return _Affine(self.weight @ first.weight, self.weight @ first.bias + self.bias)


class PiecewiseLinearNetwork:
    """A feed-forward network that is linear on each region of its input space.

    Parameters
    ----------
    weights : sequence of array_like, shape (n_out, n_in)
        One matrix per layer, the output layer last. ``weights[l]`` maps layer ``l`` to ``l + 1``.
    biases : sequence of array_like, shape (n_out,)
        One vector per layer.
    activation : {"relu"}
        The activation of every hidden neuron.

    Attributes
    ----------
    weights, biases : tuple of ndarray of float64
        Read-only copies of what was given.
    n_features, n_outputs, n_hidden : int
        Widths of the input and the output, and the number of hidden neurons in all layers.
    hidden_sizes : tuple of int
        Hidden neurons per layer.

    Raises
    ------
    ValueError
        If the shapes do not chain, a parameter is not finite, or the activation is not supported.

    Notes
    -----
    Outputs are values *before the link*: logits for a classifier, predictions for a regression.
    A neuron is on when its input ``z >= 0`` (Sudjianto et al. 2020, section 2.1).

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
        activation: str = "relu",
    ) -> None:
        if activation != "relu":
            raise ValueError(f"activation must be 'relu', got {activation!r}.")
        if len(weights) != len(biases) or len(weights) == 0:
            raise ValueError(
                "weights and biases must hold one entry per layer and at least one layer, got "
                f"{len(weights)} and {len(biases)}."
            )
        self.activation = activation
        self.weights = tuple(check_array(w, f"weights[{i}]", 2) for i, w in enumerate(weights))
        self.biases = tuple(check_array(b, f"biases[{i}]", 1) for i, b in enumerate(biases))
        self._check_shapes()
        for array in (*self.weights, *self.biases):
            array.flags.writeable = False

    def _check_shapes(self) -> None:
        n_in = self.n_features
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.shape[1] != n_in or 0 in weight.shape:
                raise ValueError(
                    f"weights[{i}] has shape {weight.shape}, expected (n_out, {n_in}) "
                    "with no empty dimension."
                )
            if bias.shape != (weight.shape[0],):
                raise ValueError(
                    f"biases[{i}] has shape {bias.shape}, expected ({weight.shape[0]},)."
                )
            n_in = weight.shape[0]

    @property
    def n_features(self) -> int:
        """Number of inputs."""
        return self.weights[0].shape[1]

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return self.weights[-1].shape[0]

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Number of hidden neurons in each layer."""
        return tuple(weight.shape[0] for weight in self.weights[:-1])

    @property
    def n_hidden(self) -> int:
        """Number of hidden neurons in all layers, which is the length of a pattern."""
        return sum(self.hidden_sizes)

    def __repr__(self) -> str:
        sizes = " -> ".join(map(str, (self.n_features, *self.hidden_sizes, self.n_outputs)))
        return f"{type(self).__name__}({sizes}, activation={self.activation!r})"

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
        X = self._check_inputs(X)
        output = np.empty((len(X), self.n_outputs))
        for rows in self._row_chunks(len(X)):
            *_, output[rows] = self._preactivations(X[rows])
        return output

    def activation_pattern(self, X: ArrayLike) -> np.ndarray:
        """Return which hidden neurons are on, layer after layer.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of uint8, shape (n_samples, n_hidden)
            1 where the neuron's input ``z >= 0``, else 0 (Sudjianto et al. 2020, eq. 5). Rows with
            equal patterns lie in the same region and share one local linear model.

        Raises
        ------
        TypeError, ValueError
            As for `forward`.
        """
        X = self._check_inputs(X)
        patterns = np.empty((len(X), self.n_hidden), dtype=np.uint8)
        for rows in self._row_chunks(len(X)):
            *hidden, _ = self._preactivations(X[rows])
            if hidden:
                patterns[rows] = np.concatenate([z >= 0 for z in hidden], axis=1)
        return patterns

    def local_linear_models(self, patterns: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return the linear model of each pattern's region.

        Parameters
        ----------
        patterns : array_like of 0 and 1, shape (n_patterns, n_hidden)

        Returns
        -------
        coef : ndarray of float64, shape (n_patterns, n_outputs, n_features)
        intercept : ndarray of float64, shape (n_patterns, n_outputs)
            On the region of pattern ``r`` the network equals ``coef[r] @ x + intercept[r]``
            (Sudjianto et al. 2020, Theorem 1, eq. 13).

        Raises
        ------
        TypeError, ValueError
            If the patterns have another width or hold anything but 0 and 1.

        Notes
        -----
        The product of eq. 13 is taken from the output side, where the matrices are smallest. The
        patterns are handled in chunks, so that beside the result only a fixed amount of memory is
        used.
        """
        patterns = self._check_patterns(patterns)
        n_patterns = len(patterns)
        coef = np.empty((n_patterns, self.n_outputs, self.n_features))
        intercept = np.empty((n_patterns, self.n_outputs))
        for rows in self._row_chunks(n_patterns, copies=self.n_outputs):
            coef[rows], intercept[rows] = self._unwrap(patterns[rows])
        return coef, intercept

    def _unwrap(self, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_layer = np.split(patterns, np.cumsum(self.hidden_sizes)[:-1], axis=1)
        n_patterns = len(patterns)
        coef = np.broadcast_to(self.weights[-1], (n_patterns, *self.weights[-1].shape))
        intercept = np.broadcast_to(self.biases[-1], (n_patterns, self.n_outputs))
        layers = zip(self.weights[:-1], self.biases[:-1], by_layer, strict=False)
        for weight, bias, on in reversed(list(layers)):
            gated = coef * on[:, None, :]
            intercept = intercept + gated @ bias
            coef = gated @ weight
        return coef, intercept

    def _preactivations(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the input ``z`` of every layer, the output layer's last."""
        signal = X
        for weight, bias in zip(self.weights, self.biases, strict=True):
            z = signal @ weight.T + bias
            yield z
            signal = np.maximum(z, 0.0)

    def _row_chunks(self, n_rows: int, copies: int = 1) -> Iterator[slice]:
        widest = max(self.n_features, self.n_outputs, *self.hidden_sizes, 1)
        step = max(1, _CHUNK_BYTES // (8 * copies * widest))
        for start in range(0, n_rows, step):
            yield slice(start, start + step)

    def _check_inputs(self, X: ArrayLike) -> np.ndarray:
        X = check_array(X, "X", 2)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} features, but the network has {self.n_features} inputs."
            )
        return X

    def _check_patterns(self, patterns: ArrayLike) -> np.ndarray:
        array = np.asarray(patterns)
        if array.ndim != 2 or array.shape[1] != self.n_hidden:
            raise ValueError(
                f"patterns must have shape (n_patterns, {self.n_hidden}), got {array.shape}."
            )
        if array.dtype.kind not in "buif":
            raise TypeError(f"patterns must hold 0 and 1, got dtype {array.dtype}.")
        if not ((array == 0) | (array == 1)).all():
            raise ValueError("patterns must hold 0 and 1 only.")
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
        return Region(self, pattern)

    def enumerate_regions(
        self, bounds: ArrayLike, max_regions: int = 100_000, progress: bool = False
    ) -> Regions:
        """Return all regions within a box, each cut off at it.

        Parameters
        ----------
        bounds : array_like, shape (n_features, 2)
            Lower and upper bound of every input.
        max_regions : int
            The budget.
        progress : bool
            Whether to show a progress bar.

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
        return enumerate_regions(self, bounds, max_regions, progress)

    # Conversion

    @classmethod
    def from_torch(cls, module: torch.nn.Module) -> PiecewiseLinearNetwork:
        """Read a torch network.

        Parameters
        ----------
        module : torch.nn.Module
            An `nn.Sequential` (they may be nested) of `nn.Linear`, `nn.ReLU`, `nn.Identity`,
            `nn.Dropout` in evaluation mode and `nn.Flatten`, in any order; on any device and of any
            floating dtype.

        Returns
        -------
        PiecewiseLinearNetwork
            In float64. Linear layers without a ReLU between them become one.

        Raises
        ------
        TypeError
            If the module holds another kind of layer; the message names it.
        ValueError
            If a dropout layer is in training mode, a flatten layer keeps more than the batch
            dimension, or there is no linear layer.
        """
        return cls._from_steps(_torch_steps(module))

    @classmethod
    def from_sklearn(cls, mlp: MLPClassifier | MLPRegressor) -> PiecewiseLinearNetwork:
        """Read a fitted scikit-learn network.

        Parameters
        ----------
        mlp : MLPClassifier or MLPRegressor
            Fitted, with ``activation="relu"`` or ``"identity"``.

        Returns
        -------
        PiecewiseLinearNetwork
            Its outputs are the logits of a classifier (one for two classes) and the predictions of
            a regression (their logarithm where the loss is Poisson).

        Raises
        ------
        TypeError
            If `mlp` is another kind of estimator.
        ValueError
            If the activation is another one.
        sklearn.exceptions.NotFittedError
            If `mlp` is not fitted.
        """
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.utils.validation import check_is_fitted

        if not isinstance(mlp, MLPClassifier | MLPRegressor):
            raise TypeError(
                f"from_sklearn takes an MLPClassifier or MLPRegressor, got {type(mlp).__name__}."
            )
        check_is_fitted(mlp)
        if mlp.activation not in ("relu", "identity"):
            raise ValueError(
                f"activation must be 'relu' or 'identity', got {mlp.activation!r}, "
                "which is not piecewise linear."
            )
        steps: list[_Affine | None] = []
        for weight, bias in zip(mlp.coefs_, mlp.intercepts_, strict=True):
            if steps and mlp.activation == "relu":
                steps.append(None)
            steps.append(_Affine(weight.T, bias))
        return cls._from_steps(steps)

    @classmethod
    def _from_steps(cls, steps: Sequence[_Affine | None]) -> PiecewiseLinearNetwork:
        """Chain affine maps and ReLUs (None) into layers that alternate."""
        affine = next((step for step in steps if step is not None), None)
        if affine is None:
            raise ValueError("The network has no linear layer.")
        layers: list[_Affine] = []
        current = _identity(affine.weight.shape[1])
        for previous, step in zip([affine, *steps], steps, strict=False):
            if step is not None:
                current = step.after(current)
            elif previous is not None:  # a ReLU right after a ReLU changes nothing
                layers.append(current)
                current = _identity(len(current.bias))
        layers.append(current)
        return cls([layer.weight for layer in layers], [layer.bias for layer in layers])

    def to_torch(self, dtype: torch.dtype | None = None) -> torch.nn.Sequential:
        """Return the same network as a torch module on the CPU.

        Parameters
        ----------
        dtype : torch.dtype, optional
            Defaults to ``torch.float64``, which keeps every parameter as it is.

        Returns
        -------
        torch.nn.Sequential
            Alternating `nn.Linear` and `nn.ReLU`, in evaluation mode.
        """
        import torch

        layers: list[torch.nn.Module] = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight))
                linear.bias.copy_(torch.tensor(bias))
            layers += [linear, torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1]).to(dtype or torch.float64).eval()


def _identity(width: int) -> _Affine:
    return _Affine(np.eye(width), np.zeros(width))


def _torch_steps(module: torch.nn.Module, name: str = "") -> list[_Affine | None]:
    """Return the affine maps and the ReLUs (None) of a torch module, in order."""
    from torch import nn

    where = f"layer {name!r} ({type(module).__name__})" if name else type(module).__name__
    if isinstance(module, nn.Sequential):
        parts = module.named_children()
        return [s for key, m in parts for s in _torch_steps(m, f"{name}.{key}".lstrip("."))]
    if type(module) is nn.Linear:
        weight = module.weight.detach().cpu().double().numpy()
        bias = np.zeros(len(weight))
        if module.bias is not None:
            bias = module.bias.detach().cpu().double().numpy()
        return [_Affine(weight, bias)]
    if type(module) is nn.ReLU:
        return [None]
    if type(module) is nn.Identity:
        return []
    if type(module) is nn.Dropout:
        if module.training and module.p > 0:
            raise ValueError(f"{where} is in training mode; call .eval() on the network first.")
        return []
    if type(module) is nn.Flatten:
        if module.start_dim != 1 or module.end_dim != -1:
            raise ValueError(f"{where} must flatten all but the batch dimension (start_dim=1).")
        return []
    raise TypeError(
        f"from_torch cannot read {where}. It reads nn.Sequential of Linear, ReLU, Identity, "
        "Dropout (in evaluation mode) and Flatten."
    )
