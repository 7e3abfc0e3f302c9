import math

import numpy as np
import pytest

from flagbench.scoring.metrics import sharpe_ratio
from flagbench.scoring.paired import sharpe_difference_test
from flagbench.scoring.sharpe import sharpe_interval, smallest_detectable_difference


def pair(seed: int = 0, *, days: int = 250, ahead: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    common, own = rng.normal(0, 0.01, days), rng.normal(0, 0.005, (2, days))
    return common + own[0] + ahead, common + own[1]


def test_the_difference_is_that_of_the_annualised_ratios() -> None:
    ours, other = pair()
    found = sharpe_difference_test(ours, other, periods_per_year=252)
    expected = sharpe_ratio(ours, periods_per_year=252) - sharpe_ratio(other, periods_per_year=252)
    assert found.difference == pytest.approx(float(expected), rel=1e-12)
    assert (found.low + found.high) / 2 == pytest.approx(found.difference)
    assert found.smallest_detectable == pytest.approx(smallest_detectable_difference(found.se))
    assert found.reason is None


def test_turned_round_the_sign_turns_and_nothing_else() -> None:
    ours, other = pair(3)
    one, back = (
        sharpe_difference_test(*both, periods_per_year=252) for both in ((ours, other), (other, ours))
    )
    assert back.difference == pytest.approx(-one.difference)
    assert (back.low, back.high) == pytest.approx((-one.high, -one.low))
    assert (back.p_value, back.se) == pytest.approx((one.p_value, one.se))


@pytest.mark.parametrize("seed", range(8))
def test_the_interval_leaves_zero_out_where_the_test_rejects(seed: int) -> None:
    for ahead in (0.0, 0.0008, 0.002):
        found = sharpe_difference_test(*pair(seed, ahead=ahead), periods_per_year=252, resamples=999)
        assert (found.p_value <= 0.05) == (not found.low <= 0 <= found.high)


def test_a_large_difference_is_found_and_its_p_value_is_never_zero() -> None:
    found = sharpe_difference_test(*pair(1, ahead=0.005), periods_per_year=252, resamples=999)
    assert found.p_value == pytest.approx(1 / 1000)
    assert found.low > 0


def test_a_pair_is_sharper_than_its_two_intervals() -> None:
    ours, other = pair()
    paired = sharpe_difference_test(ours, other, periods_per_year=252)
    alone = sharpe_interval(ours, periods_per_year=252)
    assert paired.high - paired.low < alone.high - alone.low


def test_leverage_of_one_changes_nothing() -> None:
    ours, other = pair()
    plain = sharpe_difference_test(ours, other, periods_per_year=252, resamples=299)
    scaled = sharpe_difference_test(3 * ours, other, periods_per_year=252, resamples=299)
    assert scaled[:6] == pytest.approx(plain[:6], rel=1e-8)


NOISE = np.random.default_rng(7).normal(0, 0.01, 60)
ONCE = np.concatenate([[0.02], np.zeros(59)])


@pytest.mark.parametrize(
    ("ours", "other", "reason"),
    [
        (NOISE, NOISE.copy(), "the two series are identical"),
        (2 * NOISE, NOISE, "the two series are proportional: their Sharpe ratios are the same"),
        (np.zeros(60), NOISE, "ours: the returns do not vary"),
        (NOISE, np.full(60, 0.01), "the other: the returns do not vary"),
        (np.zeros(60), np.zeros(60), "ours: the returns do not vary"),
        (NOISE[:2], NOISE[2:4], "ours: fewer than 11 returns"),
        (NOISE, np.full(60, np.nan), "the other: not every return is a number"),
        (ONCE, NOISE, "too few days differ from the rest: many resamples hold none of them"),
    ],
)
def test_what_cannot_be_tested_is_undefined_with_a_reason(
    ours: np.ndarray, other: np.ndarray, reason: str
) -> None:
    found = sharpe_difference_test(ours, other, periods_per_year=252)
    assert found.reason == reason
    assert all(math.isnan(value) for value in found[:6])


def test_series_of_other_days_are_no_pair() -> None:
    with pytest.raises(ValueError, match="a pair of 60 and 59 returns"):
        sharpe_difference_test(NOISE, NOISE[1:], periods_per_year=252)
