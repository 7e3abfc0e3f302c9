"""The parts of PPO's loss, each a pure function of tensors; B is the minibatch or a part of it.

Every part is returned per sample, (B,), so that a minibatch may be split and its parts weighted by size.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class PolicyTerms(NamedTuple):
    """The clipped surrogate and how far the policy moved: (B,) each."""

    loss: Tensor
    ratio: Tensor
    clipped: Tensor  # bool


def masked_log_probabilities(logits: Tensor, masks: Tensor) -> Tensor:
    """Log-probabilities over the valid actions only; −∞ for the others.

    Args:
        logits: (B, A).
        masks: (B, A) bool, at least one valid action a row.
    """
    return torch.log_softmax(logits.masked_fill(~masks, -torch.inf), dim=-1)


def entropy(log_probabilities: Tensor) -> Tensor:
    """−Σ p·log p over the valid actions: (B,), from (B, A)."""
    finite = log_probabilities.masked_fill(log_probabilities.isneginf(), 0.0)
    return -(log_probabilities.exp() * finite).sum(dim=-1)


def kl_divergence(log_probabilities: Tensor, reference: Tensor) -> Tensor:
    """KL(π ‖ π_ref), exact over the valid actions: (B,), from (B, A) each with the same mask."""
    difference = log_probabilities - reference
    finite = difference.masked_fill(log_probabilities.isneginf(), 0.0)
    return (log_probabilities.exp() * finite).sum(dim=-1)


def policy_terms(new: Tensor, old: Tensor, advantages: Tensor, *, clip_coef: float) -> PolicyTerms:
    """−min(ρ·Â, clip(ρ, 1 − ε, 1 + ε)·Â), ρ = exp(new − old): descending on it maximises the surrogate.

    Source: Schulman et al. (2017), equation 7. The paper's equation 22 has the other sign, which would
    minimise the surrogate it defines; this is the standard one.

    Args:
        new: (B,) log-probability of the action under the policy being trained.
        old: (B,) the same when the action was taken.
        advantages: (B,).
        clip_coef: ε.
    """
    ratio = (new - old).exp()
    clipped_ratio = ratio.clamp(1 - clip_coef, 1 + clip_coef)
    loss = -torch.minimum(ratio * advantages, clipped_ratio * advantages)
    return PolicyTerms(loss, ratio, (ratio - 1).abs() > clip_coef)


def value_loss(new: Tensor, old: Tensor, targets: Tensor, *, clip_coef: float | None) -> Tensor:
    """½·(V − target)², or with clipping ½·max of it and the same for V kept within ε of the old value.

    Source: the paper's equation 20 without, its table 3 (`clip_vloss`) with clipping, as in CleanRL.

    Args:
        new: (B,) values being trained.
        old: (B,) values at rollout.
        targets: (B,) advantage plus old value.
        clip_coef: ε, or None for no clipping.
    """
    plain = (new - targets) ** 2
    if clip_coef is None:
        return 0.5 * plain
    near = old + (new - old).clamp(-clip_coef, clip_coef)
    return 0.5 * torch.maximum(plain, (near - targets) ** 2)


def normalized(advantages: Tensor) -> Tensor:
    """Zero mean, unit sample deviation over the minibatch; unchanged if it holds one sample."""
    if len(advantages) < 2:
        return advantages
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)
