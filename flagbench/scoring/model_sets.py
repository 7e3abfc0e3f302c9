"""All agents of a table at once: does any beat buy-and-hold, and which cannot be told from the best?

Both are on arch, with −1 times the daily return as the loss. A difference of losses that does not vary has no
distribution to test by (arch answers 0 or fails), so such a series is taken out first and reported.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.bootstrap import MIN_RETURNS, block_length, block_sums
from flagbench.scoring.long_run import long_run_variance
from flagbench.scoring.metrics import is_constant

SET_LEVEL = 0.90
"""Of the confidence set. Hansen, Lunde and Nason (2011) print it at 90 and 75 %."""

SET_RESAMPLES = 2_000
"""arch draws one at a time. A p-value of 5 % is known to 0.5 points, one of 10 % to 0.7."""


class SpaResult(NamedTuple):
    """Test of superior predictive ability.

    Attributes:
        p_value: of the hypothesis that no agent earns more a day than the benchmark; nan with a reason.
        identical: agents whose returns are the benchmark's or differ from them by a constant; taken out.
        reason: why there is no test.
    """

    p_value: float
    identical: tuple[str, ...]
    reason: str | None


class ConfidenceSet(NamedTuple):
    """Model confidence set of mean daily returns.

    Attributes:
        members: those that cannot be told from the best; all where there is a reason.
        p_values: of each, the level up to which it stays out of the set of 1 − level; nan with a reason.
        identical_to: who was taken out, and whose returns it has; it shares that one's place.
        reason: why nothing was tested.
    """

    members: frozenset[str]
    p_values: Mapping[str, float]
    identical_to: Mapping[str, str]
    reason: str | None = None


def superior_predictive_ability(
    returns: Mapping[str, FloatArray],
    benchmark: FloatArray,
    *,
    seed: int = 0,
    resamples: int = SET_RESAMPLES,
) -> SpaResult:
    """Test whether any agent has a higher mean daily return than the benchmark.

    The statistic is the largest of √m·d̄_k/ω_k, d_k the agent's return less the benchmark's and ω_k² its
    `long_run_variance`; a resample's is √m·(d̄_k* − d̄_k)/ω_k*, ω_k*² the variance that its blocks give it.
    Circular blocks, as long as the longest that Politis and White's rule gives a d_k; the consistent
    p-value. `arch.bootstrap.SPA` (8.0) divides by nothing, whatever `studentize` says, so it is given
    series that are divided already.

    Source: Hansen (2005).

    Args:
        returns: (m,) by name.
        benchmark: (m,) of the same days.
        seed: of the resamples.
        resamples: how many.
    """
    if reason := _unusable({"benchmark": benchmark, **returns}):
        return SpaResult(math.nan, (), reason)
    excess = {name: series - benchmark for name, series in returns.items()}
    identical = tuple(name for name, series in excess.items() if is_constant(series))
    tested = [series for name, series in excess.items() if name not in identical]
    if not tested:
        return SpaResult(math.nan, identical, "nobody differs from the benchmark")
    from arch.bootstrap import SPA

    days = max(map(block_length, tested))
    test = SPA(
        np.zeros(len(benchmark)),
        -np.column_stack([_studentised(series, days) for series in tested]),
        block_size=days,
        reps=resamples,
        bootstrap="circular",
        seed=seed,
    )
    test.compute()
    return SpaResult(float(test.pvalues["consistent"]), identical, None)


def model_confidence_set(
    returns: Mapping[str, FloatArray],
    *,
    level: float = SET_LEVEL,
    seed: int = 0,
    resamples: int = SET_RESAMPLES,
) -> ConfidenceSet:
    """The agents among which the one with the highest true mean daily return is, with probability `level`.

    The range statistic over pairs, circular blocks as long as the longest that Politis and White's rule gives
    a difference from the mean of all. An agent whose returns are those of another before it in the mapping,
    or differ from them by a constant, shares its place.

    Source: Hansen, Lunde and Nason (2011), by `arch.bootstrap.MCS`, method `R`.

    Args:
        returns: (m,) by name, the same days.
        level: of the set.
        seed: of the resamples.
        resamples: how many.

    Returns:
        everybody, with a reason, where nothing can be tested.
    """
    if reason := _unusable(returns):
        return ConfidenceSet(frozenset(returns), dict.fromkeys(returns, math.nan), {}, reason)
    identical_to = _identical(returns)
    distinct = {name: series for name, series in returns.items() if name not in identical_to}
    p_values = dict.fromkeys(distinct, 1.0)
    if len(distinct) > 1:
        from arch.bootstrap import MCS

        losses = -np.column_stack(list(distinct.values()))
        apart = losses - losses.mean(axis=1, keepdims=True)
        test = MCS(
            losses,
            size=1 - level,
            block_size=max(map(block_length, apart.T)),
            reps=resamples,
            bootstrap="circular",
            method="R",
            seed=seed,
        )
        test.compute()
        found = test.pvalues["Pvalue"]
        p_values = {name: float(found[index]) for index, name in enumerate(distinct)}
    p_values |= {name: p_values[other] for name, other in identical_to.items()}
    members = frozenset(name for name, value in p_values.items() if value > 1 - level)
    return ConfidenceSet(members, p_values, identical_to)


def _studentised(series: FloatArray, days: int) -> FloatArray:
    """A series whose mean is in units of its own standard error and whose resamples are in units of theirs.

    The variance of a mean of resampled blocks, 1/b times the mean square of all blocks' sums, is too small
    by what hangs together across blocks; so the observed mean gets the long-run variance instead.
    """
    mean = float(series.mean())
    centred = series - mean
    resampled = float((block_sums(centred, days) ** 2).mean()) / days
    # Days that cancel each other may leave none of either.
    whole = long_run_variance(centred) or float(centred.var())
    return centred / math.sqrt(resampled or float(centred.var())) + mean / math.sqrt(whole)


def _unusable(returns: Mapping[str, FloatArray]) -> str | None:
    for name, series in returns.items():
        if len(series) < MIN_RETURNS:
            return f"fewer than {MIN_RETURNS} returns"
        if not np.isfinite(series).all():
            return f"{name}: not every return is a number"
    return None if returns else "there is nobody to compare"


def _identical(returns: Mapping[str, FloatArray]) -> dict[str, str]:
    """Whose returns each repeated series has, by name."""
    found: dict[str, str] = {}
    distinct: list[str] = []
    for name, series in returns.items():
        same = next((other for other in distinct if is_constant(series - returns[other])), None)
        if same is None:
            distinct.append(name)
        else:
            found[name] = same
    return found
