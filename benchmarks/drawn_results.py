"""Results of submissions, drawn: prices, positions, and intervals by the normal approximation.

They have every field that a board reads and say nothing of any agent.
"""

import math
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagbench.knowledge.retention import TaskRetention
from flagbench.registry import load_metrics
from flagbench.scoring.across_seeds import interquartile_mean
from flagbench.scoring.metrics import max_drawdown
from flagbench.submissions.results import (
    AssetResults,
    Audit,
    Difference,
    Held,
    Knowledge,
    SeedResults,
    Spread,
)

ASSETS = ("BTC", "ETH", "HON", "JNJ", "MSFT", "NFLX", "SPY", "TSLA", "UVV")
"""As many as the largest track has."""

SEEDS = 5
BARS = 150
YEAR = 252
ZERO = "0" * 64
COST = 0.001
"""Of a side of a trade, as `standard` has it."""

Floats = NDArray[np.float64]


class Kind(NamedTuple):
    """What a generated submission is to be like."""

    name: str
    """Of the entry; the folder adds the date."""
    agent: str
    has_backbone: bool = True
    ranked: bool = True
    """False for one that was given the future."""
    status: str = "replayed"
    days_long: float = 0.5
    """Share of days with a position; 1 is buy-and-hold, 0 always flat."""
    skill: float = 0.0
    """Share of days on which the position is the right one."""
    description: str = "A generated entry."
    authors: tuple[str, ...] = ("A. Author", "B. Author")
    body: str = "# What is new\n\nNothing: this entry was *generated*.\n"
    pretraining: str = "drawn"


def market(asset: str) -> Floats:
    """(BARS − 1,) simple returns of an asset, the same for every entry."""
    rng = np.random.default_rng([1, *asset.encode()])
    returns: Floats = rng.normal(0.0006, 0.02, BARS - 1)
    return returns


def dates(asset: str) -> list[date]:
    """BARS days; the coins trade on weekends."""
    first = date(2020, 10, 1)
    if asset in ("BTC", "ETH"):
        return [first + timedelta(days=step) for step in range(BARS)]
    days = np.busday_offset(np.datetime64(first), np.arange(BARS), roll="forward")
    return [date.fromisoformat(str(day)) for day in days]


def positions(kind: Kind, returns: Floats, rng: np.random.Generator) -> Floats:
    """(SEEDS, BARS − 1) of 0 and 1."""
    shape = (SEEDS, len(returns))
    drawn = rng.random(shape) < kind.days_long
    right = np.broadcast_to(returns > 0, shape)
    return np.where(rng.random(shape) < kind.skill, right, drawn).astype(np.float64)


def played(held: Floats, returns: Floats) -> tuple[Floats, list[dict[str, float | None]]]:
    """Returns of each seed after costs, and its metrics."""
    changes = np.abs(np.diff(held, axis=1, prepend=0.0))
    own = held * returns - COST * changes
    metrics = []
    for series, change, days in zip(own, changes, held, strict=True):
        curve = np.concatenate([[1.0], np.cumprod(1 + series)])
        spread = float(series.std(ddof=1))
        sharpe = float(series.mean()) / spread * math.sqrt(YEAR) if spread else None
        metrics.append(
            dict.fromkeys(load_metrics(), None)
            | {
                "cumulative_return": float(curve[-1] - 1),
                "sharpe_ratio": sharpe,
                "annualized_volatility": spread * math.sqrt(YEAR),
                "max_drawdown": float(max_drawdown(curve)),
                "turnover": float(change.sum() * YEAR / BARS),
                "exposure": float(days.mean()),
                "trades": float(change.sum()),
                "cost_paid": float(COST * change.sum()),
            }
        )
    return own, metrics


def spread_of(values: list[float | None], *, reach: float | None = None) -> Spread:
    """Seeds summarised; `reach` to either side is the interval."""
    known = [value for value in values if value is not None]
    whole = len(known) == len(values)
    middle = interquartile_mean(known) if whole else None
    ends = (None, None) if middle is None or reach is None else (middle - reach, middle + reach)
    return Spread(
        values=tuple(values),
        iqm=middle,
        low=ends[0],
        high=ends[1],
        minimum=min(known, default=None),
        maximum=max(known, default=None),
        undefined=len(values) - len(known),
        reasons=() if whole else ("never held a position",),
    )


