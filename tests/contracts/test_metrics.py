"""What every registered metric owes, whoever ships it."""

import math
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagbench.market.price_file import FloatArray
from flagbench.registry import load_metrics
from flagbench.scoring.metric import Metric, Unit
from flagbench.scoring.performance import (
    Performance,
    investorbench_performance,
    paper_performance,
    standard_performance,
)
from flagbench.scoring.score import measure
from flagbench.trading.replay import Replay

METRICS = load_metrics()
EACH = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
PERIODS = st.sampled_from([252, 365])
FACTORS = st.one_of(st.floats(0.9, 1.1), st.just(1.0), st.floats(0.01, 100), st.floats(1 - 1e-15, 1 + 1e-15))


def replayed(equity: FloatArray, held: list[bool], *, periods_per_year: int) -> Replay:
    """A replay in which the position is held in some bars; it is traded wherever that changes."""
    exposed = np.array(held, dtype=np.bool_)
    filled = np.diff(exposed, prepend=False)
    return Replay(
        dates=np.arange(len(equity)).astype("datetime64[D]"),
        equity=equity,
        traded=np.where(filled, equity[1:], 0.0),
        cost=np.where(filled, 0.001 * equity[1:], 0.0),
        filled=filled,
        exposed=exposed,
        position=exposed.astype(np.float64),
        order_returns=np.zeros(len(exposed)),
        redundant=0,
        unparsed=0,
        periods_per_year=periods_per_year,
    )


@st.composite
def of_equity(draw: st.DrawFn, build: Callable[[Replay], Performance]) -> Performance:
    bars = draw(st.integers(0, 25))
    kind = draw(st.sampled_from(["any", "flat", "constant", "losing", "rising"]))
    held = [kind != "flat"] * bars
    if kind == "any":
        held = draw(st.lists(st.booleans(), min_size=bars, max_size=bars))
        moves = draw(st.lists(FACTORS, min_size=bars, max_size=bars))
        factors = [move if exposed else 1.0 for move, exposed in zip(moves, held, strict=True)]
    elif kind in ("flat", "constant"):
        factors = [1.0 if kind == "flat" else draw(FACTORS)] * bars
    else:
        between = st.floats(0.5, 0.999) if kind == "losing" else st.floats(1.001, 3)
        factors = draw(st.lists(between, min_size=bars, max_size=bars))
    equity: FloatArray = draw(st.floats(1e-3, 1e6)) * np.cumprod(np.array([1.0, *factors]))
    return build(replayed(equity, held, periods_per_year=draw(PERIODS)))


@st.composite
def of_positions(draw: st.DrawFn) -> Performance:
    bars = draw(st.integers(0, 25))
    constant = FACTORS.map(lambda factor: [factor] * bars)
    factors = draw(st.one_of(st.lists(FACTORS, min_size=bars, max_size=bars), constant))
    closes: FloatArray = draw(st.floats(1e-3, 1e6)) * np.cumprod(np.array([1.0, *factors]))
    several = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=bars, max_size=bars)
    one = st.sampled_from([-1.0, 0.0, 1.0]).map(lambda position: [position] * bars)
    positions = np.array(draw(st.one_of(several, one)))
    return investorbench_performance(closes, positions, periods_per_year=draw(PERIODS))


PERFORMANCES = st.one_of(of_equity(standard_performance), of_equity(paper_performance), of_positions())


@EACH
def test_a_metric_is_registered_under_its_own_name_in_snake_case(metric: Metric) -> None:
    assert METRICS[metric.name] is metric
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", metric.name)


def test_no_two_metrics_share_a_name() -> None:
    names = [metric.name for entry in entry_points(group="flagbench.metrics") for metric in entry.load()]
    assert sorted(names) == sorted(METRICS)
    assert len(names) == len(set(names))


@EACH
def test_a_metric_says_what_it_is_in_one_line_and_how_it_is_written(metric: Metric) -> None:
    assert metric.description.strip() == metric.description != ""
    assert "\n" not in metric.description
    assert metric.unit in get_args(Unit)


@given(performance=PERFORMANCES)
@settings(max_examples=600, deadline=None)
def test_a_metric_is_undefined_exactly_when_there_is_a_reason_and_never_infinite(
    performance: Performance,
) -> None:
    for name, metric in METRICS.items():
        reason = metric.undefined(performance)
        if reason is None:
            value = metric.compute(performance)
            assert type(value) is float, name
            assert math.isfinite(value), f"{name} is {value} and gives no reason"
        else:
            assert reason.strip() == reason != "", name


@given(performance=PERFORMANCES)
@settings(max_examples=100, deadline=None)
def test_a_metric_changes_nothing_and_answers_the_same_again(performance: Performance) -> None:
    for value in vars(performance).values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    for metric in METRICS.values():
        assert metric.undefined(performance) == metric.undefined(performance)
        if metric.undefined(performance) is None:
            assert metric.compute(performance) == metric.compute(performance)


@given(performance=PERFORMANCES)
@settings(max_examples=20, deadline=None)
def test_a_figure_is_nan_in_a_score_exactly_when_its_reason_is_there(performance: Performance) -> None:
    values, undefined = measure(performance)
    assert list(values) == list(METRICS)
    assert {name for name, value in values.items() if math.isnan(value)} == set(undefined)
