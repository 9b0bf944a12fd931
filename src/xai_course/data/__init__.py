"""Data sets: bundled, generated with known truth, or downloaded and checked.

`load` gives any set by name, `available` lists them, `cases` gives the book's three running
subjects, and the generators come with the truth they drew from.
"""

from xai_course.data._types import Dataset, TextDataset
from xai_course.data.download import REGISTRY, DownloadError, RemoteFile, fetch
from xai_course.data.generators import (
    ChirpTruth,
    CirclesTruth,
    LendingTruth,
    chirp_wave,
    co_circles,
    home_lending,
)
from xai_course.data.loaders import available, load, load_text
from xai_course.data.subjects import Case, cases

__all__ = [
    "REGISTRY",
    "Case",
    "ChirpTruth",
    "CirclesTruth",
    "Dataset",
    "DownloadError",
    "LendingTruth",
    "RemoteFile",
    "TextDataset",
    "available",
    "cases",
    "chirp_wave",
    "co_circles",
    "fetch",
    "home_lending",
    "load",
    "load_text",
]
