from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.errors import SEE_WHERE

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome

RANDOM_FLAG = ("--agent", "flag", "--backbone", "random", "--knowledge", "none")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_toy(flagbench: "CommandLine", csv_task: tuple[str, ...]) -> "CommandLine":
    """`flagbench run` on the small market; what is given once more counts."""

    def run(*arguments: object) -> "Outcome":
        return flagbench("run", *csv_task, *arguments)

    return run


def assert_refused(outcome: "Outcome", error: str, hint: str | None) -> None:
    """Exit 2, `error:` and `hint:` on stderr and nothing else anywhere, not even a folder of runs."""
    lines = [line for line in outcome.err.splitlines() if not line.startswith("note: ")]
    assert (outcome.status, outcome.out) == (2, "")
    assert lines[0].startswith("error: ")
    assert error in lines[0]
    if hint is None:
        assert lines[1:] == []
    else:
        assert lines[1].startswith("hint: ")
        assert hint in lines[1]
        assert lines[2:] == []
    assert not Path("runs").exists()


UNKNOWN_NAMES = [
    (("--agent", "buy-and-hodl"), "unknown agent `buy-and-hodl`", "did you mean `buy-and-hold`?"),
    (("--asset", "TLSA"), "unknown asset `TLSA`", "did you mean `TSLA`?"),
    (("--asset", "xyzzyq"), "unknown asset `xyzzyq`", "known: BTC, ETH, HON"),
    (("--protocol", "papr"), "unknown protocol `papr`", "did you mean `paper`?"),
    (("--agent", "nowhere/no.py:Mine"), "unknown agent file `nowhere/no.py`", "known: none"),
]


@pytest.mark.parametrize(("arguments", "error", "hint"), UNKNOWN_NAMES)
def test_an_unknown_name_is_answered_with_the_nearest(
    run_toy: "CommandLine", arguments: tuple[str, ...], error: str, hint: str
) -> None:
    assert_refused(run_toy("--agent", "random", *arguments), error, hint)


WRONG_PARAMS = [
    (("--agent", "random", "--knowledge", "basic"), "suite `basic`", "did you mean `basics`?"),
    (("--agent", "random", "--set", "bars=3"), "unknown `random` param `bars`", "known: none"),
    (("--agent", "random", "--set", "bars"), "`--set bars` is no assignment", "--set name=value"),
    (("--agent", "random", "--backbone", "random"), "agent `random` has no backbone", "leave out --backbone"),
    ((*RANDOM_FLAG, "--set", "promt=news"), "unknown `flag` param `promt`", "did you mean `prompt`?"),
    ((*RANDOM_FLAG, "--set", "prompt=poem"), "`prompt`: Input should be 'paper' or 'news'", None),
    ((*RANDOM_FLAG, "--set", "text_share=2"), "`text_share`: Input should be less than or equal to 1", None),
    ((*RANDOM_FLAG, "--set", "lora_rank=0"), "`lora_rank`: Input should be greater than 0", None),
    ((*RANDOM_FLAG, "--set", "ppo.learning_rat=1"), "unknown setting `learning_rat`", "`learning_rate`"),
    ((*RANDOM_FLAG, "--set", "ppo.gamma=7"), "`gamma`: Input should be less than or equal to 1", None),
    ((*RANDOM_FLAG, "--set", "ppo.gamma={"), "`{` is no YAML value", None),
    ((*RANDOM_FLAG, "--set", "ppo=1", "--set", "ppo.gamma=1"), "`ppo` was given a value before", None),
    ((*RANDOM_FLAG, "--env-steps", "0"), "the set-up: `env_steps`: Input should be greater than 0", None),
    ((*RANDOM_FLAG, "--env-steps", "1"), "1 environment steps for 8 environments", "raise --env-steps"),
    ((*RANDOM_FLAG, "--set", "max_prompt_tokens=9"), "the shortest prompt has ", "a longer context"),
    (("--agent", "random", "--seeds", "1-0"), "`--seeds 1-0` names no seeds", "write 0, 0-4 or 0,2,3"),
    (("--agent", "random", "--periods", "0"), "a year has at least one period, given 0", None),
    (("--agent", "random", "--train", "2020"), "`2020` is no period", "write two ISO dates"),
    (("--agent", "random", "--test", "2030-01-01:2031-01-01"), "lies outside the data", "bars go from 2020"),
    (("--agent", "random", "--train", "2020-01-06:2020-01-20"), "a lookback of 20 needs 19", "history"),
]


@pytest.mark.parametrize(("arguments", "error", "hint"), WRONG_PARAMS)
def test_a_wrong_parameter_is_named_with_what_is_allowed(
    flagbench: "CommandLine",
    csv_task: tuple[str, ...],
    arguments: tuple[str, ...],
    error: str,
    hint: str | None,
) -> None:
    assert_refused(flagbench("run", *csv_task, *arguments), error, hint)


BROKEN_YAML = [
    ("id: [\n", "mine.yaml is no valid YAML at line 2"),
    ("- standard\n", "mine.yaml must hold a YAML mapping"),
    ("id: mine\n", "mine.yaml: `version`: Field required"),
]


@pytest.mark.parametrize(("text", "error"), BROKEN_YAML)
@pytest.mark.parametrize("flag", ["--protocol", "--asset"])
def test_a_broken_yaml_file_is_named_with_its_line_or_field(
    run_toy: "CommandLine", flag: str, text: str, error: str
) -> None:
    Path("mine.yaml").write_text(text)
    assert_refused(run_toy("--agent", "random", flag, "mine.yaml"), error, None)


