from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence

from flagbench.market.market import Market
from flagbench.market.text_file import TextItem
from flagbench.trading.accounts import Accounts
from flagbench.trading.action import Action
from flagbench.trading.observation import TextItems, bar_view, observation_space, observe
from flagbench.trading.prices import window_prices

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

CLOSES = [10.0, 11, 12, 13, 14, 15, 16]
NAN = float("nan")
# The bars run from Wednesday 2020-01-01 to Thursday 2020-01-09.
THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY = (
    TextItem(f"2020-01-0{day}", "news", name)
    for day, name in ((2, "thu"), (3, "fri"), (4, "sat"), (5, "sun"), (6, "mon"), (7, "tue"))
)


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> Market:
    return synthetic_market(
        CLOSES,
        opens=[9.5, 10.5, 11.5, 12.5, 13.5, 14.5, 15.5],
        volume=[100, NAN, 300, 400, NAN, 600, 700],
        text=[THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY, TUESDAY],
    )


@pytest.fixture
def accounts(market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory") -> Accounts:
    return Accounts(window_prices(market, protocol_with(), bars_of(market)), protocol_with(), accounts=2)


def test_the_window_ends_with_the_bar_just_closed(market: Market) -> None:
    view = bar_view(market, 3, lookback=3)
    assert view.date == "2020-01-06"
    expected = [[10.5, 11, 10.5, 11, 0], [11.5, 12, 11.5, 12, 300], [12.5, 13, 12.5, 13, 400]]
    assert view.window.tolist() == expected
    assert view.window.dtype == np.float32


def test_missing_volume_enters_the_window_as_0_and_stays_missing_in_the_market(market: Market) -> None:
    assert bar_view(market, 5, lookback=2).window[:, 4].tolist() == [0, 600]
    assert np.isnan(market.bars[4, 4])
    assert np.isnan(market.adjusted_bars[4, 4])


def test_prices_in_the_window_are_adjusted_and_volume_is_not(market: Market) -> None:
    halved = replace(market, adjusted_close=np.array(CLOSES) / 2)
    assert bar_view(halved, 2, lookback=1).window.tolist() == [[5.75, 6, 5.75, 6, 300]]


def test_text_is_of_the_day_and_of_days_without_a_bar_before_it(market: Market) -> None:
    assert [bar_view(market, index, lookback=1).text for index in range(1, 6)] == [
        (THURSDAY,),
        (FRIDAY,),
        (SATURDAY, SUNDAY, MONDAY),
        (TUESDAY,),
        (),
    ]


def test_accounts_share_bars_and_text_and_keep_their_own_books(market: Market, accounts: Accounts) -> None:
    accounts.advance(np.array([Action.BUY, Action.HOLD]))
    long, flat = observe(bar_view(market, 3, lookback=3), accounts)
    assert long["date"] == flat["date"] == "2020-01-06"
    assert long["text"] == flat["text"] == (SATURDAY, SUNDAY, MONDAY)
    assert np.array_equal(long["window"], flat["window"])
    assert (long["mask"].tolist(), flat["mask"].tolist()) == ([1, 1, 0], [0, 1, 1])
    equity = 13 / 12.5 / 1.001
    assert long["account"] == pytest.approx([1, 0, equity, 1, equity - 1, 0], rel=1e-6)
    assert flat["account"].tolist() == [0, 1, 1, 1, 0, 0]
    assert long["history"][-1] == pytest.approx([Action.BUY, 0, equity], rel=1e-6)
    assert flat["history"][-1].tolist() == [Action.HOLD, 0, 1]


def test_observations_lie_in_their_space(market: Market, accounts: Accounts) -> None:
    space = observation_space(3)
    for t in range(5):
        for observation in observe(bar_view(market, 2 + t, lookback=3), accounts):
            assert space.contains(observation)
        if not accounts.is_over:
            accounts.advance(np.array([t % 3, 2]))
    assert not observation_space(4).contains(observation)


def test_the_space_is_finite_and_its_samples_lie_in_it() -> None:
    space = observation_space(5)
    space.seed(0)
    assert all(space.contains(space.sample()) for _ in range(20))
    for box in space.spaces.values():
        if isinstance(box, spaces.Box):
            assert np.isfinite(box.low).all()
            assert np.isfinite(box.high).all()


def test_writing_to_one_observation_changes_no_other(market: Market, accounts: Accounts) -> None:
    view = bar_view(market, 4, lookback=3)
    first, second = observe(view, accounts)
    for array in (first["window"], first["mask"], first["account"], first["history"]):
        array.fill(77)
    assert data_equivalence(second, observe(bar_view(market, 4, lookback=3), accounts)[1], exact=True)
    assert np.nanmax(market.adjusted_bars[4]) < 77


def test_the_text_space_takes_tuples_of_dated_items_only() -> None:
    space = TextItems(seed=1)
    assert space.contains(())
    assert space.contains((TextItem("2020-01-02", "10k", ""), TextItem("2020-01-02", "news", "línea\n")))
    wrong: list[object] = [[], "text", ("text",), (("2020-01-02", "news", "plain tuple"),), None]
    assert not any(space.contains(value) for value in wrong)
    assert all(space.contains(space.sample()) for _ in range(10))
    assert not space.is_np_flattenable


def test_text_spaces_are_all_equal() -> None:
    assert TextItems(seed=1) == TextItems(seed=2)
    assert hash(TextItems(seed=1)) == hash(TextItems(seed=2))
    assert TextItems() != spaces.Discrete(3)
    assert repr(TextItems()) == "TextItems()"
