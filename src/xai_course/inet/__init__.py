"""Interpretation networks: a network's weights go in, a sparse polynomial comes out.

Here is what the chapters call most; the rest comes from its module.

Source: Marton, Luedtke and Bartelt, "Explanations for Neural Networks by Neural Networks",
Applied Sciences 12 (2022) 980. Explained in the part *Reading a network from its weights*.
"""

from xai_course.inet.lambda_nets import LambdaNets, concatenate, fidelity_error
from xai_course.inet.moment_net import (
    InterpretationNetwork,
    MomentInterpretationNetwork,
    train_interpretation_network,
)
from xai_course.inet.moments import closed_form_moments
from xai_course.inet.population import Recipe, train_lambda_nets
from xai_course.inet.sparse_regression import best_monomials

__all__ = [
    "InterpretationNetwork",
    "LambdaNets",
    "MomentInterpretationNetwork",
    "Recipe",
    "best_monomials",
    "closed_form_moments",
    "concatenate",
    "fidelity_error",
    "train_interpretation_network",
    "train_lambda_nets",
]
