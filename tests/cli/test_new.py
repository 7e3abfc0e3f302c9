from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.cli.new import KINDS, TEMPLATES
from flagbench.market.asset import load_asset
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "name", "file"),
    [
        ("agent", "my-rule", "my_rule.py"),
        ("agent", "Trend", "Trend.py"),
        ("asset", "GOLD", "GOLD.yaml"),
        ("protocol", "cheap-1", "cheap-1.yaml"),
    ],
)
def test_a_file_is_written_and_its_path_stands_alone(
    flagbench: "CommandLine", kind: str, name: str, file: str
) -> None:
    outcome = flagbench("new", kind, name)
    assert (outcome.status, outcome.out) == (0, f"{file}\n")
    assert outcome.err.startswith("try it:\n  flagbench ")
    text = Path(file).read_text(encoding="utf-8")
    assert name in text
    assert "$" not in text
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 110


def test_a_new_agent_passes_its_check_and_runs(flagbench: "CommandLine", csv_task: tuple[str, ...]) -> None:
    flagbench("new", "agent", "my-rule")
    checked = flagbench("check-agent", "my_rule.py:MyRule")
    assert (checked.status, checked.last_line) == (0, "my_rule.py:MyRule: 7 checks, 0 failed")
    ran = flagbench("run", "--agent", "my_rule.py:MyRule", *csv_task, "--set", "bars=5")
    assert ran.status == 0, ran.err


def test_a_new_asset_runs_as_a_replica_and_a_new_protocol_rules_it(flagbench: "CommandLine") -> None:
    flagbench("new", "asset", "GOLD")
    flagbench("new", "protocol", "cheap")
    files = ("--asset", "GOLD.yaml", "--data", "replica", "--protocol", "cheap.yaml")
    ran = flagbench("run", "--agent", "random", *files)
    assert ran.status == 0, ran.err
    assert ran.last_line.startswith("runs/GOLD-replica/cheap/random/")
    assert (load_asset("GOLD.yaml").id, load_protocol("cheap.yaml").id) == ("GOLD", "cheap")


def test_a_new_protocol_is_the_standard_one_but_for_its_costs(flagbench: "CommandLine") -> None:
    flagbench("new", "protocol", "cheap")
    own, standard = (load_protocol(name).model_dump() for name in ("cheap.yaml", "standard"))
    differing = {key for key in standard if own[key] != standard[key]}
    assert differing == {"id", "description", "cost_bps"}


def test_what_a_new_asset_draws_moves_as_it_says(flagbench: "CommandLine") -> None:
    flagbench("new", "asset", "GOLD")
    asset = load_asset("GOLD.yaml")
    market = make_replica(asset, ReplicaSpec(seed=1))
    returns = market.adjusted_close[1:] / market.adjusted_close[:-1] - 1
    assert 0.1 < returns.std(ddof=1) * 252**0.5 < 0.9


def test_a_file_that_exists_is_left_as_it_is(flagbench: "CommandLine") -> None:
    Path("mine.py").write_text("precious")
    outcome = flagbench("new", "agent", "mine")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: mine.py exists and is left as it is\nhint: choose another name\n"
    assert Path("mine.py").read_text() == "precious"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("agent", "1st", "`1st` is no name"),
        ("agent", "../mine", "`../mine` is no name"),
        ("asset", "a b", "`a b` is no name"),
        ("protocol", "", "`` is no name"),
        ("protocol", "naïve", "`naïve` is no name"),
        ("agent", "random", "`random` is a word or module of Python's"),
        ("agent", "class", "`class` is a word or module of Python's"),
        ("agent", "numpy", "`numpy` is a word or module of Python's"),
        ("metric", "mine", "argument kind: invalid choice: 'metric'"),
    ],
)
def test_a_name_that_will_not_do_is_refused(
    flagbench: "CommandLine", folder: Path, kind: str, name: str, message: str
) -> None:
    outcome = flagbench("new", kind, name)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert list(folder.iterdir()) == []


def test_a_folder_may_be_named_and_must_be_there(flagbench: "CommandLine", folder: Path) -> None:
    (folder / "mine").mkdir()
    assert flagbench("new", "asset", "GOLD", "--out", "mine").out == "mine/GOLD.yaml\n"
    outcome = flagbench("new", "asset", "GOLD", "--out", "nowhere")
    assert outcome.status == 2
    assert outcome.err == "error: nowhere/GOLD.yaml cannot be written: No such file or directory\n"


def test_every_kind_has_a_template_and_every_template_a_kind() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == {f"{kind}.template" for kind in KINDS}
