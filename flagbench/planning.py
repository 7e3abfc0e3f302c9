"""A run planned: every name resolved and every setting checked before anything heavy loads."""

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan, accepts, parse_settings
from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.knowledge.suites import load_suites
from flagbench.market.asset import Windows
from flagbench.market.loading import resolve_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.replica import ReplicaSpec
from flagbench.market.walk_forward import market_windows
from flagbench.records.ledger import verify_at_rest
from flagbench.records.run_directory import new_run_id, run_folder
from flagbench.records.trackers import check_trackers
from flagbench.registry import load_agent_class
from flagbench.settings import parse
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol, load_protocol

NO_KNOWLEDGE = "none"

NO_WINDOWS = (Period(date.min, date.min), Period(date.max, date.max))
"""Windows for a CSV, which has none of its own, where nobody will look at them."""


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
    metrics: tuple[str, ...] = ()
    """Files with metrics, `path/to/file.py:NAME`, in force where `flagbench.registry.metrics_from` is."""
    track: tuple[str, ...] = ()
    """Trackers that the figures of a training are passed on to."""
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
    window: int | None = None
    """Which test window of several, from 0; None where there is but one."""

    def seed_folder(self, seed: int) -> Path:
        """Where one seed will lie; under a protocol that walks forward, one seed of one window."""
        inner = self.folder if self.window is None else self.folder / f"window-{self.window}"
        return inner / f"seed-{seed}"

    @property
    def folder(self) -> Path:
        """Where the run's seeds or windows will lie."""
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
    """`plans` under a protocol of one test window.

    Raises:
        ConfigError: the protocol walks forward through several.
        FlagbenchError: see `plans`.
    """
    planned = plans(spec, fallback=fallback)
    if len(planned) > 1:
        raise ConfigError(
            f"protocol `{spec.protocol}` has {len(planned)} test windows, one is expected here",
            hint="choose another protocol, such as standard",
        )
    return planned[0]


def plans(
    spec: RunSpec, *, fallback: bool = False, run_id: str | None = None, market: Market | None = None
) -> tuple[Plan, ...]:
    """Resolve names, load the market, bind the agent's params: a plan a test window, oldest first.

    Args:
        spec: what was asked for.
        fallback: whether a replica may stand in for missing data; see `resolve_market`. The plans' spec
            then names it, so that a record says what its run was made on.
        run_id: of all of them; None for a new one.
        market: what `planned_market` gave before for the same asset, data and protocol; None to load it.

    Raises:
        FlagbenchError: whatever a user can get wrong, before anything heavy loads.
    """
    protocol = load_protocol(spec.protocol)
    market = market or planned_market(spec, fallback=fallback)
    if market.stands_in:
        spec = replace(spec, data=str(_stand_in(protocol)))
    _check_ledger(spec.out)
    knowledge = None if spec.knowledge == NO_KNOWLEDGE else spec.knowledge
    if knowledge is not None:
        load_suites(knowledge)
    check_trackers(spec.track)
    shared = run_id or new_run_id(datetime.now(UTC))
    planned: list[Plan] = []
    for window, windows in enumerate(_windows(market, protocol)):
        shown = replace(market, asset=market.asset.model_copy(update={"windows": windows}))
        agent = _agent_plan(spec, shown, protocol)
        setup = parse(Setup, _setup_values(spec, protocol), origin="the set-up") if agent.trains else None
        if spec.track and setup is None:
            raise ConfigError(f"agent `{spec.agent}` does not learn", hint="leave out --track")
        number = None if protocol.walk_forward is None else window
        planned.append(Plan(spec, shared, shown, protocol, agent, setup, knowledge, number))
    return tuple(planned)


def planned_market(spec: RunSpec, *, fallback: bool = False) -> Market:
    """The market that a spec names.

    Raises:
        FlagbenchError: names, data or windows are wrong.
    """
    protocol = load_protocol(spec.protocol)
    train, test = spec.train, spec.test
    if protocol.walk_forward is not None:
        if train is not None or test is not None:
            raise ConfigError(
                f"protocol `{spec.protocol}` computes its windows from the bars",
                hint="leave out --train and --test",
            )
        if spec.asset.endswith(".csv"):
            train, test = NO_WINDOWS  # replaced by those that are computed
    return resolve_market(
        spec.asset,
        data=spec.data,
        train=train,
        test=test,
        periods_per_year=spec.periods,
        fallback=fallback,
        stand_in=_stand_in(protocol),
    )


def _stand_in(protocol: Protocol) -> ReplicaSpec:
    """The replica that stands in for missing data: one with room for all windows of the protocol."""
    return ReplicaSpec() if protocol.walk_forward is None else protocol.walk_forward.replica()


def _windows(market: Market, protocol: Protocol) -> tuple[Windows, ...]:
    if protocol.walk_forward is None:
        return (market.asset.windows,)
    return market_windows(market, protocol.walk_forward, lookback=protocol.lookback)


def _agent_plan(spec: RunSpec, market: Market, protocol: Protocol) -> AgentPlan:
    """The agent with its params, tried once, on a market whose windows are open to it."""
    windows = market.asset.windows
    kinds = frozenset(item.kind for bar in market.bar_range(windows.train) for item in market.text_of(bar))
    params = parse_settings(list(spec.settings))
    agent = AgentPlan(
        spec.agent,
        params if spec.backbone is None else _with_backbone(spec, params),
        Briefing(preset=protocol.preset, train_text_kinds=kinds),
    )
    agent.foresee(market, protocol, (windows.train, windows.test))
    agent.make()  # a param may be wrong in ways that only the agent knows
    for window in (windows.train, windows.test):
        TradingEnv(market, protocol, window)  # fails now rather than after the training
    return agent


def _check_ledger(out: Path) -> None:
    """A ledger that no trial can be appended to is found before the training, not after it."""
    path = out / "ledger.jsonl"
    if path.exists():
        verify_at_rest(path)


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
