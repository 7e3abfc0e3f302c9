"""FLAG-Trader's network: the backbone's upper half with a policy head and a value head on top.

Source: arXiv 2502.11433, section 4. Silent there and decided here: how many layers are trained, pooling,
head widths, activations and initialisation; each is a named parameter of the agent or stands below.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flagbench.agents.prompt import Prompt
from flagbench.learning.split import SplitBackbone, padded_length
from flagbench.trading.action import Action

HEAD_WIDTH = 64
"""Not stated; CleanRL's width of policy and value networks."""


class FlagNet(nn.Module):
    """Boundary hidden states to three logits and a value.

    Args:
        split: the backbone in two halves; only its upper half is a part of this module.
        head_width: hidden units of each head.
    """

    def __init__(self, split: SplitBackbone, *, head_width: int = HEAD_WIDTH) -> None:
        super().__init__()
        # A tuple keeps the halves' owner out of the module tree: its frozen half is not this module's.
        self._split = (split,)
        self.layers = split.upper_layers
        self.tail = split.tail
        self.policy_head = head(split.width, head_width, len(Action), gain=0.01)
        self.value_head = head(split.width, head_width, 1, gain=1.0)

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Policy and value of B prompts.

        Args:
            hidden: (B, T, d) at the frozen/trained boundary, padded on the right.
            lengths: (B,) number of real tokens, at least 1.

        Returns:
            logits (B, 3) and values (B,), from the last real token after the final norm.
        """
        last = self._split[0].upper_last(hidden, lengths)
        return self.policy_head(last), self.value_head(last).squeeze(-1)


def head(width: int, hidden: int, outputs: int, *, gain: float) -> nn.Sequential:
    """`Linear → Tanh → Linear`, orthogonal with the last layer at `gain`, as CleanRL initialises PPO."""
    first, last = nn.Linear(width, hidden), nn.Linear(hidden, outputs)
    for layer, layer_gain in ((first, 2**0.5), (last, gain)):
        nn.init.orthogonal_(layer.weight, layer_gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.Tanh(), last)


def lower_hidden(split: SplitBackbone, prompts: Sequence[Prompt], *, limit: int) -> list[Tensor]:
    """Boundary hidden states of each prompt, (T_i, d) without padding.

    Args:
        split: the backbone in two halves.
        prompts: B prompts.
        limit: the context.
    """
    longest = padded_length(max(len(prompt.tokens) for prompt in prompts), limit=limit)
    ids = torch.zeros((len(prompts), longest), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt.tokens)] = torch.tensor(prompt.tokens)
    hidden = split.lower(ids.to(split.model.device), shared=common_beginning(prompts))
    return [hidden[row, : len(prompt.tokens)].clone() for row, prompt in enumerate(prompts)]


def common_beginning(prompts: Sequence[Prompt]) -> int:
    """How many first tokens all prompts share: those of one bar differ from the account on."""
    first, *others = (prompt.tokens for prompt in prompts)
    shared = len(first)
    for tokens in others:
        pairs = zip(first[:shared], tokens, strict=False)
        shared = next(
            (place for place, (one, other) in enumerate(pairs) if one != other), min(shared, len(tokens))
        )
    return shared


def collate(hidden: Sequence[Tensor], *, limit: int) -> tuple[Tensor, Tensor]:
    """Hidden states of B prompts as the network's arguments: (B, T, d) padded on the right, (B,) lengths."""
    longest = padded_length(max(len(states) for states in hidden), limit=limit)
    batch = hidden[0].new_zeros((len(hidden), longest, hidden[0].shape[1]))
    for row, states in enumerate(hidden):
        batch[row, : len(states)] = states
    lengths = torch.tensor([len(states) for states in hidden], device=batch.device)
    return batch, lengths
