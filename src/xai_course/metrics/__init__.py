"""How good an explanation is: plain functions on arrays, one number a row.

*Agreement* compares attributions with others, such as exact ones. *Faithfulness* asks the model
what happens when features are removed. *Robustness* asks how attributions change with the input and
with the model's weights. None of them alone says that an explanation is right; each docstring says
what the measure can't see.
"""

from xai_course.metrics.agreement import (
    rank_correlation,
    relative_error,
    sign_agreement,
    top_k_overlap,
)
from xai_course.metrics.faithfulness import (
    LocalFidelity,
    RemovalCurve,
    completeness_error,
    deletion_curve,
    infidelity,
    insertion_curve,
    local_fidelity,
    roar,
    sensitivity_n,
)
from xai_course.metrics.robustness import Randomisation, max_sensitivity, randomisation

__all__ = [
    "LocalFidelity",
    "Randomisation",
    "RemovalCurve",
    "completeness_error",
    "deletion_curve",
    "infidelity",
    "insertion_curve",
    "local_fidelity",
    "max_sensitivity",
    "randomisation",
    "rank_correlation",
    "relative_error",
    "roar",
    "sensitivity_n",
    "sign_agreement",
    "top_k_overlap",
]
