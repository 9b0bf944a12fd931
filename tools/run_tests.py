"""Run everything that proves the project: what `make test` does.

The stages form a small graph. Two run at a time, so that a download or a browser's wait leaves no
core idle; the output of each is printed whole when it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.clean import remove_build  # noqa: E402

PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest", "-q", "--durations=5", "--durations-min=2")
FIRST_CHAPTER = "local-linear-models"
OLDER_COLAB = (PYTHON, "tools/colab_check.py", "--runtime", "3.12")
CORES = 2


@dataclass(frozen=True)
class Stage:
    """A command that must exit with 0, the stages that must have passed, the cores it uses."""

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    cores: int = 1


STAGES = (
    Stage("book", (PYTHON, "tools/build_book.py")),
    Stage("style", (PYTHON, "-m", "ruff", "check", ".")),
    Stage("format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
    Stage("packages", (PYTHON, "-m", "pip", "check")),
    Stage("library", (*PYTEST, "tests/unit", "--doctest-modules", "src")),
    Stage("grading", (*PYTEST, "tests/grading")),
    Stage("notebooks", (PYTHON, "-m", "tools.publish"), ("book",)),
    # Every chapter runs a second time here, as the notebook that readers get and with the versions
    # of Colab's latest runtime; it must print and draw what it printed and drew in the book.
    Stage("colab", (PYTHON, "tools/colab_check.py"), ("notebooks",), cores=2),
    Stage("older colab", (*OLDER_COLAB, "--only", FIRST_CHAPTER), ("notebooks",)),
    Stage("rules", (*PYTEST, "tests/book"), ("notebooks",)),
    Stage("browser", (*PYTEST, "tests/browser"), ("notebooks",)),
    Stage("publish", (*PYTEST, "tests/publish"), ("notebooks",)),
    Stage("build", (*PYTEST, "tests/build"), ("book",)),
)


def main() -> int:
    """Run all stages on an empty `_build` and return an exit status."""
    if not remove_build(ROOT / "_build"):
        return 1
    start = time.perf_counter()
    passed: dict[str, bool] = {}
    waiting = list(STAGES)
    running: dict[Future[tuple[int, str, float]], Stage] = {}
    with ThreadPoolExecutor(max_workers=CORES) as pool:
        while waiting or running:
            for stage in list(waiting):
                if all(passed.get(name) for name in stage.after):
                    if stage.cores + sum(one.cores for one in running.values()) <= CORES:
                        waiting.remove(stage)
                        running[pool.submit(run, stage)] = stage
                elif any(passed.get(name) is False for name in stage.after):
                    waiting.remove(stage)
                    passed[stage.name] = False
                    print(f"\n=== {stage.name}: not run, {' and '.join(stage.after)} failed")
            if not running:
                continue
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                stage = running.pop(future)
                status, output, seconds = future.result()
                passed[stage.name] = status == 0
                verdict = "passed" if status == 0 else f"FAILED (exit {status})"
                print(f"\n=== {stage.name}: {verdict}, {seconds:.0f} s\n{output}", flush=True)
    return report(passed, time.perf_counter() - start)


def run(stage: Stage) -> tuple[int, str, float]:
    """Run one stage; return its exit status, its output and its seconds."""
    start = time.perf_counter()
    result = subprocess.run(
        stage.command,
        cwd=ROOT,
        env=os.environ | {"XAI_COURSE_STRICT": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, time.perf_counter() - start


def report(passed: dict[str, bool], seconds: float) -> int:
    """Print what failed and the closing line; return an exit status."""
    failed = [name for name, good in passed.items() if not good]
    print(f"\n{len(passed)} stages in {seconds / 60:.1f} minutes")
    if failed:
        print(f"failed: {', '.join(failed)}")
    print(f"stages: {len(passed) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
