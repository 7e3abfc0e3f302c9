"""A finding in sentences, each with the figure that shows it."""

import math
from collections.abc import Callable, Iterator, Mapping

from flagbench.audit.certificate import Certificate, sharpe_factor
from flagbench.audit.claim import Claim, PositionKind, Printed
from flagbench.audit.days import whole_days
from flagbench.audit.finding import Finding, Verdict
from flagbench.audit.interval import Interval
from flagbench.audit.sums import ALL_BUT_DRAWDOWN, RETURN, RETURN_AND_VOLATILITY, VOLATILITY, FigureSet

Sentences = Iterator[str]

HELD: Mapping[PositionKind, str] = {
    "long-flat": "that is long or flat",
    "long-short": "that is long, short or flat",
}


def sentences(finding: Finding) -> list[str]:
    """What was found, the verdict first."""
    said = list(_VERDICTS[finding.verdict](finding))
    for flag in finding.flags:
        said += _FLAGS[flag](finding)
    return said


def like(printed: Printed, value: float, *, percent: bool = True) -> str:
    """A figure with as many digits as were printed."""
    if math.isnan(value):
        return "undefined"
    digits = len(printed.text.partition(".")[2])
    return f"{100 * value:.{digits}f} %" if percent else f"{value:.{digits}f}"


def range_text(interval: Interval) -> str:
    """Fractions to two digits of a percent, outwards: what is said of the outside stays true."""
    low, high = (math.floor(1e4 * interval.low) / 100, math.ceil(1e4 * interval.high) / 100)
    return f"{low:.2f} % to {high:.2f} %"


def _as_printed(printed: Printed) -> str:
    return "undefined" if printed.is_undefined else f"{printed.text} %"


def _always_long(finding: Finding) -> Sentences:
    claim, held = finding.claim, finding.ranges.always_long
    three = (
        f"{like(claim.cumulative_return, float(held.cumulative_return))}, "
        f"{like(claim.sharpe_ratio, float(held.sharpe_ratio), percent=False)} and "
        f"{like(claim.annualized_volatility, float(held.annualized_volatility))}"
    )
    yield (
        f"Return, Sharpe ratio and volatility are those of holding {claim.asset} on every day: {three} "
        f"({finding.fitting[0]})."
    )
    if "mdd-inconsistent" not in finding.flags:
        yield f"So is the drawdown, {_as_printed(claim.max_drawdown)}."


def _always_flat(finding: Finding) -> Sentences:
    yield "Return and volatility are 0, as those of an account that never trades."
    if not finding.claim.sharpe_ratio.is_undefined:
        yield f"Such an account has no Sharpe ratio; {finding.claim.sharpe_ratio.text} stands for it."


def _reachable(finding: Finding) -> Sentences:
    certificate = finding.certificate
    if certificate is None:
        yield f"Its own actions replay to all four figures ({finding.fitting[0]})."
        return
    yield f"A path {_shares(finding.claim, certificate)} has all four figures ({certificate.convention})."
    factor = sharpe_factor(certificate.convention)
    if factor != 1:
        yield f"`flagbench score` prints its Sharpe ratio divided by {factor:.6f}: its convention is another."
    yield (
        f"{len(finding.fitting)} of {finding.asked} conventions leave room for such a return, Sharpe ratio "
        "and volatility. That a path has the figures does not say that anyone took it."
    )


def _shares(claim: Claim, certificate: Certificate) -> str:
    positions = certificate.positions
    long, short = int((positions == 1).sum()), int((positions == -1).sum())
    days = f"flat on {len(positions) - long - short} of {len(positions)} days"
    between = f", short on {short}" if claim.positions == "long-short" else ""
    return f"that is long on {long}{between} and {days}"


def _unreachable(finding: Finding) -> Sentences:
    whose = "under any convention" if finding.asked > 1 else "under the protocol's convention"
    asked = f", of {finding.asked} that were tried" if finding.asked > 1 else ""
    yield f"No path {HELD[finding.claim.positions]} has these figures {whose}{asked}."
    if finding.because is not None:
        yield from _BECAUSE.get(finding.because, _drawdown_is_out)(finding)


def _return_is_out(finding: Finding) -> Sentences:
    printed = _as_printed(finding.claim.cumulative_return)
    yield f"Such paths return {range_text(finding.ranges.cumulative_return)}; printed is {printed}."


def _volatility_is_out(finding: Finding) -> Sentences:
    printed = finding.claim.annualized_volatility
    highest = finding.ranges.highest_volatility
    tops = [f"{100 * most:.2f} % at {periods} days a year" for periods, most in highest.items()]
    yield f"None of them is as volatile as {_as_printed(printed)}: at most {' and '.join(tops)}."
    if all(
        most > 0 for most in highest.values()
    ):  # prices that do not move have no volatility to compare with
        times = [f"{printed.interval.middle / most:.1f}" for most in highest.values()]
        yield f"Printed is {' and '.join(times)} times that."


