"""Exact answers about piecewise linear networks: what popular methods estimate, computed.

Each function asks what one kind of explanation asks, and answers without sampling or, where that
would take too long, with a bound on the error.
"""

from xai_course.exact.counterfactual import Counterfactual, nearest_counterfactual
from xai_course.exact.effects import Curve, ice, partial_dependence
from xai_course.exact.gradients import (
    contributions,
    gradient_radius,
    integrated_gradients,
    smoothgrad,
)
from xai_course.exact.shapley import ShapleyValues, shapley

__all__ = [
    "Counterfactual",
    "Curve",
    "ShapleyValues",
    "contributions",
    "gradient_radius",
    "ice",
    "integrated_gradients",
    "nearest_counterfactual",
    "partial_dependence",
    "shapley",
    "smoothgrad",
]
