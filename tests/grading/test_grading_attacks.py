"""No submission gains a point that it does not deserve, or harms another one.

The attacks are those that the review of the first edition carried out against nbgrader.
"""

from __future__ import annotations

import ast
import http.server
import json
import threading
import time
from pathlib import Path

import pytest
from classroom import ALL, ID, POINTS, RIGHT, SLUG, handed_in, make_course, submit

from xai_course.grading.batch import grade_class
from xai_course.grading.sandbox import Limits

LIMITS = Limits(call=20, total=120)
ONE, TWO, THREE = (f"{ID}-{n}" for n in (1, 2, 3))
LESS = {label: source for label, source in RIGHT.items() if label != ONE}  # the first one unsolved


def lifted(body: str) -> dict[str, str]:
    """Return right answers, and a function of this body for the first exercise."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return LESS | {ONE: f"def one_neuron_lifted():\n{lines}"}


DROPS_ASSERTS = """import ast, builtins
import numpy as np
real = builtins.compile
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
    def visit_Call(self, node):
        return ast.Constant(None) if getattr(node.func, "id", "") == "check" else node
try:
    get_ipython().ast_transformers.append(Drop())
except NameError:
    pass
import numpy.testing
for name in ("array_equal", "allclose"):
    setattr(np, name, lambda *a, **k: True)
"""
READS_EXPECTED = """import sys
frame = sys._getframe()
while frame:
    for name in ("expected", "right", "numbers"):
        if name in frame.f_locals: return frame.f_locals[name]
    frame = frame.f_back
return 0, 0, 0, 0, 0"""
RUNS_THE_CHECK = """import inspect
from xai_course.book.checks import local_linear_models as checks
source = inspect.getsource(checks.one_neuron_lifted)
return (source.count("1"),) * 5"""
FINDS_THE_CHECK = """import pathlib
for path in pathlib.Path("/").rglob("local_linear_models.py"):
    return len(path.read_text()), 4, 4, 1, 1
return 0, 0, 0, 0, 0"""
REPLACES_CHECK = """import xai_course.book.checks
xai_course.book.checks.check = lambda *a, **k: print("Passed")
check = xai_course.book.checks.check
verdict = check"""
SENDS = """import json, os
def send(text):
    for number in range(3, 20):
        try: os.write(number, text.encode())
        except OSError: pass
"""
FORGES_A_REPLY = (
    SENDS
    + """
answer = {"collection": "tuple", "of": [7, 4, 4, 1]}
send(json.dumps({"return": answer, "now": [], "back": None}) + chr(10))"""
)
SENDS_HALF_A_MESSAGE = (
    SENDS
    + """
import time
while True:
    send("[")
    time.sleep(1)"""
)
RAISES_EVAL = (
    SENDS
    + """
code = "open('/tmp/owned', 'w')"
send(json.dumps({"error": "eval", "says": code, "mine": 0, "theirs": None}) + chr(10))"""
)
SENDS_A_PICKLE = """import os
class Bomb:
    def __reduce__(self): return os.system, ("touch /tmp/owned",)
