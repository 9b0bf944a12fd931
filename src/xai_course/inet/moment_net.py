"""I-Nets that read moments: from a network's weights to a sparse polynomial.

A network with one hidden layer is a sum over its hidden units, and so are its mean products with
the orthonormal polynomials. They are known in closed form, or learned by a small network, the
moment map, which reads one unit at a time. Their sum is the projection of the whole network, and
`best_monomials` makes it sparse. The reader sees weights only, and any number of units.

It is our answer to the I-Net of Marton, Luedtke and Bartelt (2022), whose own architecture is
`xai_course.inet.softmax_net`. Explained in the chapter *interpretation-networks*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import qmc

from xai_course._storage import load_arrays, save_arrays
from xai_course._validation import check_array, check_whole
from xai_course.inet.lambda_nets import LambdaNets, check_lambda_nets
from xai_course.inet.moments import closed_form_moments, sum_over_units
from xai_course.inet.sparse_regression import best_monomials
from xai_course.polynomials import (
    SparsePolynomial,
    check_sparsity,
    evaluate,
    monomial_exponents,
    monomials_in_basis,
)

if TYPE_CHECKING:
    from xai_course.inet.moment_map import MomentMap

__all__ = [
    "PRETRAINED",
    "WEIGHTS",
    "Explanation",
    "InterpretationNetwork",
    "MomentInterpretationNetwork",
    "train_interpretation_network",
]

#: Degree and sparsity of the shipped I-Nets by number of variables (Table 1 of the paper).
PRETRAINED = {1: (5, 3), 5: (3, 5), 10: (3, 10), 15: (3, 15)}
#: Where they lie.
WEIGHTS = Path(__file__).parent / "weights"
_KIND = "moment I-Net 1"
_CHECK_POINTS = 256
_ROUNDING = 1e-9  # of the largest value: a smaller spread is none
_POOR = 1 / 3  # of the best constant's error: above it no sparse polynomial fits


@dataclass(frozen=True, eq=False)
class Explanation(SparsePolynomial):
    """A sparse polynomial that knows how well it describes its network.

    The explanation itself comes from the weights alone. Its error is then measured on 256
    quasi-random points of the cube, which took no part in finding it.

    Parameters
    ----------
    coef, exponents
        See `SparsePolynomial`.
    estimated_error : float
        Mean absolute difference from the network.
    relative_error : float
        The same in units of the error of the best constant.
    """

    estimated_error: float = float("nan")
    relative_error: float = float("nan")

    @property
    def fits(self) -> bool:
        """Whether the error is at most a third of that of the best constant."""
        return self.relative_error <= _POOR

    def __str__(self) -> str:
        """Return the polynomial and its error, with a warning if it does not fit."""
        note = f"MAE about {self.estimated_error:.2g}"
        if not self.fits:
            note += (
                f", {self.relative_error:.0%} of a constant's: no polynomial of {len(self)} terms "
                "was found that describes this network"
            )
        return f"{self.to_text()}  ({note})"


@dataclass(eq=False)
class MomentInterpretationNetwork:
    """Our I-Net: it reads a network's moments off its weights and makes a sparse polynomial.

    The paper's is `SoftmaxInterpretationNetwork`. This one explains networks with one hidden ReLU
    layer. Inputs are taken to be uniform on the unit cube; `LambdaNets.on_unit_box` brings networks
    with other inputs there. Without a `module` the moments are computed, not learned;
    `from_pretrained` and `train_interpretation_network` give learned ones. Explained in the chapter
    *interpretation-networks*.

    Parameters
    ----------
    n_variables, degree, sparsity : int
        Variables, largest degree and number of terms of the polynomials; as many terms as variables
        if not given.
    module : MomentMap, optional
        The learned map.
    log : dict, optional
        Settings and course of its training.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1.0]], [[2.0]]], [[0.5], [0.0]])  # 2 x + 1
    >>> nets = LambdaNets.from_networks([network])
    >>> found = MomentInterpretationNetwork.closed_form(1, sparsity=2).explain(nets)[0]
    >>> found.coef.round(6), found.exponents.ravel()
    (array([2., 1.]), array([1, 0]))
    """

    n_variables: int
    degree: int = 3
    sparsity: int | None = None
    _: KW_ONLY
    module: MomentMap | None = None
    log: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        # Names what is no number of variables or degree.
        monomial_exponents(self.n_variables, self.degree)
        self.sparsity = check_sparsity(self.sparsity, self.n_variables)
        self.log = self.log or {}

    def __repr__(self) -> str:
        """Return what it reads and writes."""
        kind = "closed form" if self.module is None else f"moment map {self.module.hidden}"
        return (
            f"MomentInterpretationNetwork({kind}, n_variables={self.n_variables}, "
            f"degree={self.degree}, sparsity={self.sparsity})"
        )

    @classmethod
    def closed_form(
        cls, n_variables: int, degree: int = 3, sparsity: int | None = None
    ) -> MomentInterpretationNetwork:
        """Return the I-Net whose moments are computed, not learned: see `closed_form_moments`."""
        return cls(n_variables, degree, sparsity)

    @classmethod
    def from_pretrained(cls, n_variables: int) -> MomentInterpretationNetwork:
        """Load the I-Net that comes with the library for 1, 5, 10 or 15 variables.

        Raises
        ------
        ValueError
            If there is none for this number of variables.
        OSError
            If its file is missing or damaged.
        """
        if n_variables not in PRETRAINED:
            raise ValueError(
                f"There are trained I-Nets for {', '.join(map(str, PRETRAINED))} variables, not "
                f"for {n_variables!r}. InterpretationNetwork.closed_form needs no training, and "
                "train_interpretation_network makes your own."
            )
        try:
            return cls.load(WEIGHTS / f"{n_variables}.safetensors")
        except OSError as error:
            raise OSError(
                f"{error} Install xai-course again, or run: python reproduce/inet.py train "
                f"{n_variables}"
            ) from error

    def save(self, path: str | Path) -> None:
        """Write weights, settings and log into one safetensors file, in one step."""
        if self.module is None:
            raise ValueError("The closed form has no weights.")
        arrays = {name: tensor.numpy() for name, tensor in self.module.state_dict().items()}
        save_arrays(Path(path), _KIND, arrays, self.log)

    @classmethod
    def load(cls, path: str | Path) -> MomentInterpretationNetwork:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If the file is missing, damaged, or no I-Net.
        """
        import torch

        from xai_course.inet.moment_map import MomentMap

        arrays, log = load_arrays(Path(path), _KIND)
        shape = dict(log["network"])
        module = MomentMap(shape["n_variables"], shape["degree"], shape.pop("hidden"))
        module.load_state_dict({name: torch.as_tensor(array) for name, array in arrays.items()})
        return cls(**shape, module=module.eval(), log=log)

    @cached_property
    def _coordinates(self) -> np.ndarray:
        """All monomials in the orthonormal basis, one a row."""
        return monomials_in_basis(self.n_variables, self.degree)

    @cached_property
    def _gram(self) -> np.ndarray:
        return self._coordinates @ self._coordinates.T

    def moments(self, lambda_nets: LambdaNets) -> np.ndarray:
        """Return the projections on the orthonormal polynomials, shape (N, m).

        Raises
        ------
        TypeError, ValueError
            If these are no networks, or have another number of variables.
        """
        check_lambda_nets(lambda_nets, self.n_variables)
        if self.module is None:
            return closed_form_moments(lambda_nets, self.degree)
        return sum_over_units(lambda_nets, self.degree, self.module.moments)

    def explain(
        self,
        lambda_nets: LambdaNets,
        sparsity: int | None = None,
        X: ArrayLike | None = None,
    ) -> list[Explanation]:
        """Return one sparse polynomial for each network.

        Parameters
        ----------
        lambda_nets : LambdaNets
            Networks of any width and training; not a copy of those the I-Net was trained on.
        sparsity : int, optional
            Number of terms, if other than the I-Net's.
        X : array_like, shape (n, n_variables), optional
            Inputs on which the networks are used. They do not change the explanation; they are
            checked to lie in the cube for which it holds.

        Returns
        -------
        list of Explanation

        Raises
        ------
        TypeError
            If `lambda_nets` is something else.
        ValueError
            If the number of variables differs, or an input lies outside the unit cube.
        """
        if X is not None:
            self._check_box(X)
        correlations = self.moments(lambda_nets) @ self._coordinates.T
        n_terms = self.sparsity if sparsity is None else sparsity
        chosen, coef = best_monomials(self._gram, correlations, n_terms)
        exponents = monomial_exponents(self.n_variables, self.degree)[chosen]
        # How far each is from its network, on fresh points, also as a share of the best constant's.
        points = _check_points(self.n_variables)
        values = lambda_nets.predict(points)
        error = np.abs(values - evaluate(coef, exponents, points)).mean(axis=1)
        scale = np.abs(values - np.median(values, axis=1, keepdims=True)).mean(axis=1)
        # A constant network differs from its median by rounding; an error beside it must not hide.
        scale = np.maximum(scale, _ROUNDING * np.abs(values).max(axis=1))
        relative = np.divide(error, scale, out=np.zeros_like(error), where=error > 0)
        return list(map(Explanation, coef, exponents, error.tolist(), relative.tolist()))

    def _check_box(self, X: ArrayLike) -> None:
        X = check_array(X, "X", 2)
        if X.shape[1] != self.n_variables:
            raise ValueError(f"X must have {self.n_variables} column(s), got {X.shape[1]}.")
        for number, column in enumerate(X.T):
            if ((column < 0) | (column > 1)).any():
                raise ValueError(
                    f"This I-Net explains networks on the unit cube, but column {number} of X runs "
                    f"from {column.min():.4g} to {column.max():.4g}. Scale the inputs: "
                    "LambdaNets.on_unit_box(bounds) gives the same networks on the unit cube."
                )


