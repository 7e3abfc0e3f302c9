import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ref

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.market import Market
from flagbench.market.price_file import FloatArray
from flagbench.market.text_file import TextItem
from flagbench.trading.accounts import HISTORY_LENGTH
from flagbench.trading.environment import TradingEnv
from flagbench.trading.prices import WindowPrices
from flagbench.trading.protocol import FillPrice
from flagbench.trading.vector_environment import VectorTradingEnv

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

ENV_ID = "flagbench.trading.registration:flagbench/Trading-v0"
BARS = 12
DAYS = (np.datetime64("2020-01-01") + np.arange(BARS + 6)).astype(str).tolist()

Bar = tuple[float, float, float, float, float]
"""Open, close, adjusted close, InvestorBench's price, volume."""
PRICE = st.floats(1, 1000)
BAR = st.tuples(PRICE, PRICE, PRICE, PRICE, st.one_of(st.just(float("nan")), st.floats(0, 1e9)))
TAPE = st.lists(BAR, min_size=BARS, max_size=BARS)
ORDERS = st.lists(st.sampled_from([0, 1, 2]), min_size=BARS - 3, max_size=BARS - 3)


def market_of(synthetic_market: "MarketFactory", tape: list[Bar], texts: list[str]) -> Market:
    """A market of twelve bars with one item of text on each calendar day."""
    opens, closes, adjusted, published, volume = zip(*tape, strict=True)
    text = [TextItem(day, "news", mark) for day, mark in zip(DAYS, texts, strict=True)]
    market = synthetic_market(closes, opens=opens, volume=volume, investorbench=published, text=text)
    return replace(market, adjusted_close=np.array(adjusted))


def shown(env: TradingEnv, actions: list[int]) -> list[object]:
    return [env.reset(), *(env.step(action) for action in actions)]


