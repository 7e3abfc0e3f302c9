"""`flagbench leaderboard build` and `serve`; `reproduce` has tests of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from benchmarks.drawn_submissions import draw_levels, make_board
from flagbench.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A board in the folder that the commands are started in."""
    folders = make_board(tmp_path / "leaderboard", 4, assets=("TSLA",))
    draw_levels(tmp_path / "leaderboard", folders)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "leaderboard"


def test_build_writes_the_site_and_prints_its_folder(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "build"]) == 0
    assert capsys.readouterr().out == "leaderboard/site\n"
    assert "buy-and-hold" in (board / "site" / "replica.html").read_text()


def test_check_is_silent_when_nothing_changed_and_writes_nothing(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "build", "--check"]) == 1
    assert not (board / "site").exists()
    assert main(["leaderboard", "build"]) == 0
    capsys.readouterr()
    assert main(["leaderboard", "build", "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_names_what_is_stale_and_leaves_with_1(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "build"]) == 0
    (board / "site" / "columns.html").write_text("old")
    capsys.readouterr()
    assert main(["leaderboard", "build", "--check"]) == 1
    said = capsys.readouterr()
    assert said.out == "leaderboard/site/columns.html\n"
    assert "out of date: flagbench leaderboard build" in said.err
    assert (board / "site" / "columns.html").read_text() == "old"
    with next((board / "submissions" / "replica").glob("oracle__*/card.md")).open("a") as stream:
        stream.write("more\n")
    assert main(["leaderboard", "build", "--check"]) == 1
    (name,) = capsys.readouterr().out.splitlines()
    assert name.startswith("leaderboard/results/replica/oracle__")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--submissions", "nowhere"], "nowhere is no folder of submissions"),
        (["--submissions", "leaderboard"], "leaderboard is not called `submissions`"),
        (["--out", "leaderboard/joint/replica.json"], "is no folder"),
    ],
)
def test_what_cannot_be_built_is_said(
    board: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "build", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "hint: " in error


def test_a_submission_without_results_that_cannot_be_made_is_an_error(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next((board / "results" / "replica").glob("oracle__*")).unlink()
    assert main(["leaderboard", "build"]) == 2
    error = capsys.readouterr().err
    assert "oracle__" in error
    assert "is no valid submission" in error


def test_serve_needs_a_site(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "serve"]) == 2
    assert "hint: flagbench leaderboard build" in capsys.readouterr().err


def test_serve_shows_the_site_to_this_machine_until_ctrl_c(board: Path) -> None:
    assert main(["leaderboard", "build"]) == 0
    command = [sys.executable, "-m", "flagbench", "leaderboard", "serve", "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urlopen(f"{address}replica.html", timeout=30) as answer:  # noqa: S310
            assert answer.read() == (board / "site" / "replica.html").read_bytes()
            assert answer.headers["Cache-Control"] == "no-store"
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)
    assert server.returncode == 0
    assert said.splitlines() == ["Ctrl-C ends it", "ended"]


def test_a_port_that_is_taken_is_said(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flagbench.board.serving import server_for

    assert main(["leaderboard", "build"]) == 0
    with server_for(board / "site", 0) as server:
        assert main(["leaderboard", "serve", "--port", str(server.server_port)]) == 2
    assert "--port 0" in capsys.readouterr().err
    assert main(["leaderboard", "serve", "--port", "99999"]) == 2


CARD = """\
---
name: momentum
description: A rule.
authors: [A. Author]
contact: null
licence: Apache-2.0
code: {url: "https://example.org/agent", commit: 0123456789abcdef}
backbone: null
training_data: none
hardware: any
trials: none
---

# momentum
"""


@pytest.mark.slow
def test_a_real_submission_is_recomputed_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten runs of a rule on the replica track, handed in, recomputed and built."""
    monkeypatch.chdir(tmp_path)
    Path("card.md").write_text(CARD)
    for asset in ("TSLA", "BTC"):
        market = ["--asset", asset, "--data", "replica:signal=0.5,seed=0,train=250,test=250"]
        assert main(["run", "--agent", "momentum", *market, "--seeds", "0-4"]) == 0
    assert main(["submit", "prepare", "runs", "--card", "card.md", "--track", "replica"]) == 0
    assert main(["leaderboard", "build", "--check"]) == 1
    capsys.readouterr()
    assert main(["leaderboard", "build"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("recomputed leaderboard/results/replica/momentum__")
    (result,) = Path("leaderboard/results/replica").iterdir()
    html = Path("leaderboard/site/replica.html").read_text()
    value = json.loads(result.read_text())["endpoint"]["value"]
    assert f'data-v="{value:.7g}"' in html
    assert "replayed" in html
    assert main(["leaderboard", "build", "--check"]) == 0
