"""What a class hands in is mended or named, and what it gets holds no secret."""

from __future__ import annotations

import copy
import csv
import json

import nbformat
import pytest
from classroom import ALL, FUNCTIONS, ID, RIGHT, SLUG, handed_in, make_course, submit

from xai_course.grading import batch, marks, pages
from xai_course.grading.__main__ import main
from xai_course.grading.course import (
    CourseError,
    read_assignment,
    read_submission,
    release,
)
from xai_course.grading.sandbox import Limits

ONE, TWO, THREE = (f"{ID}-{n}" for n in (1, 2, 3))


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course")


@pytest.fixture
def assignment(course):
    return read_assignment(course, SLUG)


def names_defined(submission) -> dict:
    """Run what would be run, here: the tests' own students do no harm."""
    names: dict = {}
    for source in submission.cells:
        exec(source, names)
    return names


def is_right(submission) -> bool:
    names = names_defined(submission)
    return tuple(names["one_neuron_lifted"]()) == (7, 4, 4, 1, 1)


def test_an_assignment_is_read(assignment):
    assert list(assignment.exercises) == [ONE, TWO, THREE]
    first, _, third = assignment.exercises.values()
    assert (first.answer, first.points, first.written) == ("one_neuron_lifted", 2, "")
    assert first.hidden == "assert list(one_neuron_lifted()) == [7, 4, 4, 1, 1]\n"
    assert (third.points, third.written_points, third.guide) == (
        4,
        4,
        "**Model answer.** A region is convex.",
    )


def test_no_such_assignment(course):
    with pytest.raises(CourseError, match=f"no assignment 'other'.*but: {SLUG}"):
        read_assignment(course, "other")


def test_a_chapter_of_another_edition_is_not_graded(course):
    path = course / f"source/{SLUG}/{SLUG}.ipynb"
    path.write_text(path.read_text("utf-8").replace('"0.1.0"', '"0.0.9"'), "utf-8")
    submit(course, "ada", handed_in({}))
    with pytest.raises(CourseError, match=rf"of theirs.*: {SLUG} \(0\.0\.9\)"):
        batch.grade_class(course, [], limits=Limits(), isolated=False)


def test_a_release_holds_no_answer(assignment):
    text = release(assignment)
    for secret in ("SOLUTION", "HIDDEN", "7, 4, 4", "convex", "isfinite"):
        assert secret not in text
    assert text.count("NotImplementedError") == len(FUNCTIONS)
    assert 'STUDENT = \\"\\"' in text
    assert 'STUDENT = \\"Ada \\\\\\"x\\\\\\"\\"' in release(assignment, 'Ada "x"')


def test_the_lesson_is_not_run_but_what_an_answer_needs_of_it(course, assignment):
    submit(course, "ada", handed_in(RIGHT))
    submission = read_submission(course / "submitted/ada" / SLUG, assignment)
    assert is_right(submission)
    assert not any("sleep" in source for source in submission.cells)
    assert any("import numpy" in source for source in submission.cells)


def copied(cells):
    cells.insert(0, copy.deepcopy(next(c for c in cells if c["id"] == "answer-0")))


def copied_stub(cells):
    _, head = FUNCTIONS[ONE]
    cells.append({**cells[0], "id": "x", "source": f"{head}    raise NotImplementedError"})


def no_marks(cells):
    for i, cell in enumerate(cells):
        cell["metadata"], cell["id"] = {}, f"c{i}"


def no_checks(cells):
    cells[:] = [cell for cell in cells if not cell["id"].startswith("check")]


def no_lesson(cells):
    cells[:] = [cell for cell in cells if not cell["id"].startswith("text")]


def backwards(cells):
    cells.reverse()


def with_magic(cells):
    answer = next(c for c in cells if c["id"] == "answer-0")
    answer["source"] = f"%matplotlib inline\n!pip install x\n{answer['source']}"


def in_lines(cells):
    for cell in cells:
        cell["source"] = cell["source"].splitlines(keepends=True)


def with_helper(cells):
    """A helper below the function that calls it, and an experiment that takes an hour."""
    answer = next(c for c in cells if c["id"] == "answer-0")
    answer["source"] = "def one_neuron_lifted():\n    return tuple(mine)"
    base = {**answer, "metadata": {}}
    cells += [
        {**base, "id": "h1", "source": "mine = [7, 4]"},
        {**base, "id": "h2", "source": "mine.extend([4, 1, 1])"},
        {**base, "id": "h3", "source": "import time\ntime.sleep(3600)\nunused = 1"},
    ]


