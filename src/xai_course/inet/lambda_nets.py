"""Lambda-nets: many small networks of one shape, held as one stack of weights.

The paper calls a network that is to be explained a lambda-net. An I-Net learns from thousands of
them, so they are stored, evaluated and changed all at once.

Source: Marton, Luedtke and Bartelt (2022), sections 2 and 4.1. Explained in the chapter
*networks-as-data*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array, check_bounds
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.polynomials import SparsePolynomial, check_points, chunks, evaluate_polynomials

__all__ = ["LambdaNets", "binary_unit", "check_lambda_nets", "concatenate", "fidelity_error"]


@dataclass(frozen=True, eq=False)
class LambdaNets:
    """N networks with one hidden layer of h ReLU neurons and one output.

    ``network(x) = output_weights @ relu(hidden_weights @ x + hidden_biases) + output_bias``

    Parameters
    ----------
    hidden_weights : array_like, shape (N, h, n_variables)
    hidden_biases : array_like, shape (N, h)
    output_weights : array_like, shape (N, h)
    output_biases : array_like, shape (N,)
    test_error : array_like, shape (N,), optional
        Mean absolute error on test rows, where the networks were trained here.
    epochs : array_like, shape (N,), optional
        Epochs of training.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or a weight is NaN or infinite.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> nets = LambdaNets.from_networks([network, network])
    >>> len(nets), nets.n_variables, nets.n_hidden
    (2, 1, 2)
    """

    hidden_weights: np.ndarray
    hidden_biases: np.ndarray
    output_weights: np.ndarray
    output_biases: np.ndarray
    test_error: np.ndarray | None = None
    epochs: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, values in self.arrays().items():
            array = check_array(values, name, _ARRAYS.get(name, 1))
            object.__setattr__(self, name, array)
            expected = self.hidden_weights.shape[: array.ndim]  # (N, h, n), (N, h) or (N,)
            if array.shape != expected:
                raise ValueError(f"{name} must have shape {expected}, got {array.shape}.")

    def __len__(self) -> int:
        """Return the number of networks."""
        return len(self.hidden_weights)

    def __repr__(self) -> str:
        """Return number and shape."""
        return f"LambdaNets({len(self)} x {self.n_variables} -> {self.n_hidden} relu -> 1)"

    @property
    def n_variables(self) -> int:
        """Number of inputs."""
        return self.hidden_weights.shape[2]

    @property
    def n_hidden(self) -> int:
        """Number of hidden neurons of each network."""
        return self.hidden_weights.shape[1]

    def __getitem__(self, index: int | slice | ArrayLike) -> LambdaNets:
        """Return some of the networks; a single number gives a stack of one."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"There are {len(self)} network(s), got the number {index}.")
            index = [index]
        return LambdaNets(**{name: values[index] for name, values in self.arrays().items()})

    def weights(self) -> dict[str, np.ndarray]:
        """Return the four arrays that make the functions."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return weights, test errors and epochs, as far as they are known."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return what every network says.

        Parameters
        ----------
        X : array_like, shape (n, n_variables) or (N, n, n_variables)
            Rows for all networks, or for each its own.

        Returns
        -------
        ndarray of float64, shape (N, n)
        """
        X = check_points(X, "network(s)", len(self), {self.n_variables})
        found = np.empty((len(self), X.shape[-2]))
        for part in chunks(len(self), X.shape[-2] * self.n_hidden):
            rows = X[part] if X.ndim == 3 else X
            hidden = self.hidden_weights[part] @ np.swapaxes(rows, -1, -2)
            hidden += self.hidden_biases[part, :, None]
            np.maximum(hidden, 0, out=hidden)
            found[part] = (self.output_weights[part, None] @ hidden)[:, 0]
        return found + self.output_biases[:, None]

    def parameters(self) -> np.ndarray:
        """Return weights and biases as one row per network: what the paper's I-Net reads.

        Returns
        -------
        ndarray, shape (N, h * (n_variables + 2) + 1)
            Hidden weights neuron after neuron, hidden biases, output weights, output bias.
        """
        parts = [array.reshape(len(self), -1) for array in self.weights().values()]
        return np.concatenate(parts, axis=1)

    def canonical(self) -> LambdaNets:
        """Return the same functions with one scale and one order of the hidden neurons.

        Each neuron's weights and bias are divided by their joint length, which the output weight
        takes over; then the neurons are sorted by the size of the output weight, largest first.
        A neuron without weights and bias is zero everywhere and keeps its zeros.
        """
        length = np.sqrt((self.hidden_weights**2).sum(axis=2) + self.hidden_biases**2)
        divisor = np.where(length > 0, length, 1.0)
        scaled = replace(
            self,
            hidden_weights=self.hidden_weights / divisor[:, :, None],
            hidden_biases=self.hidden_biases / divisor,
            output_weights=self.output_weights * length,
        )
        return scaled._in_order(np.argsort(-np.abs(scaled.output_weights), axis=1, kind="stable"))

    def permuted(self, seed: int) -> LambdaNets:
        """Return the same functions with the hidden neurons of each network in random order."""
        order = np.tile(np.arange(self.n_hidden), (len(self), 1))
        return self._in_order(np.random.default_rng(seed).permuted(order, axis=1))

    def _in_order(self, order: np.ndarray) -> LambdaNets:
        return replace(
            self,
            hidden_weights=np.take_along_axis(self.hidden_weights, order[:, :, None], axis=1),
            hidden_biases=np.take_along_axis(self.hidden_biases, order, axis=1),
            output_weights=np.take_along_axis(self.output_weights, order, axis=1),
        )

    def on_unit_box(self, bounds: ArrayLike) -> LambdaNets:
        """Return the same functions of inputs that were scaled from `bounds` to the unit cube.

        Parameters
        ----------
        bounds : array_like, shape (n_variables, 2)
            Lower and upper end of every input.

        Returns
        -------
        LambdaNets
            ``result.predict((X - low) / (high - low))`` equals ``predict(X)``.
        """
        bounds = check_bounds(bounds, self.n_variables)
        return replace(
            self,
            hidden_weights=self.hidden_weights * (bounds[:, 1] - bounds[:, 0]),
            hidden_biases=self.hidden_biases + self.hidden_weights @ bounds[:, 0],
        )

    def to_network(self, index: int) -> PiecewiseLinearNetwork:
        """Return one of the networks in the form that the rest of the library reads."""
        W, b, v, c = self[index].weights().values()
        return PiecewiseLinearNetwork([W[0], v], [b[0], c])

    @classmethod
    def from_networks(cls, networks: Iterable[Any]) -> LambdaNets:
        """Stack networks that were trained anywhere.

        Parameters
        ----------
        networks : iterable
            `PiecewiseLinearNetwork`, ``torch.nn.Sequential`` or fitted ``MLPRegressor``, each with
            one hidden ReLU layer and one output. Narrow ones get silent neurons.

        Raises
        ------
        ValueError, TypeError
            If a network has another shape or activation, or is none; the message names it.
        """
        read = [_one_hidden_layer(network, k) for k, network in enumerate(networks)]
        if not read:
            raise ValueError("At least one network is needed, got none.")
        widths = sorted({net.n_variables for net in read})
        if len(widths) > 1:
            raise ValueError(f"The networks must have the same inputs, got {widths} variables.")
        return concatenate([_widened(net, max(n.n_hidden for n in read)) for net in read])


