"""Where every chapter stands in the surveys' taxonomies: `book/taxonomy.yml`, read and worded.

The classes are those of Fan et al. (2021) and of Dao and Lee (2020); the five rules of thumb are
Fan et al.'s. Under the key `methods` stand all methods that the two surveys name, each with the
page and the section where it runs.

A number in the reason of a verdict is a value that the chapter glued; the reason has its name in
braces: ``why: "correlates {rank_shuffled} with the exact effects"``. The values stand in
`book/verdicts.json`, where `tools.answers` collects them from the executed pages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What a method needs, from the least to the most.
ACCESS = {
    "answers": "its answers",
    "gradients": "its gradients",
    "weights": "its weights",
    "training": "a part in its training",
}
# What a reader may want to have, as the finder asks.
GIVES = (
    "a number for each feature",
    "how far it holds",
    "one model for many inputs",
    "a formula",
    "what to change",
    "cases to compare with",
    "whether to believe it",
    "an alarm",
)
RULES = ("exactness", "consistency", "completeness", "universality", "reward")
VERDICTS = ("yes", "in part", "no")
MAX_WORDS = 22  # of a reason with its values filled in: two lines of the table
MIN_MEASURED = 2  # of a chapter's five reasons carry a value
VALUE = re.compile(r"\{([^{}]*)\}")  # the name of a glued value
NO_BREAK = "\N{NO-BREAK SPACE}"  # a line must not end within a value
TYPED = re.compile(r"(?<![\w-])\d")  # where a number begins; LRP-0 is a name
CLASSES = ("fan", "dao")
# The keys of the lists about all chapters; every other key is a chapter.
METHODS, KEYWORDS, DATA = "methods", "keywords", "data"
LISTS = (METHODS, KEYWORDS, DATA)


@dataclass(frozen=True)
class Place:
    """Where one chapter stands."""

    fan: str
    dao: str
    access: str
    gives: list[str]
    verdicts: dict[str, str]
    reasons: dict[str, str]  # with the values filled in

    @property
    def sentence(self) -> str:
        """One line for the chapter."""
        by_verdict = {
            verdict: [rule for rule in RULES if self.verdicts[rule] == verdict]
            for verdict in VERDICTS
        }
        rules = "; ".join(f"{v}: {', '.join(names)}" for v, names in by_verdict.items() if names)
        return (
            f"Class: {self.fan} (Fan et al.); {self.dao} (Dao and Lee). Needs: {self.access}. "
            f"Rules of thumb kept: {rules}."
        )


@dataclass(frozen=True)
class Method:
    """One method that a survey names."""

    survey: str  # Fan or Dao
    family: str  # the survey's class
    name: str
    source: str  # where the survey names it: numbers of references, figures, sections
    page: str  # the slug of the chapter it belongs to, which may be planned
    section: str = ""  # the heading it stands under; empty while the chapter is planned


def file_of(root: Path) -> Path:
    """Return where a checkout keeps its taxonomy."""
    return root / "book" / "taxonomy.yml"


def values_file(root: Path) -> Path:
    """Return where a checkout keeps the values that the reasons name."""
    return root / "book" / "verdicts.json"


def read_values(root: Path) -> dict[str, dict[str, str]]:
    """Return the collected values, by chapter and name."""
    path = values_file(root)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def named_values(root: Path) -> dict[str, list[str]]:
    """Return the names of the values that every chapter's reasons carry."""
    return {
        slug: [name for rule in RULES for name in VALUE.findall(entry[rule]["why"])]
        for slug, entry in _entries(root).items()
        if slug not in LISTS
    }


def read(root: Path) -> dict[str, Place]:
    """Return the place of every chapter by its slug.

    Raises
    ------
    ValueError
        If an entry lacks a part, has one that is not accepted, or names a value that was not
        collected; it names the chapter.
    """
    values = read_values(root)
    return {
        slug: _place(slug, entry, values.get(slug, {}))
        for slug, entry in _entries(root).items()
        if slug not in LISTS
    }


def read_methods(root: Path) -> list[Method]:
    """Return every method that the surveys name, in their order.

    Raises
    ------
    ValueError
        If a row lacks a part, or has one that is not accepted; it names the method.
    """
    wanted = ["survey", "class", "method", "source", "page"]
    methods = []
    for row in _entries(root).get(METHODS, []):
        if list(row) not in (wanted, [*wanted, "section"]):
            raise ValueError(f"{row}: parts {list(row)}; accepted: {wanted}, and section")
        methods.append(Method(*row.values()))
    return methods


def read_keywords(root: Path) -> dict[str, list[str]]:
    """Return what readers may call the things that a page explains, by its slug."""
    return _entries(root).get(KEYWORDS, {})


def read_data(root: Path) -> dict[str, list[str]]:
    """Return the slugs of the chapters that work on each kind of data but a table."""
    return _entries(root).get(DATA, {})


def _entries(root: Path) -> dict[str, Any]:
    # The base loader leaves "yes" and "no" as they are written.
    return yaml.load(file_of(root).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def _place(slug: str, entry: dict[str, Any], values: dict[str, str]) -> Place:
    wanted = [*CLASSES, "access", "gives", *RULES]
    if list(entry) != wanted:
        raise ValueError(f"{slug}: parts {list(entry)}; accepted: {wanted}, in this order")
    if entry["access"] not in ACCESS:
        raise ValueError(f"{slug}: access {entry['access']!r}; accepted: {list(ACCESS)}")
    strange = [one for one in entry["gives"] if one not in GIVES]
    if strange or not entry["gives"]:
        raise ValueError(f"{slug}: gives {entry['gives']}; accepted: {GIVES}")
    for rule in RULES:
        verdict = entry[rule]["verdict"]
        if verdict not in VERDICTS:
            raise ValueError(f"{slug}: {rule} has the verdict {verdict!r}; accepted: {VERDICTS}")
    measured = [rule for rule in RULES if VALUE.search(entry[rule]["why"])]
    if len(measured) < MIN_MEASURED:
        raise ValueError(
            f"{slug}: {len(measured)} of the five reasons carry a value of the page, as {{name}}; "
            f"at least {MIN_MEASURED} must"
        )
    return Place(
        entry["fan"],
        entry["dao"],
        entry["access"],
        entry["gives"],
        {rule: entry[rule]["verdict"] for rule in RULES},
        {rule: _reason(f"{slug}: {rule}", entry[rule]["why"], values) for rule in RULES},
    )


def _reason(where: str, why: str, values: dict[str, str]) -> str:
    """Fill the values in."""
    if TYPED.search(VALUE.sub("", why)):
        raise ValueError(f"{where} has a number typed by hand; glue it and name it: {why!r}")
    for name in VALUE.findall(why):
        if name not in values:
            raise ValueError(
                f"{where} names the value {name!r}, which book/verdicts.json lacks; "
                "python -m tools.answers collects what the executed page glued"
            )
    filled = VALUE.sub(lambda found: values[found[1]].replace(" ", NO_BREAK), why)
    filled = filled.replace(" %", f"{NO_BREAK}%")
    if not 1 <= len(filled.split()) <= MAX_WORDS:
        raise ValueError(f"{where} needs 1 to {MAX_WORDS} words, got {filled!r}")
    return filled
