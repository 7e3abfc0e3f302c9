import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.audit.auditing import audit_claim, audit_rows, audit_score
from flagbench.audit.claim import FLAGS, Claim, make_claim
from flagbench.audit.convention import Convention, conventions, figures_of
from flagbench.audit.explanation import sentences
from flagbench.audit.finding import FLAG_MEANINGS, Finding
from flagbench.audit.sums import RETURN, VOLATILITY
from flagbench.audit.window import windows_around
from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import score
from flagbench.trading.action import Action
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol, load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

CLOSES = 40
FIRST = 30


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    random = np.random.default_rng(0)
    closes = 100 * np.exp(np.cumsum(random.normal(0.002, 0.02, FIRST + CLOSES + 5)))
    opens = np.concatenate([closes[:1], closes[:-1]]) * np.exp(random.normal(0, 0.01, len(closes)))
    return synthetic_market(list(closes), opens=list(opens))


@pytest.fixture(scope="module")
def period(market: Market) -> Period:
    return Period.of(market.dates[FIRST].item(), market.dates[FIRST + CLOSES - 1].item())


@pytest.fixture(scope="module")
def ways(market: Market, period: Period) -> list[Convention]:
    return conventions(windows_around(market, period), periods_per_year=252)


def texts_of(way: Convention, positions: FloatArray, *, digits: int = 3) -> dict[str, str]:
    figures = figures_of(way, positions)
    texts = {"sr": f"{figures.sharpe_ratio:.{digits}f}"}
    for flag in ("cr", "av", "mdd"):
        texts[flag] = f"{100 * float(getattr(figures, FLAGS[flag])):.{digits}f}"
    return texts


def claim_of(texts: dict[str, str], period: Period, positions: str = "long-flat") -> Claim:
    return make_claim(texts, asset="TOY", period=period, positions=positions)


def found(market: Market, claim: Claim) -> Finding:
    """A finding that can be said and written."""
    finding = audit_claim(market, claim)
    said = sentences(finding)
    assert said
    assert all(text.endswith(".") for text in said)
    assert set(finding.flags) <= set(FLAG_MEANINGS)
    assert finding.to_json(certificate=None, explanation=" ".join(said))["verdict"] == finding.verdict
    return finding


def test_holding_the_asset_is_always_long(market: Market, period: Period, ways: list[Convention]) -> None:
    finding = found(market, claim_of(texts_of(ways[0], np.ones(CLOSES - 1)), period))
    assert (finding.verdict, finding.flags) == ("always-long", ())
    assert str(finding.fitting[0]) == str(ways[0])
    assert finding.ranges.always_long.max_drawdown == pytest.approx(
        float(figures_of(ways[0], np.ones(CLOSES - 1)).max_drawdown)
    )


def test_a_drawdown_that_is_not_the_held_assets_is_flagged_apart(
    market: Market, period: Period, ways: list[Convention]
) -> None:
    texts = texts_of(ways[0], np.ones(CLOSES - 1))
    wrong = f"{float(texts['mdd']) + 3:.3f}"
    finding = found(market, claim_of({**texts, "mdd": wrong}, period))
    assert (finding.verdict, finding.flags) == ("always-long", ("mdd-inconsistent",))
    assert f"not {wrong} %" in " ".join(sentences(finding))


def test_two_years_in_one_row_are_found(market: Market, period: Period, ways: list[Convention]) -> None:
    mixed = next(way for way in ways if (way.return_periods, way.volatility_periods) == (252, 365))
    finding = found(market, claim_of(texts_of(mixed, np.ones(CLOSES - 1)), period))
    assert (finding.verdict, finding.flags) == ("always-long", ("mixed-annualisation",))
    one_year = float(figures_of(ways[0], np.ones(CLOSES - 1)).sharpe_ratio)
    assert f"with 252 for both the Sharpe ratio is {one_year:.3f}" in " ".join(sentences(finding))


