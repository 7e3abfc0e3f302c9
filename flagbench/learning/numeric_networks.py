"""Small networks over numeric features: values of actions, and a policy with a value."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from flagbench.trading.action import Action

ACTIONS = len(Action)


def perceptron(widths: Sequence[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    """`Linear` layers between these widths, with an activation after each but the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class QNetwork(nn.Module):
    """Features (B, F) to values of the three actions (B, 3).

    Initialised as torch does it, like CleanRL's and stable-baselines3's.

    Args:
        inputs: F.
        hidden: widths of the hidden layers.
        dueling: split after the last hidden layer but one into a state's value and actions' advantages,
            Q = V + A − mean A (Wang et al., 2016, equation 9).
    """

    def __init__(self, inputs: int, hidden: Sequence[int], *, dueling: bool) -> None:
        super().__init__()
        self.inputs, self.hidden = inputs, tuple(hidden)
        *trunk, last = hidden
        self.trunk = (
            nn.Sequential(*perceptron([inputs, *trunk], nn.ReLU), nn.ReLU()) if trunk else nn.Identity()
        )
        width = trunk[-1] if trunk else inputs
        self.actions = perceptron([width, last, ACTIONS], nn.ReLU)
        self.state = perceptron([width, last, 1], nn.ReLU) if dueling else None

    def forward(self, features: Tensor) -> Tensor:
        """Values of SELL, HOLD and BUY; those of invalid actions mean nothing."""
        shared = self.trunk(features)
        actions: Tensor = self.actions(shared)
        if self.state is None:
            return actions
        return self.state(shared) + actions - actions.mean(1, keepdim=True)  # type: ignore[no-any-return]


class PolicyValueNetwork(nn.Module):
    """Features (B, F) to logits (B, 3) and values (B,): two networks, as in CleanRL's `ppo.py`.

    Args:
        inputs: F.
        hidden: widths of the hidden layers of each.
    """

    def __init__(self, inputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.policy = perceptron([inputs, *hidden, ACTIONS], nn.Tanh)
        self.value = perceptron([inputs, *hidden, 1], nn.Tanh)
        for network, gain in ((self.policy, 0.01), (self.value, 1.0)):
            layers = [layer for layer in network if isinstance(layer, nn.Linear)]
            for layer in layers:
                nn.init.orthogonal_(layer.weight, gain if layer is layers[-1] else 2**0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values."""
        return self.policy(features), self.value(features).squeeze(-1)


@torch.no_grad()
def greedy(scores: Tensor, masks: Tensor) -> Tensor:
    """The valid action of the highest score: (B,) from scores (B, 3) and masks (B, 3), 1 where valid."""
    return scores.float().masked_fill(masks == 0, -torch.inf).argmax(1)
