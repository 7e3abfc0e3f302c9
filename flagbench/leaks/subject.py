"""The agent under test, and how to see what it does on a version of the market."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.agents.agent import LanguageAgent
from flagbench.agents.making import AgentPlan, accepts, parse_settings
from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.leaks.child import briefing
from flagbench.leaks.jobs import Job, Outcome, Window, described, exported, run_jobs
from flagbench.leaks.memory import SERVED
from flagbench.market.market import Market
from flagbench.settings import parse
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol

UNNAMED = "unnamed"
"""A language model whose agent has no param `backbone`."""


class Version(NamedTuple):
    """A market as it might have been, and the seed that the agent gets on it."""

    market: Market
    seed: int


class Subject(NamedTuple):
    """An agent with all that a battery needs to know of it."""

    agent: str
    settings: tuple[str, ...]
    backbone: str | None
    market: Market
    protocol: Protocol
    setup: Setup | None
    """Of every training in the battery; None for an agent that does not learn."""
    is_cheap: bool
    """It neither learns nor asks a language model."""
    language_model: str | None
    """The backbone's name; None for an agent without one."""
    watched: tuple[str, ...]
    """Where the true market's files lie."""

    def play(
        self,
        market: Market,
        *,
        seed: int,
        checkpoint: Path | None = None,
        learns: bool = False,
        windows: Sequence[Window] = ("test",),
    ) -> Outcome:
        """What the agent does on one version of the market."""
        version = Version(market, seed)
        return self.play_all([version], checkpoint=checkpoint, learns=learns, windows=windows)[0]

    def play_all(
        self,
        versions: Sequence[Version],
        *,
        checkpoint: Path | None = None,
        learns: bool = False,
        windows: Sequence[Window] = ("test",),
    ) -> tuple[Outcome, ...]:
        """What the agent does on versions of the market, each in a process that holds no other.

        Args:
            versions: in whose order the answers come.
            checkpoint: where a training writes what was learnt; without one, from where it is read.
            learns: whether the agent is trained first.
            windows: that it plays, in this order.

        Raises:
            AgentError: it failed.
        """
        with exported([version.market for version in versions]) as folders:
            jobs = [
                Job(
                    agent=self.agent,
                    settings=self.settings,
                    backbone=self.backbone,
                    asset=described(version.market.asset),
                    data=folder,
                    protocol=self.protocol,
                    seed=version.seed,
                    setup=self.setup if learns else None,
                    checkpoint=None if checkpoint is None else str(checkpoint),
                    windows=tuple(windows),
                )
                for version, folder in zip(versions, folders, strict=True)
            ]
            return run_jobs(jobs, watched=self.watched)


def prepare(
    agent: str,
    market: Market,
    protocol: Protocol,
    *,
    settings: Sequence[str] = (),
    backbone: str | None = None,
    env_steps: int | None = None,
    watched: Sequence[str] = (),
) -> Subject:
    """Check everything that can be wrong before the first process is started.

    Args:
        agent: a registered name or `path/to/file.py:ClassName`.
        market: the true one.
        protocol: the rules.
        settings: as given to `--set`.
        backbone: of an agent that has one.
        env_steps: budget of a training; the protocol's own unless given.
        watched: files and folders of the true market.

    Raises:
        ConfigError: the agent is given the future by design or has no backbone, a setting is wrong, or the
            system cannot fork.
        FlagbenchError: there is no such agent, or the windows do not fit.
    """
    if not hasattr(os, "fork"):
        raise ConfigError("a battery forks processes, which this system cannot", hint="use Linux or macOS")
    params = parse_settings(list(settings))
    plan = AgentPlan(
        agent, params if backbone is None else {**params, "backbone": backbone}, briefing(market, protocol)
    )
    if backbone is not None and not accepts(plan.agent_class, "backbone"):
        raise ConfigError(f"agent `{agent}` has no backbone", hint="leave out --backbone")
    if not plan.ranked:
        raise ConfigError(
            f"agent `{agent}` is given the future to calibrate with, and says so",
            hint="check an agent that is to be ranked",
        )
    if protocol.walk_forward is not None:
        raise ConfigError(
            f"protocol `{protocol.id}` has several test windows, a battery has one",
            hint="choose another protocol, such as standard",
        )
    for window in (market.asset.windows.train, market.asset.windows.test):
        TradingEnv(market, protocol, window)
    model = _language_model(plan.agent_class, plan.params)
    given = {} if env_steps is None else {"env_steps": env_steps}
    setup = {**protocol.setup.model_dump(), **given}
    return Subject(
        agent,
        tuple(settings),
        backbone,
        market,
        protocol,
        parse(Setup, setup, origin="the set-up") if plan.trains else None,
        is_cheap=not plan.trains and model is None,
        language_model=model,
        watched=tuple(watched),
    )


def _language_model(agent_class: type[Any], params: Mapping[str, Any]) -> str | None:
    """The agent is not built for this: only a process without the true market may do that."""
    if not issubclass(agent_class, LanguageAgent):
        return None
    return SERVED if params.get("endpoint") is not None else str(params.get("backbone", UNNAMED))
