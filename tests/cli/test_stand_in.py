import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.market.loading import resolve_market
from flagbench.records.run_directory import read_run

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome

RUN = ("run", "--agent", "random", "--asset", "TSLA", "--out", "runs")


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is named and the cache folder is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


def assert_warned(outcome: "Outcome") -> None:
    """The whole of stderr is one warning."""
    lines = outcome.err.splitlines()
    assert len(lines) == 7
    assert lines[0] == lines[-1] == "=" * 80
    assert lines[1] == "WARNING: SYNTHETIC PRICES, NOT THE MARKET'S: TSLA (replica)"
    assert "Scores on it say nothing of TSLA." in lines
    assert lines[4].endswith(" flagbench data fetch TSLA")
    assert lines[5].endswith(" --no-replica")


def actions_file() -> Path:
    """Actions for the whole test window of the replica that stands in."""
    market = resolve_market("TSLA", data="replica")
    days = [str(market.dates[bar]) for bar in market.bar_range(market.asset.windows.test)]
    path = Path("mine.csv")
    path.write_text("\n".join(["date,action", *(f"{day},buy" for day in days), ""]))
    return path


def test_a_run_without_data_is_made_on_a_replica_and_says_so_once(flagbench: "CommandLine") -> None:
    outcome = flagbench(*RUN, "--seeds", "0-2")
    assert outcome.status == 0
    assert_warned(outcome)
    assert outcome.out.startswith("random on TSLA (replica) (Tesla, Inc.)\n")
    assert "TSLA-replica" in outcome.last_line


def test_the_record_says_on_what_the_run_was_made(flagbench: "CommandLine") -> None:
    outcome = flagbench(*RUN, "--json")
    assert_warned(outcome)
    (run,) = json.loads(outcome.out)["runs"]
    assert run["kind"] == "replica"
    (record,) = read_run(Path(run["record"]).parent)
    assert record.market.kind == "replica"
    assert record.spec["data"] == "replica:signal=0.2,seed=0"
    again = flagbench(*RUN, "--data", record.spec["data"], "--json")
    assert again.err == ""
    assert json.loads(again.out)["runs"][0]["test"] == run["test"]


def test_a_score_without_data_is_on_a_replica_too(flagbench: "CommandLine") -> None:
    outcome = flagbench("score", actions_file(), "--asset", "TSLA")
    assert outcome.status == 0
    assert_warned(outcome)
    assert outcome.out.startswith("TSLA (replica) 2020-10-01 to 2021-05-06, ")
    as_json = flagbench("score", actions_file(), "--asset", "TSLA", "--json")
    assert_warned(as_json)
    assert json.loads(as_json.out)["kind"] == "replica"


def test_an_export_without_data_is_of_a_replica_too(flagbench: "CommandLine") -> None:
    outcome = flagbench("data", "export", "--asset", "TSLA", "--out", "drawn")
    assert outcome.status == 0
    *warning, signal = outcome.err.splitlines(keepends=True)
    assert_warned(outcome._replace(err="".join(warning)))
    assert signal.startswith("correlation of tone with what its order earns: ")
    assert outcome.out.startswith("TSLA (replica): ")
    assert flagbench(*RUN, "--data", "drawn").err == ""


COMMANDS = [
    RUN,
    ("score", "mine.csv", "--asset", "TSLA"),
    ("data", "export", "--asset", "TSLA", "--out", "drawn"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_who_wants_no_replica_is_told_how_to_get_prices(
    flagbench: "CommandLine", command: tuple[str, ...]
) -> None:
    outcome = flagbench(*command, "--no-replica")
    assert (outcome.status, outcome.out) == (2, "")
    error, hint = outcome.err.splitlines()
    assert error.startswith("error: no market data: ")
    assert hint.endswith("; to get them: flagbench data fetch TSLA")
    assert not Path("runs").exists()
    assert not Path("drawn").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("data", ["replica", "replica:seed=3", "exported"])
def test_who_wants_no_replica_gets_none_of_any_kind(
    flagbench: "CommandLine", command: tuple[str, ...], data: str
) -> None:
    flagbench("data", "export", "--asset", "TSLA", "--data", "replica", "--out", "exported")
    outcome = flagbench(*command, "--data", data, "--no-replica")
    assert (outcome.status, outcome.out) == (2, "")
    error, hint = outcome.err.splitlines()
    assert error == "error: TSLA (replica) is generated, and --no-replica refuses that"
    assert hint == "hint: for the market's own prices: flagbench data fetch TSLA"
    assert not Path("runs").exists()
    assert not Path("drawn").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("named_by", ["--data", "FLAGBENCH_DATA"])
def test_a_folder_that_is_named_must_hold_the_asset(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], named_by: str
) -> None:
    Path("empty").mkdir()
    if named_by == "FLAGBENCH_DATA":
        monkeypatch.setenv("FLAGBENCH_DATA", "empty")
    outcome = flagbench(*command, *(("--data", "empty") if named_by == "--data" else ()))
    assert (outcome.status, outcome.out) == (2, "")
    error, hint = outcome.err.splitlines()
    assert error.startswith("error: no prices of TSLA: ")
    assert hint.endswith("; to get them: flagbench data fetch TSLA --out empty")


def test_nothing_is_said_of_a_replica_that_was_asked_for(flagbench: "CommandLine") -> None:
    assert flagbench(*RUN, "--data", "replica").err == ""


def test_who_describes_an_asset_without_public_files_is_told_of_folders(
    flagbench: "CommandLine", tmp_path: Path
) -> None:
    params = (
        "{volatility: 0.5, overnight_share: 0.3, degrees_of_freedom: 5, garch_alpha: 0.07, garch_beta: 0.8, "
        "turbulence: 2, calm_bars: 200, turbulent_bars: 100, jump_rate: 0.003, jump_size: 6, "
        "first_price: 50, volume: 1000000, volume_spread: 0.4, volume_slope: 0.4}"
    )
    (tmp_path / "GOLD.yaml").write_text(
        "{id: GOLD, version: 1, name: Gold, asset_class: equity, currency: USD, "
        "calendar: {exchange: XNYS, periods_per_year: 252}, "
        "windows: {train: '2020-07-01:2020-09-30', test: '2020-10-01:2020-12-31'}, "
        f"files: {{prices: GOLD/prices.csv}}, replica: {params}}}"
    )
    outcome = flagbench("run", "--agent", "random", "--asset", "GOLD.yaml")
    assert outcome.status == 0
    lines = outcome.err.splitlines()
    assert lines[1].endswith("GOLD (replica)")
    assert lines[4].endswith(" --data FOLDER, with market/<ASSET>/prices.csv in it")
