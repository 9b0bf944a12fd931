"""What the publisher needs to know of the project: addresses, version and the list of chapters."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.chapters import is_chapter, read_toc, slug_of
from tools.publish.errors import PublishError


@dataclass(frozen=True)
class Project:
    """The settings of one book.

    Attributes
    ----------
    root, book
        The repository and the folder of its pages.
    repository
        The repository's address, without a slash at the end.
    branch, notebooks_branch
        The branch of the sources and the branch that the notebooks are pushed to.
    url
        The book's public address, with a slash at the end.
    version
        The version in ``pyproject.toml``: the edition.
    chapters
        The chapters' page names in the order of the table of contents, e.g. ``part/slug``.
    bibliography
        The BibTeX files.
    """

    root: Path
    book: Path
    repository: str
    branch: str
    notebooks_branch: str
    url: str
    version: str
    chapters: tuple[str, ...]
    bibliography: tuple[Path, ...]

    @classmethod
    def read(cls, root: Path) -> Project:
        """Read ``_config.yml``, ``_toc.yml`` and ``pyproject.toml`` of the project at `root`.

        Raises
        ------
        PublishError
            A file or a setting is missing, or two chapters share a slug.
        """
        try:
            config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
            package = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
            sphinx = config["sphinx"]["config"]
            book = root / config["repository"]["path_to_book"]
            chapters = tuple(filter(is_chapter, read_toc(root)))
            _check_slugs(chapters)
            return cls(
                root=root,
                book=book,
                repository=config["repository"]["url"].rstrip("/"),
                branch=config["repository"]["branch"],
                notebooks_branch=sphinx["notebooks_branch"],
                url=sphinx["html_baseurl"].rstrip("/") + "/",
                version=package["project"]["version"],
                chapters=chapters,
                bibliography=tuple(book / name for name in config["bibtex_bibfiles"]),
            )
        except OSError as error:
            raise PublishError(f"cannot read {error.filename}: {error.strerror}") from error
        except KeyError as error:
            raise PublishError(f"_config.yml or pyproject.toml lacks the key {error}") from error

    def source(self, docname: str) -> Path:
        """Return the Markdown file of a page."""
        return self.book / f"{docname}.md"

    def page(self, docname: str) -> str:
        """Return the public address of a page."""
        return f"{self.url}{docname}.html"

    def blob(self, path: str) -> str:
        """Return the public address of a source file, given from the repository's root."""
        return f"{self.repository}/blob/{self.branch}/{path}"

    def shown(self, path: Path) -> str:
        """Return a path as messages should show it: from the repository's root."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        )


def _check_slugs(chapters: tuple[str, ...]) -> None:
    slugs = [slug_of(name) for name in chapters]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise PublishError(f"two chapters share the slug {', '.join(twice)}")
