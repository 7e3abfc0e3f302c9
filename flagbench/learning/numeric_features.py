"""An observation as a vector of numbers that no price level, currency or cash amount changes.

What agents without a language model see, in flagbench and in other libraries: one function for batches and
one gymnasium wrapper around it. Text, dates and the list of past decisions are left out.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from flagbench.trading.action import Action
from flagbench.trading.observation import Float32Array, Observation
from flagbench.trading.vector_environment import Batch, stack

USUAL_MOVE = 0.02
"""The unit of returns: a usual day's move of a share, so that features lie near 1. It is a constant, so
that features do not depend on the window that an agent learns on."""


def feature_count(lookback: int) -> int:
    """F, the features of an observation with so many bars."""
    return lookback + 9


def numeric_features(batch: Batch) -> Float32Array:
    """B observations as (B, F) float32.

    In order: the lookback − 1 log returns of closes, oldest first; the last bar's open, high and low, as
    logs relative to its close; the log of its volume relative to the window's mean, 0 where it has none;
    whether SELL and BUY are valid, which is the position; log equity; mean and deviation of daily profit and
    loss so far; 1 / (1 + t). Returns, profit and loss are in units of `USUAL_MOVE`. Cash follows from
    position and equity.

    t is shown as 1 / (1 + t) since the Sharpe ratio's change shrinks like that, and since it stays in the
    range that was learnt on when a window is longer than the training window.

    Args:
        batch: of `VectorTradingEnv`, or from `stack`.
    """
    window, account, mask = batch["window"], batch["account"], batch["mask"]
    close = window[:, :, 3]
    # Ratios come before logs: a ratio of two prices is the same number whatever power of two scales both.
    moves = np.log(close[:, 1:] / close[:, :-1])
    last_bar = np.log(window[:, -1, :3] / close[:, -1:])
    columns = [
        moves / USUAL_MOVE,
        last_bar / USUAL_MOVE,
        _relative_volume(window[:, :, 4])[:, None],
        mask[:, [Action.SELL, Action.BUY]],
        np.log(account[:, 2:3]),
        account[:, 4:6] / USUAL_MOVE,
        1 / (1 + account[:, 3:4]),
    ]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _relative_volume(volume: Float32Array) -> Float32Array:
    """(B,) log of the last bar's volume over the mean of those bars that have one."""
    traded = volume > 0
    total, count = volume.sum(axis=1), np.maximum(traded.sum(axis=1), 1)
    share = np.divide(volume[:, -1] * count, total, out=np.ones_like(total), where=traded[:, -1])
    relative: Float32Array = np.log(share)
    return relative


class NumericObservations(gym.ObservationWrapper[Float32Array, int, Observation]):
    """A trading environment whose observations are numeric features, (F,) float32.

    Args:
        env: a `TradingEnv`, or a wrapper around one.
    """

    def __init__(self, env: gym.Env[Observation, int]) -> None:
        super().__init__(env)
        shape = (feature_count(lookback_of(env)),)
        self.observation_space = spaces.Box(-np.inf, np.inf, shape, np.float32)

    def observation(self, observation: Observation) -> Float32Array:
        """One observation's features."""
        features: Float32Array = numeric_features(stack([observation]))[0]
        return features


def lookback_of(env: Any) -> int:
    """Bars in an observation of an environment or of each of a vector environment's."""
    space = getattr(env, "single_observation_space", env.observation_space)
    return int(space["window"].shape[0])
