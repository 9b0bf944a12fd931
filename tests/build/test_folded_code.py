"""The line above a folded cell says what its code does."""

from __future__ import annotations

import pytest
from extensions import extension

folded_code = extension("folded_code")


@pytest.mark.parametrize(
    ("source", "shows", "said"),
    [
        ("fig, ax = plt.subplots()", "picture", "Code: how this picture is drawn"),
        ("frame", "table", "Code: how this table is made"),
        ("print(1)", "output", "Code: how this output is computed"),
        ("import numpy as np\n\nplotting.use_style()", "", "Code: imports"),
        ("def f(x):\n    y = x\n    return y\n\n\nz = f(1)", "", "Code: f"),
        ("a, _ = 1, 2\n_ = f(a)", "", "Code: a"),
        ("a, b = 1, 2\nc = d = a\ne = 5", "", "Code: a, b, c, d, ..."),
    ],
)
def test_prompt(source: str, shows: str, said: str) -> None:
    assert folded_code.prompt(source, shows) == said
