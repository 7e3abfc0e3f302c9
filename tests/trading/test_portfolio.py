from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.price_file import FloatArray
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.portfolio import Fills, Portfolio

PRICES = st.floats(0.01, 100_000)
COSTS = st.one_of(st.just(0.0), st.just(0.001), st.floats(1e-5, 0.5))
ORDERS = st.lists(st.tuples(st.sampled_from([UNPARSED, *Action]), PRICES), min_size=1, max_size=30)


class Step(NamedTuple):
    before: Portfolio
    after: Portfolio
    fills: Fills
    price: float


def walk(orders: list[tuple[int, float]], *, cost: float, cash: float = 1000.0) -> list[Step]:
    portfolio, steps = Portfolio.opening(cash), []
    for action, price in orders:
        after, fills = portfolio.trade(np.array([action]), price=price, cost=cost)
        steps.append(Step(portfolio, after, fills, price))
        portfolio = after
    return steps


def one(action: int, *, cash: float = 0.0, shares: float = 0.0, price: float, cost: float) -> Step:
    before = Portfolio(cash=np.array([cash]), shares=np.array([shares]))
    return Step(before, *before.trade(np.array([action]), price=price, cost=cost), price)


def test_a_buy_at_10_bp_turns_cash_into_cash_over_price_and_cost() -> None:
    step = one(Action.BUY, cash=100_100, price=100, cost=0.001)
    assert step.after.shares == pytest.approx([1000], rel=1e-14)  # 100,100 / (100 · 1.001)
    assert step.after.cash.tolist() == [0]
    assert step.fills.traded == pytest.approx([100_000], rel=1e-14)
    assert step.fills.cost == pytest.approx([100], rel=1e-10)
    assert step.fills.filled.tolist() == [True]
    assert step.fills.redundant.tolist() == [False]


def test_a_sell_at_10_bp_turns_shares_into_their_value_less_cost() -> None:
    step = one(Action.SELL, shares=1000, price=110, cost=0.001)
    assert step.after.cash == pytest.approx([109_890], rel=1e-14)  # 1000 · 110 · 0.999
    assert step.after.shares.tolist() == [0]
    assert step.fills.traded.tolist() == [110_000]
    assert step.fills.cost == pytest.approx([110], rel=1e-10)
    assert step.fills.filled.tolist() == [True]


def test_a_round_trip_at_one_price_pays_the_cost_on_both_sides() -> None:
    last = walk([(Action.BUY, 37.0), (Action.SELL, 37.0)], cost=0.001)[-1]
    assert last.after.cash == pytest.approx([1000 * 0.999 / 1.001], rel=1e-14)


def test_without_cost_a_buy_spends_exactly_the_cash() -> None:
    step = one(Action.BUY, cash=1000, price=3, cost=0)
    assert step.after.shares.tolist() == [1000 / 3]
    assert step.fills.cost.tolist() == [0]


@pytest.mark.parametrize(
    ("action", "cash", "shares", "redundant"),
    [
        (Action.BUY, 0, 5, True),
        (Action.SELL, 70, 0, True),
        (Action.HOLD, 0, 5, False),
        (Action.HOLD, 70, 0, False),
        (UNPARSED, 0, 5, False),
        (UNPARSED, 70, 0, False),
        (3, 0, 5, False),
        (7, 70, 0, False),
    ],
)
def test_an_order_that_changes_nothing_is_free_and_counted_only_where_it_is_redundant(
    action: int, cash: float, shares: float, redundant: bool
) -> None:
    step = one(action, cash=cash, shares=shares, price=10, cost=0.01)
    assert (step.after.cash.tolist(), step.after.shares.tolist()) == ([cash], [shares])
    assert (step.fills.traded.tolist(), step.fills.cost.tolist()) == ([0], [0])
    assert step.fills.filled.tolist() == [False]
    assert step.fills.redundant.tolist() == [redundant]


def test_every_account_follows_its_own_order() -> None:
    before = Portfolio(cash=np.array([100.0, 0, 100, 0, 100]), shares=np.array([0.0, 5, 0, 5, 0]))
    orders = np.array([Action.BUY, Action.SELL, Action.SELL, Action.BUY, Action.HOLD])
    after, fills = before.trade(orders, price=20, cost=0)
    assert after.cash.tolist() == [0, 100, 100, 0, 100]
    assert after.shares.tolist() == [5, 0, 0, 5, 0]
    assert fills.filled.tolist() == [True, True, False, False, False]
    assert fills.redundant.tolist() == [False, False, True, True, False]
    assert fills.traded.tolist() == [100, 100, 0, 0, 0]
    assert after.equity(20).tolist() == [100] * 5


@given(ORDERS, COSTS)
def test_cash_and_shares_are_never_negative_and_one_of_them_is_zero(
    orders: list[tuple[int, float]], cost: float
) -> None:
    for step in walk(orders, cost=cost):
        cash, shares = step.after.cash[0], step.after.shares[0]
        assert min(cash, shares) == 0 < max(cash, shares)


@given(ORDERS)
def test_without_cost_trading_at_the_marking_price_keeps_the_equity(orders: list[tuple[int, float]]) -> None:
    for step in walk(orders, cost=0):
        assert step.after.equity(step.price) == pytest.approx(step.before.equity(step.price), rel=1e-15)
        assert step.fills.cost.tolist() == [0]


@given(ORDERS, COSTS)
def test_a_fill_lowers_the_equity_by_the_stated_cost_and_nothing_else_does(
    orders: list[tuple[int, float]], cost: float
) -> None:
    for step in walk(orders, cost=cost):
        before, after = step.before.equity(step.price), step.after.equity(step.price)
        assert after == pytest.approx(before - step.fills.cost, rel=1e-14)
        assert step.fills.cost == pytest.approx(cost * step.fills.traded, rel=1e-9)
        turned = step.before.is_long != step.after.is_long
        assert step.fills.filled.tolist() == turned.tolist() == (step.fills.traded > 0).tolist()


@given(ORDERS, COSTS, st.integers(-30, 30))
def test_prices_scaled_by_a_power_of_two_give_the_same_money_bit_for_bit(
    orders: list[tuple[int, float]], cost: float, power: int
) -> None:
    scale = 2.0**power
    scaled = walk([(action, price * scale) for action, price in orders], cost=cost)
    for step, other in zip(walk(orders, cost=cost), scaled, strict=True):
        assert other.after.shares[0] * other.price == step.after.shares[0] * step.price
        assert other.after.equity(other.price)[0] == step.after.equity(step.price)[0]
        assert same(other.fills, step.fills, scale=1)


@given(ORDERS, COSTS, st.integers(-30, 30))
def test_cash_scaled_by_a_power_of_two_scales_all_money_bit_for_bit(
    orders: list[tuple[int, float]], cost: float, power: int
) -> None:
    scale = 2.0**power
    scaled = walk(orders, cost=cost, cash=1000 * scale)
    for step, other in zip(walk(orders, cost=cost), scaled, strict=True):
        assert other.after.equity(step.price)[0] == step.after.equity(step.price)[0] * scale
        assert same(other.fills, step.fills, scale=scale)


def same(fills: Fills, others: Fills, *, scale: float) -> bool:
    def money(one: Fills) -> FloatArray:
        return np.concatenate([one.traded, one.cost])

    flags = [fills.filled, fills.redundant], [others.filled, others.redundant]
    return bool(np.array_equal(money(fills), money(others) * scale) and np.array_equal(*flags))
