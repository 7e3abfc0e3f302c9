"""Equity curves as few small numbers, for a script to draw, and in words, for who does not see them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import DateArray, FloatArray
from flagbench.scoring.metrics import max_drawdown

CURVE_UNIT = 10_000
"""Steps of a curve in its first value: a hundredth of a percent is less than a line's width on any screen."""


class Curves(NamedTuple):
    """The seeds of an entry on one asset."""

    seeds: tuple[int, ...]
    curves: tuple[tuple[int, ...], ...]
    """(n,) of each seed, as `curve_steps`."""
    words: str
    """Where each ends and how deep it fell."""


def equity(returns: FloatArray, *, log_returns: bool) -> FloatArray:
    """(n,) from (m,) returns of each bar; the first value is 1.

    Args:
        returns: of one seed.
        log_returns: whether they are logarithmic.
    """
    growth = np.exp(np.cumsum(returns)) if log_returns else np.cumprod(1 + returns)
    whole: FloatArray = np.concatenate([[1.0], growth])
    return whole


def curve_steps(curve: FloatArray) -> tuple[int, ...]:
    """A curve as its first value and then its changes, in units of 1/`CURVE_UNIT`; sums bring it back."""
    units = np.rint(curve * CURVE_UNIT).astype(np.int64)
    return tuple(np.diff(units, prepend=0).tolist())


def day_steps(dates: DateArray) -> tuple[int, ...]:
    """Dates as days: from 1970-01-01 to the first, then from each to the next.

    Args:
        dates: (n,) of the bars.
    """
    days = dates.astype("datetime64[D]").astype(np.int64)
    return tuple(np.diff(days, prepend=0).tolist())


def seed_curves(seeds: Sequence[int], returns: FloatArray, *, log_returns: bool) -> Curves:
    """All seeds of an entry on one asset.

    Args:
        seeds: their numbers.
        returns: (seeds, m).
        log_returns: whether they are logarithmic.
    """
    drawn = [equity(own, log_returns=log_returns) for own in returns]
    words = "; ".join(f"seed {seed} {curve_words(curve)}" for seed, curve in zip(seeds, drawn, strict=True))
    return Curves(tuple(seeds), tuple(map(curve_steps, drawn)), f"{words}.")


def curve_words(curve: FloatArray) -> str:
    """Where a curve that begins at 1 ends, and its deepest drawdown."""
    return f"ends at {curve[-1]:.3f}, deepest drawdown {100 * max_drawdown(curve):.1f} %"
