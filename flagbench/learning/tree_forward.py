"""Decoder layers run over a tree of prompts: what prompts share is computed once, and the end of each last.

A layer runs level by level. A piece's tokens see themselves and, through keys and values that the layer
handed to its cache, all tokens of the pieces that it goes on from. After the last layer only each prompt's
last token is read, so that layer's queries, attention and feed-forward run for one token a prompt. Layers
are called by their own code and without knowing their family: all that changes is what they are called with.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from flagbench.learning.prompt_tree import PromptTree

CACHE_NAMES = ("past_key_values", "layer_past")
"""What transformers' decoder layers call their cache."""

NEVER = "the layer never hands keys and values to its cache"


class LayerCall(NamedTuple):
    """How the whole model calls one of its layers, by name."""

    hidden_name: str
    """Of the parameter that takes the hidden states."""
    cache_name: str | None
    """Of the one that takes the cache; None where the layer takes none."""
    named: dict[str, Any]
    """All other arguments."""


def layer_call(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LayerCall:
    """A call that was observed, its arguments by name."""
    signature = inspect.signature(layer.forward)
    named = signature.bind(*args, **kwargs).arguments
    hidden_name = next(iter(named))
    others = [name for name in named if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD]
    loose = {key: value for name in others for key, value in named.pop(name).items()}
    named.pop(hidden_name)
    cache_name = next((name for name in CACHE_NAMES if name in signature.parameters), None)
    return LayerCall(hidden_name, cache_name, {**named, **loose})


class NotSupportedError(Exception):
    """The layer cannot be run over a tree; the message says why."""


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
    """A cache that hands back keys and values of all tokens, whatever it is given."""

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory

    def update(self, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return self._memory


class _Growing:
    """A cache that begins with what came before and keeps all it is given."""

    def __init__(self, before: "Memory | None") -> None:
        self.memory: Memory | None = before

    def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        self.memory = _longer(self.memory, keys, values)
        return self.memory


class Memory(NamedTuple):
    """Keys and values of a piece and of all before it: (R, heads, tokens, head width) each."""

    keys: Tensor
    values: Tensor


class Sight(NamedTuple):
    """Where the tokens of a level stand and which tokens they see."""

    positions: Tensor
    """(R, S) of the level's own tokens."""
    key_positions: Tensor
    """(R, K) of the tokens before them and of their own."""
    is_real: Tensor
    """(R, K) bool, false for padding."""

    def allowed(self) -> Tensor:
        """(R, S, K) bool: real tokens that do not come later."""
        return self.is_real[:, None] & (self.key_positions[:, None] <= self.positions[:, :, None])

    def at(self, rows: Tensor) -> "Sight":
        """The same for one of each piece's own tokens, rows (R,)."""
        return self._replace(positions=self.positions.gather(1, rows[:, None]))


class _Arguments:
    """What a layer is called with for the tokens of a level instead of for one prompt from its beginning.

    Layers of a model are called with the same masks and position embeddings, so each is made once.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], Any] = {}

    def of(self, call: LayerCall, sight: Sight) -> dict[str, Any]:
        """The arguments by name, hidden states and cache left out."""
        named = dict(call.named)
        if "attention_mask" in named:
            named["attention_mask"] = self._once(_mask, named["attention_mask"], sight)
        if named.get("position_embeddings") is not None:
            named["position_embeddings"] = self._once(_embeddings, named["position_embeddings"], sight)
        if named.get("position_ids") is not None:
            named["position_ids"] = sight.positions
        return named

    def _once(self, make: Callable[[Any, Sight], Any], observed: Any, sight: Sight) -> Any:
        key = id(observed), id(sight)
        if key not in self._made:
            self._made[key] = make(observed, sight)
        return self._made[key]


def last_states(layers: Sequence[nn.Module], calls: Sequence[LayerCall], tree: PromptTree) -> Tensor:
    """What the layers put out at each prompt's last token: (B, d).

    Args:
        layers: consecutive decoder layers of transformers with causal attention.
        calls: how the whole model calls each, for one prompt as long as the longest or longer.
        tree: hidden states before the first of the layers.

    Raises:
        NotSupportedError: a layer takes no cache, or never asks it.
    """
    way = _TreePass(tree)
    hidden = [level.hidden for level in tree.levels]
    for layer, call in zip(layers[:-1], calls[:-1], strict=True):
        hidden = way.through(layer, call, hidden)
    return way.last_tokens(layers[-1], calls[-1], hidden)


class _TreePass:
    """One forward pass over a tree."""

    def __init__(self, tree: PromptTree) -> None:
        self._levels = tree.levels
        self._sights = _sights(tree)
        self._arguments = _Arguments()

    def through(self, layer: nn.Module, call: LayerCall, hidden: Sequence[Tensor]) -> list[Tensor]:
        """All tokens of every level, (R, S, d) each, after one layer."""
        outputs: list[Tensor] = []
        memory: Memory | None = None
        for states, level, sight in zip(hidden, self._levels, self._sights, strict=True):
            cache = _Growing(_gathered(memory, level.parents))
            outputs.append(_run(layer, call, states, self._arguments.of(call, sight), cache))
            memory = cache.memory
            if memory is None:
                raise NotSupportedError(NEVER)
        return outputs

    def last_tokens(self, layer: nn.Module, call: LayerCall, hidden: Sequence[Tensor]) -> Tensor:
        """Each prompt's last token after one layer: keys and values of all tokens, the rest of one."""
        memory: Memory | None = None
        for states, level, sight in zip(hidden, self._levels, self._sights, strict=True):
            try:
                _run(layer, call, states, self._arguments.of(call, sight), _Stop())
            except _Captured as captured:
                memory = _longer(_gathered(memory, level.parents), captured.keys, captured.values)
        if memory is None:
            raise NotSupportedError(NEVER)
        rows = self._levels[-1].lengths - 1
        last = hidden[-1][torch.arange(len(rows), device=rows.device), rows][:, None]
        arguments = self._arguments.of(call, self._sights[-1].at(rows))
        return _run(layer, call, last, arguments, _Given(memory))[:, 0]


def _run(layer: nn.Module, call: LayerCall, hidden: Tensor, named: dict[str, Any], cache: object) -> Tensor:
    if call.cache_name is None:
        raise NotSupportedError(f"the layer takes no cache by any of the names {', '.join(CACHE_NAMES)}")
    output = layer(**{**named, call.hidden_name: hidden, call.cache_name: cache})
    states: Tensor = output[0] if isinstance(output, (tuple, list)) else output
    return states


def _sights(tree: PromptTree) -> list[Sight]:
    first, *others = tree.levels
    own = torch.arange(first.hidden.shape[1], device=first.hidden.device)
    positions, ends = own.expand(len(first.lengths), -1), first.lengths
    sights = [Sight(positions, positions, own < ends[:, None])]
    for level in others:
        own = torch.arange(level.hidden.shape[1], device=level.hidden.device)
        begin, before = ends[level.parents], sights[-1]
        positions, ends = begin[:, None] + own, begin + level.lengths
        sights.append(
            Sight(
                positions,
                torch.cat([before.key_positions[level.parents], positions], dim=1),
                torch.cat([before.is_real[level.parents], own < level.lengths[:, None]], dim=1),
            )
        )
    return sights


def _embeddings(observed: tuple[Tensor, ...], sight: Sight) -> tuple[Tensor, ...]:
    """Position embeddings (R, S, …) of a level's tokens, from those of one prompt, (1, L, …)."""
    return tuple(part[0][_within(sight.positions, part.shape[1])] for part in observed)


def _mask(observed: Tensor | None, sight: Sight) -> Tensor | None:
    """(R, 1, S, K) from the layer's mask for one prompt, (1, 1, L, L), or None where it is plainly causal."""
    if observed is None:
        return None if sight.positions is sight.key_positions else sight.allowed()[:, None]
    rows = _within(sight.positions, observed.shape[-2])[:, :, None]
    columns = _within(sight.key_positions, observed.shape[-1])[:, None]
    seen, allowed = observed[0, 0][rows, columns][:, None], sight.allowed()[:, None]
    if seen.dtype == torch.bool:
        return allowed & seen
    return seen.masked_fill(~allowed, torch.finfo(seen.dtype).min)


def _within(positions: Tensor, count: int) -> Tensor:
    """Positions of padding may lie beyond what the model was called with; what stands there is not read."""
    return positions.clamp(max=count - 1)


def _gathered(memory: Memory | None, parents: Tensor) -> Memory | None:
    """Keys and values of each piece's parent."""
    if memory is None:
        return None
    if len(memory.keys) == 1:
        return Memory(*(part.expand(len(parents), -1, -1, -1) for part in memory))
    return Memory(*(part.index_select(0, parents) for part in memory))


def _longer(before: Memory | None, keys: Tensor, values: Tensor) -> Memory:
    if before is None:
        return Memory(keys, values)
    return Memory(torch.cat([before.keys, keys], dim=2), torch.cat([before.values, values], dim=2))
