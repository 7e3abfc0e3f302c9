"""Metrics of many series beside empyrical-reloaded, and a bootstrap of a Sharpe ratio beside arch."""

from functools import partial
from typing import Any

import empyrical
import numpy as np

from benchmarks.interleaving import Contest, Row
from flagbench.market.price_file import FloatArray
from flagbench.scoring.metrics import figures
from flagbench.scoring.studentised import Studentised, studentised_sharpe

CLOSENESS = 1e-9
"""Relative."""


def drawn_returns(days: int, *, series: int = 1) -> FloatArray:
    """(series, days) fat-tailed daily returns that hang together a little."""
    steps = 0.0005 + 0.01 * np.random.default_rng(0).standard_t(5, (series, days + 1))
    return steps[:, 1:] + 0.2 * steps[:, :-1]


def measure_theirs(returns: FloatArray, bars: FloatArray) -> dict[str, FloatArray]:
    """All series at once where empyrical takes two axes, one by one where not: its quickest way, on arrays.

    Args:
        returns: (series, m).
        bars: (m, series) the same, as its functions want them.
    """
    return {
        "cumulative_return": empyrical.cum_returns_final(bars),
        "sharpe_ratio": empyrical.sharpe_ratio(bars),
        "annualized_volatility": empyrical.annual_volatility(bars),
        "max_drawdown": -empyrical.max_drawdown(bars),
        "sortino_ratio": empyrical.sortino_ratio(bars),
        "calmar_ratio": np.array([empyrical.calmar_ratio(series) for series in returns]),
        "cvar_95": np.array([empyrical.conditional_value_at_risk(series) for series in returns]),
    }


def all_metrics(full: bool) -> Contest:
    """Seven metrics of 1,000 series of 150 returns, or of 40: those that both have."""
    returns = drawn_returns(150, series=1000 if full else 40)
    ours = partial(figures, returns, periods_per_year=252)
    theirs = partial(measure_theirs, returns, np.ascontiguousarray(returns.T))

    def agree() -> str:
        found, expected = ours(), theirs()
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=CLOSENESS, err_msg=name)
        apart = max(float(np.abs(found[name] / expected[name] - 1).max()) for name in expected)
        return f"{len(expected)} metrics of {len(returns)} series: largest relative difference {apart:.1e}"

    return Contest(ours, theirs, agree)


def resample_ours(returns: FloatArray, *, days: int, resamples: int) -> Studentised:
    """The resamples behind an interval of a Sharpe ratio."""
    return studentised_sharpe(returns[np.newaxis], np.ones_like, resamples=resamples, seed=0, days=days)


def sharpe(returns: FloatArray) -> float:
    """What arch applies to every resample."""
    return float(returns.mean() / returns.std(ddof=1))


def resample_theirs(returns: FloatArray, *, days: int, resamples: int) -> FloatArray:
    """(resamples,) Sharpe ratios."""
    from arch.bootstrap import CircularBlockBootstrap

    blocks = CircularBlockBootstrap(days, returns, seed=np.random.default_rng(0))
    return np.asarray(blocks.apply(sharpe, resamples))[:, 0]  # type: ignore[arg-type]


def block_bootstrap(full: bool, *, bars: int, days: int) -> Contest:
    """Circular blocks of so many days, 10,000 resamples or 300, the same days drawn by both.

    arch gives the ratio of every resample; ours its distance from the whole series' in standard errors of the
    resample's own, which takes the ratio and more. The block length divides the number of bars and is near
    its third root.
    """
    returns, resamples = drawn_returns(bars)[0], 10_000 if full else 300
    ours = partial(resample_ours, returns, days=days, resamples=resamples)
    theirs = partial(resample_theirs, returns, days=days, resamples=resamples)

    def agree() -> str:
        found, expected = ours().deviations, _distances(theirs(), returns, days=days)
        np.testing.assert_allclose(found, expected, rtol=CLOSENESS)
        apart = float(np.abs(found / expected - 1).max())
        return f"{resamples} resamples of the same days: largest relative difference {apart:.1e}"

    return Contest(ours, theirs, agree)


def _distances(ratios: FloatArray, returns: FloatArray, *, days: int) -> FloatArray:
    """|SR* − SR| / se* by the definition in `Studentised`, each alone, from arch's ratios (ddof 1)."""
    from arch.bootstrap import CircularBlockBootstrap

    drawn: Any = CircularBlockBootstrap(days, returns, seed=np.random.default_rng(0)).bootstrap(len(ratios))
    bars = len(returns)
    errors = []
    for (resample,), _ in drawn:
        z = (resample - resample.mean()) / resample.std()
        felt = z - resample.mean() / resample.std() * (z**2 - 1) / 2
        errors.append(np.sqrt((felt.reshape(-1, days).sum(axis=1) ** 2).mean() / days / bars))
    moved = np.abs(ratios - sharpe(returns)) * np.sqrt(bars / (bars - 1))
    distances: FloatArray = moved / np.array(errors)
    return distances


ROWS = (
    Row(
        slug="all-metrics",
        loop="all metrics of 1,000 series of 150 returns",
        against="empyrical-reloaded",
        at_least=20,
        prepare=all_metrics,
        rounds=15,
        calls=5,
    ),
    *(
        Row(
            slug=f"sharpe-bootstrap-{bars}",
            loop=f"block bootstrap of a Sharpe ratio, 10,000 resamples, T = {bars:,}",
            against="arch, same scheme",
            at_least=at_least,
            prepare=partial(block_bootstrap, bars=bars, days=days),
            rounds=11,
        )
        for bars, days, at_least in ((150, 5, 10), (2500, 10, 2.5))
    ),
)
