from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.audit.convention import figures_of, played_convention
from flagbench.audit.sums import terms_of
from flagbench.audit.window import played_window, windows_around
from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.scoring.score import score
from flagbench.trading.action import Action
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

CLOSES = [100.0, 100.0, 100.0, 110.0, 99.0, 120.0, 120.0, 120.0]


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> Market:
    return synthetic_market(CLOSES)


def period(market: Market, first: int, last: int) -> Period:
    return Period.of(market.dates[first].item(), market.dates[last].item())


def test_the_named_window_comes_first_and_all_others_lie_up_to_two_bars_beside_it(market: Market) -> None:
    first, *others = windows_around(market, period(market, 2, 5))
    assert (first.shift, list(first.closes)) == ((0, 0), CLOSES[2:6])
    assert len(others) == 18  # 24, less six of one or two closes
    assert sum(map(abs, others[0].shift)) == 1
    assert max(abs(end) for window in others for end in window.shift) == 2
    shortest = next(window for window in others if window.shift == (1, 0))
    assert shortest.period == period(market, 3, 5)


def test_windows_end_with_the_data_and_have_three_closes(market: Market) -> None:
    shifts = {window.shift for window in windows_around(market, period(market, 0, 3))}
    assert min(first for first, _ in shifts) == 0
    assert (2, 0) not in shifts
    assert (2, 1) in shifts
    with pytest.raises(ConfigError, match="has 2 closes, 3 are needed"):
        windows_around(market, period(market, 2, 3))


@pytest.fixture
def traded(synthetic_market: "MarketFactory") -> Market:
    """After 20 quiet bars: closes 100, 110, 121 and 100, opens half way."""
    closes = [100.0] * 21 + [110.0, 121.0, 100.0]
    opens = [100.0] * 21 + [105.0, 115.0, 111.0]
    return synthetic_market(closes, opens=opens)


def test_entering_and_leaving_is_at_the_open_and_costs(traded: Market) -> None:
    own = played_window(traded, load_protocol("standard"), period(traded, 20, 23))
    cost = 0.001
    entered = [110 / 105, 121 / 115, 100 / 111]
    left = [105 / 100, 115 / 110, 111 / 121]
    assert own.fill_returns[0] == pytest.approx([ratio / (1 + cost) - 1 for ratio in entered])
    assert own.fill_returns[1] == pytest.approx([ratio * (1 - cost) - 1 for ratio in left])


def test_at_the_close_and_for_nothing_entering_earns_nothing(traded: Market) -> None:
    own = played_window(traded, load_protocol("paper"), period(traded, 20, 23))
    assert own.fill_returns[0] == pytest.approx([0, 0, 0])
    assert own.fill_returns[1] == pytest.approx([0.1, 0.1, 100 / 121 - 1])


@pytest.mark.parametrize("name", ["standard", "paper"])
def test_a_protocols_figures_are_sums_of_these_returns(traded: Market, name: str) -> None:
    """Bought for the second bar and sold in the third: one entry, then one exit."""
    protocol, named = load_protocol(name), period(traded, 20, 23)
    own = played_convention(played_window(traded, protocol, named), protocol.scoring, periods=252)
    assert own.is_played
    terms = terms_of(own, (1.0,))
    total = terms.totals[1, 1] + terms.totals[2, 2]
    actions = np.array([Action.HOLD, Action.BUY, Action.SELL])
    values = score(traded, protocol, named, actions).values
    earned = values["cumulative_return"]
    assert (np.log1p(earned) if name == "standard" else earned) == pytest.approx(total)
    # On days without an order it is the plain convention, which many paths are figured by.
    held = score(traded, protocol, named, np.full(3, Action.HOLD)).values
    assert float(figures_of(own, np.zeros(3)).max_drawdown) == held["max_drawdown"] == 0


def test_three_closes_are_the_fewest(traded: Market) -> None:
    with pytest.raises(ConfigError, match="has 2 closes"):
        played_window(traded, load_protocol("paper"), period(traded, 22, 23))
