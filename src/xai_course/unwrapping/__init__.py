"""The unwrapper of Sudjianto et al. (2020): a ReLU network as a table of local linear models."""

from xai_course.unwrapping.unwrapper import UnwrapperClassifier, UnwrapperRegressor

__all__ = ["UnwrapperClassifier", "UnwrapperRegressor"]
