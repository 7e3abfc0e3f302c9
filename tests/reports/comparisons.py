"""A comparison with round figures, for the tests of what is made of one."""

import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from flagbench.comparison.comparison import (
    AgentResult,
    AssetResult,
    Comparison,
    CostPoint,
    Endpoint,
    KnowledgeChange,
    PairedResult,
    Spread,
)
from flagbench.market.period import Period
from flagbench.registry import load_metrics
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    pass

GOLDEN = Path(__file__).parents[1] / "golden" / "comparison.txt"
NAN = math.nan


def one(value: float) -> Spread:
    return Spread(values=(value,), iqm=value)


def agent(label: str, **changes: object) -> AgentResult:
    """An agent of two seeds with round figures."""
    metrics = {name: Spread(values=(0.25, 0.5), iqm=0.375) for name in load_metrics()}
    metrics["sharpe_ratio"] = Spread(values=(1.0, 2.0), iqm=1.5, low=-0.5, high=3.5)
    metrics["cumulative_return"] = Spread(values=(0.1, 0.2), iqm=0.15, low=-0.2, high=0.5)
    whole = AgentResult(
        label=label,
        ranked=True,
        is_reference=False,
        seeds=(0, 1),
        metrics=metrics,
        psr=Spread(values=(0.9, 0.95), iqm=0.925),
        dsr=Spread(values=(0.7, 0.8), iqm=0.75),
        paired=PairedResult(
            difference=1.0, low=-1.0, high=3.0, p_value=0.0004, holm=0.0008, smallest_detectable=2.8
        ),
        in_confidence_set=True,
        collapsed={"buy-and-hold": 1},
        unparsed=0.125,
        knowledge=KnowledgeChange(suite="basics", before=one(0.5), after=one(0.25)),
        costs=tuple(
            CostPoint(
                cost_bps=cost,
                cumulative_return=Spread(values=(0.1, 0.2), iqm=0.15 - cost / 1000),
                sharpe_ratio=Spread(values=(1.0, 2.0), iqm=1.5),
                sharpe_standard_error=1.25,
            )
            for cost in (0.0, 10.0)
        ),
        records=("a" * 64, "b" * 64),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def flat() -> AgentResult:
    """An agent of one seed that never traded."""
    undefined = Spread(values=(NAN,), iqm=NAN, reasons=("never held a position",))
    plain = agent("always_flat & <co> 100 % #1 $x$ ^~\\{}")
    return replace(
        plain,
        seeds=(3,),
        metrics={**{name: one(0.0) for name in load_metrics()}, "sharpe_ratio": undefined},
        psr=undefined,
        dsr=undefined,
        paired=PairedResult(
            difference=NAN,
            low=NAN,
            high=NAN,
            p_value=NAN,
            holm=NAN,
            smallest_detectable=NAN,
            reason="no ratio",
        ),
        in_confidence_set=False,
        collapsed={"always-flat": 1},
        knowledge=None,
        costs=tuple(replace(point, sharpe_ratio=undefined) for point in plain.costs),
    )


def example() -> Comparison:
    """Buy-and-hold, a learner, who never trades, and an oracle, on one asset."""
    held = agent(
        "buy-and-hold",
        is_reference=True,
        seeds=(),
        paired=None,
        collapsed={"buy-and-hold": 2},
        knowledge=None,
    )
    oracle = agent("oracle", ranked=False, paired=None, in_confidence_set=None, collapsed={})
    asset = AssetResult(
        label="HON",
        asset_id="HON",
        name="Honeywell",
        kind="market",
        market_sha256="0123456789abcdef" * 4,
        train=Period(date(2020, 7, 1), date(2020, 9, 30)),
        tests=(Period(date(2020, 10, 1), date(2021, 5, 6)),),
        bars=150,
        fill="next_open",
        periods_per_year=252,
        agents=(held, agent("flag"), flat(), oracle),
        trials=7,
        spa_p_value=0.25,
        spa_reason="",
        notes=("flag: the days are worth only 7.5 blocks: its intervals are rough",),
    )
    difference = Spread(values=(0.5, 1.5), iqm=1.0, low=-1.0, high=3.0)
    endpoints = (
        Endpoint(label="flag", ranked=True, difference=difference, assets=1),
        Endpoint(label="oracle", ranked=False, difference=difference, assets=1),
    )
    return Comparison(
        protocol=load_protocol("standard"),
        setup={"env_steps": 6400, "num_envs": 8},
        primary="sharpe_ratio",
        endpoints=endpoints,
        assets=(asset,),
        resamples=5000,
        tests=1,
        notes=("a note",),
    )
