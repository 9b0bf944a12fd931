"""`make env`: a missing tool is named with its fix, and what is there is not installed twice."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "setup_environment.py"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Return the tool, working in an empty copy, with every call of pip recorded."""
    spec = importlib.util.spec_from_file_location("setup_environment", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "MARK", tmp_path / ".venv" / "complete")
    for name in module.SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    module.calls = []
    monkeypatch.setattr(module, "pip_install", lambda arguments: module.calls.append(arguments))
    return module


def make_interpreter(tool):
    """Pretend that the environment's interpreter is there, which saves seconds."""
    tool.python().parent.mkdir(parents=True, exist_ok=True)
    tool.python().touch()


def test_old_python_is_named_with_the_fix(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, "MINIMUM", (99, 0))
    assert tool.main() == 1
    said = capsys.readouterr().err
    assert "Python 99.0 or newer is needed" in said
    assert "make book PYTHON=" in said
    assert not tool.VENV.exists()


def test_missing_venv_module_is_named_with_the_fix(tool, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert tool.main() == 1
    assert "apt-get install python3-venv" in capsys.readouterr().err


def test_second_run_installs_nothing(tool):
    make_interpreter(tool)
    assert tool.main() == 0
    assert [arguments[-1] for arguments in tool.calls] == ["constraints/lock.txt", "."]
    assert tool.main() == 0
    assert len(tool.calls) == 2


@pytest.mark.parametrize("name", ["constraints/lock.txt", "pyproject.toml"])
def test_a_changed_pin_installs_again(tool, name):
    make_interpreter(tool)
    tool.main()
    (tool.ROOT / name).write_text("two")
    assert tool.main() == 0
    assert len(tool.calls) == 4


def test_a_failed_install_is_not_marked_complete(tool, monkeypatch, capsys):
    make_interpreter(tool)
    monkeypatch.setattr(tool, "pip_install", lambda arguments: 1)
    assert tool.main() == 1
    assert "run the same command again" in capsys.readouterr().err
    assert not tool.MARK.exists()


def test_an_interrupted_upgrade_is_not_marked_complete(tool, monkeypatch):
    make_interpreter(tool)
    tool.main()
    (tool.ROOT / "pyproject.toml").write_text("two")

    def killed(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, "pip_install", killed)
    with pytest.raises(KeyboardInterrupt):
        tool.main()
    assert not tool.MARK.exists()
