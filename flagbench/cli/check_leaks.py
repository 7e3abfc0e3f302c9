"""`flagbench check-leaks`."""

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from flagbench.leaks.finding import Finding
    from flagbench.leaks.subject import Subject
    from flagbench.market.market import Market

DEFAULT_STEPS = 1024
"""A budget that shows what a training reads; what it earns is another question. A battery trains 23 times."""


def add_check_leaks(parser: argparse.ArgumentParser) -> None:
    """Its flags."""
    parser.add_argument("agent", metavar="AGENT", help="an agent's name, or path/to/file.py:ClassName")
    parser.add_argument("--asset", required=True, help="an asset's name, its YAML file, or a CSV of bars")
    parser.add_argument("--data", metavar="SPEC", help="a data folder, or replica[:signal=…,seed=…]")
    parser.add_argument(
        "--no-replica", action="store_true", help="stop where there are no prices; draw no replica of them"
    )
    parser.add_argument("--protocol", default="standard", help="a protocol's name or YAML file (standard)")
    parser.add_argument("--seeds", default="0", metavar="SEEDS", help="0, 0-4 or 0,2,3 (0)")
    parser.add_argument("--train", metavar="A:B", help="training window, first and last date")
    parser.add_argument("--test", metavar="A:B", help="test window, first and last date")
    parser.add_argument(
        "--env-steps",
        type=int,
        default=DEFAULT_STEPS,
        metavar="N",
        help=f"budget of each training ({DEFAULT_STEPS})",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a param of the agent"
    )
    parser.add_argument("--backbone", help="language model, of an agent that has one")
    parser.add_argument(
        "--cut-off", metavar="DATE", help="the last date of what the backbone has read, where it is known"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def check_leaks_command(arguments: argparse.Namespace) -> int:
    """Run the battery and print a line a test.

    Returns:
        1 if a test failed.
    """
    from flagbench.cli.printing import print_json, print_tables
    from flagbench.cli.seeds import parse_seeds
    from flagbench.leaks.battery import check_leaks

    seeds, cut_off = parse_seeds(arguments.seeds), _date(arguments.cut_off)
    subject = _subject(arguments)
    findings = check_leaks(subject, seeds, cut_off=cut_off, say=_say)
    passed = all(finding.passed is not False for finding in findings.values())
    if arguments.json:
        tests = {name: finding.to_json() for name, finding in findings.items()}
        print_json({"passed": passed, "tests": tests})
    else:
        print_tables([_table(subject, seeds, findings)])
    return int(not passed)


def _subject(arguments: argparse.Namespace) -> "Subject":
    from flagbench.cli.stand_in import check_replica, warn_of_stand_in
    from flagbench.errors import ConfigError
    from flagbench.leaks.subject import prepare
    from flagbench.market.loading import resolve_market
    from flagbench.market.period import Period
    from flagbench.trading.protocol import load_protocol

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("a battery runs in one process", hint="start it without torchrun")
    market = resolve_market(
        arguments.asset,
        data=arguments.data,
        train=Period.parse(arguments.train) if arguments.train else None,
        test=Period.parse(arguments.test) if arguments.test else None,
        fallback=not arguments.no_replica,
    )
    check_replica(market, refused=arguments.no_replica)
    warn_of_stand_in(market)
    return prepare(
        arguments.agent,
        market,
        load_protocol(arguments.protocol),
        settings=arguments.set,
        backbone=arguments.backbone,
        env_steps=arguments.env_steps,
        watched=_true_files(arguments.asset, arguments.data, market),
    )


def _true_files(asset: str, data: str | None, market: "Market") -> list[str]:
    """Where the true market can be read: its own files in every folder that flagbench would look in."""
    from pathlib import Path

    from flagbench.market.loading import cache_folder

    if asset.endswith(".csv"):
        return [str(Path(asset).absolute())]
    named = (data, os.environ.get("FLAGBENCH_DATA"))
    folders = [cache_folder(), *(Path(each) for each in named if each)]
    own = market.asset.files
    files = [market.asset.id, *(each for each in (own.prices, own.investorbench, own.text) if each)]
    return [str((folder / "market" / file).absolute()) for folder in folders for file in files]


def _say(line: str) -> None:
    """A line that the next one writes over, for who sits at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _date(text: str | None) -> "date | None":
    from datetime import date

    from flagbench.errors import ConfigError

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"`--cut-off {text}` is no ISO date", hint="write 2023-12-31") from None


def _table(subject: "Subject", seeds: tuple[int, ...], findings: "dict[str, Finding]") -> Any:
    from flagbench.reports.score_table import TableText

    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    verdicts = {True: "pass", False: "FAIL", None: "–"}
    rows = [
        [name.replace("_", " "), verdicts[finding.passed], _figures(finding), finding.explanation]
        for name, finding in findings.items()
    ]
    numbers = ", ".join(map(str, seeds))
    title = f"{subject.agent} on {subject.market.label}, protocol {subject.protocol.id}, seeds {numbers}"
    return TableText(title, ["test", "verdict", "figure", "what it says"], rows, [], numeric=False)


def _figures(finding: "Finding") -> str:
    values = finding.to_json()["figure"].items()
    return ", ".join(f"{name.replace('_', ' ')} {_written(value)}" for name, value in values)


def _written(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
