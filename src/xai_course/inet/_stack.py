"""Networks that take the steps of Adam side by side, as one stack of tensors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from xai_course.inet.population import Settings


class Stack:
    """Networks that take the same steps at the same time; each has its own rows and weights.

    Hidden signals have shape (networks, neurons, rows): so each product is one batched matrix
    product, and everything else runs along the rows. With the mean absolute error the gradient at
    the output is a sign, and one product of masked signs with the inputs gives the gradients of
    both layers.
    """

    def __init__(self, weights: tuple[np.ndarray, np.ndarray], settings: Settings) -> None:
        hidden, output = weights
        self.settings, self.recipe = settings, settings.recipe
        n_nets, self.n_hidden, n_variables = hidden.shape
        self.width = n_variables + 1
        shape = n_nets, self.n_hidden * (self.width + 1) + 1
        self.flat = torch.zeros(shape, dtype=torch.float32, device=settings.device)
        parts = self._split(self.flat)
        parts[0][:, :, :-1] = torch.as_tensor(hidden)
        parts[1].copy_(torch.as_tensor(output))
        self.best = self.flat.clone()
        self.epochs_done = np.zeros(n_nets, dtype=int)

    def _split(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return views: hidden weights with biases last, output weights, output biases."""
        cut = self.n_hidden * self.width
        hidden = flat[:, :cut].unflatten(1, (self.n_hidden, self.width))
        return hidden, flat[:, cut:-1], flat[:, -1]

    def weights(self) -> tuple[np.ndarray, ...]:
        """Return the arrays of `LambdaNets`."""
        hidden, output, bias = (part.cpu().numpy() for part in self._split(self.best))
        return hidden[:, :, :-1], hidden[:, :, -1], output, bias

    def fit(self, X: np.ndarray, y: np.ndarray, first: int) -> None:
        """Run the recipe on inputs (N, n + 1, rows) and targets (N, rows).

        Networks that have stopped leave the stack. `first` is the index of its first network.
        """
        recipe, (train, valid, _) = self.recipe, self.settings.parts()
        X, y = (torch.as_tensor(a, device=self.settings.device) for a in (X, y))
        X, y, X_valid, y_valid = X[:, :, train], y[:, train], X[:, :, valid], y[:, valid]
        # All networks of a stack take their rows in one random order; the rows themselves differ.
        order = np.random.default_rng([self.settings.seed, first, 2])
        X = X.contiguous()  # see `_epoch`
        state = Adam(self.flat)
        live = np.arange(len(self.flat))  # networks that still learn
        least = np.full(len(live), np.inf)
        waited = np.zeros(len(live), dtype=int)
        for epoch in range(recipe.epochs):
            self._epoch(state, X, y, order.permutation(X.shape[2]), epoch)
            running = waited[live] < (recipe.patience or math.inf)
            self.epochs_done[live[running]] = epoch + 1
            if recipe.patience is None:
                continue
            error = self._error(state.flat, X_valid, y_valid)
            better = running & (error < least[live] - recipe.min_delta)
            self.best[live[better]] = state.flat[better]
            least[live] = np.where(better, error, least[live])
            waited[live] = np.where(better, 0, waited[live] + 1)
            stay = waited[live] < recipe.patience
            # Leaving copies the stack, so it waits until a quarter of it has stopped; until then
            # a network that has stopped takes further steps, which nobody looks at.
            if stay.sum() <= 0.75 * len(live):
                live = live[stay]
                if not len(live):
                    return
                keep = torch.as_tensor(np.flatnonzero(stay), device=X.device)
                state.keep(keep)
                X, y, X_valid, y_valid = (t[keep] for t in (X, y, X_valid, y_valid))
        if recipe.patience is None:
            self.best = state.flat

    def _error(self, flat: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        hidden, output, bias = self._split(flat)
        signal = torch.bmm(hidden, X).clamp_min_(0)
        found = torch.bmm(output[:, None], signal)[:, 0] + bias[:, None]
        return (found - y).abs_().mean(dim=1).cpu().numpy()

    def _epoch(
        self, state: Adam, X: torch.Tensor, y: torch.Tensor, order: np.ndarray, epoch: int
    ) -> None:
        index = torch.as_tensor(order, device=X.device)
        flat = X.flatten(0, 1)  # torch gathers the columns of a dense matrix five times as fast
        X, y = flat.index_select(1, index).view_as(X), y.index_select(1, index)
        hidden, output, bias = self._split(state.flat)
        parts = self._split(state.gradient)
        n_rows, size = X.shape[2], self.recipe.batch_size
        for first in range(0, n_rows, size):
            rows = X[:, :, first : first + size]
            signal = torch.bmm(hidden, rows).clamp_min_(0)
            found = torch.bmm(output[:, None], signal)[:, 0] + bias[:, None]
            sign = (found - y[:, first : first + size]).sign_().div_(rows.shape[2])
            # Masked signs: the sign where the neuron is on, else 0.
            masked = torch.ops.aten.threshold_backward(sign[:, None].expand_as(signal), signal, 0.0)
            product = torch.bmm(masked, rows.transpose(1, 2))
            torch.mul(product, output[:, :, None], out=parts[0])
            parts[1].copy_(product.mul_(hidden).sum(dim=2))
            parts[2].copy_(sign.sum(dim=1))
            done = (epoch + first / n_rows) / self.recipe.epochs
            state.step(self.recipe.rate(done))


class Adam:
    """Adam (Kingma and Ba 2015) on one flat tensor, with the epsilon of the authors' Keras."""

    def __init__(self, flat: torch.Tensor) -> None:
        self.flat = flat.clone()
        self.gradient = torch.zeros_like(flat)
        self.first, self.second = torch.zeros_like(flat), torch.zeros_like(flat)
        self.steps = 0

    def step(self, rate: float) -> None:
        """Move the weights against the gradient."""
        self.steps += 1
        self.first.lerp_(self.gradient, 0.1)
        self.second.mul_(0.999).addcmul_(self.gradient, self.gradient, value=0.001)
        scale = math.sqrt(1 - 0.999**self.steps)
        size = self.second.sqrt().add_(1e-7 * scale)
        self.flat.addcdiv_(self.first, size, value=-rate * scale / (1 - 0.9**self.steps))

    def keep(self, index: torch.Tensor) -> None:
        """Forget all networks but some."""
        for name in ("flat", "gradient", "first", "second"):
            setattr(self, name, getattr(self, name)[index])