#: The same class under the name that the chapters use.
InterpretationNetwork = MomentInterpretationNetwork


@lru_cache(maxsize=8)
def _check_points(n_variables: int) -> np.ndarray:
    return qmc.Sobol(n_variables, seed=2022).random(_CHECK_POINTS)


def train_interpretation_network(
    lambda_nets: LambdaNets,
    *,
    degree: int = 3,
    sparsity: int | None = None,
    hidden: Sequence[int] = (256, 256),
    steps: int = 2000,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> MomentInterpretationNetwork:
    """Learn the moment map from networks whose moments are known in closed form.

    The loss is the mean squared error of whole networks' projections, plus that of their units.
    Each batch is seen with its variables in random order, which changes weights and moments in a
    known way; so a few thousand networks are enough.

    Parameters
    ----------
    lambda_nets : LambdaNets
        Training networks.
    degree, sparsity : int
        Of the polynomials; `sparsity` is the number of variables if not given.
    hidden : sequence of int
        Widths of the hidden layers of the moment map.
    steps : int
        Steps of Adam; the learning rate falls to zero along half a cosine.
    batch_size : int
        Networks per step.
    learning_rate : float
    seed : int
    device : str
    checkpoint : path, optional
        File that is written about every minute. The same call goes on from it.
    progress : bool

    Returns
    -------
    MomentInterpretationNetwork
        Its log holds ``step``, ``loss`` (means between the steps) and ``seconds`` of this call.

    Raises
    ------
    TypeError
        If `lambda_nets` is something else.
    ValueError
        If a setting is out of its range, or no unit of the networks bends inside the cube.
    OSError
        If the checkpoint is damaged, belongs to another run or cannot be written.
    """
    from xai_course.inet.moment_map import train_moment_map
    from xai_course.training import Settings

    check_lambda_nets(lambda_nets)
    n_variables = lambda_nets.n_variables
    sparsity = check_sparsity(sparsity, n_variables)
    hidden = [check_whole(width, "hidden", 1) for width in hidden]
    check_whole(steps, "steps", 1)
    check_whole(batch_size, "batch_size", 1)
    plan = Settings(
        epochs=steps, batch_size=1, learning_rate=learning_rate, patience=None, seed=seed
    )
    running = dict(device=device, checkpoint=checkpoint, progress=progress)
    module, course = train_moment_map(lambda_nets, degree, hidden, batch_size, plan, **running)
    settings = dict(steps=steps, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    network = dict(n_variables=n_variables, degree=degree, sparsity=sparsity, hidden=hidden)
    log = {"network": network, "settings": settings} | course
    return MomentInterpretationNetwork(n_variables, degree, sparsity, module=module, log=log)
