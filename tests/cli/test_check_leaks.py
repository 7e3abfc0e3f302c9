import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

AGENTS = """
import os
from pathlib import Path

class Honest:
    def reset(self, seed): pass
    def act(self, observation):
        closes = observation["window"][:, 3]
        return 2 if closes[-1] > closes[0] else 0

class Reads(Honest):
    def __init__(self):
        file = next(Path(os.environ["FLAGBENCH_DATA"]).glob("market/*/prices.csv"))
        rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
        self.days, self.closes = [row[0] for row in rows], [float(row[5]) for row in rows]
    def act(self, observation):
        today = self.days.index(observation["date"])
        return 2 if self.closes[min(today + 1, len(self.days) - 1)] > self.closes[today] else 0
"""


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "mine.py"
    path.write_text(AGENTS)
    return path


def test_an_honest_agent_passes(flagbench: "CommandLine", agents: Path, csv_task: tuple[str, ...]) -> None:
    outcome = flagbench("check-leaks", f"{agents}:Honest", *csv_task, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["passed"] is True
    assert set(found["tests"]) == {
        "calibration",
        "future_canary",
        "training_canary",
        "placebo",
        "delay",
        "anonymised",
        "memory",
    }
    for test in found["tests"].values():
        assert set(test) == {"passed", "figure", "explanation"}
    assert found["tests"]["placebo"]["passed"] is None


def test_who_reads_the_data_folder_fails_with_exit_1(
    flagbench: "CommandLine", agents: Path, csv_task: tuple[str, ...]
) -> None:
    outcome = flagbench("check-leaks", f"{agents}:Reads", *csv_task, "--seeds", "1")
    assert outcome.status == 1
    (line,) = (line for line in outcome.out.splitlines() if line.startswith(" future canary"))
    assert " FAIL " in line
    assert "an action changed with what came later" in line
    assert outcome.out.splitlines()[0].endswith("Reads on TOY, protocol standard, seeds 1")


def test_who_opens_the_csv_of_the_user_fails(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "opens.py"
    honest = AGENTS.partition("\nclass Reads")[0]
    path.write_text(f"{honest}\n\nclass Opens(Honest):\n    text = Path({csv_task[1]!r}).read_text()\n")
    outcome = flagbench("check-leaks", f"{path}:Opens", *csv_task, "--json")
    assert outcome.status == 1
    canary = json.loads(outcome.out)["tests"]["future_canary"]
    assert canary["figure"]["opened"] == 1
    assert csv_task[1] in canary["explanation"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check-leaks", "oracle"), "is given the future to calibrate with"),
        (("check-leaks", "nobody"), "unknown agent `nobody`"),
        (("check-leaks", "random", "--cut-off", "2023"), "`--cut-off 2023` is no ISO date"),
        (("check-leaks", "random", "--seeds", "x"), "`--seeds x` names no seeds"),
        (("check-leaks", "random", "--backbone", "embedded"), "backbone"),
        (("check-leaks", "flag", "--env-steps", "0"), "env_steps"),
    ],
)
def test_what_a_user_can_get_wrong(
    flagbench: "CommandLine", csv_task: tuple[str, ...], arguments: tuple[str, ...], message: str
) -> None:
    outcome = flagbench(*arguments, *csv_task)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


def test_it_does_not_run_under_a_launcher(
    flagbench: "CommandLine", csv_task: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = flagbench("check-leaks", "random", *csv_task)
    assert outcome.status == 2
    assert "a battery runs in one process" in outcome.err
