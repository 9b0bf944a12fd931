"""Loading by name: what comes with the environment, what the reader supplies, what is fetched."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import runpy
import sys
import urllib.request
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from data_server import Server

from xai_course import data
from xai_course.data import DownloadError, loaders
from xai_course.data.catalogue import FILES, SETS, RemoteFile

REPOSITORY = Path(__file__).parents[2]
ORIGINALS = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
REAL = os.environ.get("XAI_COURSE_DATA")
SUBSET = REPOSITORY / "src" / "xai_course" / "data" / "fashion_mnist_subset.npz"
HOUSES = SUBSET.with_name("california_housing_subset.csv.gz")
BUNDLED = [name for name, spec in SETS.items() if spec.reader not in {"table", ""}]
ON_FILE = [name for name, spec in SETS.items() if spec.reader == "table"]
TEXTS = [name for name, spec in SETS.items() if not spec.reader]


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No data folder, an empty cache, no OpenML; returns the cache."""

    def offline(**options):
        raise OSError("the test allows no network")

    monkeypatch.delenv("XAI_COURSE_DATA", raising=False)
    monkeypatch.setenv("XAI_COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    return tmp_path


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def real(monkeypatch, tmp_path):
    if not REAL:
        pytest.skip("XAI_COURSE_DATA is not set")
    monkeypatch.setenv("XAI_COURSE_CACHE", str(tmp_path))


def small_frame(name: str, rows: int = 40) -> pd.DataFrame:
    """Random rows with the columns of a set."""
    spec, rng = SETS[name], np.random.default_rng(0)
    columns = {
        column: rng.choice(["a", "b", "none"], rows)
        if column in spec.categorical
        else rng.integers(0, 9, rows).astype(float)
        for column in spec.names
    }
    columns[spec.target] = rng.choice(spec.levels, rows) if spec.levels else rng.normal(size=rows)
    return pd.DataFrame(columns)


# --- what comes with the environment -------------------------------------------------------------


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets(name, alone):
    loaded, row = data.load(name), data.available().loc[name]
    assert loaded.X.shape == (row["rows"], row["columns"])
    assert loaded.X.dtype == np.float64
    assert loaded.y.shape == (row["rows"],)
    assert loaded.y.dtype == (np.int64 if row["task"] == "classification" else np.float64)
    assert loaded.task == row["task"]
    assert len(loaded.feature_names) == loaded.X.shape[1] == len(set(loaded.feature_names))
    assert list(loaded.frame.columns) == loaded.feature_names
    assert np.isfinite(loaded.X).all()
    if loaded.task == "classification":
        assert set(loaded.y) == set(range(len(loaded.target_names)))
    else:
        assert len(loaded.target_names) == 1
    assert loaded.description
    assert loaded.source
    assert loaded.terms
    assert all(type(text) is str for text in [*loaded.feature_names, *loaded.target_names])
    assert name in repr(loaded)
    assert "\n" not in repr(loaded)
    assert list(alone.iterdir()) == [], "a bundled set needs no cache"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "digits"])
def test_images_are_scaled(name):
    loaded = data.load(name)
    assert (loaded.X.min(), loaded.X.max()) == (0.0, 1.0)
    assert np.prod(loaded.image_shape) == loaded.X.shape[1]


def test_breast_cancer_is_scikit_learns():
    loaded, bunch = data.load("breast_cancer"), sklearn.datasets.load_breast_cancer()
    assert np.array_equal(loaded.X, bunch.data)
    # Class 1 is what one tests for; scikit-learn counts the other way round.
    assert np.array_equal(loaded.y, 1 - bunch.target)
    assert loaded.target_names == ["benign", "malignant"] == list(bunch.target_names[::-1])


def test_boston_names_its_flaw():
    loaded = data.load("boston")
    assert "Black" in loaded.description
    # NOX is a fraction, RM counts rooms, B never exceeds 396.9: the names sit on the right columns.
    assert loaded.frame["NOX"].max() < 1
    assert loaded.frame["RM"].between(3, 9).all()
    assert loaded.frame["B"].max() == 396.9


