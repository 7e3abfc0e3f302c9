"""What one process collects between two updates, and how the budget is cut into such pieces."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.learning.advantages import gae


@dataclass
class Rollout:
    """What one process collected between two updates; T steps of N environments, T-major lists."""

    features: list[Any] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)
    actions: list[Tensor] = field(default_factory=list)
    log_probabilities: list[Tensor] = field(default_factory=list)
    reference: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    next_values: list[Tensor] = field(default_factory=list)
    rewards: list[Tensor] = field(default_factory=list)
    ends: list[Tensor] = field(default_factory=list)


class Batch(NamedTuple):
    """A rollout flattened to B = T · N samples."""

    features: list[Any]
    masks: Tensor  # (B, 3) bool
    actions: Tensor  # (B,)
    log_probabilities: Tensor  # (B,) of the actions taken
    reference: Tensor  # (B, 3) log-probabilities at the start, or (0, 3)
    values: Tensor  # (B,)
    advantages: Tensor  # (B,)
    targets: Tensor  # (B,)


def iteration_steps(setup: Setup, *, num_steps: int, processes: int) -> list[int]:
    """Steps of each environment in every iteration; the last one takes what is left of the budget.

    Raises:
        ConfigError: fewer environment steps than environments.
    """
    per_environment = setup.env_steps // (setup.num_envs * processes)
    if per_environment == 0:
        raise ConfigError(
            f"{setup.env_steps} environment steps for {setup.num_envs} environments in {processes} processes",
            hint="raise --env-steps or lower --num-envs",
        )
    full, rest = divmod(per_environment, num_steps)
    return [num_steps] * full + ([rest] if rest else [])


def flattened(rollout: Rollout, *, gamma: float, gae_lambda: float) -> Batch:
    """A rollout as samples with advantages and value targets."""
    values = torch.stack(rollout.values).double().numpy()
    advantages = gae(
        torch.stack(rollout.rewards).numpy(),
        values,
        torch.stack(rollout.next_values).double().numpy(),
        torch.stack(rollout.ends).numpy(),
        gamma=gamma,
        gae_lambda=gae_lambda,
    )
    return Batch(
        features=rollout.features,
        masks=torch.cat(rollout.masks),
        actions=torch.cat(rollout.actions),
        log_probabilities=torch.cat(rollout.log_probabilities),
        reference=torch.cat(rollout.reference) if rollout.reference else torch.empty(0, 3),
        values=torch.cat(rollout.values),
        advantages=torch.from_numpy(advantages).float().flatten(),
        targets=torch.from_numpy(advantages + values).float().flatten(),
    )
