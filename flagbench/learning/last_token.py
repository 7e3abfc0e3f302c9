"""A decoder layer run for the last token only: keys and values of all tokens, the rest of one.

After the last layer only the last token's hidden state is read, so queries, attention, output projection
and feed-forward of all others are not needed. The layer is run twice, both times by its own code and
without knowing its family: once over all tokens until it hands keys and values to its cache, which stops
it there; then over the last token, with a cache that hands back those of all tokens.
"""

import inspect
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

CACHE_NAMES = ("past_key_values", "layer_past")
"""What transformers' decoder layers call their cache."""


class LayerCall(NamedTuple):
    """What a layer was called with besides the hidden states."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class NotSupportedError(Exception):
    """The layer cannot be run for one token; the message says why."""


class _Captured(Exception):  # noqa: N818
    """Keys and values are known; the rest of the layer is not needed."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__("keys and values")
        self.keys, self.values = keys, values


class _Stop:
    """A cache that ends the forward pass as soon as it is given keys and values."""

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> NoReturn:
        raise _Captured(keys, values)


class _Given:
    """A cache that hands back keys and values of all tokens."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        self._pair = keys, values

    def update(self, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return self._pair


def last_token(layer: nn.Module, call: LayerCall, hidden: Tensor, lengths: Tensor) -> Tensor:
    """The layer's output at each prompt's last token: (B, d).

    Args:
        layer: a decoder layer of transformers with causal attention.
        call: what the whole model calls it with for prompts of this length.
        hidden: (B, T, d) its input, padded on the right.
        lengths: (B,) real tokens of each prompt, at least 1.

    Raises:
        NotSupportedError: the layer takes no cache, or never asks it.
    """
    cache_name = _cache_name(layer)
    first, named = _named(layer, hidden, call)
    try:
        layer(**{**named, cache_name: _Stop()})
    except _Captured as captured:
        cache = _Given(captured.keys, captured.values)
    else:
        raise NotSupportedError("the layer never hands keys and values to its cache")
    rows = lengths - 1
    one = {
        **named,
        first: _at(hidden, rows),
        cache_name: cache,
        "attention_mask": _mask(named.get("attention_mask"), rows, hidden),
    }
    if named.get("position_embeddings") is not None:
        one["position_embeddings"] = tuple(_at(part, rows) for part in named["position_embeddings"])
    if named.get("position_ids") is not None:
        one["position_ids"] = rows[:, None]
    output = layer(**one)
    output = output[0] if isinstance(output, (tuple, list)) else output
    last: Tensor = output[:, 0]
    return last


def _named(layer: nn.Module, hidden: Tensor, call: LayerCall) -> tuple[str, dict[str, Any]]:
    """The name of the hidden states' parameter, and all arguments by name."""
    signature = inspect.signature(layer.forward)
    arguments = signature.bind(hidden, *call.args, **call.kwargs).arguments
    first = next(iter(arguments))
    others = [name for name in arguments if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD]
    loose = {key: value for name in others for key, value in arguments.pop(name).items()}
    return first, {**arguments, **loose}


def _cache_name(layer: nn.Module) -> str:
    found = [name for name in CACHE_NAMES if name in inspect.signature(layer.forward).parameters]
    if not found:
        raise NotSupportedError(f"the layer takes no cache by any of the names {', '.join(CACHE_NAMES)}")
    return found[0]


def _at(states: Tensor, rows: Tensor) -> Tensor:
    """(B, 1, d) of (B or 1, T, d) at one position each."""
    states = states.expand(len(rows), -1, -1)
    return states[torch.arange(len(rows), device=rows.device), rows][:, None]


def _mask(mask: Tensor | None, rows: Tensor, hidden: Tensor) -> Tensor:
    """(B, 1, 1, T), which keys the last token sees: a row of the layer's mask, else all up to itself."""
    if mask is None:
        seen = torch.arange(hidden.shape[1], device=rows.device) <= rows[:, None]
        blocked = hidden.new_zeros((len(rows), hidden.shape[1]))
        return blocked.masked_fill(~seen, torch.finfo(hidden.dtype).min)[:, None, None]
    mask = mask.expand(len(rows), -1, -1, -1)
    return mask[torch.arange(len(rows), device=rows.device), :, rows][:, :, None]
