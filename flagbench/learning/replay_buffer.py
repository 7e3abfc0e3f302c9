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
ONE_HOT = np.eye(ACTIONS, dtype=np.float32)
BARRED = np.array([-np.inf, 0.0], dtype=np.float32)
"""What is added to the value of an action by its mask, 0 or 1."""


class Transition(NamedTuple):
    """n steps of N accounts."""

    features: Float32Array  # (N, F) before the first step
    actions: IntArray  # (N,) of the first step
    returns: FloatArray  # (N,) the discounted sum of the n rewards
    next_features: Float32Array  # (N, F) after the last step
    next_masks: npt.NDArray[np.int8]  # (N, 3)
    discount: float  # γⁿ


class Sample(NamedTuple):
    """K minibatches of B transitions, as views of one tensor that the next sample overwrites."""

    features: Tensor  # (K, B, F)
    next_features: Tensor  # (K, B, F)
    chosen: Tensor  # (K, B, 3) 1 for the action taken
    barred: Tensor  # (K, B, 3) −∞ for actions that are invalid afterwards, else 0
    returns: Tensor  # (K, B, 1)
    discounts: Tensor  # (K, B, 1)


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
        rows = torch.empty(count, self._rows.shape[1])
        parts = [part.numpy() for part in rows.split(self._widths, dim=1)]
        features, next_features, chosen, barred, returns, discounts = parts
        features[:], next_features[:] = transition.features, transition.next_features
        chosen[:] = ONE_HOT[transition.actions]
        barred[:] = BARRED[transition.next_masks]
        returns[:, 0], discounts[:] = transition.returns, transition.discount
        first = min(count, capacity - self._next)
        self._rows[self._next : self._next + first] = rows[:first]
        self._rows[: count - first] = rows[first:]
        self._next = (self._next + count) % capacity
        self._filled = min(self._filled + count, capacity)

    def sample(self, batches: int, count: int, random: torch.Generator) -> Sample:
        """Draw K minibatches of so many transitions, each as likely as any other, with replacement."""
        places = torch.randint(self._filled, (batches * count,), generator=random)
        if self._rows.device.type == "cuda":
            places = places.pin_memory().to(self._rows.device, non_blocking=True)
        if len(self._sampled) != len(places):
            self._sampled = self._rows.new_empty(len(places), self._rows.shape[1])
        torch.index_select(self._rows, 0, places, out=self._sampled)
        return Sample(*self._sampled.view(batches, count, -1).split(self._widths, dim=2))
