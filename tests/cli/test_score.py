import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

METRICS = {
    "cumulative_return",
    "sharpe_ratio",
    "annualized_volatility",
    "max_drawdown",
    "sortino_ratio",
    "calmar_ratio",
    "cvar_95",
    "turnover",
    "exposure",
    "trades",
    "hit_rate",
    "cost_paid",
}

START, END = "2020-03-02", "2020-03-06"
"""Five weekdays, Monday to Friday."""


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """25 weekdays that open at the close before: 100 up to the first of the five, then up to 120."""
    days = np.busday_offset(START, np.arange(-20, 5), roll="forward").astype("datetime64[D]")
    closes = [100.0] * 21 + [110.0, 99.0, 120.0, 120.0]
    rows = ["date,open,high,low,close"]
    for day, before, close in zip(days, [100.0, *closes[:-1]], closes, strict=True):
        rows.append(f"{day},{before},{max(before, close)},{min(before, close)},{close}")
    path = tmp_path / "FIVE.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def score(flagbench: "CommandLine", market: Path) -> Any:
    """Scores a CSV of the given column and words over the five days."""

    def score_words(words: str, *arguments: str, column: str = "action") -> Any:
        path = market.with_name("played.csv")
        rows = [f"2020-03-0{day},{word}" for day, word in enumerate(words.split(), start=2)]
        path.write_text("\n".join([f"date,{column}", *rows]) + "\n")
        window = ("--start", START, "--end", END)
        return flagbench("score", path, "--asset", market, *window, *arguments)

    return score_words


def test_with_json_there_is_one_object_with_the_metrics_at_the_top(score: Any) -> None:
    outcome = score("buy hold sell hold", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    assert set(printed) >= METRICS
    assert set(printed["uncertainty"]["sharpe_ratio"]) == {"se", "low", "high", "level"}
    assert printed["asset"] == "FIVE"
    assert (printed["bars"], printed["period"]) == (5, [START, END])
    assert len(printed["market_sha256"]) == 64


def test_fractions_are_no_percent(score: Any) -> None:
    printed = json.loads(score("buy hold hold hold", "--protocol", "paper", "--json").out)
    # The paper's convention fills at the next close, 110, without cost, and adds and compounds log returns.
    assert printed["cumulative_return"] == pytest.approx(math.log(120 / 110))
    assert printed["max_drawdown"] == pytest.approx(-math.log(0.9))
    assert (printed["trades"], printed["exposure"]) == (1, 0.75)
    assert printed["scoring"] == "paper"


def test_undefined_is_null_with_a_reason(score: Any) -> None:
    printed = json.loads(score("hold hold hold hold", "--json").out)
    assert printed["sharpe_ratio"] is None
    assert printed["uncertainty"]["sharpe_ratio"]["se"] is None
    assert printed["undefined"]["sharpe_ratio"] == "never held a position"
    assert printed["cumulative_return"] == 0


def test_redundant_and_unparsed_answers_are_counted(score: Any) -> None:
    printed = json.loads(score("sell buy buy unparsed", "--json").out)
    assert (printed["redundant"], printed["unparsed"]) == (2, 1)


def test_the_last_bar_may_have_a_row_and_it_changes_nothing(score: Any) -> None:
    without = score("buy hold sell hold", "--json")
    assert score("buy hold sell hold buy", "--json").out == without.out


def test_investorbench_takes_positions_and_the_sign_of_a_short(score: Any) -> None:
    arguments = ("--scoring", "investorbench", "--json")
    short = json.loads(score("-1 -1 -1 -1", *arguments, column="position").out)
    long = json.loads(score("1 1 1 1", *arguments, column="position").out)
    assert short["cumulative_return"] == pytest.approx(-long["cumulative_return"])
    assert long["cumulative_return"] == pytest.approx(math.log(1.2))
    assert long["scoring"] == "investorbench"


def test_investorbench_takes_actions_too(score: Any) -> None:
    arguments = ("--scoring", "investorbench", "--json")
    from_actions = json.loads(score("hold buy hold sell", *arguments).out)
    from_positions = json.loads(score("0 1 1 0", *arguments, column="position").out)
    assert from_actions == from_positions


def test_periods_override_the_calendar(score: Any) -> None:
    yearly = [json.loads(score("buy hold hold hold", "--periods", str(p), "--json").out) for p in (252, 63)]
    ratio = yearly[0]["annualized_volatility"] / yearly[1]["annualized_volatility"]
    assert ratio == pytest.approx(2)


def test_without_json_a_table_stands_beside_buy_and_hold(score: Any) -> None:
    outcome = score("hold buy hold hold")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("FIVE 2020-03-02 to 2020-03-06, 5 bars, protocol standard v1")
    assert ["actions", "buy-and-hold"] in [line.split() for line in lines]
    (sharpe,) = [line for line in lines if line.strip().startswith("sharpe ratio")]
    assert sharpe.count("±") == 2


def test_an_installed_asset_is_scored_on_its_test_window_by_default(
    flagbench: "CommandLine", data_folder: Path, tmp_path: Path
) -> None:
    arguments = ("--agent", "buy-and-hold", "--asset", "HON", "--protocol", "paper")
    run = flagbench("run", *arguments, "--out", tmp_path, "--json", "--data", data_folder)
    (made,) = json.loads(run.out)["runs"]
    actions = Path(made["record"]).parent / "actions.csv"
    scored = flagbench("score", actions, "--asset", "HON", "--protocol", "paper", "--json")
    again = json.loads(scored.out)
    assert {name: again[name] for name in made["test"]} == made["test"]
