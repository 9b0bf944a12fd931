"""A file is replaced whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from xai_course._files import replace_file


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
from xai_course._files import replace_file
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
