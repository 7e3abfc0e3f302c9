"""`flagbench show`, and how a run is printed."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flagbench.cli.printing import print_json, print_tables
from flagbench.records.pooled_record import read_pooled
from flagbench.records.run_directory import read_run
from flagbench.records.run_record import RunRecord
from flagbench.reports.knowledge_table import knowledge_tables
from flagbench.reports.reading import run_reading
from flagbench.reports.score_table import run_heading, run_tables
from flagbench.reports.window_table import pooled_table, walked_forward, window_tables, windows_line


def show_command(arguments: argparse.Namespace) -> None:
    """Print a run again from its files alone."""
    folder = Path(arguments.run)
    records = read_run(folder)
    if arguments.json:
        pooled = [record.model_dump(mode="json") for record in read_pooled(folder)]
        runs = {"runs": [record.model_dump(mode="json") for record in records]}
        print_json(runs | ({"pooled": pooled} if pooled else {}))
    else:
        print_records(records, folder)


def print_records(records: Sequence[RunRecord], folder: Path) -> None:
    """Heading, tables, and the folder alone on the last line."""
    plain = [record.model_dump(mode="json") for record in records]
    if walked_forward(plain):
        _print_windows(plain, folder)
        return
    tables = run_tables(plain)
    for line in run_heading(plain[0]):
        print(line)
    print_tables([*tables, *knowledge_tables(plain)])
    for line in run_reading(plain):
        print(line)
    print(folder)


def _print_windows(records: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """A row a test window, then all of them pooled; a seed with a window missing is named."""
    pooled = [record.model_dump(mode="json") for record in read_pooled(folder)]
    tables = [*window_tables(records), *pooled_table(pooled), *knowledge_tables(records)]
    for line in (*run_heading(records[0]), windows_line(records)):
        print(line)
    print_tables(tables)
    whole = {record["seed"]: record for record in pooled}
    for seed in sorted({record["seed"] for record in records} - whole.keys()):
        print(f"seed {seed}: not all of its windows are there, so it has no pooled score")
    first = records[0]
    together = [
        {
            **first,
            "seed": seed,
            "scores": {"test": own["test"]},
            "buy_and_hold": {"test": own["buy_and_hold"]},
        }
        for seed, own in whole.items()
    ]
    for line in run_reading(together) if together else ():
        print(line)
    print(folder)
