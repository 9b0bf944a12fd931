"""Where every chapter stands in the surveys' taxonomies: `book/taxonomy.yml`, read and worded.

The classes are those of Fan et al. (2021) and of Dao and Lee (2020); the five rules of thumb are
Fan et al.'s. Under the key `methods` stand all methods that the two surveys name, each with the
page and the section where it runs.
"""

from __future__ import annotations

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
MAX_WORDS = 14  # of a reason: the table has a column for each rule
CLASSES = ("fan", "dao")
METHODS = "methods"  # the key of the list of all methods; the others are chapters


@dataclass(frozen=True)
class Place:
    """Where one chapter stands."""

    fan: str
    dao: str
    access: str
    gives: list[str]
    verdicts: dict[str, str]
    reasons: dict[str, str]

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


def read(root: Path) -> dict[str, Place]:
    """Return the place of every chapter by its slug.

    Raises
    ------
    ValueError
        If an entry lacks a part, or has one that is not accepted; it names the chapter.
    """
    return {slug: _place(slug, entry) for slug, entry in _entries(root).items() if slug != METHODS}


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


def _entries(root: Path) -> dict[str, Any]:
    # The base loader leaves "yes" and "no" as they are written.
    return yaml.load(file_of(root).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def _place(slug: str, entry: dict[str, Any]) -> Place:
    wanted = [*CLASSES, "access", "gives", *RULES]
    if list(entry) != wanted:
        raise ValueError(f"{slug}: parts {list(entry)}; accepted: {wanted}, in this order")
    if entry["access"] not in ACCESS:
        raise ValueError(f"{slug}: access {entry['access']!r}; accepted: {list(ACCESS)}")
    strange = [one for one in entry["gives"] if one not in GIVES]
    if strange or not entry["gives"]:
        raise ValueError(f"{slug}: gives {entry['gives']}; accepted: {GIVES}")
    for rule in RULES:
        verdict, why = entry[rule]["verdict"], entry[rule]["why"]
        if verdict not in VERDICTS:
            raise ValueError(f"{slug}: {rule} has the verdict {verdict!r}; accepted: {VERDICTS}")
        if not 1 <= len(why.split()) <= MAX_WORDS:
            raise ValueError(f"{slug}: why of {rule} needs 1 to {MAX_WORDS} words, got {why!r}")
    return Place(
        entry["fan"],
        entry["dao"],
        entry["access"],
        entry["gives"],
        {rule: entry[rule]["verdict"] for rule in RULES},
        {rule: entry[rule]["why"] for rule in RULES},
    )
