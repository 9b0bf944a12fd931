"""What several test files share."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from xai_course import data
from xai_course.book import load_model
from xai_course.unwrapping import UnwrapperClassifier

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"


@pytest.fixture
def reproduce(monkeypatch, tmp_path) -> Iterator[Callable[[str], ModuleType]]:
    """Import modules of `reproduce/` by name; they write to `tmp_path`, and none stays behind."""
    monkeypatch.syspath_prepend(str(REPRODUCE))
    before = set(sys.modules)
    results = importlib.import_module("results")
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(results, "WORK", tmp_path / "trained")
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(REPRODUCE)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def circles():
    """Return the paper's CoCircles network, unwrapped, with its rows."""
    X_train, X_test, y_train, y_test = data.co_circles().split()
    unwrapper = UnwrapperClassifier(load_model("co_circles").network).fit(X_train, y_train)
    return unwrapper, X_train, X_test, y_train, y_test


@pytest.fixture(scope="session")
def merged_circles(circles):
    """Return the paper's merge of that network, with the same rows."""
    unwrapper, *rows = circles
    return unwrapper.merge(10, 5, penalty="l2"), *rows
