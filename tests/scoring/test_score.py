import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.scoring.performance import paper_performance, standard_performance
from flagbench.scoring.score import positions_of, score, score_positions, window_sharpe
from flagbench.scoring.uncertainty import published_sharpe_standard_error, sharpe_standard_error
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.replay import replay

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

SELL, HOLD, BUY = Action
CLOSES, OPENS = [100.0, 110.0, 99.0, 120.0], [100.0, 105.0, 110.0, 100.0]
NAMES = [
    *("cumulative_return", "sharpe_ratio", "annualized_volatility", "max_drawdown", "sortino_ratio"),
    *("calmar_ratio", "cvar_95", "turnover", "exposure", "trades", "hit_rate", "cost_paid"),
]


def protocol(name: str = "standard", **changes: object) -> Protocol:
    return load_protocol(name).model_copy(update={"lookback": 1, **changes})


def whole(market: Market) -> Period:
    return Period.of(market.dates[0].item(), market.dates[-1].item())


def in_crypto_days(market: Market) -> Market:
    calendar = market.asset.calendar.model_copy(update={"periods_per_year": 365})
    return replace(market, asset=market.asset.model_copy(update={"calendar": calendar}))


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> Market:
    return synthetic_market(CLOSES, opens=OPENS)


@pytest.fixture
def random_market(synthetic_market: "MarketFactory") -> Market:
    steps = np.random.default_rng(1).normal(0.001, 0.02, 80)
    return synthetic_market(np.exp(np.cumsum(steps)).tolist())


def test_a_round_trip_at_the_opens_by_hand(market: Market) -> None:
    result = score(market, protocol(), whole(market), np.array([BUY, SELL, HOLD]))
    shares = 1 / (105 * 1.001)
    values = result.values
    assert values["cumulative_return"] == pytest.approx(shares * 110 * 0.999 - 1, rel=1e-12)
    assert values["cost_paid"] == pytest.approx(1 - 1 / 1.001 + shares * 110 * 0.001, rel=1e-9)
    assert values["trades"] == 2
    assert values["exposure"] == pytest.approx(2 / 3)
    assert values["hit_rate"] == 0.5  # the sale at 110, the close before, costs
    assert values["max_drawdown"] == pytest.approx(0.001, rel=1e-9)
    equity = [1, shares * 110, shares * 110 * 0.999, shares * 110 * 0.999]
    turnover = (shares * 105 + shares * 110) / np.mean(equity) * 252 / 3
    assert values["turnover"] == pytest.approx(turnover, rel=1e-12)
    assert result.bars == 4
    # Positions 1, 0, 0 against what the asset did from fill to fill.
    asset = [110 / 105 - 1, 100 / 110 - 1, 120 / 100 - 1]
    assert result.shape.timing.statistic == pytest.approx(np.dot([2 / 3, -1 / 3, -1 / 3], asset))


def test_the_paper_fills_at_the_next_close_and_sums_log_returns(market: Market) -> None:
    result = score(market, protocol("paper"), whole(market), np.array([BUY, HOLD, SELL]))
    assert result.scoring == "paper"
    assert result.values["cumulative_return"] == pytest.approx(math.log(120 / 110))
    assert result.values["exposure"] == pytest.approx(2 / 3)
    assert result.values["cost_paid"] == 0


def test_actions_that_changed_nothing_and_answers_that_were_none_are_counted(market: Market) -> None:
    result = score(market, protocol(), whole(market), np.array([SELL, BUY, BUY]))
    assert (result.redundant, result.unparsed) == (2, 0)
    result = score(market, protocol(), whole(market), np.array([BUY, UNPARSED, UNPARSED]))
    assert (result.redundant, result.unparsed) == (0, 2)
    held = score(market, protocol(), whole(market), np.array([BUY, HOLD, HOLD]))
    assert result.values == held.values
    assert held.shape.identical_to == "buy-and-hold"


@pytest.mark.parametrize("name", ["standard", "paper"])
def test_a_score_is_a_pure_function(random_market: Market, name: str) -> None:
    period, rules = whole(random_market), protocol(name)
    actions = np.random.default_rng(4).integers(-1, 3, 79)
    before = actions.copy()
    first = json.dumps(score(random_market, rules, period, actions).to_json())
    score(random_market, rules, period, np.full(79, BUY))
    assert json.dumps(score(random_market, rules, period, actions).to_json()) == first
    assert (actions == before).all()


def test_nothing_after_the_window_matters(random_market: Market) -> None:
    period = Period.of(random_market.dates[10].item(), random_market.dates[50].item())
    actions = np.random.default_rng(4).integers(0, 3, 40)
    full, cut = (
        score(market, protocol(), period, actions).to_json()
        for market in (random_market, random_market.until(period))
    )
    assert full == cut


