"""What a causal language model makes of a prompt: how likely words are, and what it writes itself."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from flagbench.errors import ConfigError


@torch.no_grad()
def continuation_log_probs(
    model: PreTrainedModel, prompt: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """Log-probability of each continuation of one prompt: the sum over its tokens, in nats.

    All are computed in one batch. The last token of a continuation is never read, so words of one token
    cost one row together.

    Args:
        model: a causal language model.
        prompt: token ids.
        continuations: token ids, at least one each.
    """
    beginnings = list(dict.fromkeys(tuple(tokens[:-1]) for tokens in continuations))
    longest = max(len(tokens) for tokens in beginnings)
    # Under a causal mask no token sees the padding behind it, whatever stands there.
    rows = [[*prompt, *tokens, *[prompt[-1]] * (longest - len(tokens))] for tokens in beginnings]
    ids = torch.tensor(rows, device=model.device)
    log_probs = torch.log_softmax(_logits(model, ids, last=longest + 1), dim=-1)
    return [
        float(
            sum(log_probs[beginnings.index(tuple(tokens[:-1])), at, token] for at, token in enumerate(tokens))
        )
        for tokens in continuations
    ]


@torch.no_grad()
def greedy_continuation(
    model: PreTrainedModel,
    prompt: Sequence[int],
    *,
    max_tokens: int,
    ends: frozenset[int],
    is_finished: Callable[[list[int]], bool],
) -> list[int]:
    """What the model writes behind a prompt, always the likeliest token.

    The model's own generation settings, such as a repetition penalty, are left aside.

    Args:
        model: a causal language model.
        prompt: token ids.
        max_tokens: the most that are written.
        ends: tokens that end it, which are not part of it.
        is_finished: told all tokens so far; whether they are enough.
    """
    cache = DynamicCache(config=model.config)
    written: list[int] = []
    unread = torch.tensor([list(prompt)], device=model.device)
    while len(written) < max_tokens:
        token = int(_logits(model, unread, last=1, past_key_values=cache, use_cache=True)[0, -1].argmax())
        if token in ends:
            break
        written.append(token)
        if is_finished(written):
            break
        unread = torch.tensor([[token]], device=model.device)
    return written


def end_tokens(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    """Tokens with which a model ends what it writes."""
    named = getattr(model.generation_config, "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return frozenset(token for token in (*several, tokenizer.eos_token_id) if token is not None)


def _logits(model: PreTrainedModel, ids: Tensor, *, last: int, **kwargs: Any) -> Tensor:
    """(B, last, V) in float32, of the last positions alone where the model can be told so."""
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        kwargs["logits_to_keep"] = last
    logits: Tensor = model(input_ids=ids, **{"use_cache": False, **kwargs}).logits[:, -last:].float()
    if not torch.isfinite(logits).all():
        raise ConfigError(
            f"`{model.config.model_type}` gives no finite logits", hint="are its weights whole?"
        )
    return logits