_ARRAYS = {"hidden_weights": 3, "hidden_biases": 2, "output_weights": 2, "output_biases": 1}


def check_lambda_nets(lambda_nets: Any, n_variables: int | None = None) -> None:
    """Raise an error unless these are networks, at least one, with this number of variables.

    Not taught: it only checks input.
    """
    if not isinstance(lambda_nets, LambdaNets):
        raise TypeError(
            f"lambda_nets must be LambdaNets, got {type(lambda_nets).__name__}; "
            "LambdaNets.from_networks stacks other networks."
        )
    if not len(lambda_nets):
        raise ValueError("At least one lambda-net is needed, got none.")
    found = lambda_nets.n_variables
    if n_variables not in (None, found):
        raise ValueError(f"This I-Net reads networks of {n_variables} variable(s), got {found}.")


def fidelity_error(
    lambda_nets: LambdaNets, polynomials: Sequence[SparsePolynomial], X: ArrayLike
) -> np.ndarray:
    """Return the mean absolute error between each network and its explanation (section 2.2).

    Parameters
    ----------
    lambda_nets : LambdaNets
        N networks.
    polynomials : sequence of N SparsePolynomial
    X : array_like, shape (n, n_variables) or (N, n, n_variables)

    Returns
    -------
    ndarray, shape (N,)
    """
    if len(polynomials) != len(lambda_nets):
        raise ValueError(f"{len(lambda_nets)} network(s) but {len(polynomials)} polynomial(s).")
    difference = lambda_nets.predict(X) - evaluate_polynomials(polynomials, X)
    return np.abs(difference).mean(axis=1)


def binary_unit(values: np.ndarray) -> float:
    """Return the power of 1024 nearest to the largest value: dividing by it rounds nothing.

    Tolerances of other libraries are absolute. Values between 1/32 and 32 are left as they are.

    Not taught: it only keeps numbers in the range that other libraries expect.
    """
    largest = np.abs(values).max(initial=0)
    return 1024.0 ** round(np.log2(largest) / 10) if largest > 0 else 1.0


def concatenate(parts: list[LambdaNets]) -> LambdaNets:
    """Put stacks of networks of one shape one after the other.

    Test errors and epochs are kept if all parts have them.

    Raises
    ------
    ValueError
        If there is no part, or the shapes differ.
    """
    shapes = sorted({(part.n_variables, part.n_hidden) for part in parts})
    if len(shapes) != 1:
        raise ValueError(f"Networks must have one shape, got (variables, hidden neurons) {shapes}.")
    arrays = [part.arrays() for part in parts]
    common = [name for name in arrays[0] if all(name in a for a in arrays)]
    return LambdaNets(**{name: np.concatenate([a[name] for a in arrays]) for name in common})


def _one_hidden_layer(network: Any, number: int) -> LambdaNets:
    if not isinstance(network, PiecewiseLinearNetwork):
        is_torch = any(base.__module__.startswith("torch.") for base in type(network).__mro__)
        if is_torch:
            network = PiecewiseLinearNetwork.from_torch(network)
        else:
            network = PiecewiseLinearNetwork.from_sklearn(network)
    activations = [activation.name or repr(activation) for activation in network.activations]
    if activations != ["relu"] or network.n_outputs != 1:
        raise ValueError(
            f"Network {number} has {len(activations)} hidden layer(s), {activations}, and "
            f"{network.n_outputs} output(s); an I-Net reads one hidden layer, 'relu', and one "
            "output. Flatten a deep network: merge(...).flatten() of an unwrapper gives one layer."
        )
    (W, v), (b, c) = network.weights, network.biases
    return LambdaNets(W[None], b[None], v, c)


def _widened(net: LambdaNets, width: int) -> LambdaNets:
    more = ((0, 0), (0, width - net.n_hidden), (0, 0))  # networks, neurons, variables
    return LambdaNets(**{name: np.pad(a, more[: a.ndim]) for name, a in net.weights().items()})
