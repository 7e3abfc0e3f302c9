"""FLAG-Trader's network: the backbone's upper half with a policy head and a value head on top.

Source: arXiv 2502.11433, section 4. Silent there and decided here: how many layers are trained, pooling,
head widths, activations and initialisation; each is a named parameter of the agent or stands below.
"""

from typing import Any

from torch import Tensor, nn

from flagbench.learning.plain_backbone import PlainBackbone
from flagbench.learning.split import SplitBackbone
from flagbench.trading.action import Action

HEAD_WIDTH = 64
"""Not stated; CleanRL's width of policy and value networks."""


class FlagNet(nn.Module):
    """What a backbone makes of prompts to three logits and a value.

    Args:
        backbone: only its upper half is a part of this module.
        head_width: hidden units of each head.
    """

    def __init__(self, backbone: SplitBackbone | PlainBackbone, *, head_width: int = HEAD_WIDTH) -> None:
        super().__init__()
        # A tuple keeps the halves' owner out of the module tree: its frozen half is not this module's.
        self._backbone = (backbone,)
        self.layers = backbone.upper_layers
        self.tail = backbone.tail
        self.policy_head = head(backbone.width, head_width, len(Action), gain=0.01)
        self.value_head = head(backbone.width, head_width, 1, gain=1.0)

    def forward(self, *collated: Any) -> tuple[Tensor, Tensor]:
        """Policy and value of B prompts.

        Args:
            collated: what the backbone's `collate` makes of its features of the prompts.

        Returns:
            logits (B, 3) and values (B,), from the last real token after the final norm.
        """
        last = self._backbone[0].last_hidden(*collated)
        return self.policy_head(last), self.value_head(last).squeeze(-1)


def head(width: int, hidden: int, outputs: int, *, gain: float) -> nn.Sequential:
    """`Linear → Tanh → Linear`, orthogonal with the last layer at `gain`, as CleanRL initialises PPO."""
    first, last = nn.Linear(width, hidden), nn.Linear(hidden, outputs)
    for layer, layer_gain in ((first, 2**0.5), (last, gain)):
        nn.init.orthogonal_(layer.weight, layer_gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.Tanh(), last)
