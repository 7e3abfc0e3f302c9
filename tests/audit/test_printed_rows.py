"""What the audit has to find in rows that were printed, on the real prices."""

import time
from functools import cache

import pytest

from flagbench.audit.auditing import audit_claim
from flagbench.audit.claim import FLAGS, make_claim, read_period
from flagbench.audit.explanation import sentences
from flagbench.audit.finding import Finding
from flagbench.comparison.printed import printed_claims
from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market

pytestmark = pytest.mark.usefixtures("data_folder")

SECONDS = 20
"""A row takes some of these on one core; the limit leaves room for a busy machine."""


@cache
def market_of(asset: str) -> Market:
    return load_market(load_asset(asset))


def audited(asset: str, texts: str, *, positions: str = "long-flat", end: str = "2021-05-06") -> Finding:
    figures = dict(zip(FLAGS, texts.split(" / "), strict=True))
    period = read_period("2020-10-01", end)
    begun = time.process_time()
    finding = audit_claim(
        market_of(asset), make_claim(figures, asset=asset, period=period, positions=positions)
    )
    assert time.process_time() - begun < SECONDS
    return finding


@pytest.mark.parametrize("positions", ["long-flat", "long-short"])
def test_flag_traders_row_on_hon_is_always_long_with_another_drawdown(positions: str) -> None:
    finding = audited("HON", "34.342 / 2.429 / 23.913 / 10.872", positions=positions)
    assert (finding.verdict, finding.flags) == ("always-long", ("mdd-inconsistent",))
    assert "Its drawdown is 9.195 %, not 10.872 %." in sentences(finding)
    (fitting,) = finding.fitting
    assert (fitting.returns, fitting.total, fitting.day_count, fitting.is_shifted) == (
        "log",
        "sum",
        149,
        False,
    )


def test_no_long_or_flat_path_has_the_printed_drawdown_beside_the_rest() -> None:
    given = audited("HON", "34.342 / 2.429 / 23.913 / 10.872").ranges.drawdown_given_rest
    assert given is not None
    assert given.low < 0.09195 < given.high < 0.095


@pytest.mark.parametrize("positions", ["long-flat", "long-short"])
def test_flag_traders_row_on_uvv_is_unreachable_by_its_volatility(positions: str) -> None:
    finding = audited("UVV", "46.799 / 1.463 / 67.758 / 35.039", positions=positions)
    assert (finding.verdict, finding.because) == ("unreachable", frozenset({"annualized_volatility"}))
    most = finding.ranges.highest_volatility
    # The largest on the named window, 29.5 % and 35.6 %, and hardly more on those beside it.
    assert 0.295 < most[252] < 0.30
    assert 0.356 < most[365] < 0.362
    assert "2.3 and 1.9 times" in " ".join(sentences(finding))


def test_a_language_models_row_on_hon_is_always_long_with_two_years_in_it() -> None:
    finding = audited("HON", "34.342 / 2.005 / 28.779 / 9.195")
    assert (finding.verdict, finding.flags) == ("always-long", ("mixed-annualisation",))
    (fitting,) = finding.fitting
    assert (fitting.return_periods, fitting.volatility_periods) == (252, 365)


@pytest.mark.parametrize(
    ("asset", "texts"),
    [("MSFT", "15.340 / 1.039 / 24.980 / 9.428"), ("HON", "33.256 / 2.347 / 23.967 / 9.195")],
)
def test_rows_of_buy_and_hold_are_what_they_are_called_a_day_shorter(asset: str, texts: str) -> None:
    named = audited(asset, texts, end="2021-05-05")
    assert (named.verdict, named.flags) == ("always-long", ())
    longer = audited(asset, texts)
    assert (longer.verdict, longer.flags) == ("always-long", ("shifted-window",))


def test_a_digit_that_is_changed_makes_a_row_unreachable() -> None:
    assert audited("HON", "20.123 / 1.500 / 22.537 / 12.001").verdict == "reachable"
    changed = audited("HON", "20.123 / 1.500 / 22.594 / 12.001")
    assert (changed.verdict, changed.flags) == ("unreachable", ("mdd-inconsistent", "days-not-whole"))


def test_the_whole_kept_table_is_audited() -> None:
    found = {
        (claim.name, claim.asset): audit_claim(market_of(claim.asset), claim)
        for claim in printed_claims("flag_trader")
    }
    assert {key: (finding.verdict, finding.flags) for key, finding in found.items()} == {
        ("Buy & Hold", "MSFT"): ("always-long", ("shifted-window",)),
        ("Buy & Hold", "HON"): ("always-long", ("shifted-window",)),
        ("FLAG-Trader", "HON"): ("always-long", ("mdd-inconsistent",)),
        ("FLAG-Trader", "UVV"): ("unreachable", ("days-outside-window",)),
    }
