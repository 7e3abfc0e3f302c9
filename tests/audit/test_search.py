from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.audit.claim import FLAGS, OPTIONS, Claim, PositionKind, make_claim
from flagbench.audit.convention import Convention, agrees, conventions, figures_of
from flagbench.audit.goal import Goal, deepest_falls
from flagbench.audit.search import all_paths, find_path, is_small
from flagbench.audit.window import windows_around
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    steps = np.random.default_rng(0).normal(0.001, 0.02, 160)
    return synthetic_market(list(100 * np.exp(np.cumsum(steps))))


def convention(market: Market, closes: int) -> Convention:
    period = Period.of(market.dates[3].item(), market.dates[closes + 2].item())
    return conventions(windows_around(market, period), periods_per_year=252)[0]


def row(way: Convention, positions: FloatArray, kind: PositionKind, *, digits: int = 3) -> Claim:
    figures = figures_of(way, positions)
    scale = {"cr": 100, "sr": 1, "av": 100, "mdd": 100}
    texts = {
        flag: f"{scale[flag] * float(getattr(figures, metric)):.{digits}f}" for flag, metric in FLAGS.items()
    }
    return make_claim(texts, asset="X", positions=kind)


@pytest.mark.parametrize("kind", ["long-flat", "long-short"])
def test_a_path_of_150_days_is_found(kind: PositionKind, market: Market) -> None:
    way = convention(market, 150)
    positions = np.random.default_rng(1).choice([0.0, *OPTIONS[kind]], 149)
    claim = row(way, positions, kind)
    found = find_path(Goal(claim, way))
    assert found is not None
    assert set(np.unique(found)) <= {0.0, *OPTIONS[kind]}
    assert agrees(claim, figures_of(way, found), tuple(FLAGS.values()))


def test_the_same_claim_finds_the_same_path(market: Market) -> None:
    way = convention(market, 60)
    claim = row(way, np.random.default_rng(2).choice([0.0, 1.0], 59), "long-flat", digits=2)
    first, second = (find_path(Goal(claim, way)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.tolist() == second.tolist()


def test_a_path_that_is_hardly_ever_left_is_found(market: Market) -> None:
    way = convention(market, 150)
    positions = np.ones(149)
    positions[[20, 77, 78]] = 0
    assert find_path(Goal(row(way, positions, "long-flat", digits=6), way)) is not None


@pytest.mark.parametrize(("kind", "closes"), [("long-flat", 34), ("long-short", 20)])
def test_the_one_path_of_a_short_window_is_found(kind: PositionKind, closes: int, market: Market) -> None:
    """At four decimals hardly any other has these figures: a walk from path to path meets it by chance."""
    way = convention(market, closes)
    positions = np.random.default_rng(5).choice([0.0, *OPTIONS[kind]], closes - 1)
    assert find_path(Goal(row(way, positions, kind, digits=4), way)) is not None


def test_of_a_small_window_all_paths_are_looked_at(market: Market) -> None:
    way = convention(market, 8)
    claim = row(way, np.array([1.0, 0, 0, -1, 0, 1, 1]), "long-short", digits=8)
    goal = Goal(claim, way)
    assert is_small(goal)
    assert len(all_paths(goal)) == len(np.unique(all_paths(goal), axis=0)) == 3**7
    assert find_path(goal) is not None
    other = claim._replace(
        cumulative_return=make_claim(
            {"cr": "1.23456789", "sr": "1", "av": "1", "mdd": "1"}, asset="X"
        ).cumulative_return
    )
    assert find_path(Goal(other, way)) is None
    assert not is_small(Goal(claim, convention(market, 150)))


def test_the_deepest_fall_is_below_the_highest_before_it() -> None:
    curves = np.array([[0.0, 3.0, 1.0, 5.0, 2.5], [0.0, 1.0, 2.0, 3.0, 4.0]])
    assert deepest_falls(curves).tolist() == [2.5, 0.0]
