"""Files from the reader's folder, the cache or the web: complete and checked, or not there.

Not taught: it only finds and checks files.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pooch
import requests

from xai_course._storage import replace_file
from xai_course.data.catalogue import FILES

__all__ = ["DownloadError", "cache_folder", "data_folder", "fetch", "find_file", "problem"]

_PAUSE = 1.0  # seconds before the second attempt; doubles with each further one
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # what requests reads


class DownloadError(OSError):
    """A file is missing, damaged or out of reach.

    The message says what was wanted, what was tried with what result, and what to do.

    Parameters
    ----------
    wanted : str
        The file or data set.
    tried : sequence of str
        One line per attempt: where, and what came back.
    remedy : str
        What the reader can do.
    """

    def __init__(self, wanted: str, tried: Sequence[str], remedy: str) -> None:
        self.wanted, self.tried, self.remedy = wanted, list(tried), remedy
        lines = [f"could not get {wanted}.", "Tried:", *(f"  - {line}" for line in self.tried)]
        super().__init__("\n".join([*lines, f"What to do: {remedy}"]))

    def __reduce__(self) -> tuple:
        # OSError would rebuild from the message alone, which breaks in worker processes.
        return type(self), (self.wanted, self.tried, self.remedy)


def data_folder() -> Path | None:
    """Return the folder that ``XAI_COURSE_DATA`` names, or None where it is not set.

    Raises
    ------
    DownloadError
        If the variable names something that is not a folder, or a folder that is closed.
    """
    value = os.environ.get("XAI_COURSE_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    try:
        os.stat(os.path.join(folder, "."))  # which asks for the right to enter, as files in it do
    except OSError as error:
        raise DownloadError(
            "the data folder",
            [f"XAI_COURSE_DATA={value}: not a folder that can be entered: {_system(error)}"],
            "set XAI_COURSE_DATA to an existing folder that you may read, or unset it.",
        ) from error
    return folder


def cache_folder(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache: `data_home`, else ``XAI_COURSE_CACHE``, else the system's folder."""
    chosen = data_home or os.environ.get("XAI_COURSE_CACHE") or pooch.os_cache("xai-course")
    return Path(chosen).expanduser().absolute()


def problem(path: Path, sha256: str) -> str | None:
    """Say why a file can't be used, naming it; None if it is there, readable and complete."""
    try:
        found = pooch.file_hash(str(path))
    except FileNotFoundError:
        return f"{path}: no such file"
    except OSError as error:
        return f"{path}: can't be read: {_system(error)}"
    if found != sha256:
        return f"{path}: damaged or another version: SHA-256 is {found}, expected {sha256}"
    return None


def find_file(name: str, cache: Path) -> tuple[Path | None, list[str]]:
    """Look for a file of the catalogue in ``XAI_COURSE_DATA``, then in the cache; download nothing.

    Returns
    -------
    path : Path or None
        The file, its SHA-256 checked; None if it is in neither place.
    tried : list of str
        What was looked at, for an error message.

    Raises
    ------
    DownloadError
        If the file in ``XAI_COURSE_DATA`` has another SHA-256 or can't be read. That folder is the
        reader's, so such a file is reported and never replaced.
    """
    folder, tried = data_folder(), []
    if folder is None:
        tried.append("XAI_COURSE_DATA: not set")
    elif reason := problem(folder / name, FILES[name].sha256):
        if not reason.endswith("no such file"):
            remedy = f"put the right file, readable, at {folder / name}, or remove it."
            raise DownloadError(name, [reason], remedy)
        tried.append(reason)
    else:
        return folder / name, tried
    if reason := problem(cache / name, FILES[name].sha256):
        return None, [*tried, reason]
    return cache / name, tried


