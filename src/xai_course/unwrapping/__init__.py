"""The unwrapper of Sudjianto et al. (2020): a ReLU network as a table of local linear models."""

from xai_course.unwrapping.flattening import (
    FlatClassifier,
    FlatNetwork,
    FlatRegressor,
    single_hidden_layer,
)
from xai_course.unwrapping.glm import SeparationWarning
from xai_course.unwrapping.inference import PostSelectionWarning
from xai_course.unwrapping.merging import MergedClassifier, MergedRegressor
from xai_course.unwrapping.unwrapper import UnwrapperClassifier, UnwrapperRegressor

__all__ = [
    "FlatClassifier",
    "FlatNetwork",
    "FlatRegressor",
    "MergedClassifier",
    "MergedRegressor",
    "PostSelectionWarning",
    "SeparationWarning",
    "UnwrapperClassifier",
    "UnwrapperRegressor",
    "single_hidden_layer",
]
