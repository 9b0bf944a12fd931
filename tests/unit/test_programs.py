"""Mixed-integer programs are solved in silence; what others say is kept."""

import ast
import ctypes
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import milp

import xai_course
from xai_course import _programs

POSIX = pytest.mark.skipif(os.name == "nt", reason="the C library has another name")


@POSIX
def test_what_the_solver_writes_for_its_authors_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    library = ctypes.CDLL(None)

    def talkative(cost: np.ndarray, **options: object) -> object:
        library.puts(b"HighsMipSolverData::transformNewIntegerFeasibleSolution tmpSolver.run();")
        return milp(cost, **options)

    monkeypatch.setattr(_programs, "milp", talkative)
    library.puts(b"before")
    found = _programs.integer_program(np.ones(2), integrality=np.ones(2))
    print("after")
    sys.stdout.flush()
    library.fflush(None)
    assert found.fun == 0
    assert capfd.readouterr().out == "before\nafter\n"


@POSIX
def test_an_error_and_a_closed_output_leave_things_as_they_were(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="bounds"):
        _programs.integer_program(np.ones(2), bounds=3)
    os.write(1, b"still here\n")
    kept = os.dup(1)
    os.close(1)
    try:
        assert _programs.integer_program(np.ones(2), integrality=np.ones(2)).fun == 0
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert capfd.readouterr().out == "still here\n"


def test_every_integer_program_is_solved_there() -> None:
    """A program with whole numbers is one that passes `integrality`."""
    for path in Path(xai_course.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and any(k.arg == "integrality" for k in node.keywords):
                assert ast.unparse(node.func) == "integer_program", path
