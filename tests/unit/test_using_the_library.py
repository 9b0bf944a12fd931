"""The code on the page *Using the library* runs, and its installation is that of the project."""

import doctest
import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "library" / "using.md"
TEXT = PAGE.read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_code_gives_what_the_page_shows() -> None:
    pieces = "\n".join(re.findall(r"```pycon\n(.*?)```", TEXT, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(pieces, {}, PAGE.name, str(PAGE), 0)
    failed, tried = doctest.DocTestRunner().run(test)
    assert tried > 20
    assert not failed


def test_the_installation_is_the_projects() -> None:
    address = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"]["url"]
    assert f'pip install "{PROJECT["name"]} @ git+{address}"' in TEXT
    assert f"needs Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in TEXT


def test_the_extras_are_the_projects() -> None:
    sentence = re.search(r"comes with the extras\s+([^.]+)\.", TEXT)[1]
    assert re.findall(r"`(\w+)`", sentence) == list(PROJECT["optional-dependencies"])