def _together_out(finding: Finding) -> Sentences:
    claim, given = finding.claim, finding.ranges.volatility_given_return
    yield (
        f"A return of {_as_printed(claim.cumulative_return)} and a volatility of "
        f"{_as_printed(claim.annualized_volatility)} exclude each other."
    )
    if given is not None and math.isfinite(given.high):
        yield f"With that return the volatility is {range_text(given)} ({finding.ranges.convention})."


def _ratio_is_out(finding: Finding) -> Sentences:
    claim = finding.claim
    yield (
        f"The Sharpe ratio of {claim.sharpe_ratio.text} does not belong to a return of "
        f"{_as_printed(claim.cumulative_return)} and a volatility of "
        f"{_as_printed(claim.annualized_volatility)}."
    )


def _drawdown_is_out(finding: Finding) -> Sentences:
    given = finding.ranges.drawdown_given_rest
    yield (
        "Return, Sharpe ratio and volatility do not exclude each other under all of them, but with the "
        f"drawdown of {_as_printed(finding.claim.max_drawdown)} they do."
    )
    if given is not None and math.isfinite(given.high):
        yield f"With these three the drawdown is {range_text(given)} ({finding.ranges.convention})."


def _undecided(finding: Finding) -> Sentences:
    left = len(finding.fitting)
    if finding.asked == 1:
        yield "No bound excludes these figures, and no actions were given that have them."
        return
    yield (
        f"No path was found that has these figures, and no bound excludes one under {left} of "
        f"{finding.asked} conventions, such as {finding.fitting[0]}."
    )


def _drawdown(finding: Finding) -> Sentences:
    claim = finding.claim
    if finding.verdict == "always-flat":
        yield f"An account that never trades does not fall; printed is {_as_printed(claim.max_drawdown)}."
    if finding.verdict != "always-long":
        return
    own = like(claim.max_drawdown, float(finding.ranges.always_long.max_drawdown))
    yield f"Its drawdown is {own}, not {_as_printed(claim.max_drawdown)}."
    given = finding.ranges.drawdown_given_rest
    if given is not None and given.meet(claim.max_drawdown.interval.widened(1e-4)).is_empty:
        yield f"A path {HELD[claim.positions]}, with the other three figures, falls by {range_text(given)}."


def _mixed(finding: Finding) -> Sentences:
    way, claim = finding.fitting[0], finding.claim
    share = math.sqrt(way.volatility_periods / way.return_periods)
    sure = claim.sharpe_ratio.interval.middle * share
    volatility = claim.annualized_volatility.interval.middle / share
    yield (
        f"Returns have {way.return_periods} days a year and volatility has {way.volatility_periods}: with "
        f"{way.return_periods} for both the Sharpe ratio is {like(claim.sharpe_ratio, sure, percent=False)} "
        f"and the volatility {like(claim.annualized_volatility, volatility)}."
    )


def _off_calendar(finding: Finding) -> Sentences:
    yield (
        f"The figures need {finding.fitting[0].return_periods} days a year, which the calendar of "
        f"{finding.claim.asset} does not have."
    )


def _shifted(finding: Finding) -> Sentences:
    yield f"They need the window {finding.fitting[0].window.period}; named was {finding.period}."


def _not_whole(finding: Finding) -> Sentences:
    yield (
        f"P · CR / (SR · AV) is {_days(finding)}: no whole number of days, which it is for every path whose "
        "returns are added."
    )


def _outside(finding: Finding) -> Sentences:
    closes = len(finding.ranges.convention.window.closes)
    yield (
        f"P · CR / (SR · AV) is {_days(finding)}. For a path whose returns are added it is the number of "
        f"days; the window has {closes} prices and {closes - 1} returns."
    )


def _days(finding: Finding) -> str:
    parts = []
    for periods, days in finding.ranges.days.items():
        whole = list(whole_days(days))
        shown = str(whole[0]) if len(whole) == 1 else f"{days.low:.2f} to {days.high:.2f}"
        parts.append(f"{shown} with P = {periods}")
    return " and ".join(parts)


_Say = Callable[[Finding], Sentences]

_VERDICTS: Mapping[Verdict, _Say] = {
    "always-long": _always_long,
    "always-flat": _always_flat,
    "reachable": _reachable,
    "unreachable": _unreachable,
    "undecided": _undecided,
}

_BECAUSE: Mapping[FigureSet, _Say] = {
    RETURN: _return_is_out,
    VOLATILITY: _volatility_is_out,
    RETURN_AND_VOLATILITY: _together_out,
    ALL_BUT_DRAWDOWN: _ratio_is_out,
}

_FLAGS: Mapping[str, _Say] = {
    "mdd-inconsistent": _drawdown,
    "mixed-annualisation": _mixed,
    "off-calendar-annualisation": _off_calendar,
    "shifted-window": _shifted,
    "days-not-whole": _not_whole,
    "days-outside-window": _outside,
}
