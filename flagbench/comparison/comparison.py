"""What a comparison holds: plain figures, nothing formatted. Fractions, never percent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flagbench.audit.finding import Finding
from flagbench.market.period import Period
from flagbench.trading.protocol import Protocol

LEVEL = 0.95
"""Of every interval."""

SET_LEVEL = 0.90
"""Of the model confidence set."""

RESAMPLES = 5000
"""Of every bootstrap, as for every other interval of the project."""

COSTS_BPS = (0.0, 5.0, 10.0, 25.0)
"""Costs a side at which all actions are played again: none, half of `standard`'s, its own, and dear."""

Primary = Literal["sharpe_ratio", "cumulative_return"]
PRIMARY: Primary = "sharpe_ratio"
"""Metric of the primary endpoint that flagbench declares."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One figure of all seeds of an agent.

    Attributes:
        values: in the order of the seeds, nan where undefined.
        iqm: interquartile mean; nan if one seed has no figure, since leaving it out would flatter.
        low: of the 95 % interval of the IQM; nan where there is none.
        high: of the same.
        reasons: why seeds have no figure, each once.
    """

    values: tuple[float, ...]
    iqm: float
    low: float = math.nan
    high: float = math.nan
    reasons: tuple[str, ...] = ()

    @property
    def defined(self) -> tuple[float, ...]:
        """Values of the seeds that have one."""
        return tuple(value for value in self.values if not math.isnan(value))

    @property
    def undefined(self) -> int:
        """Number of seeds without a figure."""
        return len(self.values) - len(self.defined)

    @property
    def minimum(self) -> float:
        """Least value of a seed; nan if none has one."""
        return min(self.defined, default=math.nan)

    @property
    def maximum(self) -> float:
        """Largest value of a seed; nan if none has one."""
        return max(self.defined, default=math.nan)

    def to_json(self) -> dict[str, Any]:
        """Plain values, None for undefined."""
        return {
            "values": [plain(value) for value in self.values],
            "iqm": plain(self.iqm),
            "low": plain(self.low),
            "high": plain(self.high),
            "minimum": plain(self.minimum),
            "maximum": plain(self.maximum),
            "undefined": self.undefined,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, kw_only=True)
class PairedResult:
    """The test of an agent's Sharpe ratio against buy-and-hold's on the same days.

    Attributes:
        difference: agent less buy-and-hold, a year.
        low: of its 95 % interval.
        high: of the same.
        p_value: two-sided; nan where there is no test.
        holm: the p-value adjusted over all agents and assets of the table.
        smallest_detectable: the true difference that the test would find at 5 % with 80 % power.
        reason: why there is no test, or empty.
    """

    difference: float
    low: float
    high: float
    p_value: float
    holm: float
    smallest_detectable: float
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "difference": plain(self.difference),
            "low": plain(self.low),
            "high": plain(self.high),
            "p_value": plain(self.p_value),
            "holm": plain(self.holm),
            "smallest_detectable": plain(self.smallest_detectable),
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """The same actions at another cost.

    Attributes:
        cost_bps: a side.
        cumulative_return: of each seed.
        sharpe_ratio: of each seed.
        sharpe_standard_error: interquartile mean over seeds, a year.
    """

    cost_bps: float
    cumulative_return: Spread
    sharpe_ratio: Spread
    sharpe_standard_error: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "cost_bps": self.cost_bps,
            "cumulative_return": self.cumulative_return.to_json(),
            "sharpe_ratio": self.sharpe_ratio.to_json(),
            "sharpe_standard_error": plain(self.sharpe_standard_error),
        }


@dataclass(frozen=True, kw_only=True)
class KnowledgeChange:
    """What an agent's language model knew of the whole suite, as its records say."""

    suite: str
    before: Spread
    after: Spread

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"suite": self.suite, "before": self.before.to_json(), "after": self.after.to_json()}


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """One agent on one asset.

    Attributes:
        label: its name in the table.
        ranked: whether it takes part in tests; the oracle does not.
        is_reference: whether it is buy-and-hold, which all others are held against.
        seeds: of its runs; empty where it was computed and no run was given.
        metrics: every registered metric.
        psr: probability that the Sharpe ratio is above 0.
        dsr: the same, being the best of the trials.
        paired: against buy-and-hold; None for buy-and-hold itself and for who is not ranked.
        in_confidence_set: whether it cannot be told from the best at 90 %; None where there was no test.
        collapsed: number of seeds that are identical to a policy, by the policy's name.
        unparsed: share of answers that were no action, over all seeds.
        knowledge: None where no language model was asked.
        costs: the cost sweep.
        records: sha256 of each seed's actions.
    """

    label: str
    ranked: bool
    is_reference: bool
    seeds: tuple[int, ...]
    metrics: Mapping[str, Spread]
    psr: Spread
    dsr: Spread
    paired: PairedResult | None
    in_confidence_set: bool | None
    collapsed: Mapping[str, int]
    unparsed: float
    knowledge: KnowledgeChange | None
    costs: tuple[CostPoint, ...]
    records: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "agent": self.label,
            "ranked": self.ranked,
            "is_reference": self.is_reference,
            "seeds": list(self.seeds),
            "metrics": {name: spread.to_json() for name, spread in self.metrics.items()},
            "psr": self.psr.to_json(),
            "dsr": self.dsr.to_json(),
            "paired_against_buy_and_hold": self.paired.to_json() if self.paired else None,
            "in_confidence_set": self.in_confidence_set,
            "identical_to": dict(self.collapsed),
            "unparsed": self.unparsed,
            "knowledge": self.knowledge.to_json() if self.knowledge else None,
            "cost_sweep": [point.to_json() for point in self.costs],
            "actions_sha256": list(self.records),
        }