def test_nothing_depends_on_the_initial_cash(random_market: Market) -> None:
    actions = np.random.default_rng(4).integers(0, 3, 79)
    rich, poor = (
        score(random_market, protocol(initial_cash=cash), whole(random_market), actions)
        for cash in (100_000.0, 0.01)
    )
    assert rich.values == pytest.approx(poor.values, rel=1e-9)
    assert rich.sharpe_standard_error == pytest.approx(poor.sharpe_standard_error, rel=1e-9)


@pytest.mark.parametrize("name", ["standard", "paper"])
def test_the_standard_error_is_that_of_the_convention(random_market: Market, name: str) -> None:
    actions, rules = np.random.default_rng(4).integers(0, 3, 79), protocol(name)
    result = score(random_market, rules, whole(random_market), actions)
    played = replay(random_market, rules, whole(random_market), actions)
    if name == "standard":
        expected = sharpe_standard_error(standard_performance(played).returns, periods_per_year=252)
    else:
        expected = published_sharpe_standard_error(paper_performance(played).returns, periods_per_year=252)
    assert result.sharpe_standard_error == expected > 0


def test_a_year_has_the_periods_of_the_calendar(market: Market) -> None:
    actions = np.array([BUY, HOLD, HOLD])
    crypto_market = in_crypto_days(market)
    for equity, crypto in (
        [score(where, protocol(), whole(where), actions) for where in (market, crypto_market)],
        [score_positions(where, whole(where), np.ones(3)) for where in (market, crypto_market)],
    ):
        for name in ("annualized_volatility", "sharpe_ratio", "sortino_ratio"):
            assert crypto.values[name] == pytest.approx(equity.values[name] * math.sqrt(365 / 252)), name
        for name in ("cumulative_return", "max_drawdown", "cvar_95"):
            assert crypto.values[name] == equity.values[name], name
        assert crypto.values["turnover"] == pytest.approx(equity.values["turnover"] * 365 / 252)
        ratio = crypto.sharpe_standard_error / equity.sharpe_standard_error
        assert ratio == pytest.approx(math.sqrt(365 / 252))


def test_positions_earn_log_returns_at_once_and_without_cost(market: Market) -> None:
    result = score_positions(market, whole(market), np.array([1.0, -1.0, 0.0]))
    assert result.scoring == "investorbench"
    assert result.values["cumulative_return"] == pytest.approx(math.log(110 / 100) - math.log(99 / 110))
    assert result.values["trades"] == 4
    assert result.values["cost_paid"] == 0
    assert result.shape.agreement_with_buy_and_hold == pytest.approx(1 / 3)
    asset = np.array([0.1, -0.1, 120 / 99 - 1])
    assert result.shape.timing.statistic == pytest.approx(np.dot([1, -1, 0], asset))


def test_positions_use_the_prices_of_investorbench_where_these_cover_the_window(
    synthetic_market: "MarketFactory",
) -> None:
    covered = synthetic_market(CLOSES, investorbench=[10.0, 20.0, 30.0, 40.0])
    gappy = synthetic_market(CLOSES, investorbench=[10.0, 20.0, math.nan, 40.0])
    for market, total in ((covered, math.log(4)), (gappy, math.log(1.2))):
        values = score_positions(market, whole(market), np.ones(3)).values
        assert values["cumulative_return"] == pytest.approx(total)


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_number_of_actions_than_decisions_is_refused(market: Market, count: int) -> None:
    with pytest.raises(ConfigError, match=f"{count} actions for a window of 3 decisions"):
        score(market, protocol(), whole(market), np.full(count, BUY))
    with pytest.raises(ConfigError, match=f"{count} positions for a window of 3 decisions"):
        score_positions(market, whole(market), np.ones(count))


def test_a_window_outside_the_data_is_refused(market: Market) -> None:
    beyond = Period.parse("2019-01-01:2020-01-02")
    with pytest.raises(MarketDataError, match="outside the data"):
        score(market, protocol(), beyond, np.array([BUY]))
    with pytest.raises(MarketDataError, match="outside the data"):
        score_positions(market, beyond, np.ones(1))