@pytest.mark.parametrize(
    "damage",
    [
        copied,
        copied_stub,
        no_marks,
        no_checks,
        no_lesson,
        backwards,
        with_magic,
        in_lines,
        with_helper,
    ],
)
def test_what_students_do_to_notebooks_costs_them_nothing(course, assignment, damage):
    notebook = json.loads(json.dumps(handed_in(RIGHT, prose="Convexity.")))
    damage(notebook["cells"])
    submit(course, "ada", json.dumps(notebook))
    submission = read_submission(course / "submitted/ada" / SLUG, assignment)
    assert is_right(submission)
    assert not any("sleep" in source for source in submission.cells)


def test_a_reader_notebook_is_a_submission(course, assignment):
    """It has no marks and no place for prose; its checks name no student."""
    cells = [c for c in handed_in(RIGHT).cells if c.cell_type == "code"]
    for cell in cells:
        cell.metadata.pop("nbgrader", None)
        cell.source = cell.source.replace(", student=STUDENT", "")
    submit(course, "ada", nbformat.v4.new_notebook(cells=cells))
    assert is_right(read_submission(course / "submitted/ada" / SLUG, assignment))


def test_prose_is_found_by_its_id_its_name_or_its_heading(course, assignment):
    for change, remark in (
        ({}, []),
        ({"id": "lost"}, []),
        ({"metadata": {}}, []),
        ({"metadata": {}, "id": "lost"}, [f"the answer in prose to {THREE} was found by"]),
    ):
        notebook = json.loads(json.dumps(handed_in(RIGHT, prose="Convexity.")))
        title = f"**Exercise {THREE.removeprefix('ex-')}. Far?**"
        heading = {"cell_type": "markdown", "id": "q", "metadata": {}, "source": title}
        notebook["cells"][-1:] = [heading, notebook["cells"][-1] | change]
        submit(course, "ada", json.dumps(notebook))
        submission = read_submission(course / "submitted/ada" / SLUG, assignment)
        assert submission.prose == {THREE: "Convexity."}
        assert len(submission.remarks) == len(remark)
        assert all(map(str.startswith, submission.remarks, remark))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no notebook"),
        ({f"{SLUG}.ipynb": "{"}, "is damaged"),
        ({f"{SLUG}.ipynb": "[1, 2]"}, "is damaged"),
        ({f"{SLUG}.ipynb": '{"cells": [1]}'}, "is damaged"),
        ({f"{SLUG}.ipynb": "[" * 10**5}, "is damaged"),
        ({f"{SLUG}.ipynb": '{"cells": []}'}, "has no cell of"),
        ({"a.ipynb": "{}", "b.ipynb": "{}"}, "one notebook is needed here.*a.ipynb, b.ipynb"),
    ],
)
def test_what_cannot_be_read_is_named(course, assignment, files, message):
    folder = course / "submitted/ada" / SLUG
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(CourseError, match=message):
        read_submission(folder, assignment)


def test_another_name_of_the_file_is_a_remark(course, assignment):
    submit(course, "ada", handed_in(RIGHT), name=f"{SLUG} (1).ipynb")
    submission = read_submission(course / "submitted/ada" / SLUG, assignment)
    assert submission.remarks == [f"the file is named {SLUG} (1).ipynb"]


# --- marks and pages, from records as the grader writes them ---


def record(student: str, state: str = "graded", prose: str = "", points: int = 2) -> dict:
    if state == "failed":
        return {"student": student, "chapter": SLUG, "state": state, "says": "it is damaged"}
    exercises = {
        ONE: {"state": "right", "points": points, "says": "Good."},
        TWO: {"state": "wrong", "points": 0, "says": "<b>1 & 2</b>"},
        THREE: {"state": "not attempted", "points": 0, "says": "The stub."},
    }
    return {
        "student": student,
        "chapter": SLUG,
        "state": state,
        "exercises": exercises,
        "prose": {THREE: prose},
        "remarks": [],
        "seconds": 1.0,
    }