def test_changing_a_loaded_set_leaves_the_next_one_alone():
    first = data.load("fashion_mnist")
    first.X[:] = -1
    assert data.load("fashion_mnist").X.min() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.load("fashion-mnist"), "Did you mean 'fashion_mnist'.*breast_cancer"),
        (lambda: data.load("nothing like it"), "no data set .*Known: "),
        (lambda: data.load("esnli"), "holds texts.*esnli_dev_test.csv.gz.*pandas.read_csv.*e-SNLI"),
        (lambda: data.load("mnist", "test"), "'course', 'full'; got 'test'"),
        (lambda: data.load("iris", subset="course"), "None or 'full'; got 'course'"),
    ],
)
def test_wrong_names(call, message, alone):
    with pytest.raises(ValueError, match=message):
        call()


def test_available_lists_every_set():
    table = data.available()
    assert set(table.index) == {*BUNDLED, *ON_FILE}
    assert list(table.columns) == ["rows", "columns", "task", "comes with", "terms"]
    assert not table.isna().any().any()


# --- splits and cases ----------------------------------------------------------------------------


def test_the_official_split_is_kept():
    fashion = data.load("fashion_mnist")
    X_train, X_test, y_train, y_test = fashion.split(seed=3)
    assert fashion.n_train == len(X_train) == 6000
    assert np.array_equal(X_test, fashion.X[6000:])
    assert np.array_equal(np.r_[y_train, y_test], fashion.y)


def test_the_book_split_is_the_papers_random_permutation():
    circles = data.co_circles()
    expected = sklearn.model_selection.train_test_split(
        circles.X, circles.y, test_size=0.2, random_state=0
    )
    for ours, theirs in zip(circles.split(), expected, strict=True):
        assert np.array_equal(ours, theirs)
    cancer = data.load("breast_cancer")
    assert [len(part) for part in cancer.split_rows()] == [455, 114]
    assert not np.array_equal(cancer.split()[1], cancer.split(seed=1)[1])
    train, test = data.load("diabetes").split_rows(seed=2)
    assert sorted([*train, *test]) == list(range(442))


def test_the_committed_subset_has_its_hash_and_size():
    content = SUBSET.read_bytes()
    assert hashlib.sha256(content).hexdigest() == FILES[SUBSET.name].sha256
    assert len(content) < 4_600_000
    assert "MIT License" in SUBSET.with_name("FASHION_MNIST_LICENSE.txt").read_text("utf-8")


def test_the_subset_is_balanced():
    loaded = data.load("fashion_mnist")
    assert np.bincount(loaded.y[:6000]).tolist() == [600] * 10
    assert np.bincount(loaded.y[6000:]).tolist() == [150] * 10
    assert loaded.target_names[6] == "Shirt"


def test_a_damaged_subset_is_refused(monkeypatch):
    monkeypatch.setitem(FILES, SUBSET.name, RemoteFile("0" * 64))
    with pytest.raises(DownloadError, match="install xai-course again"):
        data.load("fashion_mnist")


def make_subset(folder: Path, output: Path, name: str = "fashion_mnist") -> None:
    tool = REPOSITORY / "tools" / f"make_{name}_subset.py"
    main = runpy.run_path(str(tool))["main"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [tool.name, str(folder), "--output", str(output)])
        main()


def test_the_committed_houses_have_their_hash_and_size(alone):
    content = HOUSES.read_bytes()
    assert hashlib.sha256(content).hexdigest() == FILES[HOUSES.name].sha256
    assert len(content) < 150_000
    assert "public domain" in HOUSES.with_name("CALIFORNIA_HOUSING_LICENSE.txt").read_text("utf-8")
    loaded = data.load("california_housing")
    assert loaded.words is not None
    assert len(set(loaded.words)) == len(loaded.feature_names)
    assert loaded.X[:, 6:].min(axis=0).round().tolist() == [33, -124]
    assert loaded.y.max() == 5.00001


