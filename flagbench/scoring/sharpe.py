"""What can be said of one Sharpe ratio: its interval, whether it is above zero, and after how many tries."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.bootstrap import LEVEL, RESAMPLES, unusable
from flagbench.scoring.metrics import is_constant
from flagbench.scoring.studentised import Studentised, studentised_sharpe

POWER = 0.8
"""Of the smallest detectable difference. The convention since Cohen (1988)."""

NORMAL = NormalDist()

RARE = "too few days differ from the rest: many resamples hold none of them"
"""Why an interval would be infinite."""


class Interval(NamedTuple):
    """Both ends of an interval, nan where there is a reason.

    Attributes:
        low: the lower end.
        high: the upper end.
        level: how often it would hold the truth.
        blocks: effective ones, length / block length; nan without an interval.
        reason: why there is none.
    """

    low: float
    high: float
    level: float
    blocks: float
    reason: str | None

    @classmethod
    def undefined(cls, reason: str, *, level: float) -> "Interval":
        """No interval."""
        return cls(math.nan, math.nan, level, math.nan, reason)

    @classmethod
    def of(cls, bootstrap: Studentised, *, level: float, bars: int) -> "Interval":
        """The studentised one, undefined where it would be infinite."""
        low, high = bootstrap.ends(level)
        if not math.isfinite(high - low):
            return cls.undefined(RARE, level=level)
        return cls(low, high, level, bars / bootstrap.block_length, None)

    def scaled(self, factor: float) -> "Interval":
        """The same of a figure that is `factor` times as large."""
        return self._replace(low=self.low * factor, high=self.high * factor)


def sharpe_interval(
    returns: FloatArray,
    *,
    periods_per_year: int,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Interval of the annualised Sharpe ratio: studentised circular-block bootstrap, symmetric.

    SR ± c·se·√P with se from `long_run_variance` of the influence z − SR·(z² − 1)/2 and c the quantile of
    |SR* − SR| / se* over resamples. Block length by Politis and White on the same influence. How often it
    holds the truth is simulated in docs/statistics.md.

    Source: Ledoit and Wolf (2008), for one ratio instead of the difference of two.

    Args:
        returns: (m,).
        periods_per_year: P.
        level: of the interval.
        resamples: how many.
        seed: of the resamples.

    Returns:
        nan with a reason for a constant series, under 11 returns, for returns that are no numbers, and where
        so few days differ from the rest that more than 1 − level of the resamples hold none of them.
    """
    if reason := unusable(returns):
        return Interval.undefined(reason, level=level)
    bootstrap = studentised_sharpe(returns[np.newaxis], np.ones_like, resamples=resamples, seed=seed)
    found = Interval.of(bootstrap, level=level, bars=len(returns))
    return found.scaled(math.sqrt(periods_per_year))


class Moments(NamedTuple):
    """What the formulas below read of a series, of one bar."""

    sharpe: float
    """mean / sd, ddof 1."""
    skewness: float
    kurtosis: float
    """Raw: 3 for a normal series."""
    bars: int

    @property
    def spread(self) -> float:
        """1 − γ₃·SR + (γ₄ − 1)/4·SR²: m times the variance of the ratio; Lo (2002), Mertens (2002)."""
        # Never below 0 but for rounding: γ₄ ≥ 1 + γ₃².
        return max(1 - self.skewness * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2, 0.0)


def moments(returns: FloatArray) -> Moments | None:
    """Moments of a series (m,); None under two returns, for a constant one, and where one is no number."""
    if len(returns) < 2 or not np.isfinite(returns).all() or is_constant(returns):
        return None
    centred = returns - returns.mean()
    variance = (centred**2).mean()
    return Moments(
        sharpe=float(returns.mean() / returns.std(ddof=1)),
        skewness=float((centred**3).mean() / variance**1.5),
        kurtosis=float((centred**4).mean() / variance**2),
        bars=len(returns),
    )


def sharpe_per_period(returns: FloatArray) -> float:
    """Give mean / sd (ddof 1) of one bar, not annualised; nan where there is none.

    Args:
        returns: (m,).
    """
    found = moments(returns)
    return math.nan if found is None else found.sharpe


