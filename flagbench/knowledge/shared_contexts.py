"""lm-eval's model of transformers, made to read a context once for all its choices.

lm-eval reads every choice together with its context: a context with four choices is read four times, and
all its tokens are scored over the vocabulary each time. Here a context is read once, for its keys and values
alone, and its choices follow as a tree, in which a token sees the context and what stands before it in its
own choice. Log-likelihoods are the same but for rounding. That is compared with lm-eval's own pass on real
requests, and a model for which it does not hold keeps lm-eval's pass.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import DynamicCache, PreTrainedModel

from flagbench.knowledge.choice_trees import (
    ChoiceTree,
    Request,
    batches,
    choice_trees,
    predicted,
    tree_batch,
)

Answer = tuple[float, bool]
"""Log-likelihood of a choice, and whether the model would write it greedily."""

COMPARED_CHOICES = 2
"""The longest of the longest and of the shortest context each: two choices make a tree fork, two contexts
need padding, and the longest is the first to outgrow a window of attention."""

TOLERANCE = 1e-5
"""Difference of log-likelihoods allowed for each token of a choice, in float32."""


class SharedContexts(HFLM):  # type: ignore[misc]
    """lm-eval's `HFLM`, with the choices of one context scored together; everything else is its own.

    Attributes:
        separately: why choices are read one by one, by lm-eval's own pass; None while they are read together.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.separately: str | None = None
        self._compared = 0
        # lm-eval encodes a choice with its context, then the context alone, again for each choice.
        self._encoded = lru_cache(maxsize=2)(super().tok_encode)

    def tok_encode(self, string: str, **settings: Any) -> list[int]:
        """Tokens of a text, as lm-eval encodes it."""
        return list(self._encoded(string, **settings))

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Answer]:
        """Answer requests in their order, and hand each to lm-eval's cache."""
        trees = self._trees(requests) if override_bs is None else None  # else windows of a text, not choices
        if trees is None or not self._agrees(requests, trees):
            own: list[Answer] = super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
            return own
        answers: dict[int, Answer] = {}
        for position, answer in self._answered(trees):
            answers[position] = answer
            self.cache_hook.add_partial("loglikelihood", requests[position][0], answer)
        return [answers[position] for position in range(len(requests))]

    def _trees(self, requests: list[Request]) -> list[ChoiceTree] | None:
        """None where lm-eval's own pass is to read the requests, or to refuse them."""
        if self.separately is not None or self.backend != "causal" or not isinstance(self.batch_size, int):
            return None
        if not all(context and 0 < len(choice) <= self.max_length for _, context, choice in requests):
            return None
        return choice_trees(requests, max_tokens=self.max_length)

    def _agrees(self, requests: list[Request], trees: list[ChoiceTree]) -> bool:
        """Compare with lm-eval's own pass, unless a context as long was compared already."""
        by_context = sorted(trees, key=lambda tree: len(tree.context), reverse=True)
        if not trees or len(by_context[0].context) <= self._compared:
            return True
        ends = by_context[:1] if len(trees) == 1 else [by_context[0], by_context[-1]]
        few = [
            requests[place]
            for tree in ends
            for place, _ in sorted(tree.asked, key=lambda asked: len(asked[1]))[-COMPARED_CHOICES:]
        ]
        unnoticed: list[Request] = [(None, context, choice) for _, context, choice in few]
        try:
            with self._in_float32():
                theirs = super()._loglikelihood_tokens(unnoticed, disable_tqdm=True)
                ours = dict(self._answered(choice_trees(unnoticed, max_tokens=self.max_length)))
        except Exception as error:  # a family may refuse a mask, positions or a cache in any way
            self.separately = f"cannot be read together: {error!r}"
            return False
        lengths = [len(choice) for _, _, choice in unnoticed]
        largest = max(abs(ours[i][0] - own) / lengths[i] for i, (own, _) in enumerate(theirs))
        if not largest <= TOLERANCE:  # nan is not
            self.separately = f"read together, log-likelihoods differ by {largest:.1g} a token"
            return False
        self._compared = len(by_context[0].context)
        return True

    @contextmanager
    def _in_float32(self) -> Iterator[None]:
        """A copy in place of a model of half precision, whose rounding would hide a difference."""
        model: PreTrainedModel = self.model
        try:
            if model.dtype.itemsize < torch.float32.itemsize:
                self._model = copy.deepcopy(model).float()
            yield
        finally:
            self._model = model

    def _answered(self, trees: Sequence[ChoiceTree]) -> Iterator[tuple[int, Answer]]:
        """Each request's position and answer."""
        for batch in batches(trees, prompts=self.batch_size):
            places = predicted(batch)
            scores = self._scores(batch)
            row, column, token = (indices.to(scores.device) for indices in places)
            values = scores[row, column, token].cpu()
            greedy = (scores.argmax(-1)[row, column] == token).tolist()
            begin = 0
            for position, choice in (asked for tree in batch for asked in tree.asked):
                end = begin + len(choice)
                yield position, (float(values[begin:end].sum()), all(greedy[begin:end]))
                begin = end

    @torch.no_grad()
    def _scores(self, trees: Sequence[ChoiceTree]) -> Tensor:
        """Log-probabilities of what follows each token of the trees, (B, S, vocabulary)."""
        batch = tree_batch(trees)
        contexts, tokens, positions, visible = (tensor.to(self.device) for tensor in batch)
        cache = _ContextCache(self.config.get_text_config(decoder=True).num_hidden_layers)
        if contexts.shape[1] > 0:
            # Without a mask, as lm-eval reads: padding stands behind what it could change.
            cache.fill(self.model.base_model, contexts)
        bias = torch.zeros(visible.shape, dtype=self.model.dtype, device=self.device)
        bias.masked_fill_(~visible, torch.finfo(bias.dtype).min)
        logits = self.model(
            tokens,
            attention_mask=bias[:, None],
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).logits
        return log_softmax(logits, dim=-1, dtype=self.softmax_dtype)


class _Filled(Exception):  # noqa: N818 (no error)
    """The last layer's keys and values are there; nothing else of the pass is needed."""


class _ContextCache(DynamicCache):
    """Keys and values of contexts, whole also where attention has a window."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self._last = layers - 1
        self._filling = False

    def fill(self, model: torch.nn.Module, tokens: Tensor) -> None:
        """Read tokens, (B, L), no further than needed."""
        self._filling = True
        try:
            model(tokens, past_key_values=self, use_cache=True)
        except _Filled:
            pass
        finally:
            self._filling = False

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append a layer's keys and values, and return all of that layer."""
        states = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        if self._filling and layer_idx == self._last:
            raise _Filled
        return states
