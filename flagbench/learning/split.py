"""A causal language model cut in two at the frozen/trained boundary, by construction and not by family.

The lower half is embeddings and the first layers; the upper half is the other layers and whatever the
model runs after its last layer (the final norm). Both are modules of the same transformers model. Which
arguments each upper layer gets besides the hidden states, and what runs after the last layer, is observed
in a forward pass of the whole model, so nothing here knows Llama from GPT-2. That halves and whole agree
is checked whenever a model is split.

Prompts are padded on the right. Under a causal mask no token sees a later one, so no padding mask is
needed as long as only real positions are read.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from flagbench.errors import ConfigError
from flagbench.learning.last_token import LayerCall, last_token

LENGTH_STEP = 16
"""Lengths are rounded up to a multiple of this, so that few different ones occur."""

LEAST_SHARED = 32
"""Tokens; a shorter common beginning is not worth a second pass."""

AGREEMENT = 1e-5
"""Largest difference of hidden states between halves and whole, relative to their scale, in float32."""


class _Reached(Exception):  # noqa: N818
    """The boundary was reached; the rest of the forward pass is not needed."""


class SplitBackbone:
    """Lower and upper half of one model.

    Args:
        model: the causal language model.
        trained_layers: how many of the last layers belong to the upper half, at least 1.

    Raises:
        ConfigError: more layers than the model has, or halves that do not agree with the whole.
    """

    def __init__(self, model: PreTrainedModel, *, trained_layers: int) -> None:
        self.model = model
        self._body: nn.Module = model.base_model
        layers = _decoder_layers(self._body, model.config.num_hidden_layers)
        if not 1 <= trained_layers <= len(layers):
            raise ConfigError(
                f"{trained_layers} trained layers asked for, the backbone has {len(layers)}",
                hint=f"choose trainable_layers from 1 to {len(layers)}",
            )
        self.frozen_layers = len(layers) - trained_layers
        self._boundary = layers[self.frozen_layers]
        self.upper_layers = nn.ModuleList(layers[self.frozen_layers :])
        self._calls: dict[tuple[int, torch.device, bool], list[LayerCall]] = {}
        self.tail = nn.ModuleList(self._observe_tail(layers[-1]))
        self._check()
        self.shares_prefix = self._can_share_prefix()
        """Whether what prompts begin with alike is computed once, which gives the same and costs less."""
        self.last_token_only = self._can_read_last_only()
        """Whether the last layer is run for the last token only, which gives the same and costs less."""

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(self.model.config.hidden_size)

    @torch.no_grad()
    def lower(self, input_ids: Tensor, *, shared: int = 0) -> Tensor:
        """Hidden states at the boundary. Never has a gradient.

        Args:
            input_ids: (B, T) token ids.
            shared: how many of the first tokens are the same in every row; these are computed once.

        Returns:
            (B, T, d).
        """
        rows, length = input_ids.shape
        shared = min(shared, length - 1)
        if rows == 1 or shared < LEAST_SHARED or not self.shares_prefix:
            return self._reach(input_ids)
        cache = DynamicCache(config=self.model.config)
        first = self._reach(input_ids[:1, :shared], cache)
        cache.batch_repeat_interleave(rows)
        rest = self._reach(input_ids[:, shared:], cache)
        return torch.cat([first.expand(rows, -1, -1), rest], dim=1)

    def _reach(self, input_ids: Tensor, cache: DynamicCache | None = None) -> Tensor:
        """Run the whole model up to the boundary, after the tokens whose keys and values a cache holds."""
        reached: list[Tensor] = []

        def stop(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            reached.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        with _hooked([(self._boundary, stop)]):
            try:
                self._body(input_ids=input_ids, past_key_values=cache, use_cache=cache is not None)
            except _Reached:
                return reached[0].detach()
        raise ConfigError("the backbone never called the layer at the boundary")

    def upper(self, hidden: Tensor) -> Tensor:
        """Hidden states after the final norm: (B, T, d) from the boundary's (B, T, d)."""
        for layer, call in zip(self.upper_layers, self.calls(hidden), strict=True):
            output = layer(hidden, *call.args, **call.kwargs)
            hidden = output[0] if isinstance(output, (tuple, list)) else output
        for module in self.tail:
            hidden = module(hidden)
        return hidden

    def upper_last(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Hidden states after the final norm at each prompt's last token.

        Args:
            hidden: (B, T, d) at the boundary, padded on the right.
            lengths: (B,) real tokens of each prompt, at least 1.

        Returns:
            (B, d).
        """
        if not self.last_token_only:
            return self.upper(hidden)[torch.arange(len(lengths), device=hidden.device), lengths - 1]
        calls = self.calls(hidden)
        for layer, call in zip(self.upper_layers[:-1], calls[:-1], strict=True):
            output = layer(hidden, *call.args, **call.kwargs)
            hidden = output[0] if isinstance(output, (tuple, list)) else output
        last = last_token(self.upper_layers[-1], calls[-1], hidden, lengths)
        for module in self.tail:
            last = module(last)
        return last

    @torch.no_grad()
    def calls(self, hidden: Tensor) -> list[LayerCall]:
        """What the whole model calls each upper layer with for prompts of this length, observed once."""
        key = (hidden.shape[1], hidden.device, torch.is_autocast_enabled(hidden.device.type))
        if key not in self._calls:
            calls: list[LayerCall] = []

            def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                others = {name: value for name, value in kwargs.items() if name != "hidden_states"}
                calls.append(LayerCall(args[1:], others))

            with _hooked([(layer, note) for layer in self.upper_layers]):
                ids = torch.zeros((1, hidden.shape[1]), dtype=torch.long, device=hidden.device)
                self._body(input_ids=ids, use_cache=False)
            self._calls[key] = calls
        return self._calls[key]

    @torch.no_grad()
    def _observe_tail(self, last_layer: nn.Module) -> list[nn.Module]:
        """Children of the body that run after its last layer, in order."""
        order: list[nn.Module] = []
        watched = [
            last_layer,
            *(child for child in self._body.children() if not isinstance(child, nn.ModuleList)),
        ]

        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG001
            order.append(module)

        with _hooked([(module, note) for module in watched]):
            self._body(input_ids=_probe(self.model), use_cache=False)
        return order[order.index(last_layer) + 1 :]

    @torch.no_grad()
    def _check(self) -> None:
        """The halves give what the whole gives, also for a prompt padded on the right."""
        ids = _probe(self.model)
        whole = self._body(input_ids=ids, use_cache=False).last_hidden_state
        halves = self.upper(self.lower(ids))
        padded = torch.cat([ids, ids[:, :3]], dim=1)
        longer = self.upper(self.lower(padded))[:, : ids.shape[1]]
        scale = float(whole.abs().max())
        worst = max(float((halves - whole).abs().max()), float((longer - whole).abs().max()))
        if not worst <= AGREEMENT * scale:
            raise ConfigError(
                f"`{self.model.config.model_type}` cannot be split after layer {self.frozen_layers}: "
                f"halves and whole differ by {worst:.1e} at a scale of {scale:.1e}",
                hint="choose a decoder-only model with causal attention, such as Llama, Qwen or GPT-2",
            )

    def _can_share_prefix(self) -> bool:
        """Whether rows with a common beginning come out as they do when each is computed whole."""
        if self.frozen_layers == 0:
            return False  # nothing is computed below the boundary
        ids = _probe(self.model).repeat(1, 8)
        if getattr(self.model.config, "max_position_embeddings", ids.shape[1]) < ids.shape[1]:
            return False  # too short a context to share a beginning worth a second pass
        ids[:, :LEAST_SHARED] = ids[0, :LEAST_SHARED]
        self.shares_prefix = False
        whole = self.lower(ids)
        self.shares_prefix = True
        try:
            halves = self.lower(ids, shared=LEAST_SHARED)
        except Exception:  # families whose layers keep other state than keys and values run whole
            return False
        return float((halves - whole).abs().max()) <= AGREEMENT * float(whole.abs().max())

    @torch.no_grad()
    def _can_read_last_only(self) -> bool:
        """Whether the last token alone comes out as it does among all, for prompts of two lengths."""
        hidden = self.lower(_probe(self.model))
        lengths = torch.tensor([hidden.shape[1], 5], device=hidden.device)
        whole = self.upper(hidden)[torch.arange(2, device=hidden.device), lengths - 1]
        self.last_token_only = True
        try:
            alone = self.upper_last(hidden, lengths)
        except Exception:  # families differ in what their layers take; those that differ too much run whole
            return False
        worst, scale = float((alone - whole).abs().max()), float(whole.abs().max())
        return worst <= AGREEMENT * scale


def _probe(model: PreTrainedModel) -> Tensor:
    """(2, 8) different token ids."""
    ids = torch.arange(16, device=model.device).reshape(2, 8) * 7
    return ids % int(model.config.vocab_size)


def _decoder_layers(body: nn.Module, count: int) -> nn.ModuleList:
    lists = [child for child in body.children() if isinstance(child, nn.ModuleList) and len(child) == count]
    if len(lists) != 1:
        raise ConfigError(
            f"`{type(body).__name__}` has no single list of {count} decoder layers",
            hint="choose a decoder-only model such as Llama, Qwen, GPT-2 or GPT-NeoX",
        )
    return lists[0]


@contextmanager
def _hooked(hooks: list[tuple[nn.Module, Callable[..., None]]]) -> Iterator[None]:
    """Call a function before each of these modules' forward passes."""
    with ExitStack() as stack:
        for module, hook in hooks:
            stack.enter_context(_removed(module.register_forward_pre_hook(hook, with_kwargs=True)))
        yield


@contextmanager
def _removed(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def padded_length(longest: int, *, limit: int) -> int:
    """`longest` rounded up to a multiple of `LENGTH_STEP`, at most `limit`."""
    return min(limit, -(-longest // LENGTH_STEP) * LENGTH_STEP)
