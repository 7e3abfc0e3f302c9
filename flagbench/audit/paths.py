"""All paths of positions as linear programmes: what they can add up to, and how deep they can fall.

`held` says whether a position is held on a day, 0 or 1 in a path and anything between in a programme. So the
programme holds every path and more, and what no point of it has no path has.
"""

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse import block_array, csr_array, diags_array, eye_array, hstack

from flagbench.audit.interval import Interval
from flagbench.audit.programme import Programme, least_cost
from flagbench.audit.sums import SumBounds, Terms, attainable
from flagbench.market.price_file import FloatArray

NARROWEST = 1e-9
"""Half-width that rows are scaled by at least: a claim with more digits is widened to it, which is sound."""


class _Rows:
    """Rows of a programme over named groups of variables.

    Args:
        upper: the upper bounds of each group's variables; the lower ones are 0.
    """

    def __init__(self, **upper: FloatArray) -> None:
        self.upper = upper
        self.blocks: list[list[csr_array]] = []
        self.limits: list[FloatArray] = []
        self.printed: list[bool] = []

    def add(self, limit: float, *, printed: bool = False, **blocks: csr_array) -> None:
        """Σ block · group ≤ limit, for as many rows as the blocks have."""
        height = next(iter(blocks.values())).shape[0]
        empty = {name: csr_array((height, len(upper))) for name, upper in self.upper.items()}
        self.blocks.append(list({**empty, **blocks}.values()))
        self.limits.append(np.full(height, limit))
        self.printed += [printed] * height

    def add_printed(
        self, interval: Interval, *, name: str, terms: FloatArray, only_low: bool = False
    ) -> None:
        """A sum over one group lies in an interval, or not below it, in units of its half-width."""
        width = interval.high - interval.low
        scale = max(width / 2, NARROWEST) if math.isfinite(width) else 1.0
        for sign, end in ((-1.0, -interval.low), (1.0, interval.high))[: 1 if only_low else 2]:
            if math.isfinite(end):
                row = csr_array(sign * terms.reshape(1, -1) / scale)
                self.add(end / scale, printed=True, **{name: row})

    def programme(self) -> Programme:
        """All rows so far."""
        return Programme(
            rows=csr_array(block_array(self.blocks)),
            limits=np.concatenate(self.limits),
            upper=np.concatenate(list(self.upper.values())),
            printed=np.array(self.printed),
        )


def sums_programme(terms: Terms, bounds: SumBounds) -> Programme:
    """Paths whose sums lie in their intervals, whatever their drawdown."""
    rows = _Rows(held=np.ones(terms.returns.size))
    _add_sums(rows, terms, bounds)
    return rows.programme()


def _add_sums(rows: _Rows, terms: Terms, bounds: SumBounds) -> None:
    centred = terms.squares - bounds.slope * terms.returns
    for interval, values in (
        (bounds.total, terms.totals),
        (bounds.returns, terms.returns),
        (bounds.spread, centred),
    ):
        rows.add_printed(interval, name="held", terms=values)
    if len(terms.returns) > 1:
        rows.add(1.0, held=_over_positions(terms))


def _over_positions(terms: Terms) -> csr_array:
    """(m, K·m) the sum over positions, day by day."""
    positions, days = terms.returns.shape
    return csr_array(hstack([eye_array(days)] * positions))


def _earned(terms: Terms) -> csr_array:
    """(m, K·m) what a path adds to the logarithm of its curve, day by day."""
    return csr_array(hstack([diags_array(steps) for steps in terms.steps]))


def _change(days: int) -> csr_array:
    """(m, m) each day's value less the day before's, which is 0 before the first."""
    return csr_array(diags_array([np.ones(days), -np.ones(days - 1)], offsets=[0, -1]))


def drawdown_programme(terms: Terms, bounds: SumBounds) -> Programme:
    """Paths whose sums lie in their intervals, and whose drawdown does too.

    That no fall is deeper is said of the running fall: fall_t ≥ fall_{t−1} − earned_t, fall_t ≥ 0. That one
    is as deep needs a stretch of days, from `begun` to `over`, whose held days (`inside`) add up to it.
    """
    rows = _Rows(**_groups(terms, deepest=bounds.depth.high))
    _add_sums(rows, terms, bounds)
    _add_falls(rows, terms)
    _add_stretch(rows, terms)
    rows.add_printed(bounds.depth, name="inside", terms=-terms.steps, only_low=True)
    return rows.programme()