def test_damaged_houses_are_refused(monkeypatch):
    monkeypatch.setitem(FILES, HOUSES.name, RemoteFile("0" * 64))
    with pytest.raises(DownloadError, match="install xai-course again"):
        data.load("california_housing")


def test_the_houses_are_drawn_from_all(real, tmp_path, capsys):
    every, drawn = data.load("california_housing", "full"), data.load("california_housing")
    assert every.X.shape == (20_640, 8)
    rows = np.sort(np.random.default_rng(0).choice(20_640, 2000, replace=False))
    assert np.array_equal(every.X[rows], drawn.X)
    assert np.array_equal(every.y[rows], drawn.y)
    make_subset(Path(REAL), tmp_path / "houses.csv.gz", "california_housing")
    made = (tmp_path / "houses.csv.gz").read_bytes()
    assert gzip.decompress(made) == gzip.decompress(HOUSES.read_bytes())
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:
        assert FILES[HOUSES.name].sha256 in capsys.readouterr().out


def test_the_tool_refuses_what_are_not_all_houses(tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        make_subset(tmp_path, tmp_path / "houses.csv.gz", "california_housing")
    (tmp_path / "california_housing.csv.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(SystemExit, match="damaged or another version"):
        make_subset(tmp_path, tmp_path / "houses.csv.gz", "california_housing")
    assert not (tmp_path / "houses.csv.gz").exists()


def test_the_subset_is_made_from_the_originals(tmp_path, capsys):
    if not ORIGINALS.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    make_subset(ORIGINALS, tmp_path / "subset.npz")
    made, kept = (
        dict(np.load(file, allow_pickle=False)) for file in (tmp_path / "subset.npz", SUBSET)
    )
    assert set(made) == set(kept)
    assert all(np.array_equal(made[name], kept[name]) for name in kept)
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:
        pytest.skip("zlib-ng packs the same arrays into other bytes")
    assert (tmp_path / "subset.npz").read_bytes() == SUBSET.read_bytes()
    assert FILES[SUBSET.name].sha256 in capsys.readouterr().out


def test_the_tool_refuses_what_is_not_the_original(tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        make_subset(tmp_path, tmp_path / "subset.npz")
    original = tmp_path / "train-images-idx3-ubyte.gz"
    original.write_bytes(gzip.compress(b"other"))
    with pytest.raises(SystemExit, match="not the original") as caught:
        make_subset(tmp_path, tmp_path / "subset.npz")
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value)
    original.write_bytes(gzip.compress(b"other")[:-3])
    with pytest.raises(SystemExit, match="not a complete gzip file"):
        make_subset(tmp_path, tmp_path / "subset.npz")
    assert not (tmp_path / "subset.npz").exists()


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def test_read_idx():
    array = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(loaders.read_idx(idx(array)), array)
    with pytest.raises(ValueError, match="incomplete IDX file"):
        loaders.read_idx(idx(array)[:-1])
    with pytest.raises(ValueError, match="not an IDX file"):
        loaders.read_idx(b"\x1f\x8b\x08\x00")


# --- sets that the reader supplies ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*ON_FILE, "california_housing full", "mnist full", "fashion_mnist full"]
)
def test_a_missing_set_says_how_to_get_it(name, alone, monkeypatch):
    monkeypatch.setattr(loaders, "fetch_registered", _no_download)
    with pytest.raises(DownloadError) as caught:
        data.load(*name.split())
    message = str(caught.value)
    assert "XAI_COURSE_DATA" in message
    assert str(alone) in message
    spec, images = SETS[name.split()[0]], "mnist" in name
    assert (f"{spec.name}.npz" if images else spec.file) in message
    if spec.openml:
        assert f"OpenML data set {spec.openml}: OSError: the test allows no network" in message
    if name == "heloc":
        assert "FICO" in message
        assert "community.fico.com" in message


def _no_download(name, cache):
    raise DownloadError(name, ["no network"], "put the file into a folder: XAI_COURSE_DATA.")


@pytest.mark.parametrize("name", ["heloc", "hmeq", "hmda_boston"])
def test_a_plain_csv_in_any_column_order(name, alone, monkeypatch):
    spec = SETS[name]
    monkeypatch.setitem(SETS, name, replace(spec, rows=40))
    frame = small_frame(name)
    plain = alone / spec.file.removesuffix(".gz")
    results = []
    for columns in (list(frame.columns), sorted(frame.columns, reverse=True)):
        frame[columns].to_csv(plain, index=False)
        results.append(data.load(name))
    assert np.array_equal(results[0].X, results[1].X)
    assert np.array_equal(results[0].y, results[1].y)
    expected = frame[spec.target].map({level: i for i, level in enumerate(spec.levels)})
    assert np.array_equal(results[0].y, expected)
    assert list(results[0].frame.columns) == list(spec.names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="LOAN"), "without column.s. LOAN"),
        (lambda f: f.assign(extra=1), "unknown column.s. extra"),
        (lambda f: f.iloc[:-1], "39 rows, expected 40"),
        (lambda f: f.assign(BAD="perhaps"), "BAD holds"),
        (lambda f: f.assign(LOAN="much"), "no numbers in column.s. LOAN"),
    ],
)
def test_a_wrong_csv_is_named(change, message, alone, monkeypatch):
    monkeypatch.setitem(SETS, "hmeq", replace(SETS["hmeq"], rows=40))
    change(small_frame("hmeq")).to_csv(alone / "hmeq.csv", index=False)
    with pytest.raises(DownloadError, match=message):
        data.load("hmeq")