def probability_above(
    sharpe: float, *, benchmark: float, bars: int, skewness: float, kurtosis: float
) -> float:
    """Φ((SR − SR₀)·√(m − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)), all of one bar.

    Source: Bailey and López de Prado (2012), equation 11. γ₄ is raw, 3 for a normal series: with excess
    kurtosis in its place, as quantstats had it for long, the denominator lacks 3/4·SR². quantstats 0.0.86
    has the raw one too; its γ₃ and γ₄ are corrected for bias, ours are moments with ddof 0 as in the paper.

    Returns:
        nan where the denominator is 0.
    """
    spread = Moments(sharpe, skewness, kurtosis, bars).spread
    if spread <= 0:
        return math.nan
    return NORMAL.cdf((sharpe - benchmark) * math.sqrt((bars - 1) / spread))


def probabilistic_sharpe_ratio(returns: FloatArray, *, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above a constant, by `probability_above`.

    Returns are taken for independent. Not for a comparison with another agent, whose ratio is no constant.

    Args:
        returns: (m,).
        benchmark: SR₀ of one bar.

    Returns:
        nan where the series has no Sharpe ratio.
    """
    found = moments(returns)
    if found is None:
        return math.nan
    return probability_above(
        found.sharpe,
        benchmark=benchmark,
        bars=found.bars,
        skewness=found.skewness,
        kurtosis=found.kurtosis,
    )


def expected_best_sharpe(*, trials: int, variance: float) -> float:
    """√V·((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))), γ Euler's constant: the best of N tries without skill.

    Source: Bailey and López de Prado (2014), equation 1 and the appendix.

    Args:
        trials: N; below 2 the answer is 0.
        variance: V of the trials' Sharpe ratios.
    """
    if trials < 2:
        return 0.0
    best = (1 - np.euler_gamma) * NORMAL.inv_cdf(1 - 1 / trials)
    next_best = np.euler_gamma * NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * float(best + next_best)


def deflated_probability(
    sharpe: float, *, bars: int, skewness: float, kurtosis: float, trials: int, variance: float
) -> float:
    """`probability_above` the best ratio that N tries without skill would have shown.

    Source: Bailey and López de Prado (2014), equation 2.

    Args:
        sharpe: of one bar, of the trial that was chosen.
        bars: m.
        skewness: γ₃ of its returns.
        kurtosis: γ₄, raw.
        trials: N.
        variance: V of the trials' Sharpe ratios of one bar.
    """
    benchmark = expected_best_sharpe(trials=trials, variance=variance)
    return probability_above(sharpe, benchmark=benchmark, bars=bars, skewness=skewness, kurtosis=kurtosis)


def deflated_sharpe_ratio(returns: FloatArray, *, trial_sharpes: Sequence[float]) -> float:
    """Probability that the true Sharpe ratio is above what the best of N tries would show without skill.

    Args:
        returns: (m,).
        trial_sharpes: of one bar, of the N distinct trials on this window, this one among them. A nan is
            counted in N and left out of their variance V, the sample variance.

    Returns:
        the probabilistic ratio against 0 for N below 2; nan where the series has no Sharpe ratio, and where
        fewer than two of two or more trials have a known one.
    """
    found = moments(returns)
    known = [value for value in trial_sharpes if math.isfinite(value)]
    trials = len(trial_sharpes)
    if found is None or (trials >= 2 and len(known) < 2):
        return math.nan
    return deflated_probability(
        found.sharpe,
        bars=found.bars,
        skewness=found.skewness,
        kurtosis=found.kurtosis,
        trials=trials,
        variance=float(np.var(known, ddof=1)) if trials >= 2 else 0.0,
    )


def min_track_record(returns: FloatArray, *, benchmark: float = 0.0, level: float = LEVEL) -> float:
    """Bars from which on a ratio as this one would be above the benchmark with probability `level`.

    1 + (1 − γ₃·SR + (γ₄ − 1)/4·SR²)·(Φ⁻¹(level) / (SR − SR₀))².

    Source: Bailey and López de Prado (2012), equation 13.

    Args:
        returns: (m,).
        benchmark: SR₀ of one bar.
        level: one-sided.

    Returns:
        nan where the series has no Sharpe ratio, or one that is not above the benchmark: no record would do.
    """
    found = moments(returns)
    if found is None or found.sharpe <= benchmark:
        return math.nan
    return 1 + found.spread * (NORMAL.inv_cdf(level) / (found.sharpe - benchmark)) ** 2


def smallest_detectable_difference(
    standard_error: float, *, level: float = LEVEL, power: float = POWER
) -> float:
    """The true difference that a two-sided test finds with the given power: (z_{(1+level)/2} + z_power)·se.

    Args:
        standard_error: of the difference, in any unit; the answer is in the same.
        level: one minus that of the test.
        power: the probability of finding it.
    """
    return (NORMAL.inv_cdf((1 + level) / 2) + NORMAL.inv_cdf(power)) * standard_error
