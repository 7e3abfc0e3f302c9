"""Where an agent is tried out: a small market, a tiny training, and an eye on what it does to the process."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from flagbench.agents.agent import Agent, Briefing, TrainableAgent
from flagbench.agents.making import AgentPlan
from flagbench.agents.training import Setup, training_envs
from flagbench.errors import SEE_WHERE, AgentError, FlagbenchError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol as TradingProtocol
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from collections.abc import Callable

    from accelerate import Accelerator

    from flagbench.trading.observation import Observation
    from flagbench.trading.trajectory import Trajectory

SEED, OTHER_SEED = 5, 6
"""Any two."""


class Start(Protocol):
    """Makes the accelerator of a training; `flagbench.learning.start.start` is one."""

    def __call__(self, setup: Setup, *, seed: int) -> "Accelerator":
        """An accelerator with every source of chance seeded."""


class Ground(NamedTuple):
    """A market and the rules on it."""

    market: Market
    protocol: TradingProtocol

    def period(self, window: str) -> Period:
        """The window `train` or `test`."""
        windows = self.market.asset.windows
        return windows.train if window == "train" else windows.test

    def bare(self) -> "Ground":
        """The same bars with neither text nor volume, and one bar in an observation."""
        bars = self.market.bars.copy()
        bars[:, 4] = np.nan
        protocol = self.protocol.model_copy(update={"lookback": 1})
        return Ground(replace(self.market, bars=bars, text=()), protocol)


class Listener:
    """A monitor that remembers how many steps it was told of."""

    def __init__(self) -> None:
        self.steps = 0

    def advance(self, steps: int) -> None:
        """Count them."""
        self.steps += steps

    def log(self, figures: Mapping[str, Any]) -> None:
        """Nothing is kept of the figures."""


class Entrant(NamedTuple):
    """An agent that has learnt what it can, and what its training came to; None if it does not learn."""

    agent: Agent
    summary: Mapping[str, Any] | None
    steps: int
    """That the monitor was told of."""


class Bench:
    """Builds, trains and plays one agent, and notes what else it did.

    Args:
        name: a registered name or `path/to/file.py:ClassName`.
        params: instead of its defaults.
        ground: where it learns and plays.
        setup: of its trainings.
        start: makes an accelerator.

    Raises:
        FlagbenchError: there is no such agent, or its params are wrong.
    """

    def __init__(
        self, name: str, params: Mapping[str, Any], *, ground: Ground, setup: Setup, start: Start
    ) -> None:
        self.name, self.params = name, params
        self.ground, self.setup, self._start = ground, setup, start
        self.printed = ""
        self.moved_to: Path | None = None
        self._threads = set(threading.enumerate())
        self._entrant: Entrant | None = None
        self.plan = self._planned(ground)
        self.agent_class = self.plan.agent_class

    def _planned(self, ground: Ground) -> AgentPlan:
        """Its class and params on some ground; one that calibrates is told the future of both windows."""
        market = ground.market
        bars = market.bar_range(ground.period("train"))
        kinds = frozenset(item.kind for bar in bars for item in market.text_of(bar))
        briefing = Briefing(preset=ground.protocol.preset, train_text_kinds=kinds)
        plan = AgentPlan(self.name, self.params, briefing)
        plan.foresee(market, ground.protocol, (ground.period("train"), ground.period("test")))
        return plan

    def made(self, ground: Ground | None = None) -> Agent:
        """The agent, untrained."""
        # One plan serves all, as in a run: what an agent keeps in its class or module is then seen.
        plan = self.plan if ground is None else self._planned(ground)
        with self.watching("__init__"):
            agent: Agent = plan.agent_class(**plan.params)
        return agent

    @property
    def entrant(self) -> Entrant:
        """The agent, trained once if it learns."""
        if self._entrant is None:
            self._entrant = self.trained()
        return self._entrant

    def trained(self, ground: Ground | None = None, *, setup: Setup | None = None) -> Entrant:
        """The agent made anew and trained, if it learns, from the one seed that all trainings here have."""
        agent, listener = self.made(ground), Listener()
        ground, setup = ground or self.ground, setup or self.setup
        with self.watching("reset"):
            agent.reset(SEED)
        if not isinstance(agent, TrainableAgent):
            return Entrant(agent, None, 0)
        period = ground.period("train")
        envs = training_envs(ground.market.until(period), ground.protocol, period)
        accelerator = self._start(setup, seed=SEED)
        with self.watching("train"):
            summary = dict(
                agent.train(envs, setup=setup, seed=SEED, accelerator=accelerator, monitor=listener)
            )
        return Entrant(agent, summary, listener.steps)

    def played(
        self, agent: Agent, window: str = "test", *, seed: int = SEED, ground: Ground | None = None
    ) -> "Trajectory":
        """One episode."""
        return self.rolled(agent, agent.act, window, seed=seed, ground=ground)

    def rolled(
        self,
        agent: Agent,
        act: "Callable[[Observation], object]",
        window: str = "test",
        *,
        seed: int = SEED,
        ground: Ground | None = None,
    ) -> "Trajectory":
        """One episode of `act`, which calls the agent's own."""
        ground = ground or self.ground
        env = TradingEnv(ground.market, ground.protocol, ground.period(window))
        with self.watching("reset"):
            agent.reset(seed)
        with self.watching("act"):
            return rollout(act, env, seed=seed)

    @property
    def threads_left(self) -> list[str]:
        """Names of threads that the agent has left running and that would keep the process alive."""
        now = [thread for thread in threading.enumerate() if not thread.daemon]
        return [thread.name for thread in now if thread not in self._threads]

    @contextmanager
    def watching(self, method: str) -> Iterator[None]:
        """Around every call of the agent: what it prints is kept, where it goes to is noted and undone.

        Raises:
            AgentError: it raised anything, or tried to leave the process.
        """
        printed, home = StringIO(), Path.cwd()
        try:
            with chdir("."), redirect_stdout(printed):
                yield
                self.moved_to = Path.cwd() if Path.cwd() != home else self.moved_to
        except FlagbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise AgentError(
                f"agent `{self.name}` failed in `{method}`: {error!r}", hint=SEE_WHERE
            ) from error
        finally:
            self.printed += printed.getvalue()
