import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagbench.trading.accounts import HISTORY_LENGTH, Accounts, BarMarks
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.prices import WindowPrices
from flagbench.trading.protocol import FillPrice, Protocol, load_protocol

SELL, HOLD, BUY = Action
CLOSES = [100.0, 110, 88, 99, 120]
OPENS = [105.0, 100, 90, 110]


def rules(**changes: object) -> Protocol:
    base = {"initial_cash": 1000.0, "cost_bps": 0.0, "reward": "pnl"}
    return load_protocol("standard").model_copy(update=base | changes)


def opened(
    fill: FillPrice = "next_open", *, protocol: Protocol | None = None, accounts: int = 1, bars: int = 5
) -> Accounts:
    closes = np.resize(CLOSES, bars)
    fills = np.resize(OPENS, bars - 1) if fill == "next_open" else closes[1:]
    dates = np.arange(bars).astype("datetime64[D]")
    prices = WindowPrices(dates, closes, fills, fill, 19)
    return Accounts(prices, protocol or rules(), accounts=accounts)


def play(accounts: Accounts, actions: list[int]) -> list[BarMarks]:
    return [accounts.advance(np.array([action])) for action in actions]


def test_accounts_open_flat_with_the_initial_cash_as_equity() -> None:
    accounts = opened(accounts=3)
    assert (accounts.t, accounts.is_over) == (0, False)
    assert accounts.equity.tolist() == [1000] * 3
    assert accounts.account().tolist() == [[0, 1, 1, 0, 0, 0]] * 3
    assert accounts.history().tolist() == [[[-1, 0, 0]] * 10] * 3
    assert accounts.masks().tolist() == [[False, True, True]] * 3


def test_equity_is_marked_at_the_close_after_the_fill() -> None:
    # Bought at the open of 105, held over 110 and 88, sold at the open of 90.
    marks = play(opened(), [BUY, HOLD, SELL, HOLD])
    equities = [1000 * 110 / 105, 1000 * 88 / 105, 1000 * 90 / 105, 1000 * 90 / 105]
    assert [mark.equity[0] for mark in marks] == pytest.approx(equities, rel=1e-14)


def test_an_order_at_the_next_close_earns_nothing_on_the_bar_that_fills_it() -> None:
    marks = play(opened("next_close"), [BUY, HOLD, SELL, HOLD])
    equities = [1000, 1000 * 88 / 110, 1000 * 99 / 110, 1000 * 99 / 110]
    assert [mark.equity[0] for mark in marks] == pytest.approx(equities, rel=1e-14)


def test_the_cost_is_paid_on_the_bar_of_the_fill() -> None:
    marks = play(opened("next_close", protocol=rules(cost_bps=10)), [BUY, SELL, HOLD, HOLD])
    assert [mark.cost[0] for mark in marks] == pytest.approx(
        [1000 - 1000 / 1.001, 800 / 1.001 * 0.001, 0, 0], rel=1e-10
    )
    assert [mark.traded[0] for mark in marks] == pytest.approx([1000 / 1.001, 800 / 1.001, 0, 0], rel=1e-14)
    equities = [1000 / 1.001, 800 / 1.001 * 0.999, 800 / 1.001 * 0.999, 800 / 1.001 * 0.999]
    assert [mark.equity[0] for mark in marks] == pytest.approx(equities, rel=1e-14)


@pytest.mark.parametrize(
    ("fill", "exposed"),
    [
        ("next_open", [False, True, True, True, False]),  # the night before the sale at the open counts
        ("next_close", [False, False, True, True, False]),  # held from the close that filled it on
    ],
)
def test_exposed_is_a_bar_with_shares_held_at_any_time_between_its_closes(
    fill: FillPrice, exposed: list[bool]
) -> None:
    marks = play(opened(fill, bars=6), [HOLD, BUY, HOLD, SELL, HOLD])
    assert [mark.exposed[0] for mark in marks] == exposed
    assert [mark.long[0] for mark in marks] == [False, True, True, False, False]
    assert [mark.filled[0] for mark in marks] == [False, True, False, True, False]


def test_orders_that_change_nothing_are_redundant_and_unparsed_answers_are_not() -> None:
    marks = play(opened(bars=7), [SELL, BUY, BUY, UNPARSED, HOLD, SELL])
    assert [mark.redundant[0] for mark in marks] == [True, False, True, False, False, False]
    assert [mark.long[0] for mark in marks] == [False, True, True, True, True, False]


