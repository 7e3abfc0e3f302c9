"""No row of a real path is ever called unreachable: random paths, windows, conventions and roundings."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np
import pytest

from flagbench.audit.auditing import audit_claim
from flagbench.audit.claim import FLAGS, OPTIONS, Claim, PositionKind, make_claim
from flagbench.audit.convention import CURVES, Convention, conventions, figures_of
from flagbench.audit.exclusion import Exclusions
from flagbench.audit.sums import FIGURE_SETS
from flagbench.audit.window import windows_around
from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


class TrueRow(NamedTuple):
    """A claim, and what it came of."""

    market: Market
    claim: Claim
    convention: Convention
    positions: FloatArray


def percent(value: float, digits: int) -> str:
    """A fraction as it is printed in percent."""
    return f"{100 * value:.{digits}f}"


def period_of(market: Market, first: int, last: int) -> Period:
    """From one bar to another, both among them."""
    return Period.of(market.dates[first].item(), market.dates[last].item())


def random_market(random: np.random.Generator, factory: "MarketFactory", *, closes: int) -> Market:
    """Fat-tailed prices, calm or wild, with days on which nothing moves, and a few bars around the window."""
    deviation = random.choice([0.002, 0.015, 0.05, 0.3], p=[0.2, 0.5, 0.2, 0.1])
    steps = deviation * random.standard_t(4, closes + 6) * (random.random(closes + 6) > 0.1)
    return factory(list(100 * np.exp(np.cumsum(np.clip(steps, -1.5, 1.5)))))


def random_positions(random: np.random.Generator, options: list[float], days: int) -> FloatArray:
    """Paths that are hardly ever held, hardly ever not, that change daily or seldom, at random."""
    weights = random.dirichlet(np.full(len(options), random.choice([0.2, 1.0, 20.0])))
    chosen = random.choice(options, days, p=weights)
    stays = random.random(days) < random.choice([0.0, 0.8, 0.97])
    for day in range(1, days):
        if stays[day]:
            chosen[day] = chosen[day - 1]
    return chosen


def random_row(random: np.random.Generator, market: Market, first: int, last: int) -> TrueRow | None:
    """A row of any convention on the bars from `first` to `last`, or up to two beside each of them.

    None for an account that lost more than it had: nobody prints a drawdown above 100 %.
    """
    kind: PositionKind = random.choice(get_args(PositionKind))
    period = period_of(market, first, last)
    periods = market.asset.calendar.periods_per_year
    ways = conventions(windows_around(market, period), periods_per_year=periods)
    near = ways[: 16 if random.random() < 0.5 else len(ways)]
    way = near[random.integers(len(near))]
    positions = random_positions(random, [0.0, *OPTIONS[kind]], len(way.asset_returns))
    if (positions * way.asset_returns <= -1).any():
        return None
    curve = random.choice(np.array(CURVES[way.returns]))
    figures = figures_of(way, positions, curve=curve)
    digits = int(random.choice([1, 2, 3, 4, 8], p=[0.1, 0.2, 0.4, 0.2, 0.1]))
    texts = {
        flag: f"{getattr(figures, metric):.{digits}f}"
        if flag == "sr"
        else percent(float(getattr(figures, metric)), digits)
        for flag, metric in FLAGS.items()
    }
    return TrueRow(market, make_claim(texts, asset="TEST", period=period, positions=kind), way, positions)


@cache
def real_market(asset: str) -> Market:
    return load_market(load_asset(asset))


def drawn_rows(factory: "MarketFactory", *, seed: int, count: int, longest: int) -> Iterator[TrueRow]:
    """Rows of generated markets, in windows of 3 to `longest` closes."""
    random = np.random.default_rng(seed)
    while count:
        closes = int(random.integers(3, longest + 1) if random.random() < 0.8 else random.integers(3, 12))
        market = random_market(random, factory, closes=closes)
        row = random_row(random, market, 3, closes + 2)
        if row is not None:
            yield row
            count -= 1


def real_rows(*, seed: int, count: int) -> Iterator[TrueRow]:
    """Rows of the assets' own test windows."""
    random = np.random.default_rng(seed)
    while count:
        market = real_market(str(random.choice(["MSFT", "HON", "UVV", "TSLA", "BTC"])))
        bars = market.bar_range(market.asset.windows.test)
        row = random_row(random, market, bars.start, bars.stop - 1)
        if row is not None:
            yield row
            count -= 1


def wrongly_excluded(rows: Iterator[TrueRow]) -> list[str]:
    """Rows whose own convention is ruled out, with the figures that are said to contradict each other."""
    return [
        f"{row.claim} {row.convention}: {sorted(figures)}"
        for row in rows
        for exclusions in [Exclusions(row.claim)]
        for figures in FIGURE_SETS
        if exclusions.rules_out(row.convention, figures)
    ]


def wrongly_unreachable(rows: Iterator[TrueRow]) -> list[str]:
    return [
        f"{row.claim} {row.convention}"
        for row in rows
        if audit_claim(row.market, row.claim).verdict == "unreachable"
    ]


def test_no_bound_excludes_the_convention_that_a_row_came_of(synthetic_market: "MarketFactory") -> None:
    """A row is unreachable where every convention is excluded, so this is more than the verdict needs."""
    assert wrongly_excluded(drawn_rows(synthetic_market, seed=1, count=60, longest=60)) == []


def test_no_row_of_a_random_path_is_unreachable(synthetic_market: "MarketFactory") -> None:
    assert wrongly_unreachable(drawn_rows(synthetic_market, seed=2, count=6, longest=20)) == []


@pytest.mark.slow
def test_no_bound_excludes_one_of_a_thousand_drawn_rows(synthetic_market: "MarketFactory") -> None:
    assert wrongly_excluded(drawn_rows(synthetic_market, seed=3, count=1000, longest=160)) == []


@pytest.mark.slow
@pytest.mark.usefixtures("data_folder")
def test_no_bound_excludes_one_of_a_thousand_real_rows() -> None:
    assert wrongly_excluded(real_rows(seed=4, count=1000)) == []


@pytest.mark.slow
@pytest.mark.usefixtures("data_folder")
def test_no_row_is_unreachable_at_full_length(synthetic_market: "MarketFactory") -> None:
    """With all conventions and the search; that no row's own convention is excluded is the stronger proof."""
    assert wrongly_unreachable(drawn_rows(synthetic_market, seed=5, count=60, longest=160)) == []
    assert wrongly_unreachable(real_rows(seed=6, count=40)) == []
