"""`flagbench submit`: prepare, validate and publish a submission to the leaderboard."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from flagbench.submissions.failure import Failure
    from flagbench.submissions.track import Track

BOARD = "leaderboard"
"""Where a board lies unless it is said otherwise."""


def add_submit(parser: argparse.ArgumentParser) -> None:
    """Flags of `flagbench submit`."""
    commands = parser.add_subparsers(
        dest="submit_command", required=True, metavar="COMMAND", parser_class=type(parser)
    )
    _add_prepare(commands.add_parser("prepare", help="make a submission's folder from finished runs"))
    _add_validate(commands.add_parser("validate", help="check a submission as anybody else would"))
    _add_publish(commands.add_parser("publish", help="hand a submission in: to a folder, or as a git branch"))


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a folder that `flagbench run` printed, a seed's folder in it, or one above it: all runs below",
    )
    card = parser.add_mutually_exclusive_group(required=True)
    card.add_argument("--card", metavar="CARD.md", help="what you say of the agent")
    card.add_argument("--write-card", metavar="CARD.md", help="write a card to fill in, and nothing else")
    _add_track(parser)
    parser.add_argument(
        "--out", default=f"{BOARD}/submissions", metavar="FOLDER", help=f"where to ({BOARD}/submissions)"
    )
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="submit an agent that knows the future, which is not ranked",
    )


def _add_validate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submissions", nargs="+", metavar="DIR", help="a submission's folder")
    _add_track(parser)
    parser.add_argument(
        "--results", action="store_true", help="write every recomputed figure to the board's results"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("submission", metavar="DIR", help="a submission's folder")
    parser.add_argument(
        "--to",
        required=True,
        metavar="FOLDER|REMOTE",
        help="a board's folder, or a git repository to push to",
    )
    _add_track(parser)


def _add_track(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--track", metavar="NAME|FILE", help="a track's name or YAML file (as the runs have it)"
    )
    parser.add_argument("--data", metavar="FOLDER", help="a data folder")


def submit_command(arguments: argparse.Namespace) -> int:
    """Do one of the three.

    Returns:
        1 if a submission is not valid.
    """
    commands = {"prepare": _prepare, "validate": _validate, "publish": _publish}
    return commands[arguments.submit_command](arguments)


def named_track(arguments: argparse.Namespace) -> "Track | None":
    """The track of `--track`; None without it."""
    from flagbench.submissions.track import load_track

    return None if arguments.track is None else load_track(arguments.track)


def _prepare(arguments: argparse.Namespace) -> int:
    from flagbench.submissions.preparing import begin_card, prepare

    runs = [Path(run) for run in arguments.runs]
    if arguments.write_card is not None:
        print(begin_card(runs, Path(arguments.write_card)))
        return 0
    folder = prepare(
        runs,
        Path(arguments.card),
        out=Path(arguments.out),
        track=named_track(arguments),
        data=arguments.data,
        calibration=arguments.calibration,
    )
    track = "" if arguments.track is None else f" --track {shlex.quote(arguments.track)}"
    print(f"to check it again: flagbench submit validate {folder}{track}", file=sys.stderr)
    print(folder)
    return 0


def _validate(arguments: argparse.Namespace) -> int:
    found = {folder: _checked(Path(folder), arguments) for folder in arguments.submissions}
    if arguments.json:
        from flagbench.cli.printing import print_json

        print_json({"valid": not any(found.values()), "submissions": _as_json(found)})
    else:
        for folder, failures in found.items():
            print(f"{folder}: {_verdict(failures)}")
            for each in failures:
                print(f"  {each}")
    return int(any(found.values()))


def _verdict(failures: "tuple[Failure, ...]") -> str:
    return f"{len(failures)} failure{'s' if len(failures) > 1 else ''}" if failures else "valid"


def _as_json(found: "dict[str, tuple[Failure, ...]]") -> list[dict[str, Any]]:
    return [
        {
            "folder": folder,
            "valid": not failures,
            "failures": [failure.to_json() for failure in failures],
        }
        for folder, failures in found.items()
    ]


def _checked(folder: Path, arguments: argparse.Namespace) -> "tuple[Failure, ...]":
    """What is wrong with one; its results are written if they are wanted and nothing is."""
    from flagbench.submissions.layout import results_path
    from flagbench.submissions.validating import validate

    track = named_track(arguments)
    if not arguments.results:
        return validate(folder, track=track, data=arguments.data).failures
    from flagbench.submissions.results import write_results
    from flagbench.submissions.verifying import verify

    path = results_path(folder)  # it lies on a board, or the work would be for nothing
    verified = verify(folder, track=track, data=arguments.data)
    if verified.results is not None:
        write_results(verified.results, path)
        print(f"written: {path}", file=sys.stderr)
    return verified.failures


def _publish(arguments: argparse.Namespace) -> int:
    from flagbench.submissions.publishing import is_remote, publish_to_folder, publish_to_remote
    from flagbench.submissions.validating import validate

    folder = Path(arguments.submission)
    checked = validate(folder, track=named_track(arguments), data=arguments.data)
    if checked.failures or checked.submission is None:
        for failure in checked.failures:
            print(f"  {failure}", file=sys.stderr)
        raise ConfigError(
            f"{folder} is no valid submission and stays where it is", hint="prepare it again from its runs"
        )
    if not is_remote(arguments.to):
        print(publish_to_folder(folder, checked.submission, Path(arguments.to)))
        return 0
    branch = publish_to_remote(folder, checked.submission, arguments.to)
    print(f"pushed to {arguments.to}; open a pull request from this branch:", file=sys.stderr)
    print(branch)
    return 0
