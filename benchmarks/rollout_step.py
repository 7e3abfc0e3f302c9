"""What a rollout step of FLAG costs besides its backbone: environment, prompt, tokens, heads, bookkeeping."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.interleaving import Contest, Row
from benchmarks.plain_flag import Training, Workload
from flagbench.agents.prompt import Prompt
from flagbench.flag.agent import FlagAgent, Parts
from flagbench.flag.network import FlagNet
from flagbench.learning.plain_backbone import PlainBackbone
from flagbench.trading.observation import Observation
from flagbench.trading.vector_environment import unstack

FEWEST_TOKENS = 256


class NoBackbone(PlainBackbone):
    """Hands the heads the same hidden state for every prompt."""

    def features(self, prompts: Sequence[Prompt]) -> list[tuple[Tensor, ...]]:
        """One hidden state a prompt."""
        return [(torch.ones(self.width),) for _ in prompts]

    def collate(self, features: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Hidden states (B, d)."""
        return (torch.stack([states for (states,) in features]),)

    def last_hidden(self, states: Tensor) -> Tensor:  # type: ignore[override]
        """The same."""
        return states


class HeadsOnly(FlagAgent):
    """FLAG with everything but its backbone; keeps the prompts that it writes."""

    def _build(self, seed: int) -> Parts:
        parts = super()._build(seed)
        halves = NoBackbone(parts.backbone.model, trained_layers=1)
        self.written: list[Prompt] = []
        return parts._replace(halves=halves, net=FlagNet(halves, head_width=self.params["head_width"]))

    def features(self, observations: Sequence[Observation]) -> list[tuple[Tensor, ...]]:
        """Prompts are written, and not read."""
        parts = self._ready()
        prompts = [parts.writer.write(observation) for observation in observations]
        self.written += prompts
        return parts.halves.features(prompts)


def contest(full: bool) -> Contest:
    """Steps of one environment without the backbone, and the backbone's plain forward of the same prompts."""
    steps = 40 if full else 5
    params: dict[str, Any] = {"prompt": "news", "ppo": {"num_steps": steps}}
    agent = HeadsOnly(**params)
    training = Training(agent, Workload(bars=60, env_steps=steps, num_envs=1, params=params))
    trainer = training._trainer()

    def roll() -> None:
        trainer._observations = unstack(trainer._envs.reset()[0])
        agent.written.clear()
        agent._ready().writer._cached.cache_clear()
        trainer._collect(steps)

    roll()
    model = agent._ready().backbone.model.base_model
    prompts = [torch.tensor([prompt.tokens]) for prompt in agent.written]

    @torch.no_grad()
    def read() -> None:
        for ids in prompts:
            model(input_ids=ids, use_cache=False)

    def agree() -> str:
        lengths = [ids.shape[1] for ids in prompts]
        if min(lengths) < FEWEST_TOKENS:
            raise AssertionError(f"a prompt of {min(lengths)} tokens")
        return f"{len(lengths)} prompts of {min(lengths)} to {max(lengths)} tokens are written and read"

    return Contest(roll, read, agree)


ROWS = (
    Row(
        "flag-overhead",
        "all but the backbone in a rollout step of FLAG, embedded backbone, 1 environment",
        "the backbone's plain forward of the same prompt",
        5.0,
        contest,
        rounds=9,
    ),
)
