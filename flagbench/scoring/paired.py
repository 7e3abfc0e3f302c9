"""Whether two Sharpe ratios that were earned on the same days differ."""

import math
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.bootstrap import LEVEL, RESAMPLES, influence, p_value, unusable
from flagbench.scoring.sharpe import RARE, smallest_detectable_difference
from flagbench.scoring.studentised import studentised_sharpe

SAME = 1e-12
"""Of a difference relative to what it is the difference of: rounding."""


class PairedTest(NamedTuple):
    """A difference of two annualised Sharpe ratios, ours less the other, nan where there is a reason.

    Attributes:
        difference: ours less the other's.
        se: its standard error.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: two-sided, of no difference.
        smallest_detectable: the true difference that this test would find at 5 % with 80 % power.
        reason: why there is no test.
    """

    difference: float
    se: float
    low: float
    high: float
    p_value: float
    smallest_detectable: float
    reason: str | None

    @classmethod
    def undefined(cls, reason: str) -> "PairedTest":
        """No test."""
        return cls(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, reason)


def sharpe_difference_test(
    ours: FloatArray,
    other: FloatArray,
    *,
    periods_per_year: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedTest:
    """Test that two series on the same days have the same Sharpe ratio.

    d = |Δ| / se against |Δ* − Δ| / se* over circular-block resamples of the days, both series together; the
    p-value is (1 + resamples at least as far) / (1 + resamples), the interval Δ ± c·se. se is that of
    `long_run_variance` of the difference of both influences, on which Politis and White's rule chooses the
    block length; Ledoit and Wolf calibrate it instead.

    Source: Ledoit and Wolf (2008), section 3.2.2.

    Args:
        ours: (m,).
        other: (m,), the same days.
        periods_per_year: P.
        resamples: how many.
        seed: of the resamples.

    Returns:
        nan with a reason where one of the series has no bootstrap, and where they are identical or
        proportional, which leaves no difference to test.

    Raises:
        ValueError: the series differ in length.
    """
    if ours.shape != other.shape:
        raise ValueError(f"a pair of {len(ours)} and {len(other)} returns")
    for who, returns in (("ours", ours), ("the other", other)):
        if reason := unusable(returns):
            return PairedTest.undefined(f"{who}: {reason}")
    if np.array_equal(ours, other):
        return PairedTest.undefined("the two series are identical")
    both = np.stack([ours, other])
    felt = influence(both)
    if np.abs(felt[0] - felt[1]).max() <= SAME * np.abs(felt).max():
        return PairedTest.undefined("the two series are proportional: their Sharpe ratios are the same")
    weights = np.array([1.0, -1.0])
    bootstrap = studentised_sharpe(
        both, lambda ratios: np.broadcast_to(weights, ratios.shape), resamples=resamples, seed=seed
    )
    low, high = bootstrap.ends(LEVEL)
    if not math.isfinite(high - low) or bootstrap.standard_error == 0:
        return PairedTest.undefined(RARE)
    unit = math.sqrt(periods_per_year)
    error = bootstrap.standard_error * unit
    return PairedTest(
        difference=bootstrap.estimate * unit,
        se=error,
        low=low * unit,
        high=high * unit,
        p_value=p_value(bootstrap.deviations, abs(bootstrap.estimate) / bootstrap.standard_error),
        smallest_detectable=smallest_detectable_difference(error),
        reason=None,
    )
