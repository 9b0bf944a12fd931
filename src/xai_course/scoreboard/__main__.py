"""``python -m xai_course.scoreboard package.module:function``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xai_course._storage import replace_file
from xai_course.scoreboard.scores import METRICS, brief, published, score, table
from xai_course.scoreboard.subjects import NETWORKS, REFERENCES, load_subjects

ABOUT = """\
Score an attribution method against exact answers.

The method is a function of a torch module, inputs (n_rows, ...), a baseline (...) and targets
(n_rows,), all tensors; it returns one number per input. Its row is printed among the published
ones: the mean over networks, one column per exact answer, best first."""


def main(arguments: list[str] | None = None) -> int:
    """Score a method and print its row among the others; return an exit status."""
    parser = argparse.ArgumentParser("python -m xai_course.scoreboard", description=ABOUT)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("method", nargs="?", metavar="package.module:function")
    parser.add_argument("--list", action="store_true", help="name the references and the networks")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, metavar="NAME")
    parser.add_argument("--metric", choices=METRICS, default="rank_correlation")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores")
    options = parser.parse_args(arguments)
    if options.list:
        print(listing())
        return 0
    if not options.method:
        parser.error("name a method, as package.module:function, or ask for --list")
    try:
        explain, published_ones = find(options.method), published()
        subjects = load_subjects(options.networks)
        if options.json and (options.json.is_dir() or not options.json.parent.is_dir()):
            raise ValueError(f"{options.json} names no file in a folder that exists")
    except (OSError, ValueError) as error:
        print(f"{options.method}: {error}", file=sys.stderr)
        return 1
    scores = score(explain, subjects)
    print(table({**published_ones, options.method: scores}, options.method, options.metric))
    failed = {name: found["error"] for name, found in scores.items() if "error" in found}
    for name, reason in failed.items():
        print(f"{options.method} has no score on {name}: {reason}", file=sys.stderr)
    if options.json:
        record = {"method": options.method, "scores": scores}
        replace_file(options.json, (json.dumps(record, indent=1) + "\n").encode())
    return int(len(failed) == len(scores))


def find(name: str) -> Callable[..., Any]:
    """Return the function of this name.

    Raises
    ------
    ValueError
        If there is none; the message says what is missing.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ValueError("write package.module:function, with a colon before the function")
    if os.getcwd() not in sys.path:  # as for python -m of a module in this folder
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does when it is imported
        raise ValueError(f"{module_name} cannot be imported: {brief(error)}") from error
    if not hasattr(module, function_name):
        raise ValueError(f"{module_name} has no {function_name}")
    function = getattr(module, function_name)
    if not callable(function):
        raise ValueError(f"{function_name} is no function but {type(function).__name__}")
    return function


def listing() -> str:
    """Return the references and the networks with what they are."""
    lines = ["The exact answers, and the question that each one answers:"]
    lines += [f"  {name:<24}{question}" for name, question in REFERENCES.items()]
    lines += ["The networks:"]
    lines += [f"  {name:<24}{about}" for name, about in NETWORKS.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
