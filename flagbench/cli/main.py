"""The `flagbench` command. Only the parser is built here; each command loads what it needs when called.

stdout is data, stderr is talk. Exit 0 when done, 2 for what the user can mend, 130 after Ctrl-C, 1 for a
bug of flagbench.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from flagbench.errors import FlagbenchError
from flagbench.version import __version__

LISTS = ("agents", "assets", "protocols", "metrics")

EPILOG = """\
market data: --data, else FLAGBENCH_DATA, else the user's cache folder; market/<ASSET>/prices.csv below it

examples:
  flagbench run --agent buy-and-hold --asset JNJ --protocol paper
  flagbench run --agent flag --asset TSLA --backbone HuggingFaceTB/SmolLM2-135M-Instruct --seeds 0-4
  flagbench score actions.csv --asset HON --start 2020-10-01 --end 2021-05-05 --json
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors in the words that all others have."""

    def error(self, message: str) -> NoReturn:
        fail(message, hint=f"{self.prog} --help")
        sys.exit(2)


def fail(message: str, *, hint: str = "") -> None:
    """Tell a user on stderr what is wrong and what to do next."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """All commands and flags."""
    parser = _Parser(
        prog="flagbench",
        description="Train and score trading agents; every score is recomputed from actions.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"flagbench {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_run(commands.add_parser("run", help="train an agent and score it on both windows"))
    _add_score(commands.add_parser("score", help="score the actions in a CSV file"))
    listing = commands.add_parser("list", help="list agents, assets, protocols or metrics")
    listing.add_argument("kind", choices=LISTS, help="what to list")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    _add_data(commands.add_parser("data", help="write a market, drawn or real, as files"))
    show = commands.add_parser("show", help="print a run again, from its files alone")
    show.add_argument(
        "run", metavar="RUN", help="a folder that `flagbench run` printed, or a seed's folder in it"
    )
    show.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_market(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--asset", required=True, help="an asset's name, its YAML file, or a CSV of bars")
    parser.add_argument("--data", metavar="SPEC", help="a data folder, or replica[:signal=…,seed=…]")
    parser.add_argument(
        "--periods", type=int, metavar="P", help="periods per year, instead of the calendar's"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", required=True, help="an agent's name, or path/to/file.py:ClassName")
    _add_market(parser)
    parser.add_argument("--protocol", default="standard", help="a protocol's name or YAML file (standard)")
    parser.add_argument("--seeds", default="0", metavar="SEEDS", help="0, 0-4 or 0,2,3 (0)")
    parser.add_argument("--backbone", help="language model: a folder, a hub id, random, or random:FOLDER")
    parser.add_argument("--train", metavar="A:B", help="training window, first and last date")
    parser.add_argument("--test", metavar="A:B", help="test window, first and last date")
    parser.add_argument(
        "--env-steps", type=int, metavar="N", help="training budget over environments and processes"
    )
    parser.add_argument("--num-envs", type=int, metavar="N", help="environments that run in step, a process")
    parser.add_argument("--precision", choices=("auto", "no", "bf16", "fp16"), help="of training (auto)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a param of the agent"
    )
    parser.add_argument("--out", default="runs", metavar="FOLDER", help="where run directories go (runs)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="data_command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    export = actions.add_parser("export", help="write a market in the layout that --data reads")
    _add_market(export)
    export.add_argument("--out", required=True, metavar="FOLDER", help="the data folder to write into")


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("actions", metavar="ACTIONS", help="CSV of date,action: sell, hold, buy or unparsed")
    _add_market(parser)
    parser.add_argument("--start", help="first date of the window (the asset's test window)")
    parser.add_argument("--end", help="last date of the window")
    parser.add_argument("--protocol", default="standard", help="a protocol's name or YAML file (standard)")
    parser.add_argument(
        "--scoring",
        choices=("investorbench",),
        help="InvestorBench's convention instead of a protocol: fills at the close just seen, no costs; "
        "the CSV may hold date,position with -1, 0 or 1",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _call(arguments: argparse.Namespace) -> None:
    # Heavy modules load here and not before. OpenMP reads its waiting policy once, when torch loads it:
    # threads that spin while they wait made a busy two-core machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if arguments.command == "run":
        from flagbench.cli.run import run_command

        run_command(arguments)
    elif arguments.command == "score":
        from flagbench.cli.score import score_command

        score_command(arguments)
    elif arguments.command == "list":
        from flagbench.cli.listing import list_command

        list_command(arguments)
    elif arguments.command == "data":
        from flagbench.cli.data import data_command

        data_command(arguments)
    else:
        from flagbench.cli.show import show_command

        show_command(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        the exit status.
    """
    try:
        arguments = build_parser().parse_args(argv)
        _call(arguments)
        sys.stdout.flush()
    except FlagbenchError as error:
        if os.environ.get("FLAGBENCH_TRACEBACK"):
            raise
        fail(error.message, hint=error.hint)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the seed in progress was not written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe has left; the interpreter's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