return Bomb()"""

ATTACKS = {
    "drops asserts": (handed_in(LESS, DROPS_ASSERTS), "not attempted"),
    "reads expected": (handed_in(lifted(READS_EXPECTED)), "wrong"),
    "runs the check": (handed_in(lifted(RUNS_THE_CHECK)), "error"),
    "finds the check": (handed_in(lifted(FINDS_THE_CHECK)), "wrong"),
    "replaces check": (handed_in(LESS, REPLACES_CHECK), "not attempted"),
    "forges a reply": (handed_in(lifted(FORGES_A_REPLY + "\nreturn 0, 0, 0, 0, 0")), "wrong"),
    "forges an error": (handed_in(lifted(RAISES_EVAL + "\nreturn 0, 0, 0, 0, 0")), "error"),
    "never ends a message": (handed_in(lifted(SENDS_HALF_A_MESSAGE)), "stopped"),
    "sends a pickle": (handed_in(lifted(SENDS_A_PICKLE)), "error"),
    "exits": (handed_in(lifted("import os\nos._exit(0)")), "stopped"),
    "system exit": (handed_in(lifted("raise SystemExit")), "stopped"),
    "loops": (handed_in(lifted("while True: pass")), "stopped"),
    "prints 50 MB": (
        handed_in(lifted("for i in range(50):\n    print('x' * 2**20)\nreturn 0, 0, 0, 0, 0")),
        "wrong",
    ),
    "takes 3 GB": (
        handed_in(lifted("parts = [b'x' * 2**20 for i in range(3000)]\nreturn len(parts)")),
        "stopped",
    ),
    "answers with 100 MB": (handed_in(lifted("return 'x' * 10**8")), "error"),
    "nests deeply": (
        handed_in(lifted("deep = []\nfor i in range(10**5): deep = [deep]\nreturn deep")),
        "error",
    ),
    "forty processes": (
        handed_in(
            lifted(
                "import subprocess\n"
                "some = [subprocess.Popen(['sleep', '3600']) for i in range(40)]\n"
                "import time; time.sleep(5)\nreturn 0, 0, 0, 0, 0"
            )
        ),
        "stopped",
    ),
}


@pytest.fixture(scope="module")
def graded(isolation, tmp_path_factory):
    """Grade all attackers in one batch, beside one who is right and one who did nothing."""
    course = make_course(tmp_path_factory.mktemp("course"))
    submit(course, "right", handed_in(RIGHT, prose="Convexity."))
    submit(course, "untouched", handed_in({}))
    for name, (notebook, _) in ATTACKS.items():
        submit(course, name, notebook)
    records = grade_class(course, [SLUG], limits=LIMITS)
    return course, {record["student"]: record for record in records}


def states(record: dict) -> dict[str, str]:
    return {label: one["state"] for label, one in record["exercises"].items()}


def points(record: dict) -> int:
    return sum(one["points"] for one in record["exercises"].values())


def test_who_is_right_and_who_did_nothing(graded):
    _, records = graded
    assert points(records["right"]) == ALL
    assert records["right"]["prose"] == {THREE: "Convexity."}
    assert points(records["untouched"]) == 0
    assert set(states(records["untouched"]).values()) == {"not attempted"}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gains_nothing_and_loses_nothing(graded, name):
    _, records = graded
    record = records[name]
    assert record["exercises"][ONE]["state"] == ATTACKS[name][1], record["exercises"][ONE]["says"]
    if not name.startswith("forges"):  # who spoils the wire has no claim on the other exercises
        assert points(record) == ALL - POINTS[ONE], record["exercises"]


def test_nothing_is_left(graded):
    course, _ = graded
    assert not Path("/tmp/owned").exists()
    sizes = [path.stat().st_size for path in course.rglob("*") if path.is_file()]
    assert max(sizes) < 10**6  # the 50 MB went nowhere


def test_files_of_others_the_gradebook_and_the_environment(isolation, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "do not tell")
    course = make_course(tmp_path / "course")
    submit(course, "right", handed_in(RIGHT))
    (course / "gradebook" / "right").mkdir(parents=True)
    (course / "gradebook" / "right" / f"{SLUG}.json").write_text("{}")
    look = f"""import os, pathlib
there = [str(p) for p in pathlib.Path({str(tmp_path)!r}).rglob("*")]
try:
    pathlib.Path({str(course / "gradebook/right" / f"{SLUG}.json")!r}).write_text("owned")
    there.append("written")
except OSError:
    pass
raise ValueError(str([there, sorted(os.environ), os.listdir()]))"""
    submit(course, "spy", handed_in(lifted(look)))
    records = {r["student"]: r for r in grade_class(course, [SLUG], limits=LIMITS)}
    there, environment, files = ast.literal_eval(
        records["spy"]["exercises"][ONE]["says"].removeprefix("ValueError: ")
    )
    assert not [name for name in there if not str(course).startswith(name)]
    assert "SECRET" not in environment
    assert files == []
    assert points(records["right"]) == ALL
    assert (
        json.loads((course / "gradebook/right" / f"{SLUG}.json").read_text())["state"] == "graded"
    )


def test_there_is_no_network(isolation, tmp_path):
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        course = make_course(tmp_path)
        address = f"http://127.0.0.1:{server.server_port}/"
        body = f"import urllib.request\nreturn urllib.request.urlopen({address!r}, timeout=5)"
        submit(course, "caller", handed_in(lifted(body)))
        (record,) = grade_class(course, [SLUG], limits=LIMITS)
        server.shutdown()
    assert record["exercises"][ONE]["state"] == "error"
    assert record["exercises"][ONE]["says"].startswith(("URLError", "OSError"))
    assert asked == []


def test_a_syntax_error_is_told(isolation, tmp_path):
    course = make_course(tmp_path)
    submit(course, "ada", handed_in(LESS | {ONE: "def one_neuron_lifted():\n    return (1"}))
    (record,) = grade_class(course, [SLUG], limits=LIMITS)
    assert states(record) == {ONE: "error", TWO: "right", THREE: "right"}
    assert "SyntaxError" in record["exercises"][ONE]["says"]


def test_a_loop_in_a_cell_is_left_out_and_the_rest_counts(isolation, tmp_path):
    course = make_course(tmp_path)
    spoiled = RIGHT | {TWO: RIGHT[TWO] + "\n\nwhile True:\n    pass"}
    submit(course, "loop", handed_in(spoiled))
    begin = time.monotonic()
    (record,) = grade_class(course, [SLUG], limits=Limits(call=10, total=90))
    assert time.monotonic() - begin < 90
    assert states(record) == {ONE: "right", TWO: "error", THREE: "right"}
    assert "did not end in time" in record["exercises"][TWO]["says"]


def test_all_of_it_has_a_limit(isolation, tmp_path):
    course = make_course(tmp_path)
    slow = {label: source + "\n\nwhile True:\n    pass" for label, source in RIGHT.items()}
    submit(course, "slow", handed_in(slow))
    begin = time.monotonic()
    (record,) = grade_class(course, [SLUG], limits=Limits(call=5, total=12))
    assert time.monotonic() - begin < 60
    assert points(record) == 0
    assert "stopped" in states(record).values()
