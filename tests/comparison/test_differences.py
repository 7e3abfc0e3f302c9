import math

import numpy as np
import pytest

from flagbench.comparison.differences import (
    IDENTICAL,
    PROPORTIONAL,
    Pairs,
    return_difference,
    sharpe_difference,
)
from flagbench.market.price_file import FloatArray
from flagbench.scoring.across_seeds import interquartile_mean
from flagbench.scoring.paired import sharpe_difference_test
from flagbench.scoring.sharpe import sharpe_per_period

RESAMPLES = 300
UNIT = math.sqrt(252)


def pairs(ours: FloatArray, held: FloatArray, *, days: bytes = b"a", log_returns: bool = False) -> Pairs:
    return Pairs(np.atleast_2d(ours), held, UNIT, days, log_returns)


def drawn(seed: int, seeds: int = 1, *, days: int = 150, mean: float = 0.0) -> FloatArray:
    return np.random.default_rng(seed).normal(mean, 0.01, (seeds, days))


def test_of_one_seed_on_one_asset_it_is_the_paired_test() -> None:
    ours, held = drawn(0, mean=0.002)[0], drawn(1)[0]
    found = sharpe_difference([pairs(ours, held)], resamples=RESAMPLES)
    expected = sharpe_difference_test(ours, held, periods_per_year=252, resamples=RESAMPLES)
    assert found.value == pytest.approx(expected.difference)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.p_value == expected.p_value
    assert found.smallest_detectable == pytest.approx(expected.smallest_detectable)


def test_it_is_about_the_interquartile_mean_of_the_seeds_differences() -> None:
    ours, held = drawn(2, 5), drawn(3)[0]
    found = sharpe_difference([pairs(ours, held)], resamples=RESAMPLES)
    values = [UNIT * (sharpe_per_period(series) - sharpe_per_period(held)) for series in ours]
    assert found.value == pytest.approx(interquartile_mean(values))
    assert found.low < found.value < found.high
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_copies_of_a_seed_are_no_more_days() -> None:
    ours, held = drawn(4), drawn(5)[0]
    once = sharpe_difference([pairs(ours, held)], resamples=RESAMPLES)
    often = sharpe_difference([pairs(np.repeat(ours, 5, axis=0), held)], resamples=RESAMPLES)
    assert often[:5] == pytest.approx(once[:5])


def test_noise_of_seeds_does_not_look_like_skill() -> None:
    """A coin at half exposure has a worse ratio than the asset; a book of many coins has the asset's own."""
    rng = np.random.default_rng(6)
    held = rng.normal(0.002, 0.01, 400)
    coins = rng.integers(0, 2, (40, 400)) * held
    found = sharpe_difference([pairs(coins, held)], resamples=RESAMPLES)
    book = sharpe_difference_test(coins.mean(axis=0), held, periods_per_year=252, resamples=RESAMPLES)
    assert found.value < -0.5 < book.difference


def test_assets_of_the_same_days_are_resampled_together() -> None:
    """Two assets that are copies of each other are one: its interval is not that of twice the days."""
    ours, held = drawn(7, mean=0.001), drawn(8)[0]
    one = pairs(ours, held)
    together = sharpe_difference([one, one], resamples=RESAMPLES)
    apart = sharpe_difference([one, one._replace(days=b"b")], resamples=RESAMPLES)
    alone = sharpe_difference([one], resamples=RESAMPLES)
    assert together.value == pytest.approx(alone.value) == pytest.approx(apart.value)
    assert together.high - together.low == pytest.approx(alone.high - alone.low)
    assert apart.high - apart.low == pytest.approx((alone.high - alone.low) / math.sqrt(2))
    assert together.p_value == alone.p_value
    assert math.isnan(apart.p_value)


def test_the_order_of_assets_does_not_matter() -> None:
    listed = [pairs(drawn(seed, 3), drawn(seed + 50)[0], days=bytes([seed % 2])) for seed in range(10, 14)]
    forward = sharpe_difference(listed, resamples=RESAMPLES)
    backward = sharpe_difference(listed[::-1], resamples=RESAMPLES)
    assert forward.value == pytest.approx(backward.value)
    # Seeds of the resamples go by place in a group, so ends agree as far as resamples do.
    assert forward.high - forward.low == pytest.approx(backward.high - backward.low, rel=0.1)


@pytest.mark.parametrize(
    ("ours", "reason"),
    [
        (drawn(20), IDENTICAL),
        (0.5 * drawn(20), PROPORTIONAL),
        (np.zeros((1, 150)), "the returns do not vary"),
        (drawn(20)[:, :5], "fewer than 11 returns"),
    ],
)
def test_where_there_is_no_test_there_is_a_reason(ours: FloatArray, reason: str) -> None:
    held = drawn(20)[0, : ours.shape[1]]
    found = sharpe_difference([pairs(ours, held)], resamples=RESAMPLES)
    assert found.reason == reason
    assert math.isnan(found.p_value)
    if reason == IDENTICAL:
        assert found.value == 0


def test_an_asset_on_which_the_agent_held_adds_no_variance() -> None:
    held = drawn(21)[0]
    same = pairs(held, held, days=b"b")
    other = pairs(drawn(22), drawn(23)[0])
    both = sharpe_difference([same, other], resamples=RESAMPLES)
    alone = sharpe_difference([other], resamples=RESAMPLES)
    assert both.value == pytest.approx(alone.value / 2)
    assert both.high - both.low == pytest.approx((alone.high - alone.low) / 2)


def test_many_rows_are_resampled_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, held = drawn(24, 3), drawn(25)[0]
    whole = sharpe_difference([pairs(ours, held)], resamples=2000)
    monkeypatch.setattr("flagbench.comparison.differences.CELLS", 4 * 4**2 * 700)
    pieces = sharpe_difference([pairs(ours, held)], resamples=2000)
    assert pieces.value == whole.value
    assert (pieces.low, pieces.high) == pytest.approx((whole.low, whole.high), rel=0.1)
    assert pieces.low != whole.low


@pytest.mark.parametrize("log_returns", [False, True])
def test_the_difference_of_returns_is_that_of_what_was_earned(log_returns: bool) -> None:
    ours, held = drawn(26, 5), drawn(27)[0]
    found = return_difference([pairs(ours, held, log_returns=log_returns)], resamples=RESAMPLES)
    totals = [series.sum() if log_returns else np.prod(1 + series) - 1 for series in (*ours, held)]
    assert found.value == pytest.approx(interquartile_mean([total - totals[-1] for total in totals[:-1]]))
    assert found.low < found.value < found.high


def test_identical_returns_differ_by_nothing() -> None:
    held = drawn(28)[0]
    assert return_difference([pairs(held, held)], resamples=50)[:3] == (0, 0, 0)
