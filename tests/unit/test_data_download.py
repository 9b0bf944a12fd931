"""Downloads against a server that fails in every way that a network does."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pooch
import pytest
from data_server import Server

import xai_course
from xai_course.data import DownloadError, fetch
from xai_course.data import download as download_module
from xai_course.data.catalogue import FILES, RemoteFile

BODY = bytes(range(256)) * 2000  # several of the downloader's chunks
SHA = hashlib.sha256(BODY).hexdigest()
SOURCE = str(Path(xai_course.__file__).parents[1])
CHILD = (
    "import sys; from xai_course.data.download import fetch; "
    "print(fetch(sys.argv[1], sys.argv[2], 'file.bin', cache=sys.argv[3], progress=False))"
)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def get(tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "_PAUSE", 0.01)

    def get(urls, **options):
        options = {"timeout": 5.0, "progress": False, "retries": 2} | options
        return fetch(urls, SHA, "file.bin", cache=tmp_path / "cache", **options)

    return get


def start_child(url: str, cache: Path, **options) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url, SHA, str(cache)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def only_file(cache: Path) -> bool:
    return [path.name for path in cache.iterdir()] == ["file.bin"]


def test_downloads_once_and_shows_progress(server, get, tmp_path, capsys):
    url = server.serve("/file", BODY)
    path = get(url, progress=True)
    assert path.read_bytes() == BODY
    assert only_file(tmp_path / "cache")
    assert "100%" in capsys.readouterr().err
    assert get(url) == path
    assert server.hits["/file"] == 1


def test_a_complete_file_needs_no_server(get, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file.bin").write_bytes(BODY)
    assert get("http://127.0.0.1:9/none").read_bytes() == BODY


def test_404_is_final_and_the_message_says_what_to_do(server, get, tmp_path):
    url = server.url("/missing")
    with pytest.raises(DownloadError) as caught:
        get(url, retries=5)
    message = str(caught.value)
    for piece in ("file.bin", url, "HTTP 404", "XAI_COURSE_DATA", str(tmp_path / "cache")):
        assert piece in message
    assert server.hits["/missing"] == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_body_cut_short_is_refused(server, get, tmp_path):
    with pytest.raises(DownloadError, match="broke off early"):
        get(server.cut_short("/file", BODY))
    assert server.hits["/file"] == 2
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_bytes_are_refused_and_both_hashes_named(server, get, tmp_path):
    other = BODY[::-1]
    with pytest.raises(DownloadError) as caught:
        get(server.serve("/file", other))
    assert SHA in str(caught.value)
    assert hashlib.sha256(other).hexdigest() in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stalled_server_is_given_up(server, get, tmp_path):
    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"stalled: nothing came for 0\.3 s"):
        get(server.stall("/file", BODY), timeout=0.3, retries=1)
    assert time.monotonic() - start < 5
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_server_at_all(get):
    with pytest.raises(DownloadError, match="no connection"):
        get("http://127.0.0.1:9/none", retries=1)


@pytest.mark.parametrize("status", [429, 503])
def test_a_passing_failure_is_tried_again(server, get, status):
    assert get(server.fail_first("/file", BODY, status)).read_bytes() == BODY
    assert server.hits["/file"] == 2


def test_the_second_mirror_helps(server, get):
    dead, alive = server.url("/dead"), server.serve("/alive", BODY)
    assert get([dead, alive]).read_bytes() == BODY
    assert (server.hits["/dead"], server.hits["/alive"]) == (1, 1)


def test_a_damaged_cached_file_is_fetched_again(server, get, tmp_path):
    url = server.serve("/file", BODY)
    get(url).write_bytes(BODY[:-1])
    assert get(url).read_bytes() == BODY
    assert server.hits["/file"] == 2


def test_a_damaged_cached_file_is_named_when_the_source_is_gone(server, get, tmp_path):
    get(server.serve("/file", BODY)).write_bytes(b"damaged")
    with pytest.raises(DownloadError) as caught:
        get(server.url("/gone"))
    assert hashlib.sha256(b"damaged").hexdigest() in str(caught.value)


def test_two_processes_at_once(server, tmp_path):
    url = server.serve_together("/file", BODY, 2)
    children = [start_child(url, tmp_path / "cache") for _ in range(2)]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        assert Path(out.strip()).read_bytes() == BODY
    assert server.hits["/file"] == 2
    assert only_file(tmp_path / "cache")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_download_leaves_nothing_under_the_name(server, get, tmp_path):
    cache = tmp_path / "cache"
    child = start_child(server.stall("/file", BODY), cache)
    deadline = time.monotonic() + 60
    while not server.hits["/file"]:
        assert time.monotonic() < deadline, "the download never began"
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert list(cache.iterdir()) == []
    assert get(server.serve("/file", BODY)).read_bytes() == BODY
    assert only_file(cache)


def test_what_others_left_in_the_cache_is_left_alone(server, get, tmp_path):
    other = tmp_path / "cache" / "tmp12345678"
    other.parent.mkdir()
    other.write_bytes(b"another program's")
    os.utime(other, (0, 0))
    get(server.serve("/file", BODY))
    assert other.exists()


def test_a_cache_that_is_no_folder(get, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(DownloadError, match="XAI_COURSE_CACHE") as caught:
        get("http://127.0.0.1:9/none")
    assert str(tmp_path / "cache") in str(caught.value)
    assert (tmp_path / "cache").read_text() == "in the way"


@pytest.fixture
def without_root():
    """Root may write anywhere, so give its rights up for the length of a test."""
    if os.name != "posix":
        pytest.skip("POSIX permissions")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def read_only():
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("inside", ["", "new"])
def test_a_read_only_cache(server, read_only, without_root, inside):
    with pytest.raises(DownloadError, match="Permission denied") as caught:
        fetch(server.serve("/file", BODY), SHA, "file.bin", cache=read_only / inside)
    assert "XAI_COURSE_CACHE" in str(caught.value)
    assert str(read_only / inside) in str(caught.value)
    assert server.hits["/file"] == 0


def test_a_cache_that_may_not_be_entered(server, tmp_path, without_root):
    if os.access(tmp_path, os.X_OK, effective_ids=True):
        pytest.skip("this user may enter")
    with pytest.raises(DownloadError, match="Permission denied"):
        fetch(server.serve("/file", BODY), SHA, "file.bin", cache=tmp_path / "cache")


def test_a_read_only_cache_that_has_the_file(read_only, request):
    (read_only / "file.bin").write_bytes(BODY)
    request.getfixturevalue("without_root")
    path = fetch("http://127.0.0.1:9/none", SHA, "file.bin", cache=read_only)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_file_that_is_gone_is_named_and_the_next_address_is_tried(
    server, get, monkeypatch, tmp_path, variable
):
    gone = str(tmp_path / "gone.pem")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, gone)
    secure = "https://127.0.0.1:9/file"
    assert get([secure, server.serve("/file", BODY)]).read_bytes() == BODY
    (tmp_path / "cache" / "file.bin").unlink()
    with pytest.raises(DownloadError) as caught:
        get([secure, server.url("/missing")])
    message = str(caught.value)
    assert f"certificates are those of {variable}={gone}: mend or unset it" in message
    assert "HTTP 404" in message
    assert "writing to the cache" not in message
    assert message.count(secure) == 1, "another attempt would end alike"


def test_a_certificate_file_that_holds_no_certificate(server, get, monkeypatch, tmp_path):
    (tmp_path / "broken.pem").write_text("no certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "broken.pem"))
    secure = server.url("/file").replace("http:", "https:")
    with pytest.raises(DownloadError, match="mend or unset it") as caught:
        get(secure, retries=1)
    assert "broken.pem" in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense", "http://", "http://a b/", "ftp://127.0.0.1/x"])
def test_an_address_that_is_none_does_not_stop_the_next(server, get, address):
    with pytest.raises(DownloadError, match="no connection"):
        get(address)
    assert get([address, server.serve("/file", BODY)]).read_bytes() == BODY


def test_a_proxy_of_an_unknown_kind_is_an_error_of_the_address(server, get, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "strange://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(DownloadError, match="no connection"):
        get(server.serve("/file", BODY))


@pytest.fixture
def shared():
    """A cache that everybody may write, with a colleague's file that nobody else may read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    (folder / "file.bin").write_bytes(BODY)
    (folder / "file.bin").chmod(0)
    yield folder
    shutil.rmtree(folder)