def test_categories_and_missing_values(alone, monkeypatch):
    monkeypatch.setitem(SETS, "hmeq", replace(SETS["hmeq"], rows=3))
    frame = small_frame("hmeq", rows=3).assign(REASON=["b", None, "none"], DEBTINC=[1.0, None, 2.0])
    frame.to_csv(alone / "hmeq.csv", index=False)
    loaded = data.load("hmeq")
    X = pd.DataFrame(loaded.X, columns=loaded.feature_names)
    assert X[["REASON=b", "REASON=none"]].to_numpy().tolist() == [[1, 0], [0, 0], [0, 1]]
    assert X["DEBTINC"].isna().tolist() == [False, True, False]
    assert loaded.frame["REASON"].iloc[2] == "none"


def test_a_damaged_file_of_the_reader_names_both_hashes(alone, monkeypatch, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "heloc_dataset_v1.csv.gz").write_bytes(b"damaged")
    monkeypatch.setenv("XAI_COURSE_DATA", str(folder))
    with pytest.raises(DownloadError) as caught:
        data.load("heloc")
    assert hashlib.sha256(b"damaged").hexdigest() in str(caught.value)
    assert FILES["heloc_dataset_v1.csv.gz"].sha256 in str(caught.value)


def test_a_csv_that_may_not_be_read(alone, monkeypatch):
    def closed(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pd, "read_csv", closed)
    with pytest.raises(DownloadError, match=r"Permission denied.*\n.*mend or remove it"):
        data.load("heloc")


def test_a_plain_csv_that_is_no_text(alone):
    (alone / "hmeq.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DownloadError, match="can't be read as a CSV file"):
        data.load("hmeq")


def test_what_is_written_about_the_sets_fits_together():
    for spec in SETS.values():
        assert spec.reader in {*loaders._READERS, ""}, spec.name
        assert len(spec.names) in {0, spec.columns} or spec.name == "esnli", spec.name
        assert set(spec.categorical) <= set(spec.names)
        if spec.reader in {"table", "course_table", ""}:
            assert spec.file in FILES, spec.name
            assert spec.target
            assert spec.how_to_get
        if spec.openml_names:
            assert len(spec.openml_names) == spec.columns + 1


def test_the_text_sets_are_described(alone):
    assert TEXTS == ["esnli", "sms_spam", "rt_polarity"]
    assert all(SETS[name].file in FILES for name in TEXTS)


def test_boston_is_as_mlxtend_gives_it():
    from mlxtend.data import boston_housing_data

    X, y = boston_housing_data()
    loaded = data.load("boston")
    assert np.array_equal(loaded.X, X)
    assert np.array_equal(loaded.y, y)


def test_mnist_is_sorted_by_digit():
    assert np.array_equal(data.load("mnist").y, np.repeat(np.arange(10), 500))


# --- sets that are fetched -----------------------------------------------------------------------


def test_full_fashion_from_its_originals(alone, server, monkeypatch):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (5, 28, 28)), np.array([0, 9, 3, 3, 6])
    parts = {"train": slice(0, 3), "t10k": slice(3, 5)}
    for part, rows in parts.items():
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name, body = f"{part}-{kind}-ubyte.gz", gzip.compress(idx(array[rows]))
            remote = RemoteFile(hashlib.sha256(body).hexdigest(), (server.serve(f"/{name}", body),))
            monkeypatch.setitem(FILES, name, remote)
    loaded = data.load("fashion_mnist", "full")
    np.testing.assert_allclose(loaded.X * 255, images.reshape(5, 784), atol=1e-9)
    assert np.array_equal(loaded.y, labels)
    assert loaded.n_train == 3