@pytest.fixture
def class_of_four(course):
    for one in (
        record("ada", prose="It is <i>convex</i>."),
        record("bo"),
        record("cy", "failed"),
        record("=cmd()"),
    ):
        path = marks.record_path(course, one["student"], SLUG)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(one))
    (course / "class.csv").write_text(
        "student,name,email,id\nada,Ada L.,ada@x.org,7\nbo,,,\ncy,Cy,c@x.org,9\nnobody,,n@x.org,1\n"
    )
    return course


def table(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_failed_is_blank_and_not_zero_and_prose_waits(class_of_four, capsys):
    assert main(["marks", str(class_of_four)]) == 0
    assert "4 records, 1 failed, 1 wait for a marker" in capsys.readouterr().out
    rows = {row["student"]: row for row in table(class_of_four / "marks.csv")}
    assert [(r["automatic"], r["total"], r["of"]) for r in rows.values()] == [
        ("2", "2", "13"),
        ("2", "", "13"),
        ("2", "2", "13"),
        ("", "", "13"),
    ]
    assert rows["ada"]["to mark"] == THREE
    assert rows["cy"]["says"] == "it is damaged"
    assert "'=cmd()" in rows  # no spreadsheet runs a student's name


def test_a_marker_saves_a_table_and_it_counts(class_of_four):
    folder = class_of_four / "marking" / SLUG
    folder.mkdir(parents=True)
    (folder / f"{THREE}.csv").write_text(
        f'"student","exercise","points","comment"\n"ada","{THREE}","3.5","Why, though?"\n'
    )
    assert main(["marks", str(class_of_four)]) == 0
    assert table(class_of_four / "marks.csv")[1]["total"] == "5.5"
    assert "Why, though?" in (class_of_four / "feedback/ada" / f"{SLUG}.html").read_text()
    (folder / "more.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CourseError, match="none of student, exercise, points, comment"):
        marks.read_marking(class_of_four)


def test_tables_for_the_platforms(class_of_four):
    assert main(["marks", str(class_of_four), "--automatic"]) == 0
    canvas = table(class_of_four / "marks-canvas.csv")
    assert canvas[0] == {
        "Student": "Points Possible",
        "ID": "",
        "SIS User ID": "",
        "SIS Login ID": "",
        "Section": "",
        SLUG: str(ALL),
    }
    assert [row[SLUG] for row in canvas[1:]] == ["2", "2", "", ""]
    assert canvas[1]["Student"] == "Ada L."
    assert canvas[2]["Student"] == "bo"
    moodle = table(class_of_four / "marks-moodle.csv")
    assert moodle[0] == {"Email address": "ada@x.org", "ID number": "7", SLUG: "2"}
    scope = table(class_of_four / "marks-gradescope.csv")
    assert scope[2][SLUG] == ""
    assert scope[2][f"{SLUG} - Max Points"] == str(ALL)


def test_the_key_has_the_answer_of_each_student(class_of_four):
    assert main(["marks", str(class_of_four)]) == 0
    rows = {row["student"]: row for row in table(class_of_four / "key.csv")}
    assert {row["right answer"] for row in rows.values()} == {"(7, 4, 4, 1, 1)"}
    assert main(["release", str(class_of_four), SLUG, "--individual"]) == 0
    assert main(["marks", str(class_of_four)]) == 0
    own = {row["student"]: row["right answer"] for row in table(class_of_four / "key.csv")}
    assert set(own) == {"ada", "bo", "cy", "nobody"}
    assert "(7, 4, 4, 1, 1)" not in own.values()


def test_a_class_list_without_students(class_of_four):
    (class_of_four / "class.csv").write_text("name,email\nAda,a@x.org\n")
    assert main(["marks", str(class_of_four)]) == 1


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_class_list_is_none(class_of_four, text):
    (class_of_four / "class.csv").write_text(text)
    assert main(["marks", str(class_of_four)]) == 0


@pytest.mark.filterwarnings("ignore::pandas.errors.ParserWarning")
def test_a_comma_at_the_end_of_each_row_moves_no_column(class_of_four):
    (class_of_four / "class.csv").write_text("student,name,email\nada,Ada L.,a@x.org,\nbo\n")
    people = marks.read_class(class_of_four)
    assert people.student.tolist() == ["ada", "bo"]
    assert people.name.tolist() == ["Ada L.", "bo"]
    assert people.email.tolist() == ["a@x.org", ""]


def test_a_class_list_that_is_no_table_is_named(class_of_four, capsys):
    (class_of_four / "class.csv").write_bytes(b"student\n\xff\xfe\n")
    assert main(["marks", str(class_of_four)]) == 1
    assert "class.csv is no table with commas" in capsys.readouterr().err


def test_an_answer_in_prose_that_came_later_is_not_in_old_records(class_of_four):
    path = marks.record_path(class_of_four, "ada", SLUG)
    path.write_text(json.dumps(record("ada") | {"prose": {}}))
    pages.write_all(class_of_four)
    assert "not attempted" in (class_of_four / "feedback/ada" / f"{SLUG}.html").read_text()


def test_feedback_holds_no_test_and_runs_nothing(class_of_four):
    pages.write_all(class_of_four)
    text = (class_of_four / "feedback/ada" / f"{SLUG}.html").read_text()
    assert "&lt;b&gt;1 &amp; 2&lt;/b&gt;" in text
    assert "<b>" not in text
    assert "<script" not in text
    for secret in ("HIDDEN", "assert", "7, 4, 4", "Model answer"):
        assert secret not in text
    failed = (class_of_four / "feedback/cy" / f"{SLUG}.html").read_text()
    assert "could not be graded: it is damaged" in failed


def test_the_page_for_the_marker(class_of_four):
    pages.write_all(class_of_four)
    text = (class_of_four / "marking" / SLUG / f"{THREE}.html").read_text()
    assert "<strong>Model answer.</strong> A region is convex." in text
    assert "The question." in text
    assert "It is &lt;i&gt;convex&lt;/i&gt;." in text
    assert text.count("<article") == 1  # who wrote nothing needs no reading


def test_notebooks_for_each_student(class_of_four, capsys):
    assert main(["release", str(class_of_four), SLUG, "--individual"]) == 0
    for name in ("ada", "bo", "cy", "nobody"):
        text = (class_of_four / "release" / name / SLUG / f"{SLUG}.ipynb").read_text()
        assert f'STUDENT = \\"{name}\\"' in text
    assert main(["release", str(class_of_four)]) == 0
    assert (class_of_four / "release" / SLUG / f"{SLUG}.ipynb").is_file()


def test_nothing_handed_in_and_no_course(course, tmp_path, capsys):
    assert main(["grade", str(course), "--without-isolation"]) == 1
    assert "Nothing to grade: put notebooks into" in capsys.readouterr().err
    assert main(["grade", str(course), "other", "--without-isolation"]) == 1


def test_without_bubblewrap_nothing_is_run(course, monkeypatch, capsys):
    submit(course, "ada", handed_in(RIGHT))
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["grade", str(course)]) == 2
    said = capsys.readouterr().err
    assert "cannot be kept apart here: bubblewrap is not installed" in said
    assert "Nothing was run" in said
    assert not (course / "gradebook").exists()


def test_a_batch_goes_on_where_it_was(course, capsys, monkeypatch):
    """What has not changed is not graded again; a record that is damaged is."""
    for name in ("ada", "bo"):
        submit(course, name, "{")  # fails at once, so that no process is needed
    monkeypatch.setattr(batch, "ProcessPoolExecutor", Here)
    limits = batch.Limits()
    assert len(batch.grade_class(course, [], limits=limits)) == 2
    assert "bo local-linear-models: FAILED, no mark: local-linear-models.ipynb is damaged" in (
        capsys.readouterr().out
    )
    assert batch.grade_class(course, [], limits=limits) == []
    assert "2 not changed since they were graded" in capsys.readouterr().out
    assert len(batch.grade_class(course, [], limits=limits, again=True)) == 2
    submit(course, "bo", "[")
    marks.record_path(course, "ada", SLUG).write_text("{dam")
    assert {r["student"] for r in batch.grade_class(course, [], limits=limits)} == {"ada", "bo"}


class Here:
    """A pool that works at once, in this process."""

    def __init__(self, *arguments, **options):
        from concurrent.futures import Future

        self.future = Future

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def submit(self, function, *arguments):
        done = self.future()
        try:
            done.set_result(function(*arguments))
        except Exception as error:
            done.set_exception(error)
        return done