@given(
    tape=TAPE,
    other=TAPE,
    actions=ORDERS,
    bar=st.integers(2, BARS - 1),
    fill=st.sampled_from(["next_open", "next_close"]),
    scoring=st.sampled_from(["standard", "paper"]),
    reward=st.sampled_from(["sharpe_delta", "log_return", "pnl"]),
)
def test_rewriting_all_that_comes_after_a_bar_changes_nothing_up_to_it(
    *,
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
    tape: list[Bar],
    other: list[Bar],
    actions: list[int],
    bar: int,
    fill: FillPrice,
    scoring: str,
    reward: str,
) -> None:
    protocol = protocol_with(fill, scoring=scoring, reward=reward)
    real = market_of(synthetic_market, tape, [f"told on {day}" for day in DAYS])
    told = [f"told on {day}" if day <= str(real.dates[bar]) else f"rewritten on {day}" for day in DAYS]
    rewritten = market_of(synthetic_market, [*tape[: bar + 1], *other[bar + 1 :]], told)
    steps = [
        shown(TradingEnv(market, protocol, bars_of(market)), actions[: bar - 2])
        for market in (real, rewritten)
    ]
    assert data_equivalence(steps[0], steps[1], exact=True)


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_rewriting_a_bar_changes_the_step_that_shows_it(
    fill: FillPrice,
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    tape: list[Bar] = [(10 + day, 10.5 + day, 10.5 + day, 20 + day, 1) for day in range(BARS)]
    other: list[Bar] = [*tape[:6], (9, 8, 8, 8, 2), *tape[7:]]
    markets = [market_of(synthetic_market, bars, DAYS) for bars in (tape, other)]
    envs = [TradingEnv(market, protocol_with(fill, reward="pnl"), bars_of(market)) for market in markets]
    one, another = (shown(env, [2] * 4) for env in envs)
    assert data_equivalence(one[:4], another[:4], exact=True)
    assert not data_equivalence(one[4], another[4], exact=True)


class Later(NamedTuple):
    """What must not be found after a bar: prices and volumes that no earlier bar shows, dates and texts."""

    numbers: FloatArray
    words: tuple[str, ...]


def later_than(market: Market, bar: int) -> Later:
    published = np.full(len(market.dates), np.nan) if market.investorbench is None else market.investorbench
    table = np.column_stack([market.bars, market.adjusted_bars, published]).astype(np.float32)
    numbers = np.setdiff1d(table[bar + 1 :], table[: bar + 1])
    texts = [item.text for item in market.text if item.date > str(market.dates[bar]) and item.text]
    return Later(numbers[~np.isnan(numbers)], (*market.dates[bar + 1 :].astype(str).tolist(), *texts))


def reachable(*roots: object, private: bool = False) -> Iterator[object]:
    """All that attributes, items and elements lead to; functions are not looked into."""
    pending, seen = deque(roots), {}
    while pending:
        value = pending.popleft()
        leaf = type, Enum, ModuleType, FunctionType, MethodType, np.random.Generator, np.dtype
        if id(value) in seen or isinstance(value, leaf):
            continue
        seen[id(value)] = value
        yield value
        if isinstance(value, np.ndarray):
            pending.extend(value.tolist() if value.dtype == object else [])
        elif not isinstance(value, (str, bytes, int, float, complex, np.generic, type(None))):
            pending.extend(inside(value, private=private))


def inside(value: Any, *, private: bool) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from value
    for name in dir(value):
        if not name.startswith("__" if private else "_"):
            # A property that refuses to be read leads nowhere.
            with suppress(Exception):
                yield getattr(value, name)


def found(later: Later, *roots: object, private: bool = False) -> list[object]:
    return [value for value in reachable(*roots, private=private) if reveals(value, later)]


def reveals(value: object, later: Later) -> bool:
    if isinstance(value, (str, bytes)):
        text = value if isinstance(value, str) else value.decode(errors="replace")
        return any(word in text for word in later.words)
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return bool(np.isin(value.astype(str), later.words).any())
    if isinstance(value, (int, float, np.number, np.ndarray)) and np.asarray(value).dtype.kind in "iuf":
        return bool(np.isin(np.asarray(value).astype(np.float32), later.numbers).any())
    return False


@pytest.fixture(scope="module")
def marked(synthetic_market: "MarketFactory") -> Market:
    """Every number of every bar is found in that bar alone."""
    tape: list[Bar] = [(d + 2000.25, d + 2000.75, d + 500.5, d + 3000.5, d + 70_000) for d in range(BARS)]
    return market_of(synthetic_market, tape, [f"marker {day} " * 3 for day in DAYS])


@pytest.fixture(params=["next_open", "next_close"])
def single(
    request: pytest.FixtureRequest, marked: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> TradingEnv:
    return TradingEnv(marked, protocol_with(request.param, scoring="paper"), bars_of(marked))


@pytest.fixture
def vector(marked: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory") -> VectorTradingEnv:
    return VectorTradingEnv(marked, protocol_with(scoring="paper"), bars_of(marked), num_envs=2)


def test_the_search_finds_what_is_there_to_find(marked: Market, single: TradingEnv) -> None:
    observation, _ = single.reset()
    yesterday = later_than(marked, 1)
    assert {type(value) for value in found(yesterday, observation)} == {np.ndarray, str}
    assert found(yesterday, {"deep": [({"env": single}, marked)]})
    assert not found(later_than(marked, 2), observation)


@pytest.mark.parametrize("private", [False, True])
def test_nothing_reachable_from_a_single_environment_is_later_than_its_bar(
    private: bool, marked: Market, single: TradingEnv
) -> None:
    assert found(later_than(marked, 1), single, private=private) == []
    handed_out: list[object] = [single.reset()]
    assert found(later_than(marked, 2), single, handed_out, private=private) == []
    for bar in range(3, BARS):
        handed_out.append(single.step(bar % 3))
        assert found(later_than(marked, bar), single, handed_out, private=private) == []


@pytest.mark.parametrize("private", [False, True])
def test_nothing_reachable_from_a_vector_environment_is_later_than_its_bar(
    private: bool, marked: Market, vector: VectorTradingEnv
) -> None:
    handed_out: list[object] = [vector.reset()]
    assert found(later_than(marked, 2), vector, handed_out, private=private) == []
    for bar in range(3, BARS):
        handed_out.append(vector.step(np.array([bar % 3, 2])))
        assert found(later_than(marked, bar), vector, handed_out, private=private) == []


@pytest.mark.parametrize("made", ["make", "make_vec"])
def test_nothing_reachable_from_what_gymnasium_makes_is_later_than_its_bar(made: str, tsla: Market) -> None:
    env: Any = getattr(gym, made)(ENV_ID, asset="TSLA", window="test")
    handed_out = [env.reset()]
    first = tsla.bar_range(tsla.asset.windows.test).start
    for bar in range(first, first + 3):
        assert found(later_than(tsla, bar), env, env.unwrapped, env.spec, handed_out) == []
        handed_out.append(env.step(2 if made == "make" else np.array([2])))


def test_an_environment_keeps_no_market_and_no_array_as_long_as_its_window(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    market = synthetic_market([5.0 + bar for bar in range(40)])
    given_market = market, protocol_with(lookback=3), bars_of(market)
    for env in (TradingEnv(*given_market), VectorTradingEnv(*given_market, num_envs=2)):
        env.reset()
        assert not any(isinstance(value, np.ndarray) and len(value) > 3 for value in vars(env).values())
        kept = list(reachable(*vars(env).values(), private=True))
        assert not any(isinstance(value, (Market, WindowPrices)) for value in kept)
        lengths = [len(value) for value in kept if isinstance(value, np.ndarray) and value.ndim]
        assert max(lengths) <= HISTORY_LENGTH


@pytest.mark.parametrize("kind", [TradingEnv, VectorTradingEnv])
def test_an_environment_lets_go_of_the_market_beyond_its_window(
    kind: Callable[..., object],
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    market = synthetic_market([5.0] * 9)
    whole = ref(market)
    env = kind(market, protocol_with(), bars_of(market, 2, 6))
    del market
    gc.collect()
    assert whole() is None, f"{env} keeps it"