def strict(document: dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    assert loaded == document  # plain values all through: nothing changes on the way
    return loaded


def test_the_json_of_a_score_has_the_names_of_the_format(random_market: Market) -> None:
    actions = np.random.default_rng(4).integers(0, 3, 79)
    result = score(random_market, protocol(), whole(random_market), actions)
    document = strict(result.to_json())
    policy = document["policy"]
    rest = ["policy", "redundant", "unparsed", "scoring", "period", "bars"]
    sure = ["uncertainty", "uncertainty_undefined", "against_buy_and_hold", "undefined"]
    assert list(document) == [*result.values, *sure, *rest]
    assert set(NAMES) <= set(document)
    assert all(isinstance(document[name], float) for name in set(NAMES) - {"trades"})
    assert all(type(document[name]) is int for name in ("trades", "redundant", "unparsed", "bars"))
    assert document["uncertainty"]["sharpe_ratio"]["se"] == result.sharpe_standard_error
    assert set(policy) == {"identical_to", "agreement_with_buy_and_hold", "timing"}
    assert set(policy["timing"]) == {"statistic", "p_value"}
    assert document["scoring"] == "standard"
    assert document["period"] == [str(random_market.dates[0]), str(random_market.dates[-1])]
    assert document["undefined"] == {}


def test_undefined_figures_are_null_with_a_reason(market: Market) -> None:
    result = score(market, protocol(), whole(market), np.full(3, HOLD))
    document = strict(result.to_json())
    nulls = {name for name in NAMES if document[name] is None}
    assert nulls == {"sharpe_ratio", "sortino_ratio", "calmar_ratio", "hit_rate"}
    assert set(document["undefined"]) == nulls
    nothing = {"low": None, "high": None}
    assert document["uncertainty"] == {
        "sharpe_ratio": {"se": None, **nothing, "level": 0.95},
        "cumulative_return": nothing,
        "max_drawdown": nothing,
        "psr": None,
        "dsr": None,
        "n_trials": 1,
        "min_track_record": None,
        "blocks": None,
    }
    assert document["uncertainty_undefined"] == {
        **dict.fromkeys(("sharpe_ratio", "cumulative_return", "max_drawdown"), "fewer than 11 returns"),
        **dict.fromkeys(("psr", "dsr", "min_track_record"), "there is no Sharpe ratio"),
    }
    assert document["against_buy_and_hold"]["reason"] == "ours: fewer than 11 returns"
    assert document["policy"]["identical_to"] == "always-flat"
    assert document["policy"]["timing"] == {"statistic": None, "p_value": None}


def test_trials_on_the_window_deflate_the_ratio(random_market: Market) -> None:
    actions = np.random.default_rng(4).integers(0, 3, 79)
    alone, one_of_three = (
        score(random_market, protocol(), whole(random_market), actions, trial_sharpes=trials).to_json()
        for trials in ((), (0.05, -0.1, math.nan))
    )
    assert alone["uncertainty"]["dsr"] == alone["uncertainty"]["psr"]
    assert alone["uncertainty"]["n_trials"] == 1
    assert one_of_three["uncertainty"]["n_trials"] == 3
    assert one_of_three["uncertainty"]["dsr"] < one_of_three["uncertainty"]["psr"]
    assert one_of_three["uncertainty"]["psr"] == alone["uncertainty"]["psr"]


def test_a_score_is_compared_with_buy_and_hold_on_the_same_bars(random_market: Market) -> None:
    actions = np.random.default_rng(4).integers(0, 3, 79)
    held = np.array([BUY, *[HOLD] * 78])
    for name in ("standard", "paper"):
        own, other = (
            score(random_market, protocol(name), whole(random_market), path) for path in (actions, held)
        )
        paired = own.uncertainty.against_buy_and_hold
        difference = own.values["sharpe_ratio"] - other.values["sharpe_ratio"]
        assert paired.difference == pytest.approx(difference)
        assert 0 < paired.p_value <= 1
        assert other.uncertainty.against_buy_and_hold.reason == "the two series are identical"
    walked = score_positions(random_market, whole(random_market), positions_of(held))
    assert walked.uncertainty.against_buy_and_hold.reason == "the two series are identical"


def test_a_trial_is_remembered_by_the_ratio_of_one_bar(random_market: Market) -> None:
    actions = np.random.default_rng(4).integers(0, 3, 79)
    window = whole(random_market)
    found = window_sharpe(random_market, protocol(), window, actions)
    whole_year = score(random_market, protocol(), window, actions).values["sharpe_ratio"]
    assert found == pytest.approx(whole_year / math.sqrt(252))
    assert math.isnan(window_sharpe(random_market, protocol(), window, np.full(79, HOLD)))


def test_positions_follow_the_actions_from_flat() -> None:
    actions = np.array([HOLD, SELL, BUY, BUY, UNPARSED, HOLD, SELL, HOLD, BUY])
    assert positions_of(actions).tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 1]
    assert positions_of(np.array([], dtype=np.int64)).tolist() == []


def test_a_position_beyond_one_is_refused(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market([100.0 + day for day in range(12)])
    period = market.asset.windows.test
    positions = np.zeros(len(market.bar_range(period)) - 1)
    positions[2] = 0.5
    with pytest.raises(ConfigError, match=r"position 0\.5 of bar 2"):
        score_positions(market, period, positions)


def test_actions_behind_positions_are_counted(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market([100.0 + day for day in range(20)])
    period = market.asset.windows.test
    decisions = len(market.bar_range(period)) - 1
    actions = np.full(decisions, Action.HOLD)
    actions[:5] = [Action.SELL, Action.BUY, Action.BUY, UNPARSED, Action.SELL]
    found = score_positions(market, period, positions_of(actions), actions=actions)
    assert (found.redundant, found.unparsed) == (2, 1)
