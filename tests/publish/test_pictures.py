"""Pictures of two runs are compared: small differences pass, a black picture does not."""

from __future__ import annotations

import base64
import io
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import pytest
from small_book import ROOT, environment

from tools.pictures import TOLERANCE, difference


def picture(size: float = 4, *, black: int = 0) -> bytes:
    """Return two axes with a line each, of which the first `black` are filled."""
    figure, axes = plt.subplots(1, 2, figsize=(size, size / 2))
    for number, ax in enumerate(axes):
        ax.plot([0, 1, 0.5, 1])
        if number < black:
            ax.set_facecolor("black")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    plt.close(figure)
    return stream.getvalue()


def test_difference_from_afar():
    assert difference(picture(), picture()) == 0
    assert difference(picture(), picture(4.1)) < TOLERANCE / 2
    for black in (1, 2):
        assert difference(picture(), picture(black=black)) > 5 * TOLERANCE


DRAW = """
from IPython.display import Image, display
display(Image(data=__import__("base64").b64decode(%r)))
"""


@pytest.mark.parametrize(("drawn", "passes"), [(picture(4.1), True), (picture(black=1), False)])
def test_a_black_picture_fails_the_run(tmp_path, drawn, passes):
    """Beside nbval, which compares no pictures."""
    encoded = [base64.b64encode(one).decode() for one in (picture(), drawn)]
    text = "<IPython.core.display.Image object>"
    output = nbformat.v4.new_output("display_data", {"image/png": encoded[0], "text/plain": text})
    cell = nbformat.v4.new_code_cell(DRAW % encoded[1], outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tools.pictures", "--nbval"]
    command += ["--nbval-current-env", "-c", str(ROOT / "pyproject.toml"), str(tmp_path)]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (result.returncode == 0) is passes, result.stdout
    assert passes or "picture 1 of this cell differs by" in result.stdout
