"""FLAG as it is, and the straightforward way: a plain transformers forward of every token with logits.

Trainer, environments, prompts and heads are FLAG's own in both. Only what runs the backbone differs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.practised_envs import HISTORY, practised_envs
from flagbench.agents.prompt import Prompt
from flagbench.agents.training import MakeEnvs, Setup, training_envs
from flagbench.flag.agent import FlagAgent, Parts
from flagbench.flag.network import FlagNet
from flagbench.learning.plain_backbone import PlainBackbone
from flagbench.learning.ppo import PPOTrainer
from flagbench.learning.rollout_buffer import flattened
from flagbench.learning.split import SplitBackbone
from flagbench.learning.start import start
from flagbench.market.asset import load_asset
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.records.training_log import Silent
from flagbench.trading.protocol import load_protocol
from flagbench.trading.vector_environment import unstack

SEED = 0
LOGIT_AGREEMENT = 1e-6
"""Largest difference of logits, in float32."""
RELATIVE_AGREEMENT = 5e-6
"""Largest difference of values by the largest value, and of gradients by the largest gradient."""


class LogitsBackbone(PlainBackbone):
    """The whole causal language model as transformers runs it: logits of every token, then the last state."""

    def states(self, input_ids: Tensor) -> Tensor:
        """Hidden states after the final norm: (B, T, d)."""
        output = self.model(input_ids=input_ids, use_cache=False, output_hidden_states=True)
        hidden: Tensor = output.hidden_states[-1]
        return hidden


class PlainFlag(FlagAgent):
    """FLAG that runs everything, every time."""

    def _build(self, seed: int) -> Parts:
        parts = super()._build(seed)
        halves = LogitsBackbone(parts.backbone.model, trained_layers=len(parts.halves.upper_layers))
        net = FlagNet(halves, head_width=self.params["head_width"])
        net.load_state_dict(parts.net.state_dict())
        return parts._replace(halves=halves, net=net)


class Workload(NamedTuple):
    """What is trained on."""

    bars: int
    """Of the training window that are learnt on."""
    env_steps: int
    num_envs: int
    params: dict[str, Any]
    """Of the agent."""
    lookback: int | None = None
    """Bars that a prompt shows; the protocol's own unless given."""
    practised: bool = False
    """Whether episodes begin with a history, as they have it from their eleventh bar on."""

    def make_envs(self) -> MakeEnvs:
        """Environments over a replica of TSLA with news, which this project draws."""
        bars = self.bars + (HISTORY if self.practised else 0)
        market = make_replica(load_asset("TSLA"), ReplicaSpec(signal=0.9, train=bars, test=4))
        protocol = load_protocol("standard")
        if self.lookback is not None:
            protocol = protocol.model_copy(update={"lookback": self.lookback})
        train = market.asset.windows.train
        make = practised_envs if self.practised else training_envs
        return make(market.until(train), protocol, train)

    @property
    def setup(self) -> Setup:
        """The budget, in float32."""
        return Setup(env_steps=self.env_steps, num_envs=self.num_envs, mixed_precision="no")


class Training:
    """One training that can be run again and again from the same start.

    Args:
        agent: built here, with weights of `SEED`.
        workload: what it is trained on.
    """

    def __init__(self, agent: FlagAgent, workload: Workload) -> None:
        self.agent, self._workload = agent, workload
        self._make_envs = workload.make_envs()
        agent._parts = agent._build(SEED)
        self._start = {name: weight.detach().clone() for name, weight in self.trained()}

    def trained(self) -> list[tuple[str, Tensor]]:
        """Trained weights by name."""
        return [(name, weight) for name, weight in self.agent.net.named_parameters() if weight.requires_grad]

    def run(self) -> dict[str, Any]:
        """Train once; nothing is known from before."""
        self.reset()
        return self._trainer().train()

    def update(self) -> Callable[[], object]:
        """The optimiser steps of one iteration, to be called again and again on the same rollout."""
        trainer = self._trainer()
        trainer._observations = unstack(trainer._envs.reset()[0])
        params = self.agent._ppo
        rollout, _ = trainer._collect(params.num_steps)
        samples = flattened(rollout, gamma=params.gamma, gae_lambda=params.gae_lambda)
        return lambda: trainer._update(samples)

    def _trainer(self) -> PPOTrainer:
        return PPOTrainer(
            self.agent,
            self._make_envs,
            self.agent._ppo,
            setup=self._workload.setup,
            seed=SEED,
            accelerator=start(self._workload.setup, seed=SEED),
            monitor=Silent(),
        )

    def reset(self) -> None:
        """First weights, empty cache."""
        with torch.no_grad():
            for name, weight in self.trained():
                weight.copy_(self._start[name])
        halves = self.agent._ready().halves
        if isinstance(halves, SplitBackbone):
            halves.trunk.cache.clear()

    def prompts(self) -> list[Prompt]:
        """Prompts of all environments at the first bars of the training window."""
        envs = self._make_envs(self._workload.num_envs)
        batch, _ = envs.reset()
        prompts = []
        for _ in range(min(3, self._workload.bars - 2)):
            prompts += [self.agent._ready().writer.write(observation) for observation in unstack(batch)]
            batch, *_ = envs.step(batch["mask"].argmax(1))
        return prompts

    def outcome(self, prompts: list[Prompt]) -> tuple[Tensor, list[Tensor]]:
        """Logits and values (B, 4) of prompts, and the gradients of their sum along one direction."""
        halves = self.agent._ready().halves
        logits, values = self.agent.net(*halves.collate(halves.features(prompts)))
        both = torch.cat([logits, values[:, None]], dim=1)
        along = (both @ torch.tensor([-1.0, 0.25, 1.0, 0.5])).sum()
        weights = [weight for _, weight in self.trained()]
        return both.detach(), list(torch.autograd.grad(along, weights))


def agree(ours: Training, theirs: Training) -> str:
    """Compare logits, values and gradients of both at the start, and say how close they are."""
    ours.reset()
    theirs.reset()
    prompts = ours.prompts()
    (our_outputs, our_gradients), (outputs, gradients) = ours.outcome(prompts), theirs.outcome(prompts)
    difference = (our_outputs - outputs).abs()
    logits, values = float(difference[:, :3].max()), relative(our_outputs[:, 3], outputs[:, 3])
    gradient = relative(
        torch.cat([g.flatten() for g in our_gradients]), torch.cat([g.flatten() for g in gradients])
    )
    tokens = sum(len(prompt.tokens) for prompt in prompts) / len(prompts)
    said = (
        f"{len(prompts)} prompts of {tokens:.0f} tokens: logits within {logits:.1e}, "
        f"values within {values:.1e} and gradients within {gradient:.1e} of the largest"
    )
    if not (logits <= LOGIT_AGREEMENT and max(values, gradient) <= RELATIVE_AGREEMENT):
        raise AssertionError(said)
    return said


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference by the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