def stub_openml(monkeypatch, frame: pd.DataFrame, target: str) -> list[dict]:
    calls = []

    def fetch_openml(**options):
        calls.append(options)
        return SimpleNamespace(data=frame.drop(columns=target), target=frame[target])

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)
    return calls


def test_full_mnist_from_openml(alone, monkeypatch):
    # A view repeats one row, so that 70,000 rows cost nothing.
    pixels = np.broadcast_to(np.arange(784, dtype=np.uint8), (70_000, 784))
    frame = pd.DataFrame(pixels, columns=[f"pixel{i}" for i in range(1, 785)])
    frame["class"] = pd.Categorical(np.arange(70_000) % 10 + 0, categories=range(10))
    calls = stub_openml(monkeypatch, frame, "class")
    loaded = data.load("mnist", "full")
    assert calls == [{"data_id": 554, "as_frame": True, "parser": "auto", "data_home": str(alone)}]
    assert loaded.X.shape == (70_000, 784)
    assert loaded.n_train == 60_000
    assert loaded.X[1, 255] == 1.0
    assert loaded.y[:12].tolist() == [*range(10), 0, 1]


def test_taiwan_credit_from_openml(alone, monkeypatch):
    spec = SETS["taiwan_credit"]
    frame = pd.DataFrame(
        np.random.default_rng(0).integers(0, 9, (30_000, 23)),
        columns=[f"x{i}" for i in range(1, 24)],
    )
    frame["x2"] = frame["x2"].astype("category")
    frame["y"] = pd.Categorical(np.where(frame["x1"] > 4, "1", "0"))
    calls = stub_openml(monkeypatch, frame, "y")
    loaded = data.load("taiwan_credit")
    assert calls[0]["data_id"] == 42477
    assert loaded.feature_names == list(spec.names)
    assert np.array_equal(loaded.X[:, 0], frame["x1"])
    assert np.array_equal(loaded.y, frame["x1"] > 4)
    stub_openml(monkeypatch, frame.iloc[:-1], "y")
    with pytest.raises(DownloadError, match="29999 x 24, expected 30000 x 24"):
        data.load("taiwan_credit")
    stub_openml(monkeypatch, frame.rename(columns={"x1": "ID"}), "y")
    with pytest.raises(DownloadError, match=r"unknown column.s. ID"):
        data.load("taiwan_credit")


