"""Where every chapter stands in the surveys' taxonomies: `book/taxonomy.yml`, read and worded.

The classes are those of Fan et al. (2021) and of Dao and Lee (2020); the five rules of thumb are
Fan et al.'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ACCESS = ("weights", "gradients", "answers", "training")
RULES = ("exactness", "consistency", "completeness", "universality", "reward")
VERDICTS = ("yes", "in part", "no")
MAX_WORDS = 14  # of a reason: the table has a column for each rule
CLASSES = ("fan", "dao")


@dataclass(frozen=True)
class Place:
    """Where one chapter stands."""

    fan: str
    dao: str
    access: str
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
    # The base loader leaves "yes" and "no" as they are written.
    entries = yaml.load(file_of(root).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return {slug: _place(slug, entry) for slug, entry in entries.items()}


def _place(slug: str, entry: dict[str, Any]) -> Place:
    wanted = [*CLASSES, "access", *RULES]
    if list(entry) != wanted:
        raise ValueError(f"{slug}: parts {list(entry)}; accepted: {wanted}, in this order")
    if entry["access"] not in ACCESS:
        raise ValueError(f"{slug}: access {entry['access']!r}; accepted: {ACCESS}")
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
        {rule: entry[rule]["verdict"] for rule in RULES},
        {rule: entry[rule]["why"] for rule in RULES},
    )
