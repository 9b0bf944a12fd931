"""Reproduce the figures and Table 3 of Marton et al. (2022) at full size.

``python reproduce/inet.py figure6`` writes ``inet_figure6.json`` where the book finds it
(`xai_course.book.measured`). ``python reproduce/inet.py train 5`` makes the I-Net for five
variables that comes with the library, and goes before the results. Networks and finished runs stay
in ``reproduce/trained`` and beside the results, so that a stopped run goes on; the minutes in a
result are those of its last call.
"""

from __future__ import annotations

import argparse

# The folder beside this file; Python looks for folders first.
from inet.authors import authors_network
from inet.drift import drift_cost
from inet.fidelity import figure6, figure7, table3
from inet.forgetting import forgetting
from inet.ladder import ladder
from inet.named import drift_named
from inet.nets import lambda_nets
from inet.one_variable import one_variable
from inet.paper import paper_network
from inet.printed import printed
from inet.readers import readers
from inet.runtime import figure5
from inet.streams import drift
from inet.train import train
from inet.uncapped import uncapped
from results import run

from xai_course.inet.moment_net import PRETRAINED

TABLES = {
    "lambda_nets": lambda_nets,
    "one_variable": one_variable,
    "readers": readers,
    "ladder": ladder,
    "paper_network": paper_network,
    "authors_network": authors_network,
    "figure5": figure5,
    "figure6": figure6,
    "figure7": figure7,
    "table3": table3,
    "uncapped": uncapped,
    "printed": printed,
    "drift": drift,
    "drift_cost": drift_cost,
    "drift_named": drift_named,
    "forgetting": forgetting,
}


def main() -> None:
    """Run one table and write its file, or train one I-Net."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="table", required=True)
    for name in TABLES:
        commands.add_parser(name)
    commands.add_parser("train").add_argument("n", type=int, choices=list(PRETRAINED))
    given = parser.parse_args()
    if given.table == "train":
        print(train(given.n))
    else:
        run("inet", given.table, TABLES[given.table])


if __name__ == "__main__":
    main()
