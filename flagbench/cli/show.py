"""`flagbench show`, and how a run is printed."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flagbench.cli.printing import print_json, print_tables
from flagbench.records.run_directory import read_run
from flagbench.records.run_record import RunRecord
from flagbench.reports.knowledge_table import knowledge_table
from flagbench.reports.reading import run_reading
from flagbench.reports.score_table import TableText, run_heading, run_tables


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
    tables = run_tables(plain)
    for line in run_heading(plain[0]):
        print(line)
    print_tables([*tables, *knowledge_tables(plain)])
    for line in run_reading(plain):
        print(line)
    print(folder)


def knowledge_tables(records: Sequence[Mapping[str, Any]]) -> list[TableText]:
    """What training did to what the language model knows: a row a task and seed, if it was asked."""
    asked = {f"seed {record['seed']}": record["knowledge"] for record in records if record["knowledge"]}
    if not asked:
        return []
    suite = next(iter(asked.values()))["suite"]
    retentions = {heading: knowledge["retention"] for heading, knowledge in asked.items()}
    return [knowledge_table(f"knowledge before and after training, suite {suite}", retentions)]
