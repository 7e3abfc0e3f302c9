import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from flagbench.submissions.results import read_results

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

DATA = "replica:train=30,test=60"

TRACK = f"""\
id: tiny
version: 1
title: Tiny
description: One replica and two seeds.
kind: replica
protocol: standard
data: {DATA}
assets: [TSLA]
seeds: [0, 1]
knowledge: none
env_steps: 32
num_envs: 2
"""


class Submitted(NamedTuple):
    """A submission of a small learner on a board, and what it was made from."""

    folder: Path
    board: Path
    track: Path
    run: str
    card: Path


def filled(card: Path) -> Path:
    """A card that was begun by `--write-card`, filled in."""
    text = card.read_text().replace("url: FILL IN", "url: https://example.org/agent")
    card.write_text(text.replace("FILL IN", "words"))
    return card


@pytest.fixture(scope="module")
def submitted(flagbench: "CommandLine", tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    """PPO on numbers after 32 steps; tests must not change its folder."""
    root = tmp_path_factory.mktemp("submitted")
    track, board, card = root / "tiny.yaml", root / "board", root / "card.md"
    track.write_text(TRACK)
    budget = ("--env-steps", 32, "--num-envs", 2, "--set", "ppo.num_steps=8")
    task = ("--asset", "TSLA", "--data", DATA, "--seeds", "0-1", "--out", root / "runs")
    ran = flagbench("run", "--agent", "mlp-ppo", *task, *budget)
    assert ran.status == 0, ran.err
    begun = flagbench("submit", "prepare", ran.last_line, "--write-card", card)
    assert (begun.status, begun.out) == (0, f"{card}\n")
    arguments = ("--card", filled(card), "--track", track, "--out", board / "submissions")
    made = flagbench("submit", "prepare", ran.last_line, *arguments)
    assert made.status == 0, made.err
    return Submitted(Path(made.last_line), board, track, ran.last_line, card)


def test_prepare_prints_the_folder_and_how_to_check_it(
    submitted: Submitted, flagbench: "CommandLine"
) -> None:
    assert submitted.folder.parent == submitted.board / "submissions" / "tiny"
    again = flagbench(
        "submit",
        "prepare",
        submitted.run,
        "--card",
        submitted.card,
        "--track",
        submitted.track,
        "--out",
        submitted.board / "submissions",
    )
    assert again.status == 2
    assert again.err == f"error: {submitted.folder} exists already\n"


def test_what_is_not_complete_is_refused_in_words(
    submitted: Submitted, flagbench: "CommandLine", tmp_path: Path
) -> None:
    seed = Path(submitted.run) / "seed-0"
    arguments = ("--card", submitted.card, "--track", submitted.track, "--out", tmp_path)
    refused = flagbench("submit", "prepare", seed, *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err == (
        "error: no submission to track `tiny`: TSLA: no run of the public seed 1\n"
        "hint: see docs/submitting.md for what a submission must have\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_valid_submission_is_said_to_be_so(submitted: Submitted, flagbench: "CommandLine") -> None:
    done = flagbench("submit", "validate", submitted.folder, "--track", submitted.track)
    assert (done.status, done.out, done.err) == (0, f"{submitted.folder}: valid\n", "")
    printed = json.loads(
        flagbench("submit", "validate", submitted.folder, "--track", submitted.track, "--json").out
    )
    assert printed == {
        "valid": True,
        "submissions": [{"folder": str(submitted.folder), "valid": True, "failures": []}],
    }


def test_what_is_wrong_is_listed_and_the_status_is_one(
    submitted: Submitted, flagbench: "CommandLine", tmp_path: Path
) -> None:
    copy = tmp_path / "board" / submitted.folder.relative_to(submitted.board)
    copy.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", submitted.folder, copy], check=True)
    actions = copy / "actions" / "TSLA" / "seed-1.csv"
    lines = actions.read_text().splitlines(keepends=True)
    actions.write_text("".join(lines[:10] + lines[11:]))
    done = flagbench("submit", "validate", submitted.folder, copy, "--track", submitted.track)
    assert done.status == 1
    first, second, *failures = done.out.splitlines()
    assert (first, second) == (f"{submitted.folder}: valid", f"{copy}: 2 failures")
    assert failures[0].startswith("  actions/TSLA/seed-1.csv: sha256: found ")
    day, after = lines[10].partition(",")[0], lines[11].partition(",")[0]
    assert failures[1] == f"  actions/TSLA/seed-1.csv, line 11: date: found {after}, expected {day}"
    printed = json.loads(flagbench("submit", "validate", copy, "--track", submitted.track, "--json").out)
    assert printed["valid"] is False
    assert printed["submissions"][0]["failures"][1] == {
        "file": "actions/TSLA/seed-1.csv",
        "line": 11,
        "what": "date",
        "found": after,
        "expected": day,
    }
    refused = flagbench("submit", "publish", copy, "--to", tmp_path / "other", "--track", submitted.track)
    assert refused.status == 2
    assert "is no valid submission and stays where it is" in refused.err
    assert not (tmp_path / "other").exists()


def test_results_are_written_beside_the_submissions(submitted: Submitted, flagbench: "CommandLine") -> None:
    done = flagbench("submit", "validate", submitted.folder, "--track", submitted.track, "--results")
    path = submitted.board / "results" / "tiny" / f"{submitted.folder.name}.json"
    assert done.status == 0
    assert done.err.startswith("written: ")
    results = read_results(path)
    assert (results.name, results.learns, len(results.assets)) == ("mlp-ppo", True, 1)


def test_publish_hands_it_to_a_folder_and_to_a_repository(
    submitted: Submitted, flagbench: "CommandLine", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("submit", "publish", submitted.folder, "--track", submitted.track)
    done = flagbench(*arguments, "--to", tmp_path / "board")
    assert (done.status, done.err) == (0, "")
    assert (Path(done.last_line) / "submission.json").is_file()
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A. Author")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
    pushed = flagbench(*arguments, "--to", bare)
    assert pushed.out == f"submission/{submitted.folder.name}\n"
    assert pushed.err == f"pushed to {bare}; open a pull request from this branch:\n"
    again = flagbench(*arguments, "--to", bare)
    assert again.status == 2
    assert again.err.startswith(f"error: {bare} has a branch submission/{submitted.folder.name} already\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prepare", "nowhere", "--card", "c.md"), "c.md cannot be read"),
        (("prepare", "nowhere"), "one of the arguments --card --write-card is required"),
        (("validate", "nowhere"), "nowhere is no folder"),
        (("validate", ".", "--track", "moon"), "unknown track `moon`"),
        (("validate", ".", "--results"), ". lies on no board"),
        (("publish", "nowhere", "--to", "x"), "nowhere is no folder"),
        ((), "the following arguments are required: COMMAND"),
    ],
)
def test_a_slip_is_answered_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    flagbench: "CommandLine",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = flagbench("submit", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"error: {message}")


class TestReproduce:
    def test_a_seed_that_is_trained_again_takes_the_same_actions_and_earns_the_badge(
        self, submitted: Submitted, flagbench: "CommandLine"
    ) -> None:
        done = flagbench(
            "leaderboard", "reproduce", submitted.folder, "--track", submitted.track, "--seed", 1
        )
        assert done.status == 0, done.err
        lines = done.out.splitlines()
        assert lines[0] == "reproduced: TSLA seed 1"
        assert lines[1] == "equal actions: 100.0%, all of them"
        badge = json.loads(Path(lines[-1]).read_text())
        assert (
            Path(lines[-1]) == submitted.board.resolve() / "badges" / "tiny" / f"{submitted.folder.name}.json"
        )
        assert (badge["status"], badge["exact"], badge["source_is_claimed"]) == ("reproduced", True, True)
        assert badge["provenance"]["packages"]["torch"]
        assert badge["provenance"]["observed"]["device"]

    def test_another_agent_is_not_even_trained(
        self, submitted: Submitted, flagbench: "CommandLine", tmp_path: Path
    ) -> None:
        path = tmp_path / "flat.py"
        path.write_text(
            "class Flat:\n"
            "    def __init__(self, **params): pass\n"
            "    def reset(self, seed): pass\n"
            "    def act(self, observation): return 1\n"
        )
        arguments = (
            "--track",
            submitted.track,
            "--agent",
            f"{path}:Flat",
            "--badge",
            tmp_path / "badge.json",
        )
        done = flagbench("leaderboard", "reproduce", submitted.folder, *arguments, "--json")
        assert (done.status, done.out) == (2, "")
        assert "the agent here is not the one that was submitted: source is " in done.err
        assert "hint: take commit " in done.err
        assert not (tmp_path / "badge.json").exists()

    def test_what_comes_out_otherwise_is_not_reproduced(
        self,
        submitted: Submitted,
        flagbench: "CommandLine",
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The same file, which does something else: as of a path that was chosen after the fact."""
        agent = tmp_path / "moody.py"
        agent.write_text(
            "import os\n"
            "class Moody:\n"
            "    def reset(self, seed): self.bars = 0\n"
            "    def act(self, observation):\n"
            "        self.bars += 1\n"
            "        return 2 if self.bars == int(os.environ['BUYS_AT']) else 1\n"
        )
        monkeypatch.setenv("BUYS_AT", "3")
        task = ("--asset", "TSLA", "--data", DATA, "--seeds", "0-1", "--out", tmp_path / "runs")
        ran = flagbench("run", "--agent", f"{agent}:Moody", *task)
        assert ran.status == 0, ran.err
        flagbench("submit", "prepare", ran.last_line, "--write-card", tmp_path / "card.md")
        arguments = ("--card", filled(tmp_path / "card.md"), "--track", submitted.track)
        made = flagbench("submit", "prepare", ran.last_line, *arguments, "--out", tmp_path / "submissions")
        assert made.status == 0, made.err
        monkeypatch.setenv("BUYS_AT", "9")
        again = ("--track", submitted.track, "--agent", f"{agent}:Moody", "--json")
        done = flagbench("leaderboard", "reproduce", made.last_line, *again)
        badge = json.loads(done.out)
        assert (done.status, badge["status"], badge["exact"]) == (1, "not-reproduced", False)
        assert badge["equal_actions"] > 0.9
        [written] = (tmp_path / "badges").rglob("*.json")
        assert json.loads(written.read_text()) == badge

    def test_the_new_run_is_kept_where_it_is_asked_for(
        self, submitted: Submitted, flagbench: "CommandLine", tmp_path: Path
    ) -> None:
        badge, out = tmp_path / "badge.json", tmp_path / "again"
        arguments = ("--track", submitted.track, "--badge", badge, "--out", out)
        done = flagbench("leaderboard", "reproduce", submitted.folder, *arguments)
        assert done.status == 0, done.err
        assert len(list(out.rglob("record.json"))) == 1

    def test_a_seed_or_asset_that_is_not_there(self, submitted: Submitted, flagbench: "CommandLine") -> None:
        arguments = ("leaderboard", "reproduce", submitted.folder, "--track", submitted.track)
        refused = flagbench(*arguments, "--seed", 7)
        assert refused.status == 2
        assert refused.err.endswith("hint: it has seeds 0, 1 on TSLA\n")