def test_the_account_shows_position_cash_equity_bars_and_moments_of_profit() -> None:
    accounts = opened("next_close", protocol=rules(initial_cash=500))
    play(accounts, [BUY, HOLD, HOLD])
    pnl = [0, -0.2, 0.1]  # 110 to 88 to 99, from a purchase at 110
    expected = [1, 0, 0.9, 3, statistics.fmean(pnl), statistics.stdev(pnl)]
    assert accounts.account()[0] == pytest.approx(expected, rel=1e-12)
    play(accounts, [SELL])
    pnl.append(120 / 110 - 0.9)
    flat = [0, 120 / 110, 120 / 110, 4, statistics.fmean(pnl), statistics.stdev(pnl)]
    assert accounts.account()[0] == pytest.approx(flat, rel=1e-12)
    assert accounts.is_over


def test_the_history_keeps_the_last_ten_decisions_newest_last() -> None:
    accounts = opened("next_close", protocol=rules(reward="log_return"), bars=15)
    play(accounts, [BUY, UNPARSED, SELL])
    assert accounts.history()[0, :7].tolist() == [[-1, 0, 0]] * 7
    bought, kept, sold = [BUY, 0, 1], [UNPARSED, math.log(0.8), 0.8], [SELL, math.log(9 / 8), 0.9]
    assert accounts.history()[0, 7:] == pytest.approx(np.array([bought, kept, sold]), rel=1e-6)
    play(accounts, [HOLD] * 9)
    assert accounts.history().shape == (1, HISTORY_LENGTH, 3)
    assert accounts.history()[0, :, 0].tolist() == [SELL, *[HOLD] * 9]


def test_writing_to_what_was_handed_out_changes_no_book() -> None:
    accounts, untouched = opened(accounts=2), opened(accounts=2)
    for actions in ([BUY, HOLD], [SELL, BUY], [BUY, HOLD], [HOLD, HOLD]):
        orders = np.array(actions)
        marks, expected = accounts.advance(orders), untouched.advance(np.array(actions))
        assert [values.tolist() for values in marks] == [values.tolist() for values in expected]
        books = accounts.history(), accounts.account(), accounts.masks(), accounts.equity
        for array in (orders, *marks, *books):
            array[...] = 0
    assert accounts.account().tolist() == untouched.account().tolist()
    assert accounts.history().tolist() == untouched.history().tolist()


@settings(max_examples=50)
@given(st.lists(st.lists(st.sampled_from([UNPARSED, 0, 1, 2]), min_size=3, max_size=3), max_size=8))
def test_two_actions_are_always_valid_and_never_the_redundant_one(orders: list[list[int]]) -> None:
    accounts = opened(accounts=3, bars=9)
    for actions in orders:
        masks, long = accounts.masks(), accounts.portfolio.is_long
        assert masks.sum(axis=1).tolist() == [2, 2, 2]
        assert masks[:, HOLD].all()
        assert masks[:, SELL].tolist() == long.tolist()
        assert masks[:, BUY].tolist() == (~long).tolist()
        marks = accounts.advance(np.array(actions))
        asked = [action != UNPARSED and not masks[row, action] for row, action in enumerate(actions)]
        assert marks.redundant.tolist() == asked


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.sampled_from([UNPARSED, 0, 1, 2]), min_size=4, max_size=4), min_size=1, max_size=8),
    st.sampled_from(["sharpe_delta", "log_return", "pnl"]),
    st.sampled_from(["next_open", "next_close"]),
)
def test_many_accounts_together_equal_each_alone_bit_for_bit(
    orders: list[list[int]], reward: str, fill: FillPrice
) -> None:
    protocol = rules(reward=reward, cost_bps=10)
    together = opened(fill, protocol=protocol, accounts=4, bars=9)
    marks = [together.advance(np.array(actions)) for actions in orders]
    for row in range(4):
        alone = opened(fill, protocol=protocol, bars=9)
        single = play(alone, [actions[row] for actions in orders])
        for mark, own in zip(marks, single, strict=True):
            assert [values[row] for values in mark] == [values[0] for values in own]
        assert np.array_equal(together.account()[row], alone.account()[0])
        assert np.array_equal(together.history()[row], alone.history()[0])