def fetch(
    urls: str | Sequence[str],
    sha256: str,
    name: str,
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    retries: int = 3,
) -> Path:
    """Return the path of a file in the cache, downloading it if it is missing or damaged.

    A file takes the name only once it is complete and its SHA-256 is right. So an interrupted
    download leaves nothing under the name, and several processes may fetch the same file at once.
    The file passes through memory.

    Parameters
    ----------
    urls : str or sequence of str
        Addresses of the same file, tried in turn.
    sha256 : str
        SHA-256 of the complete file, 64 hexadecimal digits.
    name : str
        File name in the cache, without a folder.
    cache : path, optional
        Folder; by default `cache_folder`.
    progress : bool
        Show a progress bar on stderr.
    timeout : float
        Seconds without an answer, or without a further byte, after which an attempt is given up.
    retries : int
        Attempts per address. A lasting refusal such as 404 is not tried again.

    Returns
    -------
    Path
        The complete file.

    Raises
    ------
    DownloadError
        If no address gave the right bytes, or the cache can't be written.
    ValueError
        If `name`, `sha256` or `urls` is not as described.
    """
    urls = [urls] if isinstance(urls, str) else list(urls)
    if not urls:
        raise ValueError("urls must hold at least one address, got none.")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"sha256 must be 64 lower-case hexadecimal digits, got {sha256!r}.")
    if not name or name in {".", ".."} or re.search(r"[/\\]", name):
        raise ValueError(f"name must be a file name without a folder, got {name!r}.")
    path = cache_folder(cache) / name
    reason = problem(path, sha256)
    if reason is None:
        return path
    tried = [reason]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):  # before anything is downloaded for nothing
            pass
        content = _download(urls, sha256, progress, timeout, retries, tried)
        if content is not None:
            replace_file(path, content)
            return path
    except OSError as error:
        raise DownloadError(
            name,
            [*tried, f"writing to the cache folder {path.parent}: {_system(error)}"],
            "free some space or make the folder writable, or set the environment variable "
            "XAI_COURSE_CACHE to another folder.",
        ) from error
    raise DownloadError(
        name,
        tried,
        f"check the connection and try again, or put the file by hand at {path}, or in a folder "
        "that the environment variable XAI_COURSE_DATA names.",
    )


def fetch_registered(name: str, cache: Path) -> Path:
    """Fetch a file of the catalogue that has public addresses."""
    return fetch(FILES[name].urls, FILES[name].sha256, name, cache=cache)


def _download(
    urls: Sequence[str], sha256: str, progress: bool, timeout: float, retries: int, tried: list[str]
) -> bytes | None:
    """Return the first right answer, or None; add to `tried` what went wrong on the way."""
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=timeout)
    for url in urls:
        for attempt in range(retries):
            time.sleep(_PAUSE * 2 ** (attempt - 1) if attempt else 0)
            content = io.BytesIO()  # in memory, so that any error here is the address's
            try:
                downloader(url, content, None)
            except Exception as error:  # of the net, the server, the settings: no list is complete
                tried.append(f"{url}: {_came_back(error, timeout)}")
                if not _may_pass(error):
                    break
            else:
                found = hashlib.sha256(content.getbuffer()).hexdigest()
                if found == sha256:
                    return content.getvalue()
                tried.append(f"{url}: other bytes: SHA-256 is {found}, expected {sha256}")
    return None


def _came_back(error: Exception, timeout: float) -> str:
    text = str(error)
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.Timeout) or "timed out" in text.lower():
        return f"stalled: nothing came for {timeout:g} s"
    if "IncompleteRead" in text:
        return f"the answer broke off early ({text[text.index('IncompleteRead') :].rstrip(')')}))"
    settings = [f"{name}={os.environ[name]}" for name in _CERTIFICATES if os.environ.get(name)]
    if settings and (isinstance(error, requests.exceptions.SSLError) or _is_local(error)):
        text += f"; certificates are those of {settings[0]}: mend or unset it"
    return f"no connection ({type(error).__name__}: {text})"


def _may_pass(error: Exception) -> bool:
    """Tell whether the next attempt may end otherwise."""
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return status >= 500 or status in {408, 429}
    return isinstance(error, requests.RequestException)


def _is_local(error: Exception) -> bool:
    """Tell an error of this machine, such as a certificate file that is gone."""
    return isinstance(error, OSError) and not isinstance(error, requests.RequestException)


def _system(error: OSError) -> str:
    return error.strerror or str(error)
