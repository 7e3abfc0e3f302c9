from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.errors import ComparabilityError
from flagbench.registry import load_metrics
from flagbench.reports.score_table import TableText, formatted, run_heading, run_tables, score_table
from flagbench.scoring.metric import Unit
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import score
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


@pytest.fixture(scope="module")
def scores(synthetic_market: "MarketFactory") -> dict[str, dict[str, Any]]:
    """Scores as JSON of buy-and-hold, of never trading, and of one trade too many."""
    moves = np.random.default_rng(0).normal(1, 0.02, 80)
    market = synthetic_market((100 * np.cumprod(moves)).tolist())
    period, protocol = market.asset.windows.test, load_protocol("standard")
    decisions = len(market.bar_range(period)) - 1
    hold = buy_and_hold_actions(decisions)
    redundant = hold.copy()
    redundant[3:5] = 2
    redundant[6] = -1
    paths = {"hold": hold, "flat": np.ones(decisions, dtype=np.int8), "redundant": redundant}
    return {name: score(market, protocol, period, path).to_json() for name, path in paths.items()}


@pytest.fixture(scope="module")
def record(scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The part of a record that is printed."""
    return {
        "agent": "flag",
        "seed": 0,
        "params": {"backbone": "HuggingFaceTB/SmolLM2-135M"},
        "asset": {
            "id": "TOY",
            "name": "Toys Inc.",
            "asset_class": "equity",
            "calendar": {"periods_per_year": 252},
        },
        "market": {
            "kind": "market",
            "sha256": "0123456789abcdef",
            "first": "2020-01-01",
            "last": "2020-12-31",
        },
        "protocol": {
            "id": "standard",
            "version": 1,
            "fill": {"equity": "next_open", "crypto": "next_close"},
            "cost_bps": 10.0,
            "scoring": "standard",
        },
        "setup": {"env_steps": 6400, "num_envs": 8},
        "training": {"env_steps": 6400},
        "observed": {"processes": 1, "device": "cpu"},
        "scores": {"train": scores["redundant"], "test": scores["flat"]},
        "buy_and_hold": {"train": scores["hold"], "test": scores["hold"] | {"trades": 3}},
    }


def rows_of(table: TableText) -> dict[str, list[str]]:
    assert all(len(row) == len(table.header) for row in table.rows)
    return {row[0]: row[1:] for row in table.rows}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "fraction", "12.35 %"),
        (-0.5, "fraction", "-50.00 %"),
        (0.0, "fraction", "0.00 %"),
        (1.23456, "ratio", "1.235"),
        (-0.0004, "ratio", "-0.000"),
        (17, "count", "17"),
        (None, "fraction", "–"),
        (None, "ratio", "–"),
        (None, "count", "–"),
    ],
)
def test_figures_are_written_as_people_write_them(value: float | None, unit: Unit, text: str) -> None:
    assert formatted(value, unit) == text


def test_a_table_has_a_column_a_score_and_a_row_a_metric(scores: dict[str, dict[str, Any]]) -> None:
    table = score_table("title", {"mine": scores["hold"], "other": scores["redundant"]})
    assert table.title == "title"
    assert table.header == ["", "mine", "other"]
    labels = ["CVaR 95 %" if name == "cvar_95" else name.replace("_", " ") for name in load_metrics()]
    assert [row[0] for row in table.rows if row[0] in labels] == labels
    assert rows_of(table)["trades"] == ["1", "1"]
    assert rows_of(table)["exposure"] == ["100.00 %", "100.00 %"]


def test_no_sharpe_ratio_stands_without_its_standard_error(scores: dict[str, dict[str, Any]]) -> None:
    (cell,) = rows_of(score_table("", {"mine": scores["hold"]}))["sharpe ratio"]
    error = scores["hold"]["uncertainty"]["sharpe_ratio"]["se"]
    assert cell == f"{scores['hold']['sharpe_ratio']:.3f} ± {error:.3f}"


def test_what_a_policy_amounts_to_is_named(scores: dict[str, dict[str, Any]]) -> None:
    rows = rows_of(score_table("", scores))
    assert rows["identical to"] == ["buy-and-hold", "always-flat", "buy-and-hold"]
    assert rows["agrees with buy-and-hold"] == ["100.00 %", "0.00 %", "100.00 %"]
    assert rows["redundant actions"] == ["0", "0", "2"]
    assert rows["unparsed actions"] == ["0", "0", "1"]
    assert rows["timing p-value"] == ["–", "–", "–"]


def test_undefined_is_a_dash_and_each_reason_is_noted_once_a_column(
    scores: dict[str, dict[str, Any]],
) -> None:
    table = score_table("", {"one": scores["flat"], "held": scores["hold"], "two": scores["flat"]})
    assert rows_of(table)["sharpe ratio"][0] == "–"
    assert rows_of(table)["sharpe ratio"][1] != "–"
    never = [note for note in table.notes if note.endswith("undefined: never held a position")]
    assert never == [
        f"– {name}: sharpe ratio, hit rate undefined: never held a position" for name in ("one", "two")
    ]
    assert not any("held:" in note for note in table.notes)


def test_a_metric_that_a_score_does_not_know_is_a_dash(scores: dict[str, dict[str, Any]]) -> None:
    older = {name: value for name, value in scores["hold"].items() if name != "turnover"}
    assert rows_of(score_table("", {"older": older}))["turnover"] == ["–"]


def test_a_record_of_the_first_versions_has_its_standard_error_alone(
    scores: dict[str, dict[str, Any]],
) -> None:
    error = {"se": scores["hold"]["uncertainty"]["sharpe_ratio"]["se"]}
    older = scores["hold"] | {"uncertainty": {"sharpe_ratio": error}}
    del older["uncertainty_undefined"], older["against_buy_and_hold"]
    table = score_table("", {"older": older})
    assert "±" in rows_of(table)["sharpe ratio"][0]
    assert not any("PSR" in row[0] for row in table.rows)
    assert table.notes == score_table("", {"hold": scores["hold"]}).notes[: len(table.notes)]
    beside = rows_of(score_table("", {"older": older, "hold": scores["hold"]}))
    assert beside["Sharpe above 0 (PSR)"][0] == "–"
    assert beside["Sharpe above 0 (PSR)"][1] != "–"


def test_a_run_is_a_table_a_window_with_a_column_a_seed(record: dict[str, Any]) -> None:
    train, test = run_tables([record, record | {"seed": 4}])
    assert train.header == test.header == ["", "seed 0", "seed 4", "buy-and-hold"]
    first, last = record["scores"]["train"]["period"]
    assert train.title == f"train {first} to {last}, {record['scores']['train']['bars']} bars"
    assert test.title.startswith("test ")
    assert rows_of(train)["redundant actions"] == ["2", "2", "0"]
    assert rows_of(train)["trades"] == ["1", "1", "1"]
    assert rows_of(test)["trades"] == ["0", "0", "3"]
    assert rows_of(test)["identical to"] == ["always-flat", "always-flat", "buy-and-hold"]


@pytest.mark.parametrize(
    ("group", "changed", "what"),
    [
        ("market", {"kind": "replica"}, "kind of market, these records have 2: market, replica"),
        ("market", {"sha256": "f" * 64}, "market, these records have 2: 0123456789ab, ffffffffffff"),
        ("protocol", {"version": 2}, "protocol, these records have 2: standard v1, standard v2"),
        ("protocol", {"id": "paper"}, "protocol, these records have 2: paper v1, standard v1"),
    ],
)
def test_scores_on_other_markets_or_rules_never_share_a_table(
    record: dict[str, Any], group: str, changed: dict[str, Any], what: str
) -> None:
    other = record | {"seed": 1, group: record[group] | changed}
    with pytest.raises(ComparabilityError) as caught:
        run_tables([record, other])
    assert caught.value.message == f"one table holds one {what}"


def test_a_heading_says_who_traded_under_which_rules_on_what(record: dict[str, Any]) -> None:
    assert run_heading(record) == [
        "flag on TOY (Toys Inc.), backbone HuggingFaceTB/SmolLM2-135M",
        "protocol standard v1: fill next_open, 10 bp a side, figures by the `standard` convention, P = 252",
        "market 0123456789ab, 2020-01-01 to 2020-12-31",
        "trained for 6400 steps in 8 environments on 1 process(es), cpu",
    ]


@pytest.mark.parametrize("backbone", ["random", "random:HuggingFaceTB/SmolLM2-135M"])
def test_a_heading_says_of_random_weights_that_they_are(record: dict[str, Any], backbone: str) -> None:
    first = run_heading(record | {"params": {"backbone": backbone}})[0]
    assert first.endswith(f"backbone {backbone}, random weights: says nothing of a trained model")


def test_a_heading_marks_a_replica_and_an_agent_that_does_not_learn(record: dict[str, Any]) -> None:
    changed = deepcopy(record) | {"params": {}, "setup": None, "training": None, "observed": None}
    changed["market"]["kind"] = "replica"
    heading = run_heading(changed)
    assert heading[0] == "flag on TOY (replica) (Toys Inc.)"
    assert len(heading) == 3
