"""*Running the chapters* and *Teaching with the book*, typed line by line into a fresh folder.

What is public is served from here: the clone comes from this checkout, cut to its first chapter so
that it takes seconds; the environment and the built book are those that are there already.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_book import ROOT

PAGES = ("running", "teaching")
REPOSITORY = "https://github.com/xai-course/xai-course"
CHAPTER = "piecewise-linear/local-linear-models"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Where every section of *Teaching* begins: the reader has followed *Running* to here.
CLONE, IN_THE_CLONE = f"git clone {REPOSITORY}", "cd xai-course"

# Each line that a page may have, and what is run for it. A line that is not here fails the test.
KNOWN = {
    rf"git clone {REPOSITORY}": "{line} && use_what_is_built xai-course",
    rf"git clone {REPOSITORY} \.\./next-edition": "{line} && use_what_is_built ../next-edition",
    r"cd \S+|source \.venv/bin/activate": "{line}",
    # The book is built: to build it again is the business of other tests.
    r"make (notebooks|course) DIR=\S+": "{line} -o env -o book",
    r"\.venv/bin/jupyter lab \S+": "open_lab {line}",
    r"nbgrader generate_\w+ [\w-]+( --force)?": "{line}",
    r"(python check_submissions\.py|nbgrader autograde [\w-]+ --create)": "hand_in && {line}",
    r"python -m xai_course\.grading( \S+)*": "hand_in && {line}",
}

PRELUDE = """
use_what_is_built() {
    ln -s "$BUILT" "$1/_build"
    ln -s "$ENVIRONMENT" "$1/.venv"
}
open_lab() {
    "$ENVIRONMENT/bin/python" "$OPEN_LAB" "$@"
}
hand_in() {  # one student hands in what was handed out
    shopt -s nullglob
    for notebook in release/*/*.ipynb; do
        name=$(basename "$notebook" .ipynb)
        mkdir -p "submitted/ada/$name"
        cp -n "$notebook" "submitted/ada/$name/"
    done
}
"""

# Starts JupyterLab as a reader does, but for the browser, and asks for what it shows.
OPEN_LAB = """
import json, os, subprocess, sys, time, urllib.request
from pathlib import Path

runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
lab = subprocess.Popen([*sys.argv[1:], "--no-browser", "--port=0", "--allow-root"])
try:
    for _ in range(600):
        time.sleep(0.2)
        assert lab.poll() is None, "jupyter lab ended"
        for path in runtime.glob("jpserver-*.json"):
            server = json.loads(path.read_text() or "{}")
            address = f"{server['url']}api/contents?token={server['token']}"
            with urllib.request.urlopen(address) as answer:
                print("lab shows", *(one["name"] for one in json.load(answer)["content"]))
            sys.exit()
    sys.exit("jupyter lab never served")
finally:
    lab.terminate()
    lab.wait()
"""


def sections_of(page: str) -> list[list[str]]:
    """Return what a page tells its reader to type, section by section."""
    text = (ROOT / f"book/{page}.md").read_text("utf-8")
    parts = (BLOCK.findall(part) for part in re.split(r"^## ", text, flags=re.MULTILINE))
    return [[line for block in blocks for line in block.splitlines() if line] for blocks in parts]


def lines_of(page: str) -> list[str]:
    """Return what a page tells its reader to type."""
    return [line for section in sections_of(page) for line in section]


def run_for(line: str) -> str:
    """Return what the test runs for a line."""
    for pattern, command in KNOWN.items():
        if re.fullmatch(pattern, line):
            return command.format(line=line)
    raise AssertionError(f"no test knows how to run `{line}`")


def type_lines(lines: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Type lines into one shell in a folder; return everything that was printed."""
    typed = [f"echo '$ {line}'\n{run_for(line)}" for line in lines]
    result = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", PRELUDE + "\n".join(typed)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return a git repository of this checkout with one chapter, as it is on the disk."""
    folder = tmp_path_factory.mktemp("public")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    parts = [{"caption": "Part", "chapters": [{"file": CHAPTER}]}]
    toc = {"format": "jb-book", "root": "intro", "parts": parts}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc), "utf-8")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "public"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Return what publishing one chapter needs of the built book."""
    build, folder = ROOT / "_build", tmp_path_factory.mktemp("built") / "_build"
    needed = [f"html/{CHAPTER}.html", f"jupyter_execute/{CHAPTER}.ipynb", "html/objects.inv"]
    if not all((build / name).is_file() for name in needed):
        pytest.skip("there is no built book: run `make book` first")
    for name in (*needed, f"jupyter_execute/{CHAPTER}.glue.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build / name, folder / name)
    (folder / "html/_images").symlink_to(build / "html/_images")
    return folder


@pytest.fixture
def environment(repository, built, tmp_path) -> dict[str, str]:
    """Return an environment in which the public address leads here, and a home of its own."""
    script = tmp_path / "open_lab.py"
    script.write_text(OPEN_LAB)
    set_here = {
        "BUILT": str(built),
        "ENVIRONMENT": sys.prefix,
        "OPEN_LAB": str(script),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "PYTHONPATH": str(repository / "src"),  # as `make env` would install it
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": REPOSITORY,
    }
    return os.environ | set_here


def test_running(environment, tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    printed = type_lines(lines_of("running"), folder, environment)
    assert "lab shows local-linear-models.ipynb" in printed
    # What a reader does next: work in a notebook, and write the notebooks of a new edition.
    mine = folder / "my-notebooks/reader/local-linear-models.ipynb"
    mine.write_text(mine.read_text("utf-8").replace("raise NotImplementedError", "return 22"))
    again = [line for line in lines_of("running") if line.startswith("make ")]
    printed = type_lines(again, folder / "xai-course", environment)
    assert "local-linear-models.ipynb: it is not as it was published" in printed
    assert "return 22" in mine.read_text("utf-8")


def test_teaching(environment, tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    printed = type_lines([CLONE], folder, environment)
    for section in filter(None, sections_of("teaching")):
        printed += type_lines([IN_THE_CLONE, *section], folder, environment)
    assert list(folder.glob("my-course/feedback/**/*.html")), printed
    # The next edition came into the same folder; what was handed in is still there.
    assert (folder / "next-edition").is_dir()
    assert list(folder.glob("my-course/submitted/ada/*/*.ipynb"))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_sends_its_reader_into_the_build(page):
    assert lines_of(page)
    assert not [line for line in lines_of(page) if "_build" in line]


def test_a_line_that_nobody_knows_fails():
    with pytest.raises(AssertionError, match="no test knows how to run `rm -r x`"):
        run_for("rm -r x")