def _groups(terms: Terms, *, deepest: float) -> dict[str, FloatArray]:
    positions, days = terms.returns.shape
    # No path falls by more than all its losses together.
    deepest = min(max(deepest, 0.0), -attainable(terms.steps).low)
    each, whole = np.ones(positions * days), np.ones(days)
    return {"held": each, "inside": each, "begun": whole, "over": whole, "fall": deepest * whole}


def _add_falls(rows: _Rows, terms: Terms) -> None:
    days = terms.returns.shape[1]
    rows.add(0.0, held=-_earned(terms), fall=-_change(days))


def _add_stretch(rows: _Rows, terms: Terms) -> None:
    """`inside` is `held` on days that have begun and are not over, and nothing on other days."""
    days = terms.returns.shape[1]
    each, whole, summed = eye_array(terms.returns.size), eye_array(days), _over_positions(terms)
    rows.add(0.0, inside=csr_array(each), held=csr_array(-each))
    rows.add(0.0, inside=summed, begun=csr_array(-whole), over=csr_array(whole))
    rows.add(1.0, held=summed, inside=-summed, begun=csr_array(whole), over=csr_array(-whole))
    rows.add(0.0, over=csr_array(whole), begun=csr_array(-whole))
    later = _change(days)[1:]
    if days > 1:
        rows.add(0.0, begun=-later)
        rows.add(0.0, over=-later)


def drawdown_range(terms: Terms, bounds: SumBounds) -> Interval:
    """Drawdowns outside of which no path lies that has these sums; (0, 1) at the widest."""
    ends = list(_depths(terms, bounds))
    return Interval(*(float(-np.expm1(-end)) for end in ends))


def _depths(terms: Terms, bounds: SumBounds) -> Iterator[float]:
    days = terms.returns.shape[1]
    shallow = _Rows(
        held=np.ones(terms.returns.size),
        fall=np.full(days, -attainable(terms.steps).low),
        deepest=np.array([-attainable(terms.steps).low]),
    )
    _add_sums(shallow, terms, bounds)
    _add_falls(shallow, terms)
    shallow.add(0.0, fall=csr_array(eye_array(days)), deepest=csr_array(-np.ones((days, 1))))
    cost = np.zeros(terms.returns.size + days + 1)
    cost[-1] = 1.0
    yield max(least_cost(shallow.programme(), cost), 0.0)
    groups = _groups(terms, deepest=math.inf)
    deep = _Rows(**{name: upper for name, upper in groups.items() if name != "fall"})
    _add_sums(deep, terms, bounds)
    _add_stretch(deep, terms)
    cost = np.zeros(sum(map(len, deep.upper.values())))
    cost[terms.returns.size : 2 * terms.returns.size] = terms.steps.ravel()
    yield -least_cost(deep.programme(), cost)


def volatility_limit(terms: Terms) -> float:
    """The largest standard deviation (ddof 1) of a day that any path has, as a sound upper bound.

    Source: for every λ, Σ r² − R²/m = Σ (r² + λ·r) − λR − R²/m ≤ Σ max(0, r² + λ·r) + λ²·m/4, the maximum
    being over the positions of a day, and −λR − R²/m largest at R = −λ·m/2. The best λ is searched for; any
    is sound.
    """
    from scipy.optimize import minimize_scalar

    days = terms.returns.shape[1]

    def limit(multiplier: float) -> float:
        gains = np.maximum(terms.squares + multiplier * terms.returns, 0).max(axis=0)
        return float(gains.sum() + multiplier**2 * days / 4)

    furthest = 2 * float(np.abs(terms.returns).max())
    best = minimize_scalar(limit, bounds=(-furthest, furthest), method="bounded")
    return math.sqrt(min(limit(float(best.x)), limit(0.0)) / (days - 1))


def volatility_range(terms: Terms, bounds: SumBounds) -> Interval:
    """Standard deviations (ddof 1) of a day outside of which no path lies that has the total in `bounds`."""
    days = terms.returns.shape[1]
    programme = sums_programme(terms, bounds)
    centred = (terms.squares - bounds.slope * terms.returns).ravel()
    low, high = bounds.returns
    least = least_cost(programme, centred) + low * high / days
    most = -least_cost(programme, -centred) + bounds.returns.middle**2 / days
    return Interval(*(math.sqrt(max(end, 0.0) / (days - 1)) for end in (least, most)))
