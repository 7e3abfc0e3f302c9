"""A comparison as data: CSV in long form, one figure a line, and one JSON object."""

import csv
import json
import math
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

from flagbench.comparison.comparison import AgentResult, AssetResult, Comparison, Spread

HEADER = ("asset", "agent", "metric", "statistic", "value")

ALL_ASSETS = "all"
"""Stands as the asset of the primary endpoint."""


class Line(NamedTuple):
    """One figure; empty where it is undefined."""

    asset: str
    agent: str
    metric: str
    statistic: str
    value: float | int | None


def comparison_json(comparison: Comparison) -> str:
    """One JSON object; undefined is null."""
    return json.dumps(comparison.to_json(), allow_nan=False, indent=2) + "\n"


def comparison_csv(comparison: Comparison) -> str:
    """Long form: asset, agent, metric, statistic, value. Fractions, in full; empty where undefined."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    for line in comparison_lines(comparison):
        value = line.value
        undefined = value is None or math.isnan(value)
        writer.writerow([*line[:-1], "" if undefined else repr(value)])
    return stream.getvalue()


def comparison_lines(comparison: Comparison) -> Iterator[Line]:
    """Every figure, the primary endpoint first."""
    for endpoint in comparison.endpoints:
        metric = f"{comparison.primary}_difference_to_buy_and_hold"
        yield from _spread(ALL_ASSETS, endpoint.label, metric, endpoint.difference)
    for asset in comparison.assets:
        yield Line(asset.label, "", "spa", "p_value", asset.spa_p_value)
        yield Line(asset.label, "", "trials", "count", asset.trials)
        for agent in asset.agents:
            yield from _agent(asset, agent)


def _agent(asset: AssetResult, agent: AgentResult) -> Iterator[Line]:
    where = asset.label, agent.label
    spreads = {**agent.metrics, "psr": agent.psr, "dsr": agent.dsr}
    for point in agent.costs:
        spreads[f"cumulative_return_at_{point.cost_bps:g}_bp"] = point.cumulative_return
        spreads[f"sharpe_ratio_at_{point.cost_bps:g}_bp"] = point.sharpe_ratio
    if agent.knowledge is not None:
        spreads |= {"knowledge_before": agent.knowledge.before, "knowledge_after": agent.knowledge.after}
    for name, spread in spreads.items():
        yield from _spread(*where, name, spread, seeds=agent.seeds)
    if agent.paired is not None:
        for statistic, value in agent.paired.to_json().items():
            if statistic != "reason":
                yield Line(*where, "sharpe_ratio_difference_to_buy_and_hold", statistic, value)
    member = agent.in_confidence_set
    yield Line(*where, "confidence_set", "member", None if member is None else int(member))
    yield Line(*where, "ranked", "flag", int(agent.ranked))
    yield Line(*where, "unparsed", "share", agent.unparsed)
    for name in ("buy-and-hold", "always-flat"):
        yield Line(*where, f"identical_to_{name}", "seeds", agent.collapsed.get(name, 0))


def _spread(
    asset: str, agent: str, metric: str, spread: Spread, seeds: tuple[int, ...] = ()
) -> Iterator[Line]:
    values = spread.to_json()
    for statistic in ("iqm", "low", "high", "minimum", "maximum", "undefined"):
        if statistic not in {"low", "high"} or values[statistic] is not None:
            yield Line(asset, agent, metric, statistic, values[statistic])
    for seed, value in zip(seeds, spread.values, strict=False):
        yield Line(asset, agent, metric, f"seed_{seed}", value)
