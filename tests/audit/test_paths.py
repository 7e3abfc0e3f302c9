"""Bounds held against every path of small windows."""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flagbench.audit.claim import OPTIONS, Claim, make_claim
from flagbench.audit.convention import Convention, Figures, figures_of
from flagbench.audit.exclusion import Exclusions
from flagbench.audit.paths import drawdown_programme, drawdown_range, volatility_limit, volatility_range
from flagbench.audit.programme import least_miss
from flagbench.audit.sums import (
    ALL_BUT_DRAWDOWN,
    FIGURE_SETS,
    RETURN,
    RETURN_AND_VOLATILITY,
    attainable,
    sum_bounds,
    terms_of,
)
from flagbench.audit.window import Window
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray


class Case(NamedTuple):
    """A small window, a convention, and all paths on it."""

    convention: Convention
    positions: FloatArray  # (K^m, m)
    figures: Figures
    kind: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    steps = draw(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=6))
    closes = 100 * np.exp(np.cumsum([0.0, *steps]))
    window = Window(shift=(0, 0), period=Period.parse("2020-01-01:2020-01-10"), closes=closes)
    convention = Convention(
        window,
        draw(st.sampled_from(["log", "simple"])),
        draw(st.sampled_from(["sum", "compounded"])),
        draw(st.sampled_from([252, 365])),
        draw(st.sampled_from([252, 365])),
        draw(st.sampled_from(["prices", "returns"])),
    )
    kind = draw(st.sampled_from(["long-flat", "long-short"]))
    positions = np.array(list(product([0.0, *OPTIONS[kind]], repeat=len(steps))))  # type: ignore[index]
    return Case(convention, positions, figures_of(convention, positions), kind)


def printed(case: Case, index: int, digits: int) -> Claim:
    """The row of one path."""
    texts = {
        "cr": f"{100 * case.figures.cumulative_return[index]:.{digits}f}",
        "sr": f"{case.figures.sharpe_ratio[index]:.{digits}f}",
        "av": f"{100 * case.figures.annualized_volatility[index]:.{digits}f}",
        "mdd": f"{100 * case.figures.max_drawdown[index]:.{digits}f}",
    }
    return make_claim(texts, asset="SMALL", positions=case.kind)


@given(cases())
def test_no_path_earns_or_swings_more_than_the_bounds(case: Case) -> None:
    terms = terms_of(case.convention, OPTIONS[case.kind])  # type: ignore[index]
    totals = attainable(terms.totals)
    if case.convention.total == "compounded":
        totals = totals._replace(low=math.expm1(totals.low), high=math.expm1(totals.high))
    earned = case.figures.cumulative_return
    assert earned.min() == pytest.approx(totals.low, abs=1e-12)
    assert earned.max() == pytest.approx(totals.high, abs=1e-12)
    swing = case.figures.annualized_volatility / math.sqrt(case.convention.volatility_periods)
    assert swing.max() <= volatility_limit(terms) * (1 + 1e-12) + 1e-15


@given(cases(), st.integers(0, 10**6), st.integers(1, 4))
def test_paths_with_the_same_return_have_volatilities_within_the_range(
    case: Case, index: int, digits: int
) -> None:
    claim = printed(case, index % len(case.positions), digits)
    terms = terms_of(case.convention, claim.options)
    low, high = volatility_range(terms, sum_bounds(claim, case.convention, terms, figures=RETURN))
    yearly = math.sqrt(case.convention.volatility_periods)
    for earned, volatility in zip(
        case.figures.cumulative_return, case.figures.annualized_volatility, strict=True
    ):
        if claim.cumulative_return.is_rounded_from(float(earned)):
            assert low - 1e-9 <= volatility / yearly <= high + 1e-9


@given(cases(), st.integers(0, 10**6), st.integers(1, 4))
def test_paths_with_the_same_three_figures_have_drawdowns_within_the_range(
    case: Case, index: int, digits: int
) -> None:
    claim = printed(case, index % len(case.positions), digits)
    terms = terms_of(case.convention, claim.options)
    found = drawdown_range(terms, sum_bounds(claim, case.convention, terms, figures=ALL_BUT_DRAWDOWN))
    rows = zip(*case.figures, strict=True)
    for earned, ratio, volatility, depth in rows:
        pairs = [
            (claim.cumulative_return, earned),
            (claim.sharpe_ratio, ratio),
            (claim.annualized_volatility, volatility),
        ]
        if all(text.is_rounded_from(float(value)) for text, value in pairs):
            assert found.low - 1e-9 <= depth <= found.high + 1e-9


@settings(max_examples=60)
@given(cases(), st.integers(0, 10**6), st.integers(0, 4))
def test_no_set_of_figures_excludes_the_path_that_they_are_of(case: Case, index: int, digits: int) -> None:
    """The programme for drawdowns too, which small windows are otherwise not asked."""
    claim = printed(case, index % len(case.positions), digits)
    exclusions = Exclusions(claim)
    assert not any(exclusions.rules_out(case.convention, figures) for figures in FIGURE_SETS)
    terms = terms_of(case.convention, claim.options)
    assert least_miss(drawdown_programme(terms, sum_bounds(claim, case.convention, terms))) == 0


@settings(max_examples=60)
@given(cases(), st.floats(-0.6, 0.6), st.floats(0, 3))
def test_what_is_excluded_no_path_has(case: Case, earned: float, volatility: float) -> None:
    """Return and volatility at random: where they are excluded, all paths miss them."""
    texts = {"cr": f"{100 * earned:.1f}", "sr": "1", "av": f"{100 * volatility:.1f}", "mdd": "10"}
    claim = make_claim(texts, asset="SMALL", positions=case.kind)
    assume(Exclusions(claim).rules_out(case.convention, RETURN_AND_VOLATILITY))
    pairs = zip(case.figures.cumulative_return, case.figures.annualized_volatility, strict=True)
    assert not any(
        claim.cumulative_return.is_rounded_from(float(one))
        and claim.annualized_volatility.is_rounded_from(float(two))
        for one, two in pairs
    )


def test_a_day_that_can_lose_everything_leaves_only_the_volatility_to_be_held_against() -> None:
    """A short in a price that trebles: its logarithm does not exist, and nothing else is claimed."""
    window = Window(
        shift=(0, 0),
        period=Period.parse("2020-01-01:2020-01-10"),
        closes=np.array([100.0, 300.0, 290.0, 280.0]),
    )
    convention = Convention(window, "simple", "compounded", 252, 252, "returns")
    assert terms_of(convention, OPTIONS["long-short"]).can_ruin
    assert not terms_of(convention, OPTIONS["long-flat"]).can_ruin
    texts = {"cr": "99999", "sr": "1", "av": "10", "mdd": "1"}
    exclusions = Exclusions(make_claim(texts, asset="X", positions="long-short"))
    assert not any(exclusions.rules_out(convention, figures) for figures in FIGURE_SETS)
    wilder = Exclusions(make_claim({**texts, "av": "99999"}, asset="X", positions="long-short"))
    assert wilder.rules_out(convention, FIGURE_SETS[-1])
    assert not wilder.rules_out(convention, RETURN)
