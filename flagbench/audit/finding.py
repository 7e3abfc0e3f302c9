"""What an audit found, with the figures that show it."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from flagbench.audit.certificate import Certificate
from flagbench.audit.claim import Claim
from flagbench.audit.convention import Convention
from flagbench.audit.ranges import Ranges
from flagbench.market.period import Period

Verdict = Literal["always-long", "always-flat", "reachable", "unreachable", "undecided"]

VERDICT_MEANINGS: Mapping[Verdict, str] = {
    "always-long": "return, Sharpe ratio and volatility are those of holding the asset on every day",
    "always-flat": "return and volatility are 0",
    "reachable": "a path of positions has all four figures; it was found and replayed",
    "unreachable": "no path of positions has the figures under any convention that was tried; this is proved",
    "undecided": "no path was found, and no bound excludes one",
}

FLAG_MEANINGS = {
    "mdd-inconsistent": "the drawdown does not belong to the other three figures",
    "mixed-annualisation": "the figures fit only if returns and volatility have different days a year",
    "off-calendar-annualisation": "they fit only with other days a year than the asset's calendar has",
    "shifted-window": "they fit only if the window begins or ends on another day",
    "days-not-whole": "SR · AV / CR is that of no whole number of days",
    "days-outside-window": "SR · AV / CR is that of a number of days that the window does not have",
}


class Finding(NamedTuple):
    """The audit of one claim.

    Attributes:
        claim: what was printed.
        period: the window that was looked at.
        verdict: what can be said of it.
        flags: keys of `FLAG_MEANINGS`.
        fitting: the conventions under which the figures are those of the verdict; of `undecided`, those
            that are not ruled out.
        asked: how many conventions there are.
        because: of `unreachable`, the fewest figures that no path has together.
        certificate: of `reachable`, a path that has the figures under the first of the conventions.
        ranges: what all paths can come to.
    """

    claim: Claim
    period: Period
    verdict: Verdict
    flags: tuple[str, ...]
    fitting: tuple[Convention, ...]
    asked: int
    because: frozenset[str] | None
    certificate: Certificate | None
    ranges: Ranges

    def to_json(self, *, certificate: str | None, explanation: str) -> dict[str, Any]:
        """Plain values.

        Args:
            certificate: the file that the path was written to.
            explanation: `flagbench.audit.explanation.sentences`, joined.
        """
        return {
            "name": self.claim.name,
            "asset": self.claim.asset,
            "period": [str(self.period.first), str(self.period.last)],
            "positions": self.claim.positions,
            "verdict": self.verdict,
            "flags": list(self.flags),
            "conventions": [convention.to_json() for convention in self.fitting],
            "bounds": self.ranges.to_json(),
            "certificate": certificate,
            "explanation": explanation,
        }
