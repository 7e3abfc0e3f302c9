"""Generalised advantage estimation as a pure function."""

import numpy as np
import numpy.typing as npt

from flagbench.market.price_file import FloatArray


def gae(
    rewards: FloatArray,
    values: FloatArray,
    next_values: FloatArray,
    ends: npt.NDArray[np.bool_],
    *,
    gamma: float,
    gae_lambda: float,
) -> FloatArray:
    """Advantages Â_t = δ_t + γλ·(1 − end_t)·Â_{t+1} with δ_t = r_t + γ·V(s_{t+1}) − V(s_t).

    A trading episode ends because the data does: by truncation. So δ_t always bootstraps from
    `next_values`, which at an episode's end is the value of its own last observation and not of the next
    episode's first, and only the λ-trace is cut there.

    Source: Schulman et al. (2016), equations 11 and 16; truncation as Pardo et al. (2018).

    Args:
        rewards: (T, N).
        values: (T, N) V(s_t).
        next_values: (T, N) V(s_{t+1}).
        ends: (T, N) whether the episode ended after step t.
        gamma: discount.
        gae_lambda: λ.

    Returns:
        (T, N); value targets are these plus `values`.
    """
    deltas = rewards + gamma * next_values - values
    advantages = np.zeros_like(deltas)
    trace = np.zeros(deltas.shape[1:])
    for t in range(len(deltas) - 1, -1, -1):
        trace = deltas[t] + gamma * gae_lambda * ~ends[t] * trace
        advantages[t] = trace
    return advantages
