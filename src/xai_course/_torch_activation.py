"""The torch side of `xai_course.activations`, apart because torch takes seconds to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from xai_course.activations import PiecewiseLinear

__all__ = ["PiecewiseLinearActivation", "nn"]


class PiecewiseLinearActivation(nn.Module):
    """A piecewise linear activation; its slopes and breakpoints are not trained."""

    def __init__(self, activation: PiecewiseLinear) -> None:
        super().__init__()
        self.activation = activation
        for name in ("breakpoints", "slopes", "intercepts"):
            self.register_buffer(name, torch.tensor(getattr(activation, name)))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return the values, in the shape of `z`."""
        segments = torch.bucketize(z.detach(), self.breakpoints, right=True)
        return self.slopes[segments] * z + self.intercepts[segments]
