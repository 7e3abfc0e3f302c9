from itertools import pairwise

import pytest
import torch
from torch import nn

from flagbench.learning.numeric_networks import PolicyValueNetwork, QNetwork, greedy, perceptron

FEATURES = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_a_perceptron_ends_without_activation() -> None:
    layers = perceptron([7, 4, 2], nn.ReLU)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize("hidden", [(6,), (6, 5), (6, 5, 4)])
def test_a_plain_network_has_the_layers_it_was_asked_for(hidden: tuple[int, ...]) -> None:
    network = QNetwork(7, hidden, dueling=False)
    widths = [7, *hidden, 3]
    assert count(network) == sum((a + 1) * b for a, b in pairwise(widths))
    plain = nn.Sequential(*perceptron(widths, nn.ReLU))
    plain.load_state_dict(dict(zip(plain.state_dict(), network.state_dict().values(), strict=True)))
    assert torch.equal(network(FEATURES), plain(FEATURES))


@pytest.mark.parametrize("hidden", [(6,), (6, 5)])
def test_dueling_streams_give_the_value_plus_advantages_of_mean_zero(hidden: tuple[int, ...]) -> None:
    network = QNetwork(7, hidden, dueling=True)
    values = network(FEATURES)
    assert values.shape == (5, 3)
    assert network.state is not None
    # The mean over actions is the state's value, since advantages are centred.
    torch.testing.assert_close(values.mean(1, keepdim=True), network.state(network.trunk(FEATURES)))


def test_policy_and_value_share_nothing_and_begin_as_cleanrls() -> None:
    torch.manual_seed(0)
    network = PolicyValueNetwork(7, (6, 5))
    logits, values = network(FEATURES)
    assert logits.shape == (5, 3)
    assert values.shape == (5,)
    assert float(logits.detach().abs().max()) < 0.05
    assert count(network) == (8 * 6 + 7 * 5 + 6 * 3) + (8 * 6 + 7 * 5 + 6 * 1)
    last = network.state_dict()["policy.4.weight"]
    torch.testing.assert_close(last @ last.T, 1e-4 * torch.eye(3))
    values.sum().backward()
    assert all(weight.grad is None for weight in network.policy.parameters())


def test_the_best_valid_action_is_taken() -> None:
    scores = torch.tensor([[9.0, 1.0, 4.0], [2.0, 3.0, 9.0]])
    masks = torch.tensor([[0, 1, 1], [1, 1, 0]], dtype=torch.int8)
    assert greedy(scores, masks).tolist() == [2, 1]
