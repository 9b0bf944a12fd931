"""The picture that stands beside a link to the book where one is shared.

``python -m tools.social_card`` writes `book/_static/social-card.png`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from tools.chapters import BOOK
from xai_course.book.explorables import regions_toy

PIXELS, DPI = (1200, 630), 100  # what most services show without cutting
GROUND, LINE, WORDS = "#1f3a5f", "#ffb454", "#ffffff"  # as in the logo
TITLE = "Explaining\nneural networks"
PROMISE = "Exact explanations,\nand a ruler for all the others"
PATH = BOOK.source / "_static" / "social-card.png"


def draw_regions(ax: Axes) -> None:
    """Draw the regions of the book's first network, the one of a point filled."""
    regions = regions_toy.network().enumerate_regions(regions_toy.BOX)
    (home,) = regions.locate(regions_toy.POINT[None])
    for number, region in enumerate(regions):
        ax.fill(*region.polygon().T, lw=1.5, ec=WORDS, fc=LINE if number == home else GROUND)
    ax.plot(*regions_toy.POINT, "o", ms=11, color=GROUND, mec=WORDS, mew=2)
    ax.set(aspect="equal")
    ax.axis("off")


def main() -> None:
    """Write the picture."""
    size = [n / DPI for n in PIXELS]
    figure = plt.figure(figsize=size, dpi=DPI, facecolor=GROUND)
    figure.text(
        0.06, 0.52, TITLE, color=WORDS, size=46, weight="bold", va="bottom", linespacing=1.2
    )
    figure.text(0.06, 0.44, PROMISE, color=LINE, size=25, va="top", linespacing=1.4)
    draw_regions(figure.add_axes((0.56, 0.06, 0.42, 0.88)))
    figure.savefig(PATH, dpi=DPI, metadata={"Software": None})
    print(f"{PATH.relative_to(BOOK.root)}: {PATH.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
