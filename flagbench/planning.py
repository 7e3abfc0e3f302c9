"""A run planned: every name resolved and every setting checked before anything heavy loads."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.agents.agent import Briefing, TrainableAgent
from flagbench.agents.making import AgentPlan, accepts, parse_settings
from flagbench.agents.training import Setup
from flagbench.errors import AgentError, ConfigError
from flagbench.knowledge.suites import load_suites
from flagbench.market.loading import resolve_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.replica import ReplicaSpec
from flagbench.records.ledger import verify
from flagbench.records.run_directory import new_run_id, run_folder
from flagbench.registry import load_agent_class
from flagbench.settings import parse
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol, load_protocol

NO_KNOWLEDGE = "none"


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A run as asked for, nothing resolved yet."""

    agent: str
    asset: str
    protocol: str = "standard"
    seeds: tuple[int, ...] = (0,)
    backbone: str | None = None
    data: str | None = None
    train: Period | None = None
    test: Period | None = None
    periods: int | None = None
    env_steps: int | None = None
    num_envs: int | None = None
    precision: str | None = None
    settings: tuple[str, ...] = ()
    knowledge: str = "basics"
    """The suite that an agent's language model is asked before and after; `none` for none."""
    out: Path = field(default=Path("runs"))

    def to_json(self) -> dict[str, Any]:
        """Plain values; what was not given is left out."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return json.loads(json.dumps(given, default=str))  # type: ignore[no-any-return]


class Plan(NamedTuple):
    """A run with every name resolved and every setting checked; nothing heavy is loaded yet."""

    spec: RunSpec
    run_id: str
    market: Market
    protocol: Protocol
    agent: AgentPlan
    setup: Setup | None
    knowledge: str | None
    """The suite to ask an agent's language model."""

    @property
    def folder(self) -> Path:
        """Where the run's seeds will lie."""
        return run_folder(
            self.spec.out,
            asset=self.market.label,
            protocol=self.protocol.id,
            agent=self.spec.agent.rpartition("/")[2].replace(".py:", "."),
            run_id=self.run_id,
        )

    @property
    def data_folder(self) -> str | None:
        """The data folder that was named, for the data sets of knowledge suites."""
        data = self.spec.data
        return data if data is not None and Path(data).is_dir() else None

    def period(self, window: str) -> Period:
        """The train or test window."""
        windows = self.market.asset.windows
        return windows.train if window == "train" else windows.test


def plan(spec: RunSpec, *, fallback: bool = False) -> Plan:
    """Resolve names, load the market, bind the agent's params.

    Args:
        spec: what was asked for.
        fallback: whether a replica may stand in for missing data; see `resolve_market`. The plan's spec
            then names it, so that a record says what its run was made on.

    Raises:
        FlagbenchError: whatever a user can get wrong, before anything heavy loads.
    """
    protocol = load_protocol(spec.protocol)
    market = resolve_market(
        spec.asset,
        data=spec.data,
        train=spec.train,
        test=spec.test,
        periods_per_year=spec.periods,
        fallback=fallback,
    )
    if market.stands_in:
        spec = replace(spec, data=str(ReplicaSpec()))
    params = parse_settings(list(spec.settings))
    train_bars = market.bar_range(market.asset.windows.train)
    kinds = frozenset(item.kind for bar in train_bars for item in market.text_of(bar))
    briefing = Briefing(preset=protocol.preset, train_text_kinds=kinds)
    agent = AgentPlan(spec.agent, params if spec.backbone is None else _with_backbone(spec, params), briefing)
    agent.make()  # a param may be wrong in ways that only the agent knows
    for window in (market.asset.windows.train, market.asset.windows.test):
        TradingEnv(market, protocol, window)  # fails now rather than after the training
    _check_ledger(spec.out)
    trains = issubclass(agent.agent_class, TrainableAgent)
    if not trains and callable(getattr(agent.agent_class, "train", None)):
        raise AgentError(
            f"`{spec.agent}` has `train`, but not `save` and `load` too", hint="see docs/agents.md"
        )
    setup = parse(Setup, _setup_values(spec, protocol), origin="the set-up") if trains else None
    knowledge = None if spec.knowledge == NO_KNOWLEDGE else spec.knowledge
    if knowledge is not None:
        load_suites(knowledge)
    return Plan(spec, new_run_id(datetime.now(UTC)), market, protocol, agent, setup, knowledge)


def _check_ledger(out: Path) -> None:
    """A ledger that no trial can be appended to is found before the training, not after it."""
    path = out / "ledger.jsonl"
    if path.exists():
        verify(path)


def _with_backbone(spec: RunSpec, params: dict[str, Any]) -> dict[str, Any]:
    if not accepts(load_agent_class(spec.agent), "backbone"):
        raise ConfigError(f"agent `{spec.agent}` has no backbone", hint="leave out --backbone")
    return {**params, "backbone": spec.backbone}


def _setup_values(spec: RunSpec, protocol: Protocol) -> dict[str, Any]:
    given = {"env_steps": spec.env_steps, "num_envs": spec.num_envs, "mixed_precision": spec.precision}
    return {
        **protocol.setup.model_dump(),
        **{key: value for key, value in given.items() if value is not None},
    }
