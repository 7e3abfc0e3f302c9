import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.learning.advantages import gae


def plain_gae(
    rewards: list[float],
    values: list[float],
    next_values: list[float],
    ends: list[bool],
    *,
    gamma: float,
    gae_lambda: float,
) -> list[float]:
    """The definition as a double sum: Â_t = Σ_k (γλ)^k δ_{t+k} up to the end of t's episode."""
    advantages = []
    for t in range(len(rewards)):
        total, weight = 0.0, 1.0
        for k in range(t, len(rewards)):
            total += weight * (rewards[k] + gamma * next_values[k] - values[k])
            weight *= gamma * gae_lambda
            if ends[k]:
                break
        advantages.append(total)
    return advantages


number = st.floats(-10, 10)


@given(
    st.lists(st.tuples(number, number, number, st.booleans()), min_size=1, max_size=30),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_it_equals_the_definition(
    steps: list[tuple[float, float, float, bool]], gamma: float, gae_lambda: float
) -> None:
    rewards, values, next_values, ends = (list(column) for column in zip(*steps, strict=True))
    ours = gae(
        np.array(rewards)[:, None],
        np.array(values)[:, None],
        np.array(next_values)[:, None],
        np.array(ends)[:, None],
        gamma=gamma,
        gae_lambda=gae_lambda,
    )
    expected = plain_gae(rewards, values, next_values, ends, gamma=gamma, gae_lambda=gae_lambda)
    np.testing.assert_allclose(ours[:, 0], expected, rtol=1e-9, atol=1e-9)


def test_a_truncated_episode_bootstraps_from_its_own_last_observation() -> None:
    # Two steps; the episode is cut after the first, whose last observation is worth 10.
    advantages = gae(
        np.array([[1.0], [0.0]]),
        np.array([[2.0], [3.0]]),
        np.array([[10.0], [4.0]]),
        np.array([[True], [False]]),
        gamma=0.5,
        gae_lambda=0.9,
    )
    assert advantages[0, 0] == pytest.approx(1 + 0.5 * 10 - 2)
    assert advantages[1, 0] == pytest.approx(0 + 0.5 * 4 - 3)


def test_environments_do_not_mix() -> None:
    random = np.random.default_rng(0)
    rewards, values, next_values = random.normal(size=(3, 12, 4))
    ends = random.random((12, 4)) < 0.2
    together = gae(rewards, values, next_values, ends, gamma=0.95, gae_lambda=0.98)
    for column in range(4):
        one = slice(column, column + 1)
        alone = gae(
            rewards[:, one], values[:, one], next_values[:, one], ends[:, one], gamma=0.95, gae_lambda=0.98
        )
        np.testing.assert_array_equal(together[:, one], alone)
