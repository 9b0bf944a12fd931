"""Small networks for two classes, trained to a minimum, with a gradient for each row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


class SmallNet:
    """A plain network with one logit, of ReLU or of tanh neurons; its weights are one vector.

    The loss is the sum of the cross-entropies of the rows that are kept, plus ``penalty / 2`` times
    the squared weights.
    """

    def __init__(self, sizes: tuple[int, ...], penalty: float, neurons: str = "relu") -> None:
        self.shapes, self.penalty, self.is_relu = list(pairwise(sizes)), penalty, neurons == "relu"
        self.n_weights = sum(n_in * n_out + n_out for n_in, n_out in self.shapes)

    def start(self, seed: int) -> np.ndarray:
        """Return first weights: normal, as wide as He et al. set them, and no biases."""
        rng = np.random.default_rng(seed)
        parts = [
            np.append(rng.normal(size=n_in * n_out) * (2 / n_in) ** 0.5, np.zeros(n_out))
            for n_in, n_out in self.shapes
        ]
        return np.concatenate(parts)

    def _layers(self, theta: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        at = 0
        for n_in, n_out in self.shapes:
            end = at + n_in * n_out
            yield theta[at:end].reshape(n_out, n_in), theta[end : end + n_out]
            at = end + n_out

    def _slope(self, outputs: np.ndarray) -> np.ndarray:
        return (outputs > 0) * 1.0 if self.is_relu else 1 - outputs**2

    def hidden(
        self, theta: np.ndarray, X: np.ndarray, held: list[np.ndarray] | None = None
    ) -> list[np.ndarray]:
        """Return the inputs of every layer, and the logits at the end.

        With `held`, the slopes of the neurons of every layer, ReLU neurons do not switch.
        """
        *below, (W, b) = self._layers(theta)
        outputs = [X]
        for V, c in below:
            z = outputs[-1] @ V.T + c
            if held and self.is_relu:
                outputs.append(z * held[len(outputs)])
            else:
                outputs.append(np.maximum(0, z) if self.is_relu else np.tanh(z))
        return [*outputs, outputs[-1] @ W.T + b]

    def logits(self, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Return the logits, shape (n_rows,)."""
        return self.hidden(theta, X)[-1][:, 0]

    def slopes(self, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Return the gradient of each row's logit by the weights, shape (n_rows, n_weights)."""
        *outputs, _ = self.hidden(theta, X)
        back, parts = np.ones((len(X), 1)), []
        for (W, _), a in zip(reversed(list(self._layers(theta))), reversed(outputs), strict=True):
            parts.append(np.hstack([(back[:, :, None] * a[:, None, :]).reshape(len(X), -1), back]))
            back = (back @ W) * self._slope(a)
        return np.hstack(parts[::-1])

    def loss(
        self,
        theta: np.ndarray,
        X: np.ndarray,
        y: np.ndarray,
        kept: np.ndarray,
        held: list[np.ndarray] | None = None,
    ) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient."""
        *outputs, f = self.hidden(theta, X, held)
        back = ((expit(f[:, 0]) - y) * kept)[:, None]
        slopes, parts = held if held and self.is_relu else map(self._slope, outputs), []
        layers = zip(self._layers(theta), outputs, slopes, strict=True)
        for (W, _), a, slope in reversed(list(layers)):
            parts.append(np.append((back.T @ a).ravel(), back.sum(axis=0)))
            back = (back @ W) * slope
        value = kept @ (np.logaddexp(0, f[:, 0]) - y * f[:, 0])
        gradient = np.concatenate(parts[::-1]) + self.penalty * theta
        return value + self.penalty / 2 * theta @ theta, gradient

    def minimum(
        self,
        theta: np.ndarray,
        X: np.ndarray,
        y: np.ndarray,
        kept: np.ndarray,
        max_steps: int = 1000,
    ) -> np.ndarray:
        """Return the weights at the minimum that the search reaches from `theta`."""
        options = {"maxiter": max_steps, "maxfun": 2 * max_steps, "gtol": 1e-6, "ftol": 1e-13}
        return minimize(
            self.loss, theta, (X, y, kept), jac=True, method="L-BFGS-B", options=options
        ).x

    def curvature(self, theta: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the Hessian of the loss; for ReLU, that of the smooth piece that `theta` lies in.

        It is made of central differences of the gradient, with all switches held as they are: rows
        that lie on a kink would give slopes without a meaning.
        """
        held, kept = [self._slope(a) for a in self.hidden(theta, X)[:-1]], np.ones(len(X))
        rows = [
            self.loss(theta + e, X, y, kept, held)[1] - self.loss(theta - e, X, y, kept, held)[1]
            for e in 1e-5 * np.eye(len(theta))
        ]
        H = np.array(rows) / 2e-5
        return (H + H.T) / 2

    def gauss_newton(self, theta: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Return the part of the Hessian that cannot be negative, with the penalty."""
        J, p = self.slopes(theta, X), expit(self.logits(theta, X))
        return J.T @ (J * (p * (1 - p))[:, None]) + self.penalty * np.eye(len(theta))

    def descend(
        self,
        theta: np.ndarray,
        X: np.ndarray,
        y: np.ndarray,
        kept: np.ndarray,
        n_steps: int = 500,
        rate: float = 0.1,
        n_checkpoints: int = 5,
    ) -> list[np.ndarray]:
        """Return the weights at evenly spaced steps of plain gradient descent on the mean loss."""
        found = []
        for step in range(1, n_steps + 1):
            theta = theta - rate / len(X) * self.loss(theta, X, y, kept)[1]
            if step % (n_steps // n_checkpoints) == 0:
                found.append(theta)
        return found