def test_a_year_that_the_calendar_does_not_have_is_found(
    market: Market, period: Period, ways: list[Convention]
) -> None:
    other = next(way for way in ways if (way.return_periods, way.volatility_periods) == (365, 365))
    finding = found(market, claim_of(texts_of(other, np.ones(CLOSES - 1)), period))
    assert (finding.verdict, finding.flags) == ("always-long", ("off-calendar-annualisation",))


def test_another_window_is_found(market: Market, period: Period, ways: list[Convention]) -> None:
    shifted = next(way for way in ways if way.window.shift == (0, -1))
    finding = found(market, claim_of(texts_of(shifted, np.ones(CLOSES - 2)), period))
    assert (finding.verdict, finding.flags) == ("always-long", ("shifted-window",))
    assert str(shifted.window.period) in " ".join(sentences(finding))


@pytest.mark.parametrize("ratio", ["nan", "0.00"])
def test_an_account_that_never_moves_is_always_flat(market: Market, period: Period, ratio: str) -> None:
    texts = {"cr": "0.00", "sr": ratio, "av": "0.00", "mdd": "0.00"}
    assert found(market, claim_of(texts, period))[2:4] == ("always-flat", ())
    fallen = found(market, claim_of({**texts, "mdd": "1.00"}, period))
    assert (fallen.verdict, fallen.flags) == ("always-flat", ("mdd-inconsistent",))


@pytest.mark.parametrize("kind", ["long-flat", "long-short"])
def test_a_path_is_found_and_kept(market: Market, period: Period, ways: list[Convention], kind: str) -> None:
    options = [0.0, 1.0] if kind == "long-flat" else [-1.0, 0.0, 1.0]
    positions = np.random.default_rng(3).choice(options, CLOSES - 1)
    finding = found(market, claim_of(texts_of(ways[0], positions, digits=2), period, kind))
    assert finding.verdict == "reachable"
    assert finding.certificate is not None
    assert finding.certificate.convention == finding.fitting[0]
    assert set(np.unique(finding.certificate.positions)) <= set(options)


def test_a_return_out_of_reach_is_the_reason(market: Market, period: Period) -> None:
    finding = found(market, claim_of({"cr": "400", "sr": "5", "av": "20", "mdd": "5"}, period))
    assert (finding.verdict, finding.because) == ("unreachable", RETURN)
    assert "printed is 400 %" in " ".join(sentences(finding))


def test_a_volatility_out_of_reach_is_the_reason(market: Market, period: Period) -> None:
    finding = found(market, claim_of({"cr": "10", "sr": "1.5", "av": "99.0", "mdd": "5"}, period))
    assert (finding.verdict, finding.because) == ("unreachable", VOLATILITY)
    assert finding.certificate is None
    assert finding.fitting == ()


@pytest.mark.parametrize(
    ("change", "flag"), [({"sr": "9.999"}, "days"), ({"av": "3.000"}, "days"), ({"mdd": "45.000"}, "mdd")]
)
def test_figures_that_exclude_each_other_are_unreachable(
    market: Market, period: Period, ways: list[Convention], change: dict[str, str], flag: str
) -> None:
    positions = np.random.default_rng(3).choice([0.0, 1.0], CLOSES - 1)
    finding = found(market, claim_of({**texts_of(ways[0], positions), **change}, period))
    assert finding.verdict == "unreachable"
    assert any(own.startswith(flag) for own in finding.flags)


def test_a_market_is_asked_for_once(market: Market, period: Period) -> None:
    asked: list[str] = []

    def market_of(name: str) -> Market:
        asked.append(name)
        return market

    claim = claim_of({"cr": "0.00", "sr": "nan", "av": "0.00", "mdd": "0.00"}, period)
    findings = audit_rows([claim, claim._replace(asset="OTHER"), claim], market_of)
    assert [finding.verdict for finding in findings] == ["always-flat"] * 3
    assert asked == ["TOY", "OTHER"]


