from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import MarketDataError
from flagbench.market.market import Market
from flagbench.trading.prices import window_closes, window_prices
from flagbench.trading.protocol import FillPrice, Scoring, load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

CLOSES = [10.0, 11, 12, 13, 14, 15]
OPENS = [9.5, 10.5, 11.5, 12.5, 13.5, 14.5]
PUBLISHED = [20.0, 22, 24, 26, 28, 30]


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> Market:
    return synthetic_market(CLOSES, opens=OPENS, investorbench=PUBLISHED)


def test_an_order_at_next_open_fills_at_the_open_of_the_bar_after(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    prices = window_prices(market, protocol_with("next_open"), bars_of(market))
    assert prices.closes.tolist() == [12, 13, 14, 15]
    assert prices.fills.tolist() == [12.5, 13.5, 14.5]
    assert prices.dates.tolist() == market.dates[2:].tolist()
    assert (prices.fill, prices.first_bar) == ("next_open", 2)


def test_an_order_at_next_close_fills_at_the_close_of_the_bar_after(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    prices = window_prices(market, protocol_with("next_close"), bars_of(market, 3, 5))
    assert prices.closes.tolist() == [13, 14, 15]
    assert prices.fills.tolist() == [14, 15]
    assert (prices.fill, prices.first_bar) == ("next_close", 3)


@pytest.mark.parametrize(("asset_class", "fills"), [("equity", "next_open"), ("crypto", "next_close")])
def test_the_standard_protocol_fills_equities_at_the_next_open_and_crypto_at_the_next_close(
    asset_class: str, fills: FillPrice, synthetic_market: "MarketFactory", bars_of: "PeriodFactory"
) -> None:
    closes = [100.0 + day for day in range(30)]
    opens = [close - 0.25 for close in closes]
    crypto = asset_class == "crypto"
    market = synthetic_market(closes, opens=opens, asset_class="crypto" if crypto else "equity")
    prices = window_prices(market, load_protocol("standard"), bars_of(market, 25))
    assert prices.fill == fills
    assert prices.fills.tolist() == (closes if crypto else opens)[26:]


def test_prices_are_adjusted_and_opens_scaled_by_the_adjustment_of_their_own_day(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    factors = np.array([0.25, 0.25, 0.25, 0.5, 0.5, 1])
    split = replace(market, adjusted_close=np.array(CLOSES) * factors)
    prices = window_prices(split, protocol_with("next_open"), bars_of(split))
    assert prices.closes.tolist() == [3, 6.5, 7, 15]
    assert prices.fills == pytest.approx([6.25, 6.75, 14.5], rel=1e-15)


@pytest.mark.parametrize(
    ("fill", "scoring", "expected"),
    [
        ("next_close", "paper", PUBLISHED),
        ("next_close", "standard", CLOSES),
        ("next_open", "paper", CLOSES),
        ("next_open", "standard", CLOSES),
    ],
)
def test_published_prices_are_used_only_by_paper_scoring_at_next_close(
    *,
    fill: FillPrice,
    scoring: str,
    expected: list[float],
    market: Market,
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    prices = window_prices(market, protocol_with(fill, scoring=scoring), bars_of(market))
    assert prices.closes.tolist() == expected[2:]
    assert prices.fills.tolist() == (OPENS if fill == "next_open" else expected)[3:]


@pytest.mark.parametrize(
    ("gap", "expected"), [(1, PUBLISHED[2:5]), (2, CLOSES[2:5]), (4, CLOSES[2:5]), (5, PUBLISHED[2:5])]
)
def test_published_prices_are_used_only_where_they_cover_the_whole_window(
    gap: int,
    expected: list[float],
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    published = [float("nan") if day == gap else price for day, price in enumerate(PUBLISHED)]
    market = synthetic_market(CLOSES, investorbench=published)
    prices = window_prices(market, protocol_with("next_close", scoring="paper"), bars_of(market, 2, 4))
    assert prices.closes.tolist() == expected
    assert prices.fills.tolist() == expected[1:]


@pytest.mark.parametrize(
    ("scoring", "expected"), [("standard", CLOSES), ("paper", PUBLISHED), ("investorbench", PUBLISHED)]
)
def test_closes_follow_the_scoring(scoring: Scoring, expected: Sequence[float], market: Market) -> None:
    assert window_closes(market, range(1, 4), scoring).tolist() == expected[1:4]


def test_without_published_prices_every_scoring_reads_adjusted_closes(
    synthetic_market: "MarketFactory",
) -> None:
    assert window_closes(synthetic_market(CLOSES), range(1, 4), "paper").tolist() == CLOSES[1:4]


def test_a_window_needs_history_for_its_lookback(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    assert window_prices(market, protocol_with(lookback=3), bars_of(market, 2)).first_bar == 2
    with pytest.raises(MarketDataError, match=r"1 bars lie before .* a lookback of 3 needs 2"):
        window_prices(market, protocol_with(lookback=3), bars_of(market, 1))


def test_a_window_beyond_the_data_is_refused(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    period = bars_of(market)
    with pytest.raises(MarketDataError, match="lies outside the data"):
        window_prices(market, protocol_with(), period._replace(last=period.last.replace(year=2030)))


def test_handed_out_prices_cannot_be_written_to(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    prices = window_prices(market, protocol_with("next_close", scoring="paper"), bars_of(market))
    for array in (prices.dates, prices.closes, prices.fills):
        assert not array.flags.writeable
