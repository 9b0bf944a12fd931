"""Interpretation networks: a network's weights go in, a sparse polynomial comes out.

Source: Marton, Luedtke and Bartelt, "Explanations for Neural Networks by Neural Networks",
Applied Sciences 12 (2022) 980. Explained in the part *Reading a network from its weights*.
"""

from xai_course.inet.baselines import (
    BASELINES,
    Constant,
    Evolution,
    GreedySwaps,
    LassoRefit,
    LinearModel,
    OrthogonalMatchingPursuit,
    SymbolicRegression,
    expand_program,
    query_points,
)
from xai_course.inet.decoder import best_monomials
from xai_course.inet.interpretation import (
    PRETRAINED,
    Explanation,
    InterpretationNetwork,
    fidelity_error,
    train_interpretation_network,
)
from xai_course.inet.lambda_nets import LambdaNets, concatenate
from xai_course.inet.moments import closed_form_moments, unit_moments
from xai_course.inet.polynomials import (
    SparsePolynomial,
    evaluate_polynomials,
    gram_matrix,
    monomial_exponents,
    monomial_indices,
    monomial_values,
    monomials_in_basis,
    orthonormal_basis,
    sample_polynomials,
)
from xai_course.inet.softmax import (
    PAPER_SETTINGS,
    SoftmaxInterpretationNetwork,
    train_softmax_network,
)
from xai_course.inet.training import RECIPES, Recipe, train_lambda_nets

__all__ = [
    "BASELINES",
    "PAPER_SETTINGS",
    "PRETRAINED",
    "RECIPES",
    "Constant",
    "Evolution",
    "Explanation",
    "GreedySwaps",
    "InterpretationNetwork",
    "LambdaNets",
    "LassoRefit",
    "LinearModel",
    "OrthogonalMatchingPursuit",
    "Recipe",
    "SoftmaxInterpretationNetwork",
    "SparsePolynomial",
    "SymbolicRegression",
    "best_monomials",
    "closed_form_moments",
    "concatenate",
    "evaluate_polynomials",
    "expand_program",
    "fidelity_error",
    "gram_matrix",
    "monomial_exponents",
    "monomial_indices",
    "monomial_values",
    "monomials_in_basis",
    "orthonormal_basis",
    "query_points",
    "sample_polynomials",
    "train_interpretation_network",
    "train_lambda_nets",
    "train_softmax_network",
    "unit_moments",
]
