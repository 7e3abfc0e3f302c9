"""What a search for a path looks for: sums in their intervals, and figures that print as the claim does."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from flagbench.audit.claim import FLAGS, Claim
from flagbench.audit.convention import Convention, Curve, figures_of
from flagbench.audit.sums import SumBounds, sum_bounds, terms_of
from flagbench.market.price_file import FloatArray
from flagbench.trading.portfolio import BoolArray

Choices = npt.NDArray[np.int8]
"""(…, m) which of `Goal.options` is held on each day."""


@dataclass(frozen=True, eq=False)
class Goal:
    """A claim under one convention."""

    claim: Claim
    convention: Convention

    @cached_property
    def options(self) -> FloatArray:
        """(K,) positions, flat first."""
        return np.array([0.0, *self.claim.options])

    @cached_property
    def bounds(self) -> SumBounds:
        """Where the sums of a path must lie."""
        return sum_bounds(self.claim, self.convention, terms_of(self.convention, self.claim.options))

    @cached_property
    def returns(self) -> FloatArray:
        """(K, m) what each option adds to Σ r."""
        return np.outer(self.options, self.convention.asset_returns)

    @cached_property
    def spread(self) -> FloatArray:
        """(K, m) to the centred sum of squares."""
        return self.returns**2 - self.bounds.slope * self.returns

    @cached_property
    def steps(self) -> FloatArray:
        """(K, m) to the logarithm of the curve that drawdowns are measured on."""
        steps = terms_of(self.convention, self.claim.options).steps
        return np.vstack([np.zeros(self.days), steps])

    @property
    def days(self) -> int:
        """Returns in the window, m."""
        return len(self.convention.window.closes) - 1

    def depths(self, choices: Choices) -> FloatArray:
        """(c,) −ln(1 − drawdown) of (c, m) paths."""
        curve = np.cumsum(self.steps[choices, np.arange(self.days)], axis=-1)
        curve = np.concatenate([np.zeros((*curve.shape[:-1], 1)), curve], axis=-1)
        return deepest_falls(curve)

    def has_depth(self, depths: FloatArray) -> BoolArray:
        """Whether drawdowns are the claimed one."""
        return (depths >= self.bounds.depth.low) & (depths <= self.bounds.depth.high)

    def first_reached(self, choices: Choices, *, curve: Curve = "compounded") -> FloatArray | None:
        """(m,) positions of the first of (c, m) paths whose figures print as the claim's, or None."""
        positions = self.options[choices]
        figures = figures_of(self.convention, positions, curve=curve)
        agree = np.ones(len(positions), dtype=np.bool_)
        for name in FLAGS.values():
            printed = getattr(self.claim, name)
            values = getattr(figures, name)
            agree &= [printed.is_rounded_from(float(value)) for value in values]
        found = np.flatnonzero(agree)
        return positions[found[0]] if found.size else None


def deepest_falls(curve: FloatArray) -> FloatArray:
    """(…,) the largest fall of each (…, n) curve below its running high."""
    falls: FloatArray = (np.maximum.accumulate(curve, axis=-1) - curve).max(axis=-1)
    return falls
