"""Hyper-parameters of one optimiser step of Q-learning, each with its source."""

from typing import Annotated, Literal

from pydantic import Field

from flagbench.learning.ppo_params import Count, Positive
from flagbench.settings import Settings

LossName = Literal["huber", "squared"]


class QParams(Settings):
    """How a network of action values is moved towards its targets."""

    learning_rate: Positive = 1e-3
    """Not stated for so short a budget; FLAG's in `standard`. CleanRL: 2.5e-4 for 500,000 steps."""
    double: bool = True
    """The online network chooses the next action, the target network values it. Van Hasselt et al. (2016)."""
    target_every: Count = 50
    """Optimiser steps between updates of the target network. CleanRL: 500 steps, one optimiser step in 10."""
    tau: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How far the target network then moves; 1 copies. CleanRL."""
    loss: LossName = "huber"
    """The error clipping of Mnih et al. (2015); CleanRL's is squared. Rewards have spikes."""
    max_grad_norm: Positive = 10.0
    """Wang et al. (2016), section 4.2."""
    adam_eps: Positive = 1e-8
    """torch's, which CleanRL keeps."""
