"""`flagbench leaderboard`: build the board, look at it, train a seed of a submission again."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flagbench.cli.leaderboard_reproduce import add_reproduce
from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

SUBMISSIONS = "leaderboard/submissions"
SITE = "leaderboard/site"


def add_leaderboard(parser: argparse.ArgumentParser) -> None:
    """The commands of `flagbench leaderboard`."""
    commands = parser.add_subparsers(
        dest="leaderboard_command", required=True, metavar="COMMAND", parser_class=type(parser)
    )
    _add_build(commands.add_parser("build", help="write the static site from submissions"))
    _add_serve(commands.add_parser("serve", help="show the site in a browser on this machine"))
    add_reproduce(
        commands.add_parser("reproduce", help="train one seed of a submission again and write its badge")
    )


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--submissions",
        default=SUBMISSIONS,
        metavar="DIR",
        help=f"the board's submissions, <track>/<name>__<date> below it ({SUBMISSIONS})",
    )
    parser.add_argument("--out", default=SITE, metavar="DIR", help=f"where the site goes ({SITE})")
    parser.add_argument(
        "--data", metavar="FOLDER", help="a data folder for results that must be computed anew"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what is out of date and leave with 1"
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", default=SITE, metavar="DIR", help=f"the site ({SITE})")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0 for any that is free (8000)")


def leaderboard_command(arguments: argparse.Namespace) -> int:
    """One of the commands.

    Returns:
        the exit status.
    """
    if arguments.leaderboard_command == "reproduce":
        from flagbench.cli.leaderboard_reproduce import reproduce_command

        return reproduce_command(arguments)
    if arguments.leaderboard_command == "serve":
        return _serve(Path(arguments.site), arguments.port)
    return _build(arguments)


def _build(arguments: argparse.Namespace) -> int:
    """Write the site and print its folder; with `--check`, what is out of date."""
    submissions, out = Path(arguments.submissions), Path(arguments.out)
    _check_folders(submissions, out)
    from flagbench.board.refreshing import refresh_results, stale_results
    from flagbench.board.site import build_board, stale_files, write_board
    from flagbench.submissions.layout import results_path

    board = submissions.parent
    if arguments.check:
        stale = [_near(results_path(folder)) for folder in stale_results(board)]
        # Without its results a submission has no page, so the rest cannot be judged.
        stale = stale or stale_files(build_board(board), out)
        for path in stale:
            print(path)
        if stale:
            print("the board is out of date: flagbench leaderboard build", file=sys.stderr)
        return int(bool(stale))
    for path in refresh_results(board, data=arguments.data):
        print(f"recomputed {_near(path)}", file=sys.stderr)
    changed = write_board(build_board(board), out)
    print(f"{len(changed)} files written anew or taken away", file=sys.stderr)
    print(out)
    return 0


def _near(path: Path) -> Path:
    """As seen from here, where it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _check_folders(submissions: Path, out: Path) -> None:
    if not submissions.is_dir():
        raise ConfigError(
            f"{submissions} is no folder of submissions", hint="flagbench submit prepare begins one"
        )
    if submissions.resolve().name != "submissions":
        raise ConfigError(
            f"{submissions} is not called `submissions`",
            hint="a board has submissions, results and badges beside each other; name its submissions",
        )
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is no folder", hint=f"--out {SITE}")


def _serve(site: Path, port: int) -> int:
    """Serve until Ctrl-C, to this machine alone."""
    if not (site / "index.html").is_file():
        raise ConfigError(f"{site} holds no site", hint="flagbench leaderboard build makes one")
    from flagbench.board.serving import server_for

    try:
        server: ThreadingHTTPServer = server_for(site, port)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"port {port} cannot be used: {error}", hint="--port 0 takes a free one") from error
    with server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        print("Ctrl-C ends it", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended", file=sys.stderr)
    return 0
