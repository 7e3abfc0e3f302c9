from typing import Any

import pytest
import torch
from torch import nn

from flagbench.learning.q_loss import move_towards, q_loss, td_targets

INF = float("inf")


def targets(**changes: Any) -> list[float]:
    """Two states after two steps at γ 0.5; SELL is barred in the first, BUY in the second."""
    values: dict[str, Any] = {
        "next_values": torch.tensor([[9.0, 1.0, 4.0], [2.0, 3.0, 9.0]]),
        "barred": torch.tensor([[-INF, 0.0, 0.0], [0.0, 0.0, -INF]]),
        **changes,
    }
    returns, discounts = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.25], [0.25]])
    found: list[float] = td_targets(returns, discounts, **values).squeeze(1).tolist()
    return found


def test_the_best_valid_action_is_bootstrapped_from() -> None:
    assert targets() == [1 + 0.25 * 4, 2 + 0.25 * 3]


def test_a_chooser_chooses_and_the_target_network_values() -> None:
    chooser = torch.tensor([[99.0, 5.0, 4.0], [8.0, 3.0, 99.0]])
    assert targets(chooser=chooser) == [1 + 0.25 * 1, 2 + 0.25 * 2]
    own = torch.tensor([[9.0, 1.0, 4.0], [2.0, 3.0, 9.0]])
    assert targets(chooser=own) == targets()


@pytest.mark.parametrize(
    ("name", "expected"), [("huber", (0.5 * 0.25 + 2.5) / 2), ("squared", (0.25 + 9) / 2)]
)
def test_the_loss_is_that_of_the_chosen_actions(name: Any, expected: float) -> None:
    values = torch.tensor([[1.0, 50.0, 50.0], [50.0, 50.0, 4.0]], requires_grad=True)
    chosen = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    loss = q_loss(values, chosen, torch.tensor([[1.5], [1.0]]), name=name)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert values.grad is not None
    assert torch.equal(values.grad != 0, chosen.bool())


def test_a_target_network_moves_its_share_of_the_way() -> None:
    target, source = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    for layer, number in ((target, 2.0), (source, 10.0)):
        nn.init.constant_(layer.weight, number)
    move_towards(target, source, share=0.25)
    assert target.weight.item() == 4.0
    move_towards(target, source, share=1.0)
    assert target.weight.item() == source.weight.item() == 10.0
    assert target.weight is not source.weight
