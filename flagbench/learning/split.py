"""A causal language model cut in two at the frozen/trained boundary, by construction and not by family.

The lower half is embeddings and the first layers; the upper half is the other layers and whatever the
model runs after its last layer (the final norm). Both are modules of the same transformers model. How the
model calls each upper layer, and what runs after the last one, is observed in a forward pass of the whole
model, so nothing here knows Llama from GPT-2. That halves and whole agree is checked whenever a model is
split.

Prompts are padded on the right. Under a causal mask no token sees a later one, so no padding mask is
needed as long as only real positions are read.
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from flagbench.agents.prompt import Prompt
from flagbench.errors import ConfigError
from flagbench.learning.frozen_trunk import FrozenTrunk
from flagbench.learning.model_parts import decoder_layers, hooked, modules_after, probe
from flagbench.learning.prompt_tree import PromptTree, flattened, tree_of
from flagbench.learning.tree_forward import LayerCall, last_states, layer_call

LENGTH_STEP = 128
"""Prompts whose lengths round up to the same multiple of this share what was observed of the whole model."""

AGREEMENT = 1e-5
"""Largest difference of hidden states between halves and whole, relative to their scale, in float32."""


class NotSplittableError(Exception):
    """Halves and whole do not agree; the message says where and by how much."""


class _Reached(Exception):  # noqa: N818
    """The boundary was reached; the rest of the forward pass is not needed."""


class SplitBackbone:
    """Lower and upper half of one model.

    Args:
        model: the causal language model.
        trained_layers: how many of the last layers belong to the upper half, at least 1.

    Raises:
        ConfigError: more layers than the model has, or none are found.
        NotSplittableError: halves that do not agree with the whole.
    """

    def __init__(self, model: PreTrainedModel, *, trained_layers: int) -> None:
        self.model = model
        self._body: nn.Module = model.base_model
        layers = decoder_layers(model, trained_layers=trained_layers)
        self.frozen_layers = len(layers) - trained_layers
        self._context = int(getattr(model.config, "max_position_embeddings", sys.maxsize))
        self._boundary = layers[self.frozen_layers]
        self.upper_layers = nn.ModuleList(layers[self.frozen_layers :])
        self._calls: dict[tuple[int, torch.device, bool], list[LayerCall]] = {}
        self.tail = nn.ModuleList(modules_after(model, layers[-1]))
        self._check()
        self.trunk = FrozenTrunk(self)
        """Computes and keeps what the lower half makes of prompts."""
        self.shares_upper = self._can_run_trees()
        """Whether the upper half, too, computes what prompts share once, and its last layer for the last
        token only, which gives the same and costs less."""

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(self.model.config.hidden_size)

    @property
    def ways(self) -> dict[str, Any]:
        """How it is run, for the record."""
        return {
            "forward": "split",
            "shares_prefix": self.trunk.shares,
            "shares_upper": self.shares_upper,
            "state_cache": self.trunk.cache.to_json(),
        }

    def features(self, prompts: Sequence[Prompt]) -> list[tuple[Tensor, ...]]:
        """Boundary hidden states of each prompt in pieces, (S_i, d) each, those in common the same tensor."""
        return self.trunk.pieces(prompts)

    def tokens(self, features: Sequence[tuple[Tensor, ...]]) -> int:
        """How many tokens go through the upper half: what prompts share counts once."""
        return sum(len(piece) for piece in {id(piece): piece for row in features for piece in row}.values())

    def collate(self, features: Sequence[tuple[Tensor, ...]]) -> tuple[PromptTree]:
        """Features of B prompts as `last_hidden` takes them."""
        return (tree_of(features),)

    def last_hidden(self, tree: PromptTree) -> Tensor:
        """Hidden states after the final norm at each prompt's last token: (B, d)."""
        if not self.shares_upper:
            hidden, lengths = flattened(tree)
            return self.upper(hidden)[torch.arange(len(lengths), device=hidden.device), lengths - 1]
        length = -(-tree.longest // LENGTH_STEP) * LENGTH_STEP
        calls = self.calls(min(length, self._context), tree.levels[0].hidden.device)
        last = last_states(list(self.upper_layers), calls, tree)
        for module in self.tail:
            last = module(last)
        return last

    @torch.no_grad()
    def lower(self, input_ids: Tensor, past: DynamicCache | None = None) -> Tensor:
        """Hidden states at the boundary, without gradient: the whole model is run and stopped there.

        Args:
            input_ids: (B, T) token ids.
            past: keys and values of the tokens before these; those of these are added.

        Returns:
            (B, T, d).
        """
        reached: list[Tensor] = []

        def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            reached.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        with hooked([(self._boundary, stop)]):
            try:
                self._body(input_ids=input_ids, past_key_values=past, use_cache=past is not None)
            except _Reached:
                return reached[0].detach()
        raise ConfigError("the backbone never called the layer at the boundary")

    def upper(self, hidden: Tensor) -> Tensor:
        """Hidden states after the final norm: (B, T, d) from the boundary's (B, T, d)."""
        for layer, call in zip(self.upper_layers, self.calls(hidden.shape[1], hidden.device), strict=True):
            output = layer(**{**call.named, call.hidden_name: hidden})
            hidden = output[0] if isinstance(output, (tuple, list)) else output
        for module in self.tail:
            hidden = module(hidden)
        return hidden

    @torch.no_grad()
    def calls(self, length: int, device: torch.device) -> list[LayerCall]:
        """How the whole model calls each upper layer for one prompt of this length, observed once."""
        key = (length, device, torch.is_autocast_enabled(device.type))
        if key not in self._calls:
            calls: list[LayerCall] = []

            def note(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                calls.append(layer_call(layer, args, kwargs))

            with hooked([(layer, note) for layer in self.upper_layers]):
                self._body(
                    input_ids=torch.zeros((1, length), dtype=torch.long, device=device), use_cache=False
                )
            self._calls[key] = calls
        return self._calls[key]

    @torch.no_grad()
    def _check(self) -> None:
        """The halves give what the whole gives, also for a prompt padded on the right."""
        ids = probe(self.model, rows=2, length=8)
        whole = self._body(input_ids=ids, use_cache=False).last_hidden_state
        halves = self.upper(self.lower(ids))
        padded = torch.cat([ids, ids[:, :3]], dim=1)
        longer = self.upper(self.lower(padded))[:, : ids.shape[1]]
        scale = float(whole.abs().max())
        worst = max(float((halves - whole).abs().max()), float((longer - whole).abs().max()))
        if not worst <= AGREEMENT * scale:
            raise NotSplittableError(
                f"`{self.model.config.model_type}` cannot be split after layer {self.frozen_layers}: "
                f"halves and whole differ by {worst:.1e} at a scale of {scale:.1e}"
            )

    @torch.no_grad()
    def _can_run_trees(self) -> bool:
        """Whether prompts come out as they do whole: three that share two beginnings, of unequal lengths."""
        hidden = self.lower(probe(self.model, rows=1, length=11))[0]
        static, one, other = hidden[:3], hidden[3:6], hidden[4:6]
        tree = tree_of([(static, one, hidden[6:]), (static, one, hidden[7:9]), (static, other, hidden[6:8])])
        states, lengths = flattened(tree)
        whole = self.upper(states)[torch.arange(3, device=states.device), lengths - 1]
        self.shares_upper = True
        try:
            alone = self.last_hidden(tree)
        except Exception:  # families differ in what their layers take; those that differ too much run whole
            return False
        return float((alone - whole).abs().max()) <= AGREEMENT * float(whole.abs().max())
