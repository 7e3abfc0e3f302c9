import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.cli.main import main

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

GOOD = """
class Mine:
    def __init__(self, start: int = 1): self.start = start
    def reset(self, seed): pass
    def act(self, observation): return 2 if observation["mask"][2] else self.start
"""
BAD = GOOD.replace("return 2", "return observation['close']")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    path.with_name("bad.py").write_text(BAD)
    path.with_name("raising.py").write_text(GOOD.replace("self.start = start", "raise ValueError('no luck')"))
    return path


def test_an_agent_that_keeps_its_promises_leaves_with_0(flagbench: "CommandLine", file: Path) -> None:
    outcome = flagbench("check-agent", f"{file}:Mine")
    assert (outcome.status, outcome.err) == (0, "")
    *lines, last = outcome.out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", name] for name in ("built", "answers", "repeats", "again", "looks", "bare", "tidy")
    ]
    assert last == f"{file}:Mine: 7 checks, 0 failed"


def test_one_that_does_not_leaves_with_1_and_is_told_what_to_do(flagbench: "CommandLine", file: Path) -> None:
    outcome = flagbench("check-agent", f"{file.with_name('bad.py')}:Mine")
    assert (outcome.status, outcome.err) == (1, "")
    assert "FAIL answers   every answer is an action: the agent failed after the bar of " in outcome.out
    assert "→ set FLAGBENCH_TRACEBACK=1 to see where" in outcome.out


def test_where_it_cannot_be_built_the_rest_is_left_out(flagbench: "CommandLine", file: Path) -> None:
    outcome = flagbench("check-agent", f"{file.with_name('raising.py')}:Mine")
    assert outcome.status == 1
    assert outcome.last_line.endswith(": 1 check, 1 failed, 6 left out until that is mended")


def test_json_is_one_object_and_nothing_else(flagbench: "CommandLine", file: Path) -> None:
    for name, passed in (("mine.py", True), ("bad.py", False)):
        outcome = flagbench("check-agent", f"{file.with_name(name)}:Mine", "--json")
        printed = json.loads(outcome.out)
        assert (printed["passed"], printed["left_out"], outcome.status) == (passed, 0, int(not passed))
        assert [set(check) for check in printed["checks"]] == [
            {"name", "claim", "passed", "found", "advice"} for _ in range(7)
        ]


def test_params_asset_and_protocol_may_be_given(flagbench: "CommandLine", file: Path) -> None:
    wrong = ("--set", "start=7", "--asset", "BTC", "--protocol", "paper", "--json")
    outcome = flagbench("check-agent", f"{file}:Mine", *wrong)
    failed = [check["name"] for check in json.loads(outcome.out)["checks"] if not check["passed"]]
    assert (outcome.status, failed) == (1, ["answers", "bare"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), "unknown agent `nobody`"),
        (("FILE:Yours",), "unknown class in"),
        (("FILE:Mine", "--set", "begin=1"), "param `begin`"),
        (("FILE:Mine", "--asset", "bars.csv"), "an agent is checked on a replica"),
        (("FILE:Mine", "--asset", "TLSA"), "unknown asset `TLSA`"),
        (("FILE:Mine", "--protocol", "nome"), "unknown protocol `nome`"),
        (("FILE:Mine", "--env-steps", "0"), "the set-up: `env_steps`"),
        ((), "the following arguments are required: AGENT"),
    ],
)
def test_what_a_user_can_get_wrong_is_said_with_2(
    flagbench: "CommandLine", file: Path, arguments: tuple[str, ...], message: str
) -> None:
    outcome = flagbench("check-agent", *(part.replace("FILE", str(file)) for part in arguments))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert message in outcome.err


def test_the_status_of_a_failed_check_is_what_main_returns(file: Path) -> None:
    assert main(["check-agent", f"{file.with_name('bad.py')}:Mine", "--json"]) == 1
