"""What was lived through: single steps folded into n-step transitions, and a ring of them to sample from."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from flagbench.errors import ConfigError
from flagbench.market.price_file import FloatArray
from flagbench.trading.action import Action
from flagbench.trading.observation import Float32Array
from flagbench.trading.portfolio import IntArray

ACTIONS = len(Action)


class Transition(NamedTuple):
    """n steps of N accounts."""

    features: Float32Array  # (N, F) before the first step
    actions: IntArray  # (N,) of the first step
    returns: FloatArray  # (N,) the discounted sum of the n rewards
    next_features: Float32Array  # (N, F) after the last step
    next_masks: npt.NDArray[np.int8]  # (N, 3)
    discount: float  # γⁿ


class Sample(NamedTuple):
    """B transitions, as views of one tensor that the next sample overwrites."""

    features: Tensor  # (B, F)
    next_features: Tensor  # (B, F)
    chosen: Tensor  # (B, 3) 1 for the action taken
    barred: Tensor  # (B, 3) −∞ for actions that are invalid afterwards, else 0
    returns: Tensor  # (B, 1)
    discounts: Tensor  # (B, 1)


class NStep:
    """Folds steps into n-step transitions (Sutton, 1988; in Q-learning Hessel et al., 2018, section 3).

    At an episode's end what is left is folded into shorter ones; all of them bootstrap from the episode's own
    last observation and none reaches into the next episode.

    Args:
        steps: n.
        gamma: discount of one step.
    """

    def __init__(self, steps: int, *, gamma: float) -> None:
        self._steps, self._gamma = steps, gamma
        self._waiting: deque[tuple[Float32Array, IntArray, FloatArray]] = deque()

    def add(
        self,
        features: Float32Array,
        actions: IntArray,
        rewards: FloatArray,
        *,
        next_features: Float32Array,
        next_masks: npt.NDArray[np.int8],
        ended: bool,
    ) -> Iterator[Transition]:
        """Take one step of N accounts and give what it completes.

        Args:
            features: (N, F) before the step.
            actions: (N,).
            rewards: (N,).
            next_features: (N, F) after it, of the same episode.
            next_masks: (N, 3) after it.
            ended: whether the episodes end here; those of a vector environment end together.
        """
        self._waiting.append((features, actions, rewards))
        while self._waiting and (ended or len(self._waiting) == self._steps):
            past = [reward for _, _, reward in self._waiting]
            before, taken, _ = self._waiting.popleft()
            returns = np.zeros_like(past[0])
            for reward in reversed(past):
                returns = reward + self._gamma * returns
            discount = self._gamma ** len(past)
            yield Transition(before, taken, returns, next_features, next_masks, discount)


class ReplayBuffer:
    """A ring of transitions; the oldest give way.

    A transition is one row of one tensor, so that a sample is one gather.

    Args:
        capacity: transitions, at least one step of all accounts.
        features: F.
        accounts: N, added together.
        device: where samples are used.

    Raises:
        ConfigError: the capacity is below N.
    """

    def __init__(self, capacity: int, features: int, *, accounts: int, device: torch.device) -> None:
        if capacity < accounts:
            raise ConfigError(
                f"a replay buffer of {capacity} transitions for {accounts} environments",
                hint="raise --set dqn.buffer_size or lower --num-envs",
            )
        self._widths = [features, features, ACTIONS, ACTIONS, 1, 1]
        self._rows = torch.zeros(capacity, sum(self._widths), device=device)
        self._sampled = torch.empty(0, device=device)
        self._next = self._filled = 0

    def __len__(self) -> int:
        """Transitions that can be sampled."""
        return self._filled

    def add(self, transition: Transition) -> None:
        """Write N rows over the oldest."""
        count, capacity = len(transition.actions), len(self._rows)
        rows = np.concatenate(
            [
                transition.features,
                transition.next_features,
                np.eye(ACTIONS)[transition.actions],
                np.where(transition.next_masks > 0, 0.0, -np.inf),
                transition.returns[:, None],
                np.full((count, 1), transition.discount),
            ],
            axis=1,
            dtype=np.float32,
        )
        places = torch.arange(self._next, self._next + count) % capacity
        self._rows[places.to(self._rows.device)] = torch.from_numpy(rows).to(self._rows.device)
        self._next = (self._next + count) % capacity
        self._filled = min(self._filled + count, capacity)

    def sample(self, count: int, random: torch.Generator) -> Sample:
        """Draw so many transitions, each as likely as any other, with replacement."""
        places = torch.randint(self._filled, (count,), generator=random)
        if self._rows.device.type == "cuda":
            places = places.pin_memory().to(self._rows.device, non_blocking=True)
        if len(self._sampled) != count:
            self._sampled = self._rows.new_empty(count, self._rows.shape[1])
        torch.index_select(self._rows, 0, places, out=self._sampled)
        return Sample(*self._sampled.split(self._widths, dim=1))
