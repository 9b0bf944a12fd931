"""How good an explanation is: plain functions on arrays, one number a row.

*Agreement* compares attributions with others, such as exact ones. *Faithfulness* asks the model
what happens when features are removed. *Robustness* asks how attributions change with the input and
with the model's weights. *Localisation* asks whether a map finds an object whose box is known. None
of them alone says that an explanation is right; each docstring says what the measure can't see.
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
from xai_course.metrics.localisation import (
    box_of_map,
    intersection_over_union,
    pointing_hits,
)
from xai_course.metrics.robustness import Randomisation, max_sensitivity, randomisation

__all__ = [
    "LocalFidelity",
    "Randomisation",
    "RemovalCurve",
    "box_of_map",
    "completeness_error",
    "deletion_curve",
    "infidelity",
    "insertion_curve",
    "intersection_over_union",
    "local_fidelity",
    "max_sensitivity",
    "pointing_hits",
    "randomisation",
    "rank_correlation",
    "relative_error",
    "roar",
    "sensitivity_n",
    "sign_agreement",
    "top_k_overlap",
]
