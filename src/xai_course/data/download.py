"""Files from the reader's folder, the cache or the web: complete and checked, or not there."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

__all__ = [
    "REGISTRY",
    "DownloadError",
    "RemoteFile",
    "cache_folder",
    "data_folder",
    "fetch",
    "find_file",
]

_STALE = 24 * 3600  # seconds; no download takes a day, so an older temporary file is a dead one


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


@dataclass(frozen=True)
class RemoteFile:
    """A file's SHA-256 and its public addresses, tried in turn; none means the user supplies it."""

    sha256: str
    urls: tuple[str, ...] = ()


def _fashion(name: str, sha256: str) -> RemoteFile:
    return RemoteFile(
        sha256,
        (
            f"https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/{name}",
            f"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{name}",
        ),
    )


REGISTRY: dict[str, RemoteFile] = {
    # Prepared files: put them in the folder that XAI_COURSE_DATA names.
    "fashion_mnist.npz": RemoteFile(
        "5b6d2c4c694a91887af8ab7d039c04f80af3c29378d731c93a538d2e831aa469"
    ),
    "mnist.npz": RemoteFile("06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"),
    "heloc_dataset_v1.csv.gz": RemoteFile(
        "e74c24c2810396313f41f430e849e92d299308008bc128dea20f8add4a958f6b"
    ),
    "california_housing.csv.gz": RemoteFile(
        "642053bb90f69c5c2d2c5c8733481383d80c045f0731a0dd9a1cc21fb2299fb1"
    ),
    "hmeq.csv.gz": RemoteFile("5ec7ab105feff4dd44775c85448c5cb3d10f216208e0fbdab00eacfe34d92008"),
    "hmda_boston.csv.gz": RemoteFile(
        "12c6acf8bc5c7fb9a518b3ff6f71427a237ebbbea487f784bef89df4bf3ae18d"
    ),
    "hmda_2018_sample.csv.gz": RemoteFile(
        "3dea1ab6c1243eabec3681902663fa6bb34a1f9e230fe9530b0de41d0fb958ae"
    ),
    "taiwan_credit_default.csv.gz": RemoteFile(
        "a24b0b470631102a62b8f221e2019124f5c2514fa9eb4407b214df108c9b37a4"
    ),
    "german_credit.csv.gz": RemoteFile(
        "584993877329142e1150e2c142888cfa16f653fab34b77d63c10ae82774c5a17"
    ),
    "esnli_dev_test.csv.gz": RemoteFile(
        "44cbff2ea8ce1eec61e65c2976921b8585fda37ae2bae01d66d7d5f4a48b7708"
    ),
    "sms_spam.csv.gz": RemoteFile(
        "1ce574c8810de885a6593e207826ab6149a2217635893eeff7ace4cbdbadea21"
    ),
    "rt_polarity.csv.gz": RemoteFile(
        "d25b3ef1013d30831f6d7e6d4aa2035dcb6d2c86ed6f306bcb32ed0d34f0730a"
    ),
    # Public originals.
    "train-images-idx3-ubyte.gz": _fashion(
        "train-images-idx3-ubyte.gz",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "train-labels-idx1-ubyte.gz": _fashion(
        "train-labels-idx1-ubyte.gz",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "t10k-images-idx3-ubyte.gz": _fashion(
        "t10k-images-idx3-ubyte.gz",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "t10k-labels-idx1-ubyte.gz": _fashion(
        "t10k-labels-idx1-ubyte.gz",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    # The archive that scikit-learn reads California housing from.
    "cal_housing.tgz": RemoteFile(
        "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681",
        ("https://ndownloader.figshare.com/files/5976036",),
    ),
}


def data_folder() -> Path | None:
    """Return the folder that ``XAI_COURSE_DATA`` names, or None where it is not set.

    Raises
    ------
    DownloadError
        If the variable names something that is not a folder.
    """
    value = os.environ.get("XAI_COURSE_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise DownloadError(
            "the data folder",
            [f"XAI_COURSE_DATA={value}: not a folder"],
            "set XAI_COURSE_DATA to an existing folder, or unset it.",
        )
    return folder


def cache_folder(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return the cache: `data_home`, else ``XAI_COURSE_CACHE``, else the system's folder."""
    chosen = data_home or os.environ.get("XAI_COURSE_CACHE") or pooch.os_cache("xai-course")
    return Path(chosen).expanduser().absolute()


def find_file(name: str, cache: Path) -> tuple[Path | None, list[str]]:
    """Look for a file of `REGISTRY` in ``XAI_COURSE_DATA``, then in the cache; download nothing.

    Returns
    -------
    path : Path or None
        The file, its SHA-256 checked; None if it is in neither place.
    tried : list of str
        What was looked at, for an error message.

    Raises
    ------
    DownloadError
        If the file in ``XAI_COURSE_DATA`` has another SHA-256. That folder is the reader's, so a
        damaged file there is reported and never replaced.
    """
    sha256, tried = REGISTRY[name].sha256, []
    folder = data_folder()
    if folder is None:
        tried.append("XAI_COURSE_DATA: not set")
    elif not (folder / name).is_file():
        tried.append(f"{folder / name}: no such file")
    elif problem := _damage(folder / name, sha256):
        remedy = f"put the right file at {folder / name}, or remove it."
        raise DownloadError(name, [problem], remedy)
    else:
        return folder / name, tried
    path = cache / name
    if not os.path.isfile(path):
        tried.append(f"{path}: no such file")
    elif problem := _damage(path, sha256):
        tried.append(problem)
    else:
        return path, tried
    return None, tried


def fetch(
    urls: str | Sequence[str],
    sha256: str,
    name: str,
    *,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    retries: int = 3,
    backoff: float = 1.0,
) -> Path:
    """Return the path of a file in the cache, downloading it if it is missing or damaged.

    The bytes go to a temporary file beside the target, which takes the name only once its SHA-256
    is right. So an interrupted download leaves nothing under the name, and several processes may
    fetch the same file at once.

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
    backoff : float
        Seconds before the second attempt; the pause doubles with each further one.

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
    folder = cache_folder(cache)
    path, tried = folder / name, []
    if os.path.isfile(path):  # Path.is_file raises where the folder may not be entered
        problem = _damage(path, sha256)
        if problem is None:
            return path
        tried.append(problem)
    _prepare(folder, name)
    for url in urls:
        downloader = pooch.HTTPDownloader(progressbar=progress, timeout=timeout)
        for attempt in range(retries):
            if attempt:
                time.sleep(backoff * 2 ** (attempt - 1))
            try:
                pooch.retrieve(url, f"sha256:{sha256}", name, folder, downloader=downloader)
                return path
            except requests.RequestException as error:
                tried.append(f"{url}: {_came_back(error, timeout)}")
                if _is_final(error):
                    break
            except ValueError as error:  # what pooch raises for a wrong hash
                tried.append(f"{url}: {_wrong_hash(error, sha256)}")
            except OSError as error:
                raise _not_writable(folder, name, error) from error
    raise DownloadError(
        name,
        tried,
        f"check the connection and try again, or put the file by hand at {path}, or in a folder "
        "that the environment variable XAI_COURSE_DATA names.",
    )


def fetch_registered(name: str, cache: Path, progress: bool = True) -> Path:
    """Fetch a file of `REGISTRY` that has public addresses."""
    remote = REGISTRY[name]
    return fetch(remote.urls, remote.sha256, name, cache=cache, progress=progress)


def _damage(path: Path, sha256: str) -> str | None:
    found = pooch.file_hash(str(path))
    if found == sha256:
        return None
    return f"{path}: damaged or another version: SHA-256 is {found}, expected {sha256}"


def _prepare(folder: Path, name: str) -> None:
    """Make the folder, prove that it can be written, and drop what killed downloads left there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_writable(folder, name, error) from error
    for leftover in folder.glob("tmp????????"):
        # Another process may be faster; then there is nothing left to do.
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _STALE:
                leftover.unlink()


def _not_writable(folder: Path, name: str, error: OSError) -> DownloadError:
    reason = error.strerror or str(error)
    return DownloadError(
        name,
        [f"writing to the cache folder {folder}: {reason}"],
        "free some space or make the folder writable, or set the environment variable "
        "XAI_COURSE_CACHE to another folder.",
    )


def _came_back(error: requests.RequestException, timeout: float) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}".rstrip()
    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text.lower():
        return f"stalled: nothing came for {timeout:g} s"
    if "IncompleteRead" in text:
        return f"the answer broke off early ({text[text.index('IncompleteRead') :].rstrip(')')}))"
    return f"no connection ({type(error).__name__}: {text})"


def _wrong_hash(error: ValueError, sha256: str) -> str:
    digests = [found for found in re.findall(r"[0-9a-f]{64}", str(error)) if found != sha256]
    if not digests:
        return str(error)
    return f"other bytes: SHA-256 is {digests[0]}, expected {sha256}"


def _is_final(error: requests.RequestException) -> bool:
    """Tell whether the server's answer will be the same next time."""
    response = error.response
    return (
        response is not None
        and response.status_code in range(400, 500)
        and (response.status_code not in {408, 429})
    )
