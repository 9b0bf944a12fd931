"""Data sets: bundled, generated with known truth, or downloaded and checked.

`load` gives any set by name, `available` lists them, and the generators come with the truth they
drew from.

Not taught: a data set is no method; `available` lists all of them with their terms.
"""

from xai_course.data._types import Dataset
from xai_course.data.canvases import CanvasTruth, canvas_garments
from xai_course.data.download import DownloadError, fetch
from xai_course.data.generators import (
    ChirpTruth,
    CirclesTruth,
    LendingTruth,
    chirp_wave,
    co_circles,
    home_lending,
)
from xai_course.data.loaders import available, load
from xai_course.data.messages import Messages, shop_messages

__all__ = [
    "CanvasTruth",
    "ChirpTruth",
    "CirclesTruth",
    "Dataset",
    "DownloadError",
    "LendingTruth",
    "Messages",
    "available",
    "canvas_garments",
    "chirp_wave",
    "co_circles",
    "fetch",
    "home_lending",
    "load",
    "shop_messages",
]
