"""A causal language model run whole for every prompt: what a family that cannot be split falls back to."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from flagbench.agents.prompt import Prompt
from flagbench.learning.model_parts import decoder_layers, modules_after


class PlainBackbone:
    """Every prompt through every layer, each time it is needed.

    Args:
        model: the causal language model.
        trained_layers: how many of the last layers are to be trained, at least 1.

    Raises:
        ConfigError: more layers than the model has, or none are found.
    """

    def __init__(self, model: PreTrainedModel, *, trained_layers: int) -> None:
        self.model = model
        layers = decoder_layers(model, trained_layers=trained_layers)
        self.frozen_layers = len(layers) - trained_layers
        self.upper_layers = nn.ModuleList(layers[self.frozen_layers :])
        self.tail = nn.ModuleList(modules_after(model, layers[-1]))

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(self.model.config.hidden_size)

    @property
    def ways(self) -> dict[str, Any]:
        """How it is run, for the record."""
        return {"forward": "plain"}

    def features(self, prompts: Sequence[Prompt]) -> list[tuple[Tensor, ...]]:
        """Token ids of each prompt, (T,)."""
        return [(torch.tensor(prompt.tokens, device=self.model.device),) for prompt in prompts]

    def tokens(self, features: Sequence[tuple[Tensor, ...]]) -> int:
        """How many tokens go through the trained layers."""
        return sum(len(tokens) for (tokens,) in features)

    def collate(self, features: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, Tensor]:
        """Token ids (B, T), padded on the right, and lengths (B,)."""
        rows = [tokens for (tokens,) in features]
        lengths = torch.tensor([len(tokens) for tokens in rows], device=rows[0].device)
        return pad_sequence(rows, batch_first=True), lengths

    def last_hidden(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Hidden states after the final norm at each prompt's last token: (B, d).

        Under a causal mask no token sees the padding after it, so none is masked.
        """
        states = self.states(input_ids)
        return states[torch.arange(len(lengths), device=states.device), lengths - 1]

    def states(self, input_ids: Tensor) -> Tensor:
        """Hidden states of all tokens after the final norm: (B, T, d)."""
        hidden: Tensor = self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
        return hidden
