from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.market.period import Period
from flagbench.reports.action_plot import TradePath, action_figure, action_words, trade_path
from flagbench.reports.figure_style import NARROW, WIDE
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tests.conftest import MarketFactory

OPENS = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
CLOSES = [10.5, 11.5, 12.5, 13.5, 14.5, 15.5]
BUY, HOLD, SELL = Action.BUY, Action.HOLD, Action.SELL


@pytest.fixture
def path(synthetic_market: "MarketFactory") -> TradePath:
    """Bought into bar 1, sold into bar 3, an answer lost, bought again into the last bar."""
    market = synthetic_market(CLOSES, opens=OPENS)
    protocol = load_protocol("standard").model_copy(update={"lookback": 1})
    period = Period.of(*(day.item() for day in (market.dates[0], market.dates[-1])))
    return trade_path(market, protocol, period, np.array([BUY, HOLD, SELL, UNPARSED, BUY], dtype=np.int8))


def marks(figure: "Figure", label: str) -> list[tuple[object, float]]:
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == label]
    days, prices = (np.asarray(line.get_data(orig=True)[axis]).tolist() for axis in (0, 1))
    return list(zip(days, prices, strict=True))


def test_marks_stand_at_the_bar_and_price_of_the_fill(path: TradePath) -> None:
    figure = action_figure(path, WIDE, unit="USD")
    assert marks(figure, "bought") == [(date(2020, 1, 2), 11.0), (date(2020, 1, 8), 15.0)]
    assert marks(figure, "sold") == [(date(2020, 1, 6), 13.0)]
    assert [day for day, _ in marks(figure, "unparsed")] == [date(2020, 1, 6)]
    assert [price for _, price in marks(figure, "close")] == CLOSES
    assert figure.axes[0].get_ylabel() == "price, USD"


def test_a_shade_lies_from_the_bar_of_the_purchase_to_that_of_the_sale(path: TradePath) -> None:
    from matplotlib.dates import date2num
    from matplotlib.patches import Rectangle

    axes = action_figure(path, NARROW, unit="USD").axes[0]
    shades = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    found = [(shade.get_x(), shade.get_x() + shade.get_width()) for shade in shades]
    first, second = ([date2num(date(2020, 1, day)) for day in days] for days in ((2, 6), (8, 8)))
    assert found == [pytest.approx(first), pytest.approx(second)]


def test_without_an_unparsed_answer_the_legend_has_none(path: TradePath) -> None:
    clean = path._replace(unparsed=np.zeros(5, dtype=bool))
    (legend,) = action_figure(clean, WIDE, unit="USD").legends
    assert [text.get_text() for text in legend.get_texts()] == ["shares held", "close", "bought", "sold"]


def test_an_agent_that_never_traded_has_a_price_and_no_marks(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market(CLOSES)
    protocol = load_protocol("standard").model_copy(update={"lookback": 1})
    period = Period.of(market.dates[0].item(), market.dates[-1].item())
    flat = trade_path(market, protocol, period, np.full(5, HOLD, dtype=np.int8))
    figure = action_figure(flat, WIDE, unit="USD")
    assert marks(figure, "bought") == marks(figure, "sold") == []
    assert not figure.axes[0].patches


def test_the_words_count_the_trades(path: TradePath) -> None:
    words = action_words(path, "seed 3")
    assert "trades of seed 3: bought 2 times, sold 1 times" in words
    assert "held after 60 % of the decisions, 1 answers were no action" in words
    assert "between 10.50 and 15.50 and ended at 15.50" in words
