"""From folders of runs to a comparison: find, hold against each other, recompute, summarise, test."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from flagbench.agents.backbone_name import has_random_weights
from flagbench.comparison.comparability import check_one_table
from flagbench.comparison.comparison import (
    PRIMARY,
    RESAMPLES,
    AssetResult,
    Comparison,
    Endpoint,
    PairedResult,
    Primary,
)
from flagbench.comparison.differences import Pairs, return_difference, sharpe_difference, undefined
from flagbench.comparison.entrants import Block, Entrant, Identity, blocks, entrants
from flagbench.comparison.finding import SeedRun, find_seeds
from flagbench.comparison.intervals import published_factor, returns_of, spread
from flagbench.comparison.joint_tests import joint_tests
from flagbench.comparison.markets import Markets
from flagbench.comparison.printed import audit_printed
from flagbench.comparison.replaying import replay_seed
from flagbench.comparison.summarising import Row, rows_of, summarise
from flagbench.comparison.trials import Ledgers
from flagbench.scoring.multiple import holm


class _Asset(NamedTuple):
    """An asset with its rows, buy-and-hold first."""

    block: Block
    rows: list[Row]


def compare(
    paths: Sequence[Path],
    *,
    data: str | None = None,
    primary: Primary = PRIMARY,
    resamples: int = RESAMPLES,
    audited: bool = False,
) -> Comparison:
    """Compare runs.

    Args:
        paths: runs' folders, seeds' folders, or folders above them, in any order.
        data: a data folder instead of the one that the records name.
        primary: metric of the primary endpoint.
        resamples: of every bootstrap.
        audited: whether rows that papers printed for these assets are audited on their markets.

    Raises:
        RecordError: there is no run, or a record is not what market, protocol and actions come to.
        ComparabilityError: two runs may not stand in one table.
        FlagbenchError: a market cannot be loaded.
    """
    runs = find_seeds(paths)
    check_one_table(runs)
    ledgers = Ledgers(runs)
    markets = Markets(data)
    made, repeated = blocks([replay_seed(run, markets.of(run)) for run in runs])
    entered = entrants(runs)
    assets = [_Asset(block, rows_of(block, entered)) for block in made]
    endpoints = sorted(
        (
            _endpoint(who, entrant, assets, primary, resamples)
            for who, entrant in entered.items()
            if any(row.who == who for asset in assets for row in asset.rows)
        ),
        key=_rank,
    )
    order = {endpoint.label: place for place, endpoint in enumerate(endpoints)}
    results = [_asset_result(asset, ledgers, order, resamples) for asset in assets]
    if audited:
        markets_of = [asset.block.any_part.market for asset in assets]
        pairs = zip(results, markets_of, strict=True)
        results = [replace(result, audits=audit_printed(market)) for result, market in pairs]
    adjusted, tests = _adjusted(results)
    setups = [run.record.setup for run in runs if run.record.setup is not None]
    return Comparison(
        protocol=made[0].any_part.protocol,
        setup=setups[0].model_dump(mode="json") if setups else None,
        primary=primary,
        endpoints=tuple(endpoints),
        assets=tuple(adjusted),
        resamples=resamples,
        tests=tests,
        notes=tuple(_notes(runs, ledgers, repeated)),
    )


def _rank(endpoint: Endpoint) -> tuple[bool, bool, float, str]:
    """Best first; undefined last; who is not ranked behind all."""
    value = endpoint.difference.iqm
    return not endpoint.ranked, math.isnan(value), 0.0 if math.isnan(value) else -value, endpoint.label


def _pairs(row: Row, reference: Row, block: Block) -> Pairs:
    held = reference.plays[0]
    years = block.any_part.market.asset.calendar.periods_per_year
    return Pairs(
        ours=returns_of(row.plays),
        held=held.returns,
        unit=math.sqrt(years) * published_factor(held),
        days=held.dates.tobytes(),
        log_returns=held.performance.log_returns,
    )


def _endpoint(
    who: Identity, entrant: Entrant, assets: Sequence[_Asset], primary: Primary, resamples: int
) -> Endpoint:
    own = [(row, asset) for asset in assets for row in asset.rows if row.who == who]
    values = [
        play.values[primary] - asset.rows[0].plays[0].values[primary]
        for row, asset in own
        for play in row.plays
    ]
    reasons = dict.fromkeys(
        play.undefined[primary]
        for row, asset in own
        for play in (*row.plays, asset.rows[0].plays[0])
        if primary in play.undefined
    )
    found = undefined("")
    if not reasons:
        difference = sharpe_difference if primary == "sharpe_ratio" else return_difference
        found = difference(
            [_pairs(row, asset.rows[0], asset.block) for row, asset in own], resamples=resamples
        )
    why = (*reasons, *((f"no interval: {found.reason}",) if found.reason else ()))
    summary = spread(values, low=found.low, high=found.high, reasons=why)
    return Endpoint(label=entrant.label, ranked=entrant.ranked, difference=summary, assets=len(own))


def _asset_result(asset: _Asset, ledgers: Ledgers, order: dict[str, int], resamples: int) -> AssetResult:
    block, rows = asset
    part, reference = block.any_part, rows[0]
    trials = ledgers.trial_sharpes(block)
    rows = [reference, *sorted(rows[1:], key=lambda row: order[row.entrant.label])]
    summaries = [summarise(row, block, trials=trials, resamples=resamples) for row in rows]
    means = {row.entrant.label: returns_of(row.plays).mean(axis=0) for row in rows if row.entrant.ranked}
    joint = joint_tests(means, reference.entrant.label)
    agents = [
        replace(
            summary.result,
            paired=_paired(row, reference, block, resamples) if row.who and row.entrant.ranked else None,
            in_confidence_set=joint.in_set.get(row.entrant.label),
        )
        for row, summary in zip(rows, summaries, strict=True)
    ]
    learners = [
        seed.parts[0].market.asset.windows.train
        for row in rows
        for seed in row.seeds
        if seed.parts[0].run.record.setup is not None
    ]
    return AssetResult(
        label=block.label,
        asset_id=part.market.asset.id,
        name=part.market.asset.name,
        kind=part.market.kind,
        market_sha256=part.market.sha256,
        train=learners[0] if learners and len(block.periods) == 1 else None,
        tests=tuple(block.periods),
        bars=len(reference.plays[0].returns) + 1,
        fill=part.protocol.fill_for(part.market.asset.asset_class),
        periods_per_year=part.market.asset.calendar.periods_per_year,
        agents=tuple(agents),
        trials=None if trials is None else len(trials),
        spa_p_value=joint.spa_p_value,
        spa_reason=joint.spa_reason,
        notes=tuple(chain.from_iterable(summary.notes for summary in summaries)),
    )


def _paired(row: Row, reference: Row, block: Block, resamples: int) -> PairedResult:
    missing = [play for play in (*row.plays, *reference.plays) if "sharpe_ratio" in play.undefined]
    if missing:
        found = undefined(f"a Sharpe ratio is undefined: {missing[0].undefined['sharpe_ratio']}")
    else:
        found = sharpe_difference([_pairs(row, reference, block)], resamples=resamples)
    return PairedResult(
        difference=found.value,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        holm=math.nan,
        smallest_detectable=found.smallest_detectable,
        reason=found.reason,
    )


def _adjusted(assets: Sequence[AssetResult]) -> tuple[list[AssetResult], int]:
    """Holm's adjustment over every paired test of the table, and how many there are."""
    tests = [agent.paired.p_value for asset in assets for agent in asset.agents if agent.paired is not None]
    values = iter(holm(tests))
    adjusted = [
        replace(
            asset,
            agents=tuple(
                agent
                if agent.paired is None
                else replace(agent, paired=replace(agent.paired, holm=_number(next(values))))
                for agent in asset.agents
            ),
        )
        for asset in assets
    ]
    return adjusted, sum(not math.isnan(value) for value in tests)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _notes(runs: Sequence[SeedRun], ledgers: Ledgers, repeated: int) -> list[str]:
    notes: list[str] = []
    if repeated:
        notes.append(
            f"runs that were there again with the same seed and actions are counted once: {repeated}"
        )
    if ledgers.without:
        notes.append(f"{len(ledgers.without)} of {len(runs)} seeds have no trial ledger beside them")
    backbones = {str(run.record.params.get("backbone")) for run in runs if "backbone" in run.record.params}
    notes += [
        f"backbone {backbone} has random weights: its figures say nothing of a trained model"
        for backbone in sorted(backbones)
        if has_random_weights(backbone)
    ]
    return notes
