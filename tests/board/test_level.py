import math

import numpy as np
import pytest

from flagbench.board.level import Seeds, sharpe_level
from flagbench.scoring.across_seeds import interquartile_mean, seed_sharpe
from flagbench.scoring.sharpe import sharpe_per_period

UNIT = math.sqrt(252)


def drawn(seed: int, *, seeds: int = 5, mean: float = 0.001) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.02, (seeds, 150))


def test_of_one_asset_it_is_the_interval_of_its_seeds() -> None:
    returns = drawn(0)
    own = sharpe_level([Seeds(returns, UNIT, b"days")], resamples=500)
    known = seed_sharpe(returns, periods_per_year=252, resamples=500)
    assert (own.iqm, own.low, own.high) == pytest.approx((known.iqm, known.low, known.high))


def test_the_mean_is_over_all_assets_and_seeds_each_in_its_own_unit() -> None:
    assets = [Seeds(drawn(0), UNIT, b"a"), Seeds(drawn(1), math.sqrt(365), b"b")]
    values = [sharpe_per_period(own) * asset.unit for asset in assets for own in asset.returns]
    found = sharpe_level(assets, resamples=200)
    assert found.values == pytest.approx(values)
    assert found.iqm == pytest.approx(interquartile_mean(values))


@pytest.mark.parametrize("layout", [(7, 1, 1), (5, 1), (1,) * 9])
def test_assets_of_many_calendars_have_an_interval(layout: tuple[int, ...]) -> None:
    assets = [
        Seeds(drawn(100 * group + number), UNIT, bytes([group]))
        for group, size in enumerate(layout)
        for number in range(size)
    ]
    found = sharpe_level(assets, resamples=100)
    assert found.low < found.iqm < found.high
    assert math.isfinite(found.high - found.low)


def test_variances_of_independent_assets_add() -> None:
    """All cells are equal, so the middle half of four assets is two whole ones: half of each, Var/2."""
    copies = drawn(0, seeds=1).repeat(5, axis=0)
    one = sharpe_level([Seeds(copies, UNIT, b"a")], resamples=300)
    four = sharpe_level([Seeds(copies, UNIT, bytes([each])) for each in range(4)], resamples=300)
    assert four.iqm == pytest.approx(one.iqm)
    assert four.high - four.low == pytest.approx((one.high - one.low) / math.sqrt(2))


def test_a_seed_that_never_traded_leaves_it_undefined_with_a_reason() -> None:
    returns = drawn(0)
    returns[2] = 0
    found = sharpe_level([Seeds(returns, UNIT, b"a")], resamples=50)
    assert math.isnan(found.iqm)
    assert math.isnan(found.low)
    assert found.reasons == ("no interval: the returns do not vary",)
