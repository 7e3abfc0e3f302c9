"""Weights as one number: what was loaded, what was learnt, and whether processes agree."""

import hashlib
from collections.abc import Iterable

from torch import Tensor


def weights_sha256(weights: Iterable[tuple[str, Tensor]]) -> str:
    """Hash of named weights in float32, sorted by name."""
    digest = hashlib.sha256()
    for name, weight in sorted(weights, key=lambda named: named[0]):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()
