"""What values of actions are trained towards, and how far they are from it."""

import torch
from torch import Tensor, nn

from flagbench.learning.q_params import LossName


def td_targets(
    returns: Tensor, discounts: Tensor, *, next_values: Tensor, barred: Tensor, chooser: Tensor | None = None
) -> Tensor:
    """Targets G + γⁿ·Q⁻(s', a*), with a* the best valid action.

    a* is the one that `next_values` itself ranks highest (Mnih et al., 2015), or that the online network
    does, whose values are then `chooser` (double; van Hasselt et al., 2016, equation 4). Nothing is ever cut
    off: a trading episode ends by truncation, so the state after its last step has a value too.

    Args:
        returns: (B, 1) G, the discounted sum of n rewards.
        discounts: (B, 1) γⁿ.
        next_values: (B, 3) of the target network.
        barred: (B, 3) 0 for a valid action and −∞ for an invalid one.
        chooser: (B, 3) of the online network.

    Returns:
        (B, 1).
    """
    if chooser is None:
        best = (next_values + barred).max(1, keepdim=True).values
    else:
        best = next_values.gather(1, (chooser + barred).argmax(1, keepdim=True))
    return torch.addcmul(returns, discounts, best)


def q_loss(values: Tensor, chosen: Tensor, targets: Tensor, *, name: LossName) -> Tensor:
    """Mean loss of the chosen actions' values.

    Args:
        values: (B, 3).
        chosen: (B, 3) 1 for the action that was taken, else 0.
        targets: (B, 1).
        name: `huber` is quadratic up to an error of 1 and linear above it, the error clipping of Mnih et al.
            (2015); `squared` is the squared error, CleanRL's.
    """
    taken = (values * chosen).sum(1, keepdim=True)
    loss = nn.functional.smooth_l1_loss if name == "huber" else nn.functional.mse_loss
    return loss(taken, targets)


@torch.no_grad()
def move_towards(target: nn.Module, source: nn.Module, *, share: float) -> None:
    """Move a network's weights this share of the way to another's; 1 copies them."""
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), share)
