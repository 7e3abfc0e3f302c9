"""Which conventions leave no path that has what was printed, by bounds that hold whatever a solver said."""

import math

from flagbench.audit.claim import ROUNDING, Claim
from flagbench.audit.convention import CURVES, Convention
from flagbench.audit.goal import Goal
from flagbench.audit.paths import drawdown_programme, sums_programme, volatility_limit
from flagbench.audit.programme import least_miss
from flagbench.audit.search import all_paths, is_small
from flagbench.audit.sums import ALL, RETURN, VOLATILITY, FigureSet, Terms, attainable, sum_bounds, terms_of


class Exclusions:
    """What a claim's figures rule out; each question is answered once.

    Args:
        claim: what was printed.
    """

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._known: dict[tuple[Convention, FigureSet], bool] = {}

    def rules_out(self, convention: Convention, figures: FigureSet) -> bool:
        """Whether certainly no path has the named figures under a convention.

        Args:
            convention: how they are computed.
            figures: one of `flagbench.audit.sums.FIGURE_SETS`.
        """
        key = (_as_far_as_it_matters(convention, figures), figures)
        if key not in self._known:
            self._known[key] = self._ruled_out(*key)
        return self._known[key]

    def _ruled_out(self, convention: Convention, figures: FigureSet) -> bool:
        terms = terms_of(convention, self.claim.options)
        if figures == VOLATILITY:
            return self._volatility_is_out_of_reach(convention, terms)
        if terms.can_ruin:  # what follows goes by logarithms, which an account worth nothing does not have
            return figures != RETURN and self.rules_out(convention, VOLATILITY)
        if figures == RETURN:
            return self._return_is_out_of_reach(convention, terms)
        if self.rules_out(convention, RETURN) or self.rules_out(convention, VOLATILITY):
            return True
        if figures == ALL:
            return self.rules_out(convention, ALL - {"max_drawdown"}) or self._no_path_falls_so(convention)
        bounds = sum_bounds(self.claim, convention, terms, figures=figures)
        return bounds.is_empty or least_miss(sums_programme(terms, bounds)) > 0

    def _return_is_out_of_reach(self, convention: Convention, terms: Terms) -> bool:
        bounds = sum_bounds(self.claim, convention, terms, figures=RETURN)
        return bounds.total.meet(attainable(terms.totals).widened(ROUNDING)).is_empty

    def _volatility_is_out_of_reach(self, convention: Convention, terms: Terms) -> bool:
        yearly = volatility_limit(terms) * math.sqrt(convention.volatility_periods)
        return yearly + ROUNDING < self.claim.annualized_volatility.interval.low

    def _no_path_falls_so(self, convention: Convention) -> bool:
        goal = Goal(self.claim, convention)
        if is_small(goal) and not convention.is_played:
            paths = all_paths(goal)
            return all(goal.first_reached(paths, curve=c) is None for c in CURVES[convention.returns])
        for curve in CURVES[convention.returns]:
            terms = terms_of(convention, self.claim.options, curve=curve)
            bounds = sum_bounds(self.claim, convention, terms)
            if not bounds.is_empty and least_miss(drawdown_programme(terms, bounds)) == 0:
                return False
        return True


def _as_far_as_it_matters(convention: Convention, figures: FigureSet) -> Convention:
    """The convention with one value for every field that the figures do not depend on: it is asked once."""
    if "sharpe_ratio" not in figures:
        convention = convention._replace(return_periods=0, days="prices")
    if "annualized_volatility" not in figures:
        convention = convention._replace(volatility_periods=0)
    if "cumulative_return" not in figures:
        convention = convention._replace(total="sum")
    return convention
