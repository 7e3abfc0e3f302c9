"""How much a backward pass keeps, and so into how many parts a minibatch is split."""

from typing import Any

import torch

LIMIT = {"cpu": 1 << 30, "cuda": 8 << 30}
"""Bytes; ours. With SmolLM2-135M, its optimiser's state and a full cache of frozen states a training of top 6
layers then stays under 4 GiB on a CPU, at any length of prompt and size of minibatch."""

BYTES = 4
"""Of a number in float32."""


def parts_within_limit(tokens: int, *, layers: int, config: Any, device: torch.device) -> int:
    """Into how many parts tokens are split so that each part's backward pass keeps no more than the limit.

    A decoder layer keeps about twelve vectors of the hidden size a token (two norms, queries, keys and values
    before and after rotation, attention, two residuals) and four of the feed-forward's inner size.

    Args:
        tokens: that go through the trained layers.
        layers: that are trained.
        config: the model's, with `hidden_size` and, where it has one, `intermediate_size`.
        device: of the model.
    """
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", None) or 4 * width)
    kept = tokens * layers * BYTES * (12 * width + 4 * inner)
    limit = LIMIT.get(device.type, LIMIT["cpu"])
    return max(1, -(-kept // limit))
