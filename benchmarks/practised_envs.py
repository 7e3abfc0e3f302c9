"""Environments whose episodes begin with a history, so that accounts show as much as they do later on."""

from typing import Any

import numpy as np

from flagbench.agents.training import MakeEnvs
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.protocol import Protocol
from flagbench.trading.vector_environment import Batch, VectorTradingEnv

HISTORY = 10
"""Bars; a prompt shows as many past decisions. An account that begins shows none, and has half the tokens."""


class PractisedEnvs(VectorTradingEnv):
    """Every episode begins with random orders, other ones for each account and the same in every process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._source = np.random.default_rng(0)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Batch, dict[str, Any]]:
        """Begin all episodes again, and give each its history."""
        super().reset(seed=seed, options=options)
        return self._practised(), {}

    def step(self, actions: Any) -> tuple[Batch, Any, Any, Any, dict[str, Any]]:
        """Advance by one bar; where the next episode begins, it has its history already."""
        batch, rewards, terminated, over, info = super().step(actions)
        return (self._practised() if over.any() else batch), rewards, terminated, over, info

    def _practised(self) -> Batch:
        batch: Batch = {}
        for _ in range(HISTORY):
            batch = super().step(self._source.integers(3, size=self.num_envs))[0]
        return batch


def practised_envs(known: Market, protocol: Protocol, period: Period) -> MakeEnvs:
    """As `training_envs`; the window has `HISTORY` bars more than are learnt on."""

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> PractisedEnvs:
        return PractisedEnvs(known, protocol, period, num_envs=num_envs, max_episode_steps=max_episode_steps)

    return make_envs