@dataclass(frozen=True, kw_only=True)
class AssetResult:
    """All agents on one asset and test window.

    Attributes:
        label: the asset's id, marked where it is a replica, with the window where it has several.
        asset_id: the id alone.
        name: of the company or coin.
        kind: `market` or `replica`.
        market_sha256: of its data.
        train: the training window of the agents that learn; None if none does, and for a walk forward.
        tests: the windows of all figures, oldest first; more than one where the runs walked forward.
        bars: returns in them, and one more.
        fill: the price at which orders fill.
        periods_per_year: P.
        agents: buy-and-hold first, then by the primary endpoint; who is not ranked last.
        trials: distinct trials on this asset and window in the ledgers beside the runs; None without one.
        spa_p_value: that no agent's mean daily return is above buy-and-hold's; nan where there is no test.
        spa_reason: why there is none, or empty.
        notes: what weakens the figures of this asset.
        audits: of the rows that papers printed for it; None where nobody asked for them.
    """

    label: str
    asset_id: str
    name: str
    kind: str
    market_sha256: str
    train: Period | None
    tests: tuple[Period, ...]
    bars: int
    fill: str
    periods_per_year: int
    agents: tuple[AgentResult, ...]
    trials: int | None
    spa_p_value: float
    spa_reason: str
    notes: tuple[str, ...]
    audits: tuple[Finding, ...] | None = None

    @property
    def smallest_detectable(self) -> tuple[float, float]:
        """Least and largest of the paired tests on this asset; nan without one."""
        found = [agent.paired.smallest_detectable for agent in self.agents if agent.paired is not None]
        known = [value for value in found if not math.isnan(value)]
        return min(known, default=math.nan), max(known, default=math.nan)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "asset": self.label,
            "asset_id": self.asset_id,
            "name": self.name,
            "kind": self.kind,
            "market_sha256": self.market_sha256,
            "train": None if self.train is None else [str(day) for day in self.train],
            "test": [[str(day) for day in period] for period in self.tests],
            "bars": self.bars,
            "fill": self.fill,
            "periods_per_year": self.periods_per_year,
            "trials": self.trials,
            "spa": {"p_value": plain(self.spa_p_value), "reason": self.spa_reason},
            "smallest_detectable_difference": [plain(end) for end in self.smallest_detectable],
            "notes": list(self.notes),
            "agents": [agent.to_json() for agent in self.agents],
        }


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The primary endpoint of one agent: IQM over assets and seeds of the difference to buy-and-hold.

    Attributes:
        label: the agent.
        ranked: whether it takes part in tests.
        difference: over `cells` pairs of asset and seed; its interval resamples days.
        assets: of the table that the agent has runs on.
    """

    label: str
    ranked: bool
    difference: Spread
    assets: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "agent": self.label,
            "ranked": self.ranked,
            "assets": self.assets,
            **self.difference.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that a table is printed from.

    Attributes:
        protocol: of all runs.
        setup: of all agents that learn, plain values; None if none of them does.
        primary: metric of the primary endpoint.
        endpoints: one an agent, best first; who is not ranked last.
        assets: in the order of their labels.
        resamples: of every bootstrap.
        tests: paired tests that Holm's adjustment was made over.
        notes: what a reader must know that is no figure.
    """

    protocol: Protocol
    setup: Mapping[str, Any] | None
    primary: Primary
    endpoints: tuple[Endpoint, ...]
    assets: tuple[AssetResult, ...]
    resamples: int
    tests: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, one object."""
        return {
            "protocol": self.protocol.model_dump(mode="json"),
            "setup": None if self.setup is None else dict(self.setup),
            "primary_endpoint": {
                "metric": self.primary,
                "statistic": "IQM over assets and seeds of the difference to buy-and-hold",
                "declared": self.primary == PRIMARY,
                "agents": [endpoint.to_json() for endpoint in self.endpoints],
            },
            "level": LEVEL,
            "confidence_set_level": SET_LEVEL,
            "resamples": self.resamples,
            "holm_over": self.tests,
            "notes": list(self.notes),
            "assets": [asset.to_json() for asset in self.assets],
        }


def plain(value: float) -> float | None:
    """None for nan, as JSON has it."""
    return None if math.isnan(value) else value