def test_without_a_period_it_is_the_test_window(market: Market) -> None:
    claim = make_claim({"cr": "0.00", "sr": "nan", "av": "0.00", "mdd": "0.00"}, asset="TOY")
    assert audit_claim(market, claim).period == market.asset.windows.test


def test_a_window_outside_the_data_is_refused(market: Market) -> None:
    claim = claim_of({"cr": "0", "sr": "0", "av": "0", "mdd": "0"}, Period.parse("1990-01-01:1990-12-31"))
    with pytest.raises(MarketDataError):
        audit_claim(market, claim)


@pytest.fixture(scope="module", params=["standard", "paper"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return load_protocol(request.param)


def figures_by_name(
    market: Market, protocol: Protocol, period: Period, actions: IntArray
) -> dict[str, float]:
    values = score(market, protocol, period, actions).values
    return {metric: values[metric] for metric in FLAGS.values()}


def random_actions(seed: int) -> IntArray:
    random = np.random.default_rng(seed)
    share = random.choice([0.02, 0.2, 0.6])
    weights = [share / 2, 1 - share, share / 2]
    actions: IntArray = random.choice(np.array([Action.SELL, Action.HOLD, Action.BUY]), CLOSES - 1, p=weights)
    return actions


def test_a_score_of_buy_and_hold_is_always_long(market: Market, protocol: Protocol, period: Period) -> None:
    actions = buy_and_hold_actions(CLOSES - 1)
    figures = figures_by_name(market, protocol, period, actions)
    finding = audit_score(market, protocol, period, figures, name="mine")
    assert (finding.verdict, finding.flags, finding.claim.name) == ("always-long", (), "mine")
    fallen = audit_score(market, protocol, period, {**figures, "max_drawdown": 0.5})
    assert (fallen.verdict, fallen.flags) == ("always-long", ("mdd-inconsistent",))


def test_a_score_of_never_trading_is_always_flat(market: Market, protocol: Protocol, period: Period) -> None:
    figures = figures_by_name(market, protocol, period, np.full(CLOSES - 1, Action.HOLD))
    assert math.isnan(figures["sharpe_ratio"])
    assert audit_score(market, protocol, period, figures).verdict == "always-flat"


def test_a_score_is_reachable_by_its_own_actions_and_undecided_without(
    market: Market, protocol: Protocol, period: Period
) -> None:
    actions = random_actions(5)
    figures = figures_by_name(market, protocol, period, actions)
    finding = audit_score(market, protocol, period, figures, actions=actions)
    assert (finding.verdict, finding.flags, finding.certificate) == ("reachable", (), None)
    assert "Its own actions" in sentences(finding)[0]
    alone = audit_score(market, protocol, period, figures)
    assert alone.verdict == "undecided"
    assert sentences(alone)[0].startswith("No bound excludes")


@pytest.mark.parametrize("seed", range(12))
def test_no_score_is_unreachable(market: Market, protocol: Protocol, period: Period, seed: int) -> None:
    """Whatever was bought and sold, at the fills and costs of the protocol."""
    figures = figures_by_name(market, protocol, period, random_actions(seed))
    assert audit_score(market, protocol, period, figures).verdict != "unreachable"


@pytest.mark.parametrize(
    "change",
    [
        {"cumulative_return": 5.0},
        {"annualized_volatility": 2.0},
        {"sharpe_ratio": 9.0},
        {"max_drawdown": 0.6},
    ],
)
def test_a_figure_that_no_actions_have_is_unreachable(
    market: Market, protocol: Protocol, period: Period, change: dict[str, float]
) -> None:
    figures = {**figures_by_name(market, protocol, period, random_actions(5)), **change}
    finding = audit_score(market, protocol, period, figures)
    assert finding.verdict == "unreachable"
    assert "under the protocol's convention" in sentences(finding)[0]


def test_a_score_needs_all_four_figures(market: Market, protocol: Protocol, period: Period) -> None:
    with pytest.raises(ConfigError, match="missing: sharpe_ratio"):
        audit_score(market, protocol, period, {"cumulative_return": 0.1})
