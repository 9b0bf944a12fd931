"""What the check under Colab's versions installs, and what it compares with."""

from __future__ import annotations

import nbformat
import pytest
import small_book  # noqa: F401 (puts the repository on the path)

from tools.colab_check import PINNED, RUNTIMES, colab_versions, expected
from tools.publish.errors import PublishError


def test_both_runtimes_are_covered():
    older, latest = (colab_versions(runtime) for runtime in RUNTIMES)
    assert older.keys() == latest.keys() == set(PINNED)
    assert (older["numpy"], latest["numpy"]) == ("2.0.2", "2.1.3")
    assert (older["pandas"], latest["pandas"]) == ("2.2.2", "2.2.3")


def write(path, *sources, printed=False):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells if printed else ()):
        cell.execution_count = number + 1
        cell.outputs = [nbformat.v4.new_output("stream", text=f"{number}")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_published_notebook_is_given_the_outputs_of_the_book(tmp_path):
    book = write(tmp_path / "b.ipynb", "first", "glue", "same", "solution", "same", printed=True)
    published = write(tmp_path / "p.ipynb", "set-up", "first", "same", "same")
    setup, *cells = expected(published, book).cells
    assert setup.metadata.tags == ["nbval-ignore-output"]
    assert [cell.outputs[0].text for cell in cells] == ["0", "2", "4"]


def test_a_notebook_of_another_book_is_an_error(tmp_path):
    book = write(tmp_path / "b.ipynb", "first", printed=True)
    published = write(tmp_path / "p.ipynb", "set-up", "changed")
    with pytest.raises(PublishError, match=r"p\.ipynb is not of the book that was built"):
        expected(published, book)
