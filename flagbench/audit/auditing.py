"""The audit itself: printed rows in, verdicts out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flagbench.audit.certificate import Certificate, is_confirmed
from flagbench.audit.claim import FLAGS, Claim, exact_claim
from flagbench.audit.convention import (
    CURVES,
    Convention,
    Figures,
    agrees,
    conventions,
    figures_of,
    played_convention,
)
from flagbench.audit.days import days_flag, implied_days
from flagbench.audit.exclusion import Exclusions
from flagbench.audit.finding import Finding, Verdict
from flagbench.audit.goal import Goal
from flagbench.audit.ranges import Ranges
from flagbench.audit.search import ROUNDS, find_path
from flagbench.audit.sums import ALL, ALL_BUT_DRAWDOWN, FIGURE_SETS
from flagbench.audit.window import played_window, windows_around
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import measure, played_performance
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol

SEARCHED = 3
"""Conventions under which a path is looked for; ours: each further one is a less likely reading of a row."""

FIGURES = ("cumulative_return", "sharpe_ratio", "annualized_volatility")
"""What tells that a row is always-long or always-flat; the drawdown is judged apart."""


class _Judgement(NamedTuple):
    """A verdict, and what shows it."""

    verdict: Verdict
    fitting: Sequence[Convention] = ()
    because: frozenset[str] | None = None
    """The fewest figures that contradict each other."""
    certificate: Certificate | None = None


def audit_rows(claims: Iterable[Claim], market_of: Callable[[str], Market]) -> list[Finding]:
    """Audit many rows.

    Args:
        claims: printed rows.
        market_of: the market of a claim's `asset`; asked once for each asset.

    Raises:
        ConfigError: a window has fewer than three closes.
        MarketDataError: a window lies outside the data.
    """
    markets: dict[str, Market] = {}
    findings = []
    for claim in claims:
        if claim.asset not in markets:
            markets[claim.asset] = market_of(claim.asset)
        findings.append(audit_claim(markets[claim.asset], claim))
    return findings


def audit_claim(market: Market, claim: Claim) -> Finding:
    """Say what conventions and what positions could have given a printed row.

    Args:
        market: of the claim's asset.
        claim: what was printed.

    Raises:
        ConfigError: the window has fewer than three closes.
        MarketDataError: the window lies outside the data.
    """
    period = claim.period or market.asset.windows.test
    periods = market.asset.calendar.periods_per_year
    ways = conventions(windows_around(market, period), periods_per_year=periods)
    judged = _judged(market, claim, ways)
    nearest = judged.fitting[0] if judged.fitting else ways[0]
    held = figures_of(nearest, np.ones(len(nearest.asset_returns)))
    has_depth = any(
        agrees(claim, figures_of(way, np.ones(len(way.asset_returns)), curve=curve), ("max_drawdown",))
        for way in judged.fitting
        for curve in CURVES[way.returns]
    )
    flags = _flags(claim, judged, ways, periods, held_has_depth=has_depth)
    return _finding(claim, period, judged, ways, flags, held=held)


def audit_score(
    market: Market,
    protocol: Protocol,
    period: Period,
    figures: Mapping[str, float],
    *,
    actions: IntArray | None = None,
    name: str = "",
) -> Finding:
    """Hold a score against what its protocol can give; its convention is known, so it is the only one.

    No path is searched for: `reachable` is a score that its own actions replay to.

    Args:
        market: what was traded.
        protocol: its fills, costs and convention of figures.
        period: the window of n bars.
        figures: the four of `flagbench.audit.claim.FLAGS` by name, fractions, nan for undefined.
        actions: (n − 1,) that the score is said to be of, if they are known.
        name: what to call it; the asset's id without.

    Raises:
        ConfigError: a figure is missing, the window has fewer than three closes, or another number of
            decisions than there are actions.
        MarketDataError: the window lies outside the data, or too few bars lie before it.
    """
    claim = exact_claim(figures, asset=market.asset.id, period=period, name=name)
    periods = market.asset.calendar.periods_per_year
    way = played_convention(played_window(market, protocol, period), protocol.scoring, periods=periods)
    days = len(way.window.closes) - 1
    held = _played(market, protocol, period, buy_and_hold_actions(days))
    own = None if actions is None else _played(market, protocol, period, actions)
    judged = _judged_score(claim, way, held=held, own=own)
    has_depth = agrees(claim, held, ("max_drawdown",))
    flags = _flags(claim, judged, [way], periods, held_has_depth=has_depth)
    return _finding(claim, period, judged, [way], flags, held=held)


def _played(market: Market, protocol: Protocol, period: Period, actions: IntArray) -> Figures:
    values, _ = measure(played_performance(market, protocol, period, actions)[1])
    return Figures(*(np.array(values[name]) for name in FLAGS.values()))


def _finding(
    claim: Claim,
    period: Period,
    judged: _Judgement,
    ways: Sequence[Convention],
    flags: tuple[str, ...],
    *,
    held: Figures,
) -> Finding:
    nearest = judged.fitting[0] if judged.fitting else ways[0]
    return Finding(
        claim=claim,
        period=period,
        verdict=judged.verdict,
        flags=flags,
        fitting=tuple(judged.fitting),
        asked=len(ways),
        because=judged.because,
        certificate=judged.certificate,
        ranges=Ranges(claim=claim, ways=ways, convention=nearest, always_long=held),
    )


def _judged(market: Market, claim: Claim, ways: Sequence[Convention]) -> _Judgement:
    if fitting := [way for way in ways if _is_always_long(claim, way)]:
        return _Judgement("always-long", fitting)
    if _is_always_flat(claim):
        return _Judgement("always-flat", ways[:1])
    exclusions = Exclusions(claim)
    left = [way for way in ways if not exclusions.rules_out(way, ALL_BUT_DRAWDOWN)]
    certificate = _certificate(market, claim, left, exclusions)
    if certificate:
        first = certificate.convention
        return _Judgement("reachable", [first, *(way for way in left if way != first)], None, certificate)
    return _excluded_or_open(exclusions, ways)


def _judged_score(claim: Claim, way: Convention, *, held: Figures, own: Figures | None) -> _Judgement:
    if agrees(claim, held, FIGURES):
        return _Judgement("always-long", [way])
    if _is_always_flat(claim):
        return _Judgement("always-flat", [way])
    if own is not None and agrees(claim, own, tuple(FLAGS.values())):
        return _Judgement("reachable", [way])
    return _excluded_or_open(Exclusions(claim), [way])


def _excluded_or_open(exclusions: Exclusions, ways: Sequence[Convention]) -> _Judgement:
    """What bounds say: nothing, or that no path has the figures, and which of them contradict each other."""
    left = [way for way in ways if not exclusions.rules_out(way, ALL)]
    if left:
        return _Judgement("undecided", left)
    enough = (figures for figures in FIGURE_SETS if all(exclusions.rules_out(way, figures) for way in ways))
    return _Judgement("unreachable", because=next(enough))


def _is_always_long(claim: Claim, way: Convention) -> bool:
    return agrees(claim, figures_of(way, np.ones(len(way.asset_returns))), FIGURES)


def _is_always_flat(claim: Claim) -> bool:
    """An account that never moves has no Sharpe ratio; many print 0 for it."""
    ratio = claim.sharpe_ratio
    return (
        claim.cumulative_return.is_rounded_from(0.0)
        and claim.annualized_volatility.is_rounded_from(0.0)
        and (ratio.is_undefined or ratio.is_rounded_from(0.0))
    )


def _certificate(
    market: Market, claim: Claim, left: Sequence[Convention], exclusions: Exclusions
) -> Certificate | None:
    """A path that `flagbench score` confirms, under the likeliest convention that has one."""
    scored = [way for way in left if way.is_scored][:SEARCHED]
    for rank, way in enumerate(scored):
        if exclusions.rules_out(way, ALL):
            continue
        positions = find_path(Goal(claim, way), rounds=ROUNDS // (rank + 1))
        if positions is None:
            continue
        certificate = Certificate(way, positions)
        if is_confirmed(market, claim, certificate):
            return certificate
    return None


def _flags(
    claim: Claim, judged: _Judgement, ways: Sequence[Convention], periods: int, *, held_has_depth: bool
) -> tuple[str, ...]:
    """Keys of `FLAG_MEANINGS`.

    Args:
        claim: what was printed.
        judged: the verdict on it.
        ways: all conventions that were asked.
        periods: days a year of the asset's calendar.
        held_has_depth: whether the printed drawdown is that of holding the asset.
    """
    flags, fitting = [], judged.fitting
    flat_fell = judged.verdict == "always-flat" and not claim.max_drawdown.is_rounded_from(0.0)
    if flat_fell or judged.because == ALL or (judged.verdict == "always-long" and not held_has_depth):
        flags.append("mdd-inconsistent")
    if fitting and all(way.is_mixed for way in fitting):
        flags.append("mixed-annualisation")
    elif fitting and all(way.is_mixed or way.return_periods != periods for way in fitting):
        flags.append("off-calendar-annualisation")
    if fitting and all(way.is_shifted for way in fitting):
        flags.append("shifted-window")
    # A convention that fits explains the ratio, and one that compounds explains any.
    added = [way for way in ways if way.total == "sum"]
    years = dict.fromkeys(way.return_periods for way in added)
    wrong = days_flag([implied_days(claim, year) for year in years], {way.day_count for way in added})
    if wrong and added and not fitting:
        flags.append(wrong)
    return tuple(flags)
