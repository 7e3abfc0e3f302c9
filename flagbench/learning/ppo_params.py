"""PPO's hyper-parameters and the two sets of them that ship, each with its source.

`paper` is table 3 of arXiv 2502.11433. `standard` is what learnt a planted signal from text where `paper`
did not; docs/method.md has the figures. The table's total_timesteps, num_envs and
gradient_accumulation_steps are the protocol's `setup`; its float16 is `mixed_precision`; its dropout of 0
is how every backbone is run.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from flagbench.settings import Settings, parse

Preset = Literal["standard", "paper"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


class PPOParams(Settings):
    """Hyper-parameters of one PPO training. Defaults here are the same in both presets."""

    num_steps: Count = 40
    """Steps of each environment between updates. Paper, table 3."""
    learning_rate: Positive
    anneal_lr: bool = True
    """Linearly to 0 over the iterations. Paper, table 3."""
    gamma: Share
    gae_lambda: Share = 0.98
    """Paper, table 3."""
    update_epochs: Count
    minibatch_size: Count
    """Samples of one process in one optimiser step."""
    shuffle: Literal["samples", "bars"] = "samples"
    """What is put in random order for an epoch's minibatches. `samples`: every step of every environment by
    itself, as CleanRL. `bars`: whole steps, so that the samples of a bar, whose prompts begin alike, mostly
    share a minibatch. Its gradient is exact, but other samples stand in it. Ours, for speed: docs/method.md.
    """
    norm_adv: bool = True
    """Advantages of a minibatch to mean 0, deviation 1. Paper, table 3."""
    clip_coef: Positive = 0.2
    """Paper, table 3."""
    clip_vloss: bool = True
    """Paper, table 3; its equation 20 has no clipping."""
    ent_coef: NotNegative = 0.05
    """Paper, table 3."""
    vf_coef: NotNegative = 0.5
    """Paper, table 3."""
    kl_coef: NotNegative
    """Weight of KL(π ‖ π at the start), which is nearly uniform: in effect a second entropy bonus."""
    max_grad_norm: Positive = 0.5
    """Paper, table 3."""
    target_kl: Positive | None = None
    """Stop an iteration's epochs once the mean approximate KL exceeds this. Paper, table 3: none."""
    max_episode_steps: Count | None
    """Truncate episodes after so many steps; None for the whole window."""
    adam_eps: Positive = 1e-5
    """Not stated; CleanRL's. The optimiser is AdamW, which the paper does not name."""
    weight_decay: NotNegative = 0.0
    """Not stated; none, so that training moves only what the loss moves."""


PRESETS: Mapping[Preset, PPOParams] = {
    "paper": PPOParams(
        learning_rate=5e-4,  # table 3
        gamma=0.95,  # table 3
        update_epochs=1,  # table 3
        minibatch_size=32,  # table 3
        kl_coef=0.05,  # table 3; absent from the paper's loss
        max_episode_steps=65,  # table 3
    ),
    "standard": PPOParams(
        learning_rate=1e-3,  # prototypes on a planted signal
        gamma=0.5,  # an order pays within two bars; 0.95 · 0.98 smears credit over fourteen
        update_epochs=4,  # real optimiser steps mattered most
        minibatch_size=64,  # five steps an epoch with 8 environments of 40 steps
        kl_coef=0.0,  # the entropy bonus does the same
        max_episode_steps=None,  # the whole training window
    ),
}


def ppo_params(preset: Preset, changes: Mapping[str, Any]) -> PPOParams:
    """A preset with changes.

    Raises:
        ConfigError: a change that names no hyper-parameter or has a value that is not allowed.
    """
    return parse(PPOParams, {**PRESETS[preset].model_dump(), **changes}, origin="--set ppo")
