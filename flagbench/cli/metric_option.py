"""`--metric`, which `run`, `score`, `show`, `compare` and `report` share; `main` reads it for all of them."""

import argparse


def add_metric(parser: argparse.ArgumentParser) -> None:
    """`--metric FILE.py:NAME`, as often as wanted."""
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="FILE.py:NAME",
        help="a metric of your own beside the installed ones",
    )
