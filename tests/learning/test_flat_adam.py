from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flagbench.learning.flat_adam import FlatAdam


def test_the_first_step_is_the_learning_rate_whatever_the_gradients_size() -> None:
    weights = np.array([1.0, 1.0, 1.0])
    FlatAdam(weights, learning_rate=0.1, eps=1e-12).step(np.array([5.0, -0.01, 0.0]))
    assert weights.tolist() == pytest.approx([0.9, 1.1, 1.0])


def test_a_second_step_by_hand() -> None:
    """Gradients 1 and 3: m = 0.09 + 0.3 = 0.39 over 0.19, v = 0.000999 + 0.009 over 0.001999."""
    weights = np.array([0.0])
    adam = FlatAdam(weights, learning_rate=1.0, eps=0.5)
    adam.step(np.array([1.0]))
    assert weights[0] == pytest.approx(-1 / 1.5)
    adam.step(np.array([3.0]))
    step = (0.39 / 0.19) / ((0.009999 / 0.001999) ** 0.5 + 0.5)
    assert weights[0] == pytest.approx(-1 / 1.5 - step)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 3e-6)])
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 20),
    learning_rate=st.floats(1e-5, 1e-1),
    eps=st.sampled_from([1e-8, 1e-5, 1e-2]),
)
def test_steps_are_torchs(
    seed: int, count: int, learning_rate: float, eps: float, *, dtype: Any, tolerance: float
) -> None:
    random = np.random.default_rng(seed)
    weights = random.normal(size=count).astype(dtype)
    theirs = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    adam = FlatAdam(weights, learning_rate=learning_rate, eps=eps)
    optimiser = torch.optim.Adam([theirs], lr=learning_rate, eps=eps)
    for _ in range(30):
        gradient = (random.normal(size=count) * 10.0 ** random.integers(-6, 3)).astype(dtype)
        adam.step(gradient)
        theirs.grad = torch.from_numpy(gradient)
        optimiser.step()
    np.testing.assert_allclose(weights, theirs.detach().numpy(), rtol=0, atol=tolerance)
