"""What the publisher needs to know of the project: addresses, version and the list of chapters."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tools.chapters import is_chapter, read_toc, slug_of
from tools.edition import LATEST, edition_name
from tools.publish.errors import PublishError
from tools.publish.wheel import Wheel


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
        The branch of the sources, for a release its tag; the branch that the notebooks are pushed
        to.
    site, url
        The public address of all editions, and the one of this book, with a slash at the end: for
        a release its edition, which does not move, and else the latest edition.
    version
        The version in ``pyproject.toml``.
    chapters
        The chapters' page names in the order of the table of contents, e.g. ``part/slug``.
    bibliography
        The BibTeX files.
    wheel
        The library of the release; None between two releases.
    """

    root: Path
    book: Path
    repository: str
    branch: str
    notebooks_branch: str
    site: str
    url: str
    version: str
    chapters: tuple[str, ...]
    bibliography: tuple[Path, ...]
    wheel: Wheel | None = None

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
            url = sphinx["html_baseurl"].rstrip("/") + "/"
            chapters = tuple(filter(is_chapter, read_toc(root)))
            _check_slugs(chapters)
            return cls(
                root=root,
                book=book,
                repository=config["repository"]["url"].rstrip("/"),
                branch=config["repository"]["branch"],
                notebooks_branch=sphinx["notebooks_branch"],
                site=_site(url),
                url=url,
                version=package["project"]["version"],
                chapters=chapters,
                bibliography=tuple(book / name for name in config["bibtex_bibfiles"]),
            )
        except OSError as error:
            raise PublishError(f"cannot read {error.filename}: {error.strerror}") from error
        except KeyError as error:
            raise PublishError(f"_config.yml or pyproject.toml lacks the key {error}") from error

    @property
    def edition(self) -> str:
        """The name of the edition, e.g. ``v0.1``."""
        return edition_name(self.version)

    def for_release(self, wheel: Path) -> Project:
        """Return the project as it is published: what notebooks point to does not move.

        Raises
        ------
        PublishError
            The wheel is not that of this version.
        """
        known = Wheel.read(wheel, self.version)
        url = f"{self.site}{self.edition}/"
        return replace(self, url=url, branch=self.edition, wheel=known)

    @property
    def library(self) -> str:
        """What pip installs for a notebook of this release, with its hash; else nothing."""
        if self.wheel is None:
            return ""
        assets = f"{self.repository}/releases/download/{self.edition}"
        return f"xai-course @ {assets}/{self.wheel.name}#sha256={self.wheel.sha256}"

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


def _site(url: str) -> str:
    if not url.endswith(f"/{LATEST}/"):
        raise PublishError(f"html_baseurl in _config.yml must end with /{LATEST}/, found {url}")
    return url.removesuffix(f"{LATEST}/")


def _check_slugs(chapters: tuple[str, ...]) -> None:
    slugs = [slug_of(name) for name in chapters]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise PublishError(f"two chapters share the slug {', '.join(twice)}")