def retentions(after: float) -> tuple[dict[str, object], ...]:
    """Two tasks and the suite of them, as a seed's answers would have come to."""
    tasks = ("arithmetic", "terms", None)
    return tuple(
        TaskRetention(
            suite="basics",
            task=task,
            version="1",
            items=100 if task else 200,
            clusters=100 if task else 200,
            before=0.6,
            after=after,
            difference=after - 0.6,
            low=after - 0.7,
            high=after - 0.5,
            p_value=0.3,
            test="mcnemar",
            forgotten=5,
            gained=4,
            smallest_detectable_difference=0.1,
            noise=None,
            unparsed_before=0,
            unparsed_after=1,
            truncated_before=0,
            truncated_after=0,
        ).to_json()
        for task in tasks
    )


def asset_results(kind: Kind, asset: str, rng: np.random.Generator) -> AssetResults:
    """All seeds of one entry on one asset."""
    returns = market(asset)
    own, metrics = played(positions(kind, returns, rng), returns)
    held, (held_metrics,) = played(np.ones((1, len(returns))), returns)
    days = dates(asset)
    reach = 1.96 * math.sqrt(YEAR / BARS)
    sharpes = [each["sharpe_ratio"] for each in metrics]
    reference = held_metrics["sharpe_ratio"] or 0.0
    summary = {
        name: spread_of(
            [each[name] for each in metrics],
            reach={"sharpe_ratio": reach, "cumulative_return": 0.2, "max_drawdown": 0.05}.get(name),
        )
        for name in load_metrics()
    }
    middle = summary["sharpe_ratio"].iqm
    value = None if middle is None else middle - reference
    chances = [None if each is None else 0.5 * math.erfc(-each / reach) for each in sharpes]
    identical = "buy-and-hold" if kind.days_long == 1 else "always-flat" if kind.days_long == 0 else None
    knowledge, tasks = None, None
    if kind.has_backbone:
        before, after = 0.6, 0.6 + float(rng.normal(0, 0.03))
        knowledge = Knowledge(
            suite="basics", before=spread_of([before] * SEEDS), after=spread_of([after] * SEEDS)
        )
        tasks = retentions(after)
    return AssetResults(
        asset=asset,
        name=f"{asset}, generated",
        kind="replica",
        market_sha256=ZERO,
        period=(days[0].isoformat(), days[-1].isoformat()),
        bars=BARS,
        periods_per_year=YEAR,
        log_returns=False,
        dates=tuple(day.isoformat() for day in days[1:]),
        held=Held(returns=tuple(held[0].tolist()), metrics=held_metrics, uncertainty={}),
        n_trials=int(rng.integers(1, 30)),
        pretraining=kind.pretraining if kind.has_backbone else "none",  # type: ignore[arg-type]
        summary=summary,
        psr=spread_of(chances),
        dsr=spread_of([None if each is None else each * 0.7 for each in chances]),
        paired=Difference(
            value=value,
            low=None if value is None else value - 1.2,
            high=None if value is None else value + 1.2,
            p_value=None if value is None else math.erfc(abs(value) / 1.7),
            smallest_detectable=1.7,
            reason="" if value is not None else "a Sharpe ratio is undefined: never held a position",
        ),
        collapsed={identical: SEEDS} if identical else {},
        unparsed=0.0,
        knowledge=knowledge,
        audit=tuple(
            Audit(seed=seed, verdict="reachable", flags=(), explanation="A path on these prices has them.")
            for seed in range(SEEDS)
        ),
        seeds=tuple(
            SeedResults(
                seed=seed,
                actions_sha256=ZERO,
                metrics=metrics[seed],
                undefined={},
                uncertainty={},
                identical_to=identical,
                agreement_with_buy_and_hold=kind.days_long,
                timing_p_value=float(rng.random()),
                redundant=0,
                unparsed=0,
                returns=tuple(own[seed].tolist()),
                knowledge=tasks,
            )
            for seed in range(SEEDS)
        ),
    )
