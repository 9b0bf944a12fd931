"""A file is replaced whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from xai_course._storage import (
    DamagedFileError,
    load_arrays,
    replace_file,
    save_arrays,
)


def test_a_new_file_and_an_old_one(tmp_path):
    path = tmp_path / "a.bin"
    for content in (b"\x00first", b"", b"third\n"):
        replace_file(path, content)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("module", "function", "number"),
    [(os, "fsync", 28), (os, "replace", 13), (os, "chmod", 1)],
    ids=["full disk", "unwritable folder", "foreign file"],
)
def test_whatever_goes_wrong_the_old_file_stays(tmp_path, monkeypatch, module, function, number):
    path = tmp_path / "a.bin"
    replace_file(path, b"old")

    def fails(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, function, fails)
    with pytest.raises(OSError, match=os.strerror(number)):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_no_draft(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_the_content_is_on_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=real: (calls.append(n), f(*a))[1])
    replace_file(tmp_path / "a.bin", b"new")
    assert calls == ["fsync", "replace"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        replace_file(tmp_path / "missing" / "a.bin", b"new")


SCRIPT = """
import os, sys, time
from pathlib import Path
from xai_course._storage import (
    DamagedFileError,
    load_arrays,
    replace_file,
    save_arrays,
)
def slow(descriptor):
    print("ready", flush=True)
    time.sleep(600)
os.fsync = slow
replace_file(Path(sys.argv[1]), b"new")
"""


def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    replace_file(path, b"old")
    arguments = [sys.executable, "-c", SCRIPT, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    replace_file(path, b"newer")  # the draft of the dead process is in nobody's way
    assert path.read_bytes() == b"newer"


def test_two_writers_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "a.bin"
    contents = [bytes([k]) * 10_000 for k in range(2)]
    found, wrong = set(contents), []

    def write(content: bytes, path: Path) -> None:
        for _ in range(50):
            replace_file(path, content)
            if path.read_bytes() not in found:
                wrong.append(content[:1])

    threads = [threading.Thread(target=write, args=(content, path)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert list(tmp_path.iterdir()) == [path]


# Arrays with a record


def example():
    return {"a": np.arange(6.0).reshape(2, 3), "b": np.array([1, 2], dtype=np.uint8)}, {"n": 1}


def test_arrays_and_record_come_back(tmp_path):
    arrays, record = example()
    save_arrays(tmp_path / "x", "example 1", arrays | {"a": arrays["a"].T}, record)
    found, log = load_arrays(tmp_path / "x", "example 1")
    np.testing.assert_array_equal(found["a"], arrays["a"].T)
    assert found["b"].dtype == np.uint8
    assert log == record


def test_equal_content_gives_equal_bytes(tmp_path):
    for name in ("x", "y"):
        save_arrays(tmp_path / name, "example 1", *example())
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_every_damaged_bit_is_found(tmp_path):
    path = tmp_path / "x"
    save_arrays(path, "example 1", *example())
    content = path.read_bytes()
    arrays, record = example()
    for position in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                found, log = load_arrays(path, "example 1")
            except DamagedFileError:
                continue
            # What was not noticed must have changed nothing (white space in the header).
            assert log == record
            assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
            assert all(found[name].dtype == arrays[name].dtype for name in arrays)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"hello, this is no safetensors file"])
def test_another_file_is_no_file_of_arrays(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"cannot be read.*left as it is"):
        load_arrays(tmp_path / "x", "example 1")
    assert (tmp_path / "x").read_bytes() == content


def test_another_kind_is_named(tmp_path):
    save_arrays(tmp_path / "x", "example 1", *example())
    with pytest.raises(DamagedFileError, match="it is a 'example 1', not a 'checkpoint 1'"):
        load_arrays(tmp_path / "x", "checkpoint 1")


def test_a_full_disk_leaves_the_older_file(tmp_path, monkeypatch):
    save_arrays(tmp_path / "x", "example 1", *example())
    before = (tmp_path / "x").read_bytes()

    def full(descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*make room or name another file"):
        save_arrays(tmp_path / "x", "example 1", {}, {})
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]
