"""The library behind *Explaining Neural Networks*, an executable textbook.

Import from its modules, such as ``xai_course.networks``, ``xai_course.unwrapping`` and
``xai_course.data``. What makes a page of the book a page is in ``xai_course.book``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["__version__", "device"]
__version__ = "0.1.0"


def device() -> torch.device:
    """Return the device that the book's torch code runs on: CUDA where there is one, else the CPU.

    Returns
    -------
    torch.device
        ``cuda`` when torch finds a usable GPU, otherwise ``cpu``. The CPU is the book's reference.

    Notes
    -----
    Not taught: it only says where torch computes.
    """
    # torch takes seconds to import, so only those pay who ask for it.
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
