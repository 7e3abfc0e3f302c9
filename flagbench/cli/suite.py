"""`flagbench suite`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from flagbench.market.market import Market
    from flagbench.suites.cells import Cell, CellState
    from flagbench.suites.suite import Suite


def add_suite(parser: argparse.ArgumentParser) -> None:
    """The arguments of `flagbench suite`."""
    parser.add_argument("suite", metavar="NAME|FILE", help="a suite's name, or its YAML file")
    parser.add_argument("--plan", action="store_true", help="show what there is to do, and do nothing")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cells at once (1)")
    parser.add_argument(
        "--out", metavar="FOLDER", help="where run directories go; the same again to go on (suites/NAME)"
    )
    parser.add_argument("--env-steps", type=int, metavar="N", help="training budget of every agent")
    parser.add_argument("--seeds", metavar="SEEDS", help="0, 0-4 or 0,2,3, of every agent")
    parser.add_argument("--data", metavar="SPEC", help="a data folder, or replica[:signal=…,seed=…]")
    parser.add_argument(
        "--no-replica", action="store_true", help="stop where there are no prices; draw no replica of them"
    )
    parser.add_argument("--knowledge", metavar="SUITE", help="what language models are asked; none for none")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def suite_command(arguments: argparse.Namespace) -> int:
    """Plan a suite, show the plan, run what is not there, and print the folder last; 1 if a cell failed."""
    from flagbench.suites.cells import plan_cells, state_of
    from flagbench.suites.outlook import remaining
    from flagbench.suites.running import claimed, run_cells

    if arguments.jobs < 1:
        raise ConfigError(f"--jobs {arguments.jobs}: at least one cell is run at once")
    suite = _suite(arguments)
    out = Path(arguments.out or f"suites/{suite.id}")
    cells = plan_cells(suite, out=out, fallback=not arguments.no_replica)
    _look_at([cell.plans[0].market for cell in cells], refuse_replicas=arguments.no_replica)
    states = {cell: state_of(cell) for cell in cells}
    if not arguments.plan:
        todo = remaining(states)
        if not arguments.json:
            _say_outlook(suite, states, jobs=arguments.jobs)
        try:
            with claimed(out, suite.id):
                states |= run_cells(todo, jobs=arguments.jobs, told=_Teller(len(todo)))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "interrupted; finished cells are kept, and the same command goes on with the others"
            ) from None
    bad = [state for state in states.values() if state.state in ("failed", "unreadable")]
    if arguments.json:
        from flagbench.cli.printing import print_json

        print_json(_as_json(suite, out, states))
    else:
        _print_outlook(suite, states, jobs=arguments.jobs)
        _print_end(states)
        if not arguments.plan:
            if any(state.state == "done" for state in states.values()):
                print(f"to compare: flagbench compare {out}")
            print(out)
    return 1 if bad and not arguments.plan else 0


def _suite(arguments: argparse.Namespace) -> "Suite":
    """The suite with what the command line says instead."""
    from flagbench.cli.seeds import parse_seeds
    from flagbench.settings import parse
    from flagbench.suites.suite import Suite, load_suite

    suite = load_suite(arguments.suite)
    given = {
        "env_steps": arguments.env_steps,
        "seeds": parse_seeds(arguments.seeds) if arguments.seeds else None,
        "data": arguments.data,
        "knowledge": arguments.knowledge,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    values = suite.model_dump() | changed
    for agent in values["agents"]:  # what is said for all is said for each
        agent.update({name: None for name in ("env_steps", "seeds") if name in changed})
    return parse(Suite, values, origin="the command line")


def _look_at(markets: Sequence["Market"], *, refuse_replicas: bool) -> None:
    from flagbench.cli.stand_in import check_replica, warn_of_stand_in

    for market in {market.asset.id: market for market in markets}.values():
        check_replica(market, refused=refuse_replicas)
        warn_of_stand_in(market)


class _Teller:
    """A line on stderr for each cell that has ended."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended = 0

    def __call__(self, cell: "Cell", state: "CellState") -> None:
        from flagbench.suites.outlook import duration

        self._ended += 1
        took = "" if state.seconds is None else f" in {duration(state.seconds)}"
        words = f"done{took}" if state.state == "done" else f"{state.state}: {state.reason}"
        print(f"[{self._ended}/{self._total}] {cell}: {words}", file=sys.stderr, flush=True)


def _title(suite: "Suite") -> str:
    return f"suite {suite.id} v{suite.version}, protocol {suite.protocol}: {suite.description}"


def _say_outlook(suite: "Suite", states: "dict[Cell, CellState]", *, jobs: int) -> None:
    """The plan before anything is done, in short: stdout has the table at the end."""
    from flagbench.suites.outlook import outlook_lines

    for line in (_title(suite), *outlook_lines(states, jobs=jobs)):
        print(line, file=sys.stderr, flush=True)


def _print_outlook(suite: "Suite", states: "dict[Cell, CellState]", *, jobs: int) -> None:
    from flagbench.cli.printing import print_tables
    from flagbench.suites.outlook import outlook_lines, outlook_table

    print_tables([outlook_table(_title(suite), states)])
    for line in outlook_lines(states, jobs=jobs):
        print(line)


def _print_end(states: "dict[Cell, CellState]") -> None:
    """What went wrong, and where it is kept."""
    for cell, state in states.items():
        if state.state == "failed":
            print(f"failed: {cell}: {state.reason} ({cell.error_file})")
        elif state.state == "unreadable":
            print(f"unreadable: {cell}: {state.reason}; move {cell.run} away to run it again")


def _as_json(suite: "Suite", out: Path, states: "dict[Cell, CellState]") -> dict[str, Any]:
    from flagbench.suites.outlook import estimate

    expected = estimate(states)
    return {
        "suite": suite.id,
        "folder": str(out),
        "cells": [
            {
                "agent": cell.agent,
                "asset": cell.asset,
                "seed": cell.seed,
                "state": state.state,
                "folder": str(cell.run),
                "seconds": state.seconds,
                "reason": state.reason or None,
            }
            for cell, state in states.items()
        ],
        "estimate": {"seconds": expected.seconds, "unknown": expected.unknown},
    }
