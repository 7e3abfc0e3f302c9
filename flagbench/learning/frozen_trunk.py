"""The frozen lower half of a backbone, computed once for every beginning of a prompt.

Nothing below the boundary changes while the upper half is trained. What the lower half makes of the static
part, and of each bar's closes and text after it, is kept with the keys and values of its layers; a new
account then costs the tokens of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from flagbench.agents.prompt import Prompt
from flagbench.learning.model_parts import probe
from flagbench.learning.state_cache import FrozenStates, StateCache, piece_key

if TYPE_CHECKING:
    from flagbench.learning.split import SplitBackbone

AGREEMENT = 1e-5
"""Largest difference of hidden states between pieces and whole, relative to their scale, in float32."""


class FrozenTrunk:
    """What the lower half makes of prompts, piece by piece.

    Args:
        split: the backbone in two halves.
        cache: where pieces are kept.
    """

    def __init__(self, split: "SplitBackbone", *, cache: StateCache | None = None) -> None:
        self._split = split
        trained = {id(weight) for part in (split.upper_layers, split.tail) for weight in part.parameters()}
        self._weights = [weight for weight in split.model.parameters() if id(weight) not in trained]
        self._version = self._weights_version()
        self.cache = StateCache() if cache is None else cache
        self.shares = self._can_share()
        """Whether tokens may be run after others whose keys and values are known; else prompts run whole."""

    @torch.no_grad()
    def pieces(self, prompts: Sequence[Prompt]) -> list[tuple[Tensor, ...]]:
        """Boundary hidden states of each prompt in three pieces, (S_i, d) each; what is shared is one tensor.

        Args:
            prompts: each with at least a token in its static part, in the rest of what its bar shares, and
                in its account.
        """
        self._forget_other_weights()
        if not self.shares:
            return self._from_whole(prompts)
        bars: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            bars[tuple(prompt.tokens[: prompt.daily])].append(index)
        pieces: list[tuple[Tensor, ...]] = [()] * len(prompts)
        for indices in bars.values():
            before = self._beginning(prompts[indices[0]])
            ends = self._ends([prompts[index] for index in indices], before)
            for index, end in zip(indices, ends, strict=True):
                pieces[index] = (*(states.hidden for states in before), end)
        return pieces

    def _beginning(self, prompt: Prompt) -> list[FrozenStates]:
        """Static part and bar, computed where they are not known."""
        before: list[FrozenStates] = []
        begin = 0
        for end in (prompt.static, prompt.daily):
            key = self._key(prompt.tokens[:end])
            states = self.cache.get(key)
            if states is None:
                states = self._run(prompt.tokens[begin:end], before)
                self.cache.put(key, states)
            before.append(states)
            begin = end
        return before

    def _ends(self, prompts: Sequence[Prompt], before: Sequence[FrozenStates]) -> list[Tensor]:
        """Accounts of one bar, those that are not known in one pass."""
        keys = [self._key(prompt.tokens) for prompt in prompts]
        found = {key: self.cache.get(key) for key in dict.fromkeys(keys)}
        known = {key: states.hidden for key, states in found.items() if states is not None}
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
        if new:
            own = [torch.tensor(prompt.tokens[prompt.daily :]) for prompt in new.values()]
            ids = pad_sequence(own, batch_first=True).to(self._split.model.device)
            hidden = self._split.lower(ids, _past(before, rows=len(own)))
            for row, (key, tokens) in enumerate(zip(new, own, strict=True)):
                known[key] = hidden[row, : len(tokens)].clone()
                self.cache.put(key, FrozenStates(known[key], (), ()))
        return [known[key] for key in keys]

    def _run(self, tokens: Sequence[int], before: Sequence[FrozenStates]) -> FrozenStates:
        """A piece after others, with the keys and values that it adds."""
        past = _past(before, rows=1)
        ids = torch.tensor([tokens], device=self._split.model.device)
        hidden = self._split.lower(ids, past)[0]
        layers: list[Any] = past.layers[: self._split.frozen_layers]
        own = slice(-len(tokens), None)
        return FrozenStates(
            hidden.clone(),
            tuple(layer.keys[:, :, own].clone() for layer in layers),
            tuple(layer.values[:, :, own].clone() for layer in layers),
        )

    def _from_whole(self, prompts: Sequence[Prompt]) -> list[tuple[Tensor, ...]]:
        """Every prompt run from its beginning; what they begin with alike is one tensor all the same."""
        ids = pad_sequence([torch.tensor(prompt.tokens) for prompt in prompts], batch_first=True)
        hidden = self._split.lower(ids.to(self._split.model.device))
        pieces: list[tuple[Tensor, ...]] = []
        for row, prompt in enumerate(prompts):
            static = self._kept(prompt.tokens[: prompt.static], hidden[row, : prompt.static])
            bar = self._kept(prompt.tokens[: prompt.daily], hidden[row, prompt.static : prompt.daily])
            pieces.append((static, bar, hidden[row, prompt.daily : len(prompt.tokens)].clone()))
        return pieces

    def _kept(self, tokens: Sequence[int], hidden: Tensor) -> Tensor:
        key = self._key(tokens)
        states = self.cache.get(key)
        if states is None:
            states = FrozenStates(hidden.clone(), (), ())
            self.cache.put(key, states)
        return states.hidden

    def _key(self, tokens: Sequence[int]) -> str:
        return piece_key(tokens, device=self._split.model.device)

    def _weights_version(self) -> int:
        """Changes whenever a weight of the lower half is written to."""
        return sum(weight._version for weight in self._weights)

    def _forget_other_weights(self) -> None:
        version = self._weights_version()
        if version != self._version:
            self.cache.clear()
            self._version = version

    @torch.no_grad()
    def _can_share(self) -> bool:
        """Whether a prompt in pieces comes out as it does whole."""
        if self._split.frozen_layers == 0:
            return False  # nothing is computed below the boundary
        tokens = probe(self._split.model, rows=1, length=12)[0].tolist()
        whole = self._split.lower(torch.tensor([tokens], device=self._split.model.device))[0]
        try:
            before = [self._run(tokens[:4], [])]
            before.append(self._run(tokens[4:7], before))
            ends = self._split.lower(
                torch.tensor([tokens[7:]] * 2, device=whole.device), _past(before, rows=2)
            )
        except Exception:  # families whose layers keep other state than keys and values run whole
            return False
        pieces = torch.cat([*(states.hidden for states in before), ends[1]])
        return float((pieces - whole).abs().max()) <= AGREEMENT * float(whole.abs().max())


def _past(before: Sequence[FrozenStates], *, rows: int) -> DynamicCache:
    """Keys and values of what comes before, for so many rows."""
    if not before:
        return DynamicCache()
    joined = [
        (torch.cat(keys, dim=2).expand(rows, -1, -1, -1), torch.cat(values, dim=2).expand(rows, -1, -1, -1))
        for keys, values in zip(
            zip(*(states.keys for states in before), strict=True),
            zip(*(states.values for states in before), strict=True),
            strict=True,
        )
    ]
    return DynamicCache(ddp_cache_data=joined)
