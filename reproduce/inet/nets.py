"""The networks that every result of `reproduce/inet.py` is about.

Tables 1 and 2 of Marton et al. (2022): 100 lambda-nets per number of variables, which no I-Net was
trained on. The paper's code starts all networks from the same first weights; here each has its
own, unless a result says "shared".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from results import WORK, summary

from xai_course.inet import LambdaNets, closed_form_moments, train_lambda_nets
from xai_course.polynomials import (
    SparsePolynomial,
    monomial_exponents,
    monomial_values,
    orthonormal_basis,
    sample_polynomials,
)

VARIABLES = (5, 10, 15)
NOISE = (0.0, 0.1, 0.2, 0.3)
N_NETS = 100
FIRST_SEED = 10_000  # training seeds are below
SHARED_SEED = 2  # of all networks, training and held out, that start from the same first weights
N_POINTS = 5000


def shape(n: int) -> dict[str, int]:
    """Return degree and sparsity that Table 1 gives to n variables."""
    return {"degree": 5, "sparsity": 3} if n == 1 else {"degree": 3, "sparsity": n}


def targets(n: int, n_nets: int = N_NETS) -> list[SparsePolynomial]:
    """Return the polynomials that the held-out networks learnt."""
    return sample_polynomials(n_nets, n, **shape(n), seed=FIRST_SEED + n)


def held_out(n: int, noise: float = 0.0, initialisation: str = "independent") -> LambdaNets:
    """Return the held-out networks, from disk if they are there.

    The same targets, rows and first weights for every noise: only the noise differs.
    """
    own = initialisation == "independent"
    return train_lambda_nets(
        targets(n),
        recipe="paper",
        initialisation=initialisation,
        noise=noise,
        seed=FIRST_SEED + n if own else SHARED_SEED,
        folder=WORK / f"held-out-{n}-{initialisation}-{noise:g}",
        shard_size=25,
    )


def points(n: int) -> np.ndarray:
    """Return fresh rows, uniform on the cube, that no method saw."""
    return np.random.default_rng([FIRST_SEED, n]).random((N_POINTS, n))


def dense_errors(nets: LambdaNets, X: np.ndarray, degree: int) -> np.ndarray:
    """Return how far each network is from its projection on all monomials of a degree."""
    n = nets.n_variables
    basis = monomial_values(X, monomial_exponents(n, degree)) @ orthonormal_basis(n, degree).T
    projection = closed_form_moments(nets, degree) @ basis.T
    return np.abs(nets.predict(X) - projection).mean(axis=1)


def lambda_nets() -> dict[str, Any]:
    """Train the held-out networks and say how well they learnt their clean targets."""
    table: dict[str, Any] = {}
    for n in VARIABLES:
        for noise in NOISE:
            nets = held_out(n, noise)
            table[f"n={n}, noise={noise:g}"] = {
                "test_error": summary(nets.test_error),
                "epochs": summary(nets.epochs),
                "hidden": nets.n_hidden,
            }
    for key, nets in (("n=5, shared", held_out(5, 0.0, "shared")), ("n=1", held_out(1))):
        table[key] = {
            "test_error": summary(nets.test_error),
            "epochs": summary(nets.epochs),
            "hidden": nets.n_hidden,
        }
    return table