BROKEN_CSV = [
    (lambda text: text.replace("close", "shut"), "no column `close`", "needed: date, open, high, low, close"),
    (lambda text: text.replace("2020-01-10", "10/01/2020"), "line 9: `10/01/2020` is no ISO date", None),
    (
        lambda text: text.replace("2020-01-10", "2020-01-09"),
        "line 9: 2020-01-09 is there twice",
        "one row a date",
    ),
    (lambda text: text.replace(",1000\n", ",1000,\n", 3), "line 2: 7 cells, the header has 6", None),
    (lambda text: text.splitlines()[0] + "\n", "holds no rows", None),
    (lambda text: text.replace("o", "\udce4"), "mine.csv is no CSV text file: ", None),
]


@pytest.mark.parametrize(("breaking", "error", "hint"), BROKEN_CSV)
def test_a_broken_price_file_is_named_with_its_first_bad_row(
    run_toy: "CommandLine", csv_task: tuple[str, ...], breaking: Any, error: str, hint: str | None
) -> None:
    broken = breaking(Path(csv_task[1]).read_text())
    Path("mine.csv").write_text(broken, errors="surrogateescape")
    assert_refused(run_toy("--agent", "random", "--asset", "mine.csv"), error, hint)


def test_a_price_file_alone_says_that_windows_are_needed(
    flagbench: "CommandLine", csv_task: tuple[str, ...]
) -> None:
    outcome = flagbench("run", "--agent", "random", *csv_task[:2])
    assert_refused(outcome, "a CSV as asset needs both windows", "add --train ")


def test_without_data_and_replica_the_user_is_told_how_to_get_or_point_to_it(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "nowhere")
    monkeypatch.setenv("HOME", "nowhere")
    outcome = flagbench("run", "--agent", "random", "--asset", "TSLA", "--no-replica")
    assert_refused(outcome, "no market data: ", "point FLAGBENCH_DATA or --data to a folder")
    assert_refused(outcome, "no market data: ", "to get them: flagbench data fetch TSLA")


@pytest.mark.parametrize("named_by", ["--data", "FLAGBENCH_DATA"])
def test_a_data_folder_without_the_asset_is_named_with_who_named_it(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    Path("empty").mkdir()
    monkeypatch.setenv("FLAGBENCH_DATA", "empty")
    given = ("--data", "empty") if named_by == "--data" else ()
    outcome = flagbench("run", "--agent", "random", "--asset", "TSLA", *given)
    hint = f"the data folder empty was named by {named_by}; it must hold market/<ASSET>/prices.csv"
    assert_refused(outcome, "no prices of TSLA: ", hint)
    assert_refused(outcome, "no prices of TSLA: ", "to get them: flagbench data fetch TSLA --out empty")


@pytest.mark.parametrize("backbone", ["papers", "random:papers", "./nowhere"])
def test_a_folder_that_is_no_model_is_refused(run_toy: "CommandLine", backbone: str) -> None:
    Path("papers").mkdir()
    outcome = run_toy("--agent", "flag", "--backbone", backbone)
    folder = backbone.removeprefix("random:")
    assert_refused(outcome, f"`{folder}` is no model folder: it has no config.json", "save_pretrained")


def test_a_model_folder_without_weights_is_refused(run_toy: "CommandLine") -> None:
    Path("shell").mkdir()
    Path("shell/config.json").write_text('{"model_type": "llama"}')
    outcome = run_toy("--agent", "flag", "--backbone", "./shell")
    assert_refused(outcome, "backbone `./shell` cannot be loaded: ", "--backbone random:./shell")


def test_a_file_in_the_place_of_the_out_folder_is_refused(run_toy: "CommandLine") -> None:
    Path("taken").write_text("mine")
    outcome = run_toy("--agent", "random", "--out", "taken")
    assert_refused(outcome, "cannot be written", "choose another --out")
    assert Path("taken").read_text() == "mine"


def test_a_broken_ledger_is_found_before_the_training(run_toy: "CommandLine") -> None:
    Path("out").mkdir()
    Path("out/ledger.jsonl").write_text("{}\n")
    outcome = run_toy(*RANDOM_FLAG, "--out", "out", "--env-steps", "1000000000")
    assert_refused(outcome, "ledger.jsonl, line 1: no ledger entry", "restore the ledger from a copy")


AGENTS = """
class NoAct:
    def reset(self, seed): pass
class Mute(NoAct):
    def act(self, observation): return 1
class Unbuilt(Mute):
    def __init__(self): raise ValueError("no luck")
class Forgetful(Mute):
    def reset(self, seed): raise ValueError("no luck")
class Crashing(Mute):
    def act(self, observation): raise ValueError("no luck")
class Misspelt(Mute):
    def __init__(self, width: "Widht" = 3): pass
"""

BROKEN_AGENTS = [
    ("NoAct", "`mine.py:NoAct` has no method `act`", "docs/agents.md"),
    ("Unbuilt", "failed in `__init__`: ValueError('no luck')", SEE_WHERE),
    ("Forgetful", "failed in `reset`: ValueError('no luck')", SEE_WHERE),
    ("Crashing", "the agent failed after the bar of 2020-01-29: ValueError('no luck')", SEE_WHERE),
    ("Misspelt", "cannot be read: name 'Widht' is not defined", None),
    ("Mut", "unknown class in mine.py `Mut`", "did you mean `Mute`?"),
]


@pytest.mark.parametrize(("name", "error", "hint"), BROKEN_AGENTS)
def test_a_broken_agent_of_a_file_is_named_with_its_fault(
    run_toy: "CommandLine", name: str, error: str, hint: str | None
) -> None:
    Path("mine.py").write_text(AGENTS)
    assert_refused(run_toy("--agent", f"mine.py:{name}"), error, hint)
