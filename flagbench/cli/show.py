"""`flagbench show`, and how a run is printed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from flagbench.cli.printing import print_json, print_tables
from flagbench.records.run_directory import read_run
from flagbench.records.run_record import RunRecord
from flagbench.reports.score_table import run_heading, run_tables


def show_command(arguments: argparse.Namespace) -> None:
    """Print a run again from its files alone."""
    folder = Path(arguments.run)
    records = read_run(folder)
    if arguments.json:
        print_json({"runs": [record.model_dump(mode="json") for record in records]})
    else:
        print_records(records, folder)


def print_records(records: Sequence[RunRecord], folder: Path) -> None:
    """Heading, both tables, and the folder alone on the last line."""
    plain = [record.model_dump(mode="json") for record in records]
    for line in run_heading(plain[0]):
        print(line)
    print_tables(run_tables(plain))
    print(folder)
