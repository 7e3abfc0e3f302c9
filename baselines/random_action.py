"""A fair coin between the two actions that the mask allows: what chance is worth, costs included."""

import numpy as np

from flagbench.trading.observation import Observation


class RandomAction:
    """Each bar one of the valid actions, all equally likely."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def reset(self, seed: int) -> None:
        """Begin the stream of `seed`."""
        self._random = np.random.default_rng(seed)

    def act(self, observation: Observation) -> int:
        """Draw one of the actions that the mask allows."""
        return int(self._random.choice(np.flatnonzero(observation["mask"])))
