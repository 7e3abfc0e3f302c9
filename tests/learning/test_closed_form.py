from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flagbench.learning.closed_form import ClosedFormQ
from flagbench.learning.numeric_networks import QNetwork


def network_of(inputs: int, hidden: Sequence[int], *, dueling: bool, seed: int = 0) -> QNetwork:
    torch.manual_seed(seed)
    return QNetwork(inputs, hidden, dueling=dueling).double()


SHAPES = {
    "inputs": st.integers(1, 9),
    "hidden": st.lists(st.integers(1, 9), min_size=1, max_size=4),
    "dueling": st.booleans(),
    "rows": st.integers(1, 12),
    "seed": st.integers(0, 2**31),
}


@given(**SHAPES)
def test_values_and_gradients_are_autograds(
    inputs: int, hidden: list[int], rows: int, seed: int, *, dueling: bool
) -> None:
    network = network_of(inputs, hidden, dueling=dueling, seed=seed)
    features, slopes = torch.randn(rows, inputs).double(), torch.randn(rows, 3).double()
    expected = network(features)
    (expected * slopes).sum().backward()
    by_hand = ClosedFormQ(network)
    states = by_hand.hidden(features.numpy())
    np.testing.assert_allclose(by_hand.head(states[-1]), expected.detach().numpy(), atol=1e-13)
    np.testing.assert_allclose(by_hand.values(features.numpy()), expected.detach().numpy(), atol=1e-13)
    by_hand.differentiate(states, slopes.numpy())
    # A gradient beside each weight, in the buffer's order: moved along it, the parameters move alike.
    found = dict(network.named_parameters())
    before = {name: weight.detach().clone() for name, weight in found.items()}
    by_hand.weights += by_hand.gradient
    for name, weight in found.items():
        assert weight.grad is not None
        torch.testing.assert_close(weight.detach() - before[name], weight.grad, atol=1e-12, rtol=1e-9)


def test_gradients_of_a_network_done_by_hand() -> None:
    """Q = W₂ relu(w₁ x): x = 2, w₁ = (1, −1) → state (2, 0); the second unit sleeps."""
    network = network_of(1, [2], dueling=False)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.actions[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))  # type: ignore[operator]
        network.actions[2].weight.copy_(torch.tensor([[3.0, 5.0], [0.0, 0.0], [7.0, 0.0]]))  # type: ignore[operator]
    by_hand = ClosedFormQ(network)
    states = by_hand.hidden(np.array([[2.0]]))
    assert states[-1].tolist() == [[2.0, 0.0]]
    assert by_hand.head(states[-1]).tolist() == [[6.0, 0.0, 14.0]]
    by_hand.differentiate(states, np.array([[1.0, 0.0, 0.0]]))
    # w₁, b₁, W₂ row by row, b₂
    assert by_hand.gradient.tolist() == [6, 0, 3, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("dueling", [True, False])
def test_the_networks_parameters_are_the_buffer_until_they_are_released(*, dueling: bool) -> None:
    network = network_of(4, [3, 2], dueling=dueling)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    by_hand = ClosedFormQ(network)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])
    assert len(by_hand.weights) == sum(weight.numel() for weight in network.parameters())
    by_hand.weights[:] = 7.0
    assert all((weight == 7).all() for weight in network.parameters())
    by_hand.release()
    by_hand.weights[:] = 8.0
    assert all((weight == 7).all() for weight in network.parameters())