def test_an_unreadable_cached_file_is_fetched_again(server, shared, without_root):
    if os.access(shared / "file.bin", os.R_OK, effective_ids=True):
        pytest.skip("this user may read everything")
    path = fetch(server.serve("/file", BODY), SHA, "file.bin", cache=shared, progress=False)
    assert path.read_bytes() == BODY
    assert path.stat().st_mode & 0o444 == 0o444, "the next user may read it"


def test_an_unreadable_cached_file_is_named_where_there_is_no_other(shared, without_root):
    with pytest.raises(DownloadError) as caught:
        fetch("http://127.0.0.1:9/x", SHA, "file.bin", cache=shared, progress=False, retries=1)
    assert f"{shared / 'file.bin'}: can't be read: Permission denied" in str(caught.value)
    assert "XAI_COURSE_DATA" in str(caught.value)


def test_an_unreadable_file_that_may_not_be_replaced(server, shared, request):
    if os.geteuid() != 0:
        pytest.skip("needs two users")
    shared.chmod(0o1777)  # as /tmp is: only the owner may replace a file
    request.getfixturevalue("without_root")
    with pytest.raises(DownloadError, match="XAI_COURSE_CACHE") as caught:
        fetch(server.serve("/file", BODY), SHA, "file.bin", cache=shared, progress=False)
    assert "can't be read: Permission denied" in str(caught.value)
    assert [path.name for path in shared.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("closed", ["folder", "file"])
def test_a_readers_folder_or_file_that_is_closed(closed, shared, monkeypatch, request, tmp_path):
    monkeypatch.setitem(FILES, "file.bin", RemoteFile(SHA))
    monkeypatch.setenv("XAI_COURSE_DATA", str(shared))
    if closed == "folder":
        shared.chmod(0o700)
    request.getfixturevalue("without_root")
    if os.access(shared / "file.bin", os.R_OK, effective_ids=True):
        pytest.skip("this user may read everything")
    with pytest.raises(DownloadError, match="Permission denied") as caught:
        download_module.find_file("file.bin", tmp_path)
    assert str(shared) in str(caught.value)


def test_a_folder_in_the_place_of_the_file(server, get, tmp_path):
    (tmp_path / "cache" / "file.bin").mkdir(parents=True)
    with pytest.raises(DownloadError, match="can't be read: Is a directory"):
        get(server.serve("/file", BODY))


def test_a_full_disk_leaves_nothing_half_written(server, get, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)  # the disk says so when the draft has been written
    with pytest.raises(DownloadError, match="No space left") as caught:
        get(server.serve("/file", BODY))
    assert "XAI_COURSE_CACHE" in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], SHA, "file"), "at least one address"),
        (("http://127.0.0.1/x", "abc", "file"), "64 lower-case"),
        (("http://127.0.0.1/x", SHA, "../file"), "without a folder"),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        fetch(*arguments, cache=tmp_path)