def openml_answers(frame: pd.DataFrame, target: str, address: str) -> dict[str, bytes]:
    """What OpenML's server would send for a table with id 31."""
    features, attributes = [], []
    for number, column in enumerate(frame.columns):
        levels = None if frame[column].dtype.kind == "f" else sorted(frame[column].unique())
        kind = "numeric" if levels is None else "nominal"
        features.append(
            {
                "index": str(number),
                "name": column,
                "data_type": kind,
                "nominal_value": levels or [],
                "is_target": str(column == target).lower(),
                "is_ignore": "false",
                "number_of_missing_values": "0",
                "is_row_identifier": "false",
            }
        )
        values = "NUMERIC" if levels is None else "{" + ",".join(f"'{x}'" for x in levels) + "}"
        attributes.append(f"@ATTRIBUTE {column} {values}")
    rows = [",".join(f"'{x}'" if isinstance(x, str) else str(x) for x in row)
            for row in frame.itertuples(index=False)]  # fmt: skip
    arff = "\n".join(["@RELATION t", *attributes, "@DATA", *rows, ""]).encode()
    description = {
        "id": "31",
        "name": "credit-g",
        "version": "1",
        "format": "ARFF",
        "file_id": "31",
        "status": "active",
        "description": "test",
        "url": f"{address}/data/v1/download/31",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    quality = [{"name": "NumberOfInstances", "value": str(len(frame))}]
    api = "/api/v1/json/data"
    return {
        f"{api}/31": json.dumps({"data_set_description": description}).encode(),
        f"{api}/features/31": json.dumps({"data_features": {"feature": features}}).encode(),
        f"{api}/qualities/31": json.dumps({"data_qualities": {"quality": quality}}).encode(),
        "/data/v1/download/31": arff,
    }


def test_german_credit_through_scikit_learn(monkeypatch, tmp_path, server):
    """The real fetch_openml, its requests sent to this machine."""
    monkeypatch.delenv("XAI_COURSE_DATA", raising=False)
    frame = small_frame("german_credit", rows=1000)
    for path, body in openml_answers(frame, "class", server.url("")).items():
        server.serve(path, body)
    openml, real_open = sys.modules["sklearn.datasets._openml"], urllib.request.urlopen

    def redirected(request, *arguments, **options):
        path = urllib.request.urlparse(request.full_url).path
        return real_open(server.url(path), *arguments, **options)

    monkeypatch.setattr(openml, "urlopen", redirected)
    loaded = data.load("german_credit", data_home=tmp_path)
    frame = frame[[*SETS["german_credit"].names, "class"]]
    pd.testing.assert_frame_equal(
        loaded.frame.astype(object), frame.drop(columns="class").astype(object), check_dtype=False
    )
    assert np.array_equal(loaded.y, frame["class"] == "bad")
    requests = sum(server.hits.values())
    data.load("german_credit", data_home=tmp_path)
    assert sum(server.hits.values()) == requests, "the second time comes from the cache"


# --- the real files, where this machine has them --------------------------------------------------


@pytest.mark.parametrize("name", ON_FILE)
def test_real_tables(name, real):
    loaded, spec = data.load(name), SETS[name]
    assert loaded.frame.shape == (spec.rows, spec.columns)
    assert len(loaded.feature_names) == loaded.X.shape[1]
    assert name == "hmeq" or np.isfinite(loaded.X).all()
    for column in spec.categorical:
        parts = [i for i, f in enumerate(loaded.feature_names) if f.startswith(f"{column}=")]
        assert set(loaded.X[:, parts].sum(axis=1)) <= {0.0, 1.0}
    positives = {"heloc": 5459, "german_credit": 300, "hmda_boston": 285, "taiwan_credit": 6636}
    if name in positives:
        assert loaded.y.sum() == positives[name]


def test_real_heloc_keeps_its_special_codes(real):
    loaded = data.load("heloc")
    assert (loaded.X == -9).all(axis=1).sum() == 588
    assert loaded.target_names == ["Good", "Bad"]


@pytest.mark.parametrize(("name", "mean"), [("fashion_mnist", 0.2860), ("mnist", 0.1307)])
def test_real_images(name, mean, real):
    loaded = data.load(name, "full")
    assert loaded.X.shape == (70_000, 784)
    assert loaded.n_train == 60_000
    assert abs(loaded.X[:60_000].mean() - mean) < 5e-5
    if name == "fashion_mnist":
        assert np.bincount(loaded.y[:60_000]).tolist() == [6000] * 10
        course = data.load(name)
        last = np.flatnonzero(loaded.y[:60_000] == 0)[599]
        assert np.array_equal(course.X[:6000][course.y[:6000] == 0][-1], loaded.X[last])
