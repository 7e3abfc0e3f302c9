"""FLAG's trainer on numbers: the same PPO with a small network in the language model's place.

Source: Schulman et al. (2017), as `flagbench.learning.ppo` has it, with the two networks of CleanRL's
`ppo.py`. It is made for one question, what the language model adds: trainer, presets, masks, rewards and
budget are FLAG's; only what is seen and what learns from it differ. Departures from CleanRL: those of that
trainer.

Importing this module loads no torch; building the agent does not either.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from flagbench.agents.agent import Briefing
from flagbench.agents.training import MakeEnvs, Setup, TrainingMonitor
from flagbench.errors import AgentError
from flagbench.learning.numeric_features import feature_count, lookback_of, numeric_features
from flagbench.learning.ppo_params import Count, Preset, ppo_params
from flagbench.trading.observation import Observation
from flagbench.trading.vector_environment import stack

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from flagbench.learning.numeric_networks import PolicyValueNetwork

Hidden = Annotated[tuple[Count, ...], Field(min_length=1)]


class MLPPPO:
    """The most likely valid action of a policy trained by PPO on numeric features.

    Args:
        preset: hyper-parameters to begin with, FLAG's; the protocol's own unless given.
        ppo: changes to the preset, `--set ppo.learning_rate=1e-4`.
        hidden: widths of the hidden layers of the policy and of the value. CleanRL's.
        checkpoint_rule: which weights are kept, as FLAG's.
    """

    def __init__(
        self,
        *,
        preset: Preset = "standard",
        ppo: dict[str, Any] | None = None,
        hidden: Hidden = (64, 64),
        checkpoint_rule: Literal["last", "best_train_return"] = "last",
    ) -> None:
        self._ppo = ppo_params(preset, ppo or {})
        self._hidden = tuple(hidden)
        self._params: dict[str, Any] = {
            "preset": preset,
            "ppo": self._ppo.model_dump(),
            "hidden": list(hidden),
            "checkpoint_rule": checkpoint_rule,
        }
        self._lookback = 0
        self._network: PolicyValueNetwork | None = None

    @classmethod
    def defaults(cls, briefing: Briefing) -> Mapping[str, Any]:
        """The protocol's preset."""
        return {"preset": briefing.preset}

    @property
    def params(self) -> Mapping[str, Any]:
        """All params, the hyper-parameters of the preset filled in."""
        return self._params

    @property
    def net(self) -> "PolicyValueNetwork":
        """The trained part, which is all of it.

        Raises:
            AgentError: there is none yet.
        """
        if self._network is None:
            raise AgentError("MLP-PPO was asked to act before it was trained or loaded")
        return self._network

    def train(
        self,
        make_envs: MakeEnvs,
        *,
        setup: Setup,
        seed: int,
        accelerator: "Accelerator",
        monitor: TrainingMonitor,
    ) -> dict[str, Any]:
        """Train policy and value with FLAG's PPO."""
        from accelerate.utils import set_seed

        from flagbench.learning.ppo import PPOTrainer

        self._lookback = lookback_of(make_envs(1))
        set_seed(seed)  # the networks begin alike whatever was drawn before
        self._network = self._build()
        self._network.to(accelerator.device)
        trainer = PPOTrainer(
            self,
            make_envs,
            self._ppo,
            setup=setup,
            seed=seed,
            accelerator=accelerator,
            monitor=monitor,
            checkpoint_rule=self._params["checkpoint_rule"],
        )
        summary = trainer.train()
        return {**summary, "weights": {"trained": sum(weight.numel() for weight in self.net.parameters())}}

    def features(self, observations: Sequence[Observation]) -> "list[Tensor]":
        """Numeric features, (F,) an observation, where the network is."""
        import torch

        device = next(self.net.parameters()).device
        return list(torch.from_numpy(numeric_features(stack(list(observations)))).to(device))

    def collate(self, features: "Sequence[Tensor]") -> "tuple[Tensor, ...]":
        """Features of B observations, (B, F)."""
        import torch

        return (torch.stack(list(features)),)

    def parts(self, features: "Sequence[Tensor]") -> int:  # noqa: ARG002
        """One: a minibatch of numbers fits into memory."""
        return 1

    def reset(self, seed: int) -> None:
        """Nothing to forget, and nothing left to chance: actions are greedy."""

    def act(self, observation: Observation) -> int:
        """The most likely valid action.

        Raises:
            AgentError: the agent was neither trained nor loaded, or with another lookback.
        """
        import torch

        from flagbench.learning.numeric_networks import greedy

        net, seen = self.net, len(observation["window"])
        if seen != self._lookback:
            raise AgentError(f"MLP-PPO learnt from {self._lookback} bars and was shown {seen}")
        with torch.no_grad():
            logits, _ = net(*self.collate(self.features([observation])))
        return int(greedy(logits.cpu(), torch.from_numpy(observation["mask"])[None])[0])

    def save(self, folder: Path) -> None:
        """Write the networks as `trained.safetensors` and the params as `agent.json`."""
        from flagbench.learning.checkpoint import save_checkpoint

        save_checkpoint(folder, self.net, self._params, lookback=self._lookback)

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote, into an agent built with the same params.

        Raises:
            RecordError: the folder's params or weights are not this agent's.
        """
        from flagbench.learning.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(folder, self._params, agent="MLP-PPO")
        self._lookback = checkpoint.lookback
        self._network = self._build()
        checkpoint.into(self._network)

    def _build(self) -> "PolicyValueNetwork":
        from flagbench.learning.numeric_networks import PolicyValueNetwork

        return PolicyValueNetwork(feature_count(self._lookback), self._hidden)
