"""One agent on one asset, summarised over its seeds."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from flagbench.comparison.comparison import (
    COSTS_BPS,
    RESAMPLES,
    AgentResult,
    CostPoint,
    KnowledgeChange,
    Spread,
)
from flagbench.comparison.entrants import BUY_AND_HOLD, Block, Entrant, Identity, Seed
from flagbench.comparison.intervals import (
    drawdown_spread,
    metric_spread,
    return_spread,
    sharpe_spread,
    spread,
)
from flagbench.comparison.replaying import Play, play, play_buy_and_hold
from flagbench.errors import RecordError
from flagbench.registry import load_metrics
from flagbench.scoring.across_seeds import interquartile_mean
from flagbench.scoring.bootstrap import FEW_BLOCKS
from flagbench.scoring.sharpe import deflated_sharpe_ratio, probabilistic_sharpe_ratio
from flagbench.scoring.uncertainty import published_sharpe_standard_error, sharpe_standard_error

NO_LEDGER = "no ledger beside the runs, so the number of trials is not known"
NO_VARIANCE = "fewer than two trials have a known Sharpe ratio"


class Row(NamedTuple):
    """An agent on an asset, before it is summarised."""

    entrant: Entrant
    seeds: list[Seed]
    plays: list[Play]
    who: Identity | None
    """None for buy-and-hold, which is computed."""


class Summary(NamedTuple):
    """An agent's figures, and what weakens them."""

    result: AgentResult
    notes: list[str]


def rows_of(block: Block, entered: dict[Identity, Entrant]) -> list[Row]:
    """Buy-and-hold first, computed, with the seeds of runs that did just that; then every other agent."""
    part = block.any_part
    held = play_buy_and_hold(part.market, part.protocol, block.periods)
    same: list[Seed] = []
    rows: list[Row] = []
    for who, seeds in block.seeds.items():
        is_reference = who.name == BUY_AND_HOLD
        if is_reference:
            _check_held(seeds)
            same += seeds
        else:
            rows.append(Row(entered[who], seeds, [seed.play for seed in seeds], who))
    reference = Row(Entrant(label=BUY_AND_HOLD, ranked=True), same, [held], None)
    return [reference, *rows]


def _check_held(seeds: Sequence[Seed]) -> None:
    for seed in seeds:
        if seed.play.shape.identical_to != BUY_AND_HOLD:
            raise RecordError(f"{seed.parts[0].run.name}: `agent` is {BUY_AND_HOLD}, its actions are not")


def summarise(
    row: Row, block: Block, *, trials: Sequence[float] | None, resamples: int = RESAMPLES
) -> Summary:
    """All figures of one agent that need no other agent.

    Args:
        row: the agent.
        block: the asset.
        trials: Sharpe ratios of one bar of all trials; None without a ledger.
        resamples: of every bootstrap.
    """
    metrics = {name: metric_spread(row.plays, name) for name in load_metrics()}
    sharpe = sharpe_spread(row.plays, resamples=resamples)
    metrics |= {
        "sharpe_ratio": sharpe.spread,
        "cumulative_return": return_spread(row.plays, resamples=resamples),
        "max_drawdown": drawdown_spread(row.plays),
    }
    answers = sum(len(each.returns) for each in row.plays)
    collapsed = Counter(each.shape.identical_to for each in row.plays if each.shape.identical_to is not None)
    result = AgentResult(
        label=row.entrant.label,
        ranked=row.entrant.ranked,
        is_reference=row.who is None,
        seeds=tuple(sorted({seed.number for seed in row.seeds})),
        metrics=metrics,
        psr=spread([probabilistic_sharpe_ratio(each.returns) for each in row.plays]),
        dsr=_deflated(row.plays, trials),
        paired=None,
        in_confidence_set=None,
        collapsed=dict(sorted(collapsed.items())),
        unparsed=sum(each.unparsed for each in row.plays) / answers,
        knowledge=_knowledge(row.seeds),
        costs=tuple(_cost_point(row, block, cost) for cost in COSTS_BPS),
        records=tuple(part.run.record.actions_sha256 for seed in row.seeds for part in seed.parts),
    )
    return Summary(result, _notes(row, sharpe.blocks))


def _notes(row: Row, blocks: float) -> list[str]:
    if math.isnan(blocks) or blocks >= FEW_BLOCKS:
        return []
    return [f"{row.entrant.label}: the days are worth only {blocks:.1f} blocks: its intervals are rough"]


def _deflated(plays: Sequence[Play], trials: Sequence[float] | None) -> Spread:
    if trials is None:
        return spread([math.nan] * len(plays), reasons=(NO_LEDGER,))
    values = [deflated_sharpe_ratio(each.returns, trial_sharpes=trials) for each in plays]
    lost = any(math.isnan(value) for value in values)
    known = not any(math.isnan(probabilistic_sharpe_ratio(each.returns)) for each in plays)
    return spread(values, reasons=(NO_VARIANCE,) if lost and known else ())


def _cost_point(row: Row, block: Block, cost_bps: float) -> CostPoint:
    part = block.any_part
    protocol = part.protocol.model_copy(update={"cost_bps": cost_bps})
    if cost_bps == part.protocol.cost_bps:
        plays = row.plays
    elif row.who is None:
        plays = [play_buy_and_hold(part.market, protocol, block.periods)]
    else:
        plays = [play(part.market, protocol, seed.windows) for seed in row.seeds]
    error = published_sharpe_standard_error if protocol.scoring == "paper" else sharpe_standard_error
    years = part.market.asset.calendar.periods_per_year
    errors = [error(each.returns, periods_per_year=years) for each in plays]
    return CostPoint(
        cost_bps=cost_bps,
        cumulative_return=metric_spread(plays, "cumulative_return"),
        sharpe_ratio=metric_spread(plays, "sharpe_ratio"),
        sharpe_standard_error=interquartile_mean(errors),
    )


def _knowledge(seeds: Sequence[Seed]) -> KnowledgeChange | None:
    """The whole suite before and after; of a walk forward after its last training."""
    asked = [seed.parts[-1].run.record.knowledge for seed in seeds]
    found = [knowledge for knowledge in asked if knowledge is not None]
    if not found:
        return None
    whole = [_whole(knowledge) for knowledge in found]
    return KnowledgeChange(
        suite=str(found[0]["suite"]),
        before=spread([each["before"] for each in whole]),
        after=spread([each["after"] for each in whole]),
    )


def _whole(knowledge: dict[str, Any]) -> dict[str, Any]:
    """The entry of all tasks together."""
    return next(each for each in knowledge["retention"] if each["task"] is None)
