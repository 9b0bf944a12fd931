"""``python -m xai_course.grading``: hand out, grade, export."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xai_course.grading import marks, pages
from xai_course.grading.batch import grade_class
from xai_course.grading.course import CourseError, read_assignment, release, write
from xai_course.grading.sandbox import Limits, NotIsolatedError, check_isolation


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m xai_course.grading", description=__doc__)
    parser.add_argument("what", choices=("release", "grade", "marks"))
    parser.add_argument("course", type=Path, help="the folder that `make course DIR=...` wrote")
    parser.add_argument("chapters", nargs="*", help="default: all that are there")
    parser.add_argument(
        "--individual", action="store_true", help="release: a notebook for each name of class.csv"
    )
    parser.add_argument("--jobs", type=int, default=2, help="submissions graded at a time")
    parser.add_argument("--again", action="store_true", help="grade also what has not changed")
    parser.add_argument("--call-seconds", type=float, default=Limits.call)
    parser.add_argument("--seconds", type=float, default=Limits.total, help="for one submission")
    parser.add_argument(
        "--automatic", action="store_true", help="marks for platforms without those for prose"
    )
    parser.add_argument(
        "--without-isolation",
        action="store_true",
        help="run submissions with your own rights: only code that you trust",
    )
    options = parser.parse_args(arguments)
    try:
        if options.what == "release":
            _release(options.course, options.chapters, options.individual)
        elif options.what == "grade":
            if not options.without_isolation:
                check_isolation()
            limits = Limits(call=options.call_seconds, total=options.seconds)
            grade_class(
                options.course,
                options.chapters,
                limits=limits,
                jobs=options.jobs,
                again=options.again,
                isolated=not options.without_isolation,
            )
        if options.what != "release":
            pages.write_all(options.course)
            marks.write_all(options.course, automatic=options.automatic)
    except CourseError as error:
        print(f"grading: {error}", file=sys.stderr)
        return 1
    except NotIsolatedError as error:
        print(
            f"grading: submissions cannot be kept apart here: {error}. Nothing was run. Grade on "
            "Linux with bubblewrap, or in a container made for it, or say --without-isolation.",
            file=sys.stderr,
        )
        return 2
    return 0


def _release(course: Path, chapters: list[str], individual: bool) -> None:
    students = list(marks.read_class(course).student) if individual else [""]
    if not students:
        raise CourseError(f"{course / marks.CLASS} names no student: its first column is `student`")
    for slug in chapters or marks.chapters(course):
        assignment = read_assignment(course, slug)
        for student in students:
            path = course / "release" / student / slug / f"{slug}.ipynb"
            write(path, release(assignment, student))
        print(f"{slug}: {len(students)} notebook(s) in {course / 'release'}")


if __name__ == "__main__":
    sys.exit(main())