def test_the_error_survives_a_worker_process():
    error = DownloadError("a file", ["here", "there"], "look again")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - how multiprocessing hands it over
    assert str(copy) == str(error)
    assert isinstance(copy, OSError)


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_COURSE_CACHE", str(tmp_path / "a"))
    assert download_module.cache_folder() == tmp_path / "a"
    assert download_module.cache_folder(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("XAI_COURSE_CACHE")
    assert download_module.cache_folder() == Path(pooch.os_cache("xai-course"))


def test_find_file_prefers_the_readers_folder(monkeypatch, tmp_path):
    monkeypatch.setitem(FILES, "file.bin", RemoteFile(SHA))
    home, cache = tmp_path / "home", tmp_path / "cache"
    for folder in (home, cache):
        folder.mkdir()
        (folder / "file.bin").write_bytes(BODY)
    monkeypatch.setenv("XAI_COURSE_DATA", str(home))
    assert download_module.find_file("file.bin", cache)[0] == home / "file.bin"
    (home / "file.bin").unlink()
    assert download_module.find_file("file.bin", cache)[0] == cache / "file.bin"
    (cache / "file.bin").write_bytes(b"x")
    path, tried = download_module.find_file("file.bin", cache)
    assert path is None
    assert SHA in tried[-1]
    (home / "file.bin").write_bytes(b"y")
    with pytest.raises(DownloadError) as caught:
        download_module.find_file("file.bin", cache)
    assert SHA in str(caught.value)
    assert hashlib.sha256(b"y").hexdigest() in str(caught.value)
    assert (home / "file.bin").read_bytes() == b"y"
    monkeypatch.setenv("XAI_COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DownloadError, match="not a folder"):
        download_module.find_file("file.bin", cache)


def test_the_registry_is_well_formed():
    for name, remote in FILES.items():
        assert len(remote.sha256) == 64, name
        assert set(remote.sha256) <= set("0123456789abcdef"), name
        assert all(url.startswith(("https://", "http://")) for url in remote.urls), name
