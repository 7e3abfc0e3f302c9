"""The `flagbench` command. Only the parser is built here; each command loads what it needs when called.

stdout is data, stderr is talk. Exit 0 when done, 2 for what the user can mend, 130 after Ctrl-C, 143 after
SIGTERM, 1 for a check that was asked for and failed, and for a bug of flagbench.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from flagbench.cli.audit import add_audit
from flagbench.cli.check_agent import add_check_agent
from flagbench.cli.check_leaks import add_check_leaks
from flagbench.cli.compare import add_compare
from flagbench.cli.leaderboard import add_leaderboard
from flagbench.cli.metric_option import add_metric
from flagbench.cli.new import add_new
from flagbench.cli.report import add_report
from flagbench.cli.submit import add_submit
from flagbench.cli.suite import add_suite
from flagbench.cli.termination import heard_terminations
from flagbench.errors import FlagbenchError
from flagbench.version import __version__

LISTS = ("agents", "assets", "protocols", "metrics", "knowledge", "suites", "tracks")

GITHUB = "https://raw.githubusercontent.com"

EPILOG = """\
market data: --data, else FLAGBENCH_DATA, else the user's cache folder; market/<ASSET>/prices.csv below it.
`flagbench data fetch` fills the cache folder; what it does not hold is drawn as a replica, with a warning.

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
    listing = commands.add_parser(
        "list", help="list agents, assets, protocols, metrics, knowledge tasks, suites or tracks"
    )
    listing.add_argument("kind", choices=LISTS, help="what to list")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    _add_data(commands.add_parser("data", help="fetch markets, or write one, drawn or real, as files"))
    _add_knowledge(commands.add_parser("knowledge", help="ask a language model what it knows"))
    _add_backbone(commands.add_parser("backbone", help="make the embedded backbone from nothing"))
    add_check_agent(commands.add_parser("check-agent", help="test an agent on a small drawn market"))
    add_check_leaks(commands.add_parser("check-leaks", help="test whether an agent sees the future"))
    add_audit(commands.add_parser("audit", help="ask what could have given printed results"))
    add_new(commands.add_parser("new", help="write a file to begin with: an agent, asset or protocol"))
    add_compare(commands.add_parser("compare", help="compare runs: intervals, tests, what may share a table"))
    add_report(commands.add_parser("report", help="write runs as one HTML page with figures and tables"))
    add_submit(commands.add_parser("submit", help="submit runs to the leaderboard: prepare, check, hand in"))
    add_leaderboard(commands.add_parser("leaderboard", help="build the board, and train a submission again"))
    add_suite(commands.add_parser("suite", help="run many agents on many assets, as far as not done yet"))
    show = commands.add_parser("show", help="print a run again, from its files alone")
    show.add_argument(
        "run", metavar="RUN", help="a folder that `flagbench run` printed, or a seed's folder in it"
    )
    add_metric(show)
    show.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_market(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--asset", required=True, help="an asset's name, its YAML file, or a CSV of bars")
    parser.add_argument("--data", metavar="SPEC", help="a data folder, or replica[:signal=…,seed=…]")
    parser.add_argument(
        "--no-replica", action="store_true", help="stop where there are no prices; draw no replica of them"
    )
    parser.add_argument(
        "--periods", type=int, metavar="P", help="periods per year, instead of the calendar's"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--agent", required=True, help="an agent's name, or path/to/file.py:ClassName")
    _add_market(parser)
    parser.add_argument("--protocol", default="standard", help="a protocol's name or YAML file (standard)")
    parser.add_argument("--seeds", default="0", metavar="SEEDS", help="0, 0-4 or 0,2,3 (0)")
    parser.add_argument(
        "--backbone", help="language model: embedded, a folder, a hub id, random, or random:FOLDER (embedded)"
    )
    parser.add_argument(
        "--knowledge",
        default="basics",
        metavar="SUITE",
        help="what a language model is asked before and after: none, basics, finance, control, all (basics)",
    )
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
    add_metric(parser)
    parser.add_argument(
        "--track",
        action="append",
        default=[],
        metavar="NAME",
        help="pass training figures on to tensorboard, wandb, mlflow or trackio",
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
    fetch = actions.add_parser("fetch", help="get the markets of assets from the public files they name")
    fetch.add_argument("assets", nargs="*", metavar="ASSET", help="an asset's name or its YAML file")
    fetch.add_argument("--all", action="store_true", help="every installed asset")
    fetch.add_argument("--from", dest="base_url", metavar="URL", default=GITHUB, help=f"a mirror of {GITHUB}")
    fetch.add_argument("--out", metavar="FOLDER", help="the data folder to write into (the cache folder)")


def _add_knowledge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, metavar="M", help="embedded, a folder, a hub id, random, or random:FOLDER"
    )
    parser.add_argument(
        "--suite",
        default="basics",
        metavar="S",
        help="a suite, a task, or all (basics)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=32, metavar="N", help="prompts that are read at once (32)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="items a task at most, chosen by hash")
    parser.add_argument("--data", metavar="FOLDER", help="a data folder; qa/<task> below it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_backbone(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="backbone_command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    build = actions.add_parser("build", help="corpus, tokenizer, training, model card; under an hour")
    build.add_argument("--out", default="backbone", metavar="FOLDER", help="a new folder (backbone)")
    build.add_argument("--short", action="store_true", help="two minutes; knows far less")
    build.add_argument("--seed", type=int, help="of corpus and weights (0)")
    items = actions.add_parser("items", help="write the items of the suite `basics`")
    items.add_argument("--out", default="items", metavar="FOLDER", help="where to (items)")


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
    add_metric(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _call(arguments: argparse.Namespace) -> int:
    """Load a command's module, `flagbench.cli.<command>`, and call its `<command>_command`."""
    # Heavy modules load here and not before. OpenMP reads its waiting policy once, when torch loads it:
    # threads that spin while they wait made a busy two-core machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from flagbench.registry import metrics_from

    name: str = arguments.command.replace("-", "_")
    module = import_module(f"flagbench.cli.{'listing' if name == 'list' else name}")
    with metrics_from(getattr(arguments, "metric", ())):
        status: int | None = getattr(module, f"{name}_command")(arguments)
    return status or 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        the exit status.
    """
    with heard_terminations() as terminations:
        try:
            arguments = build_parser().parse_args(argv)
            status = _call(arguments)
            sys.stdout.flush()
        except FlagbenchError as error:
            if os.environ.get("FLAGBENCH_TRACEBACK"):
                raise
            fail(error.message, hint=error.hint)
            return 2
        except KeyboardInterrupt as interrupt:
            print(str(interrupt) or "interrupted; the seed in progress was not written", file=sys.stderr)
            return 143 if terminations else 130
        except BrokenPipeError:
            # The reader of a pipe has left; the interpreter's own flush at exit must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return status
