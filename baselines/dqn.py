"""DQN on numbers: learns what each action is worth, from prices and the account and no text.

Source: Mnih et al. (2015), with double Q-learning (van Hasselt et al., 2016), dueling networks (Wang et al.,
2016) and n-step returns (Sutton, 1988; Hessel et al., 2018), each of which can be switched off; in the order
of CleanRL's `dqn.py`.

Departures from CleanRL: many environments in step; episodes end by truncation and bootstrap from their last
observation; invalid actions are neither taken nor bootstrapped from; warm-up is a share of the budget; the
loss is Huber's and gradients are clipped; in several processes each fills a replay buffer of its own and
gradients are averaged; alone on a CPU in float32 they are written out instead of autograd's
(`flagbench.learning.q_learner`). Departure from other agents: a minibatch is small and never split.

Importing this module loads no torch; building the agent does not either.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from flagbench.agents.agent import Briefing
from flagbench.agents.training import MakeEnvs, Setup, TrainingMonitor
from flagbench.errors import AgentError
from flagbench.learning.numeric_features import feature_count, lookback_of, numeric_features
from flagbench.learning.ppo_params import Count, Preset, Share
from flagbench.learning.q_params import QParams
from flagbench.settings import parse
from flagbench.trading.observation import Float32Array, Observation
from flagbench.trading.portfolio import IntArray
from flagbench.trading.vector_environment import Batch, VectorTradingEnv, stack

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from flagbench.learning.numeric_networks import QNetwork

LOG_EVERY = 40
"""Steps of each environment between two lines of `train.jsonl`; as many as in an iteration of FLAG."""


# Params


class DQNParams(QParams):
    """Hyper-parameters of one DQN training. Defaults here are the same in both presets."""

    gamma: Share
    """The task's, as FLAG has it in the same preset."""
    max_episode_steps: Count | None
    """Truncate episodes after so many steps; None for the whole window. As FLAG has it in the same preset."""
    n_step: Count = 3
    """Rewards in a target; 1 for plain Q-learning. Hessel et al. (2018), table 1."""
    dueling: bool = True
    """The network splits into value and advantages. Wang et al. (2016)."""
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    """Widths of the hidden layers. stable-baselines3's; CleanRL has 120 and 84."""
    buffer_size: Count = 10_000
    """Transitions that each process keeps. CleanRL; here more than the budget, so nothing is forgotten."""
    batch_size: Count = 128
    """Transitions of one process in one optimiser step. CleanRL."""
    train_frequency: Count = 4
    """Environment steps of one process to an optimiser step. Mnih et al. (2015), table 1."""
    warm_up: Share = 0.02
    """Share of the budget before the first optimiser step. CleanRL: 10,000 of 500,000."""
    start_epsilon: Share = 1.0
    """Chance of a random valid action at the start. Mnih et al. (2015), table 1."""
    end_epsilon: Share = 0.05
    """The same in the end. CleanRL."""
    exploration_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the budget over which it falls linearly. CleanRL."""


PRESETS: Mapping[Preset, DQNParams] = {
    "paper": DQNParams(gamma=0.95, max_episode_steps=65),  # arXiv 2502.11433, table 3
    "standard": DQNParams(gamma=0.5, max_episode_steps=None),  # an order pays within two bars
}


# Agent


class DQN:
    """The action of the highest value among the two valid ones.

    Args:
        preset: hyper-parameters to begin with; the protocol's own unless given.
        dqn: changes to the preset, `--set dqn.learning_rate=1e-4`.
    """

    def __init__(self, *, preset: Preset = "standard", dqn: dict[str, Any] | None = None) -> None:
        self._dqn = parse(DQNParams, {**PRESETS[preset].model_dump(), **(dqn or {})}, origin="--set dqn")
        self._params = {"preset": preset, "dqn": self._dqn.model_dump(mode="json")}
        self._lookback = 0
        self._network: QNetwork | None = None

    @classmethod
    def defaults(cls, briefing: Briefing) -> Mapping[str, Any]:
        """The protocol's preset."""
        return {"preset": briefing.preset}

    @property
    def params(self) -> Mapping[str, Any]:
        """All params, the hyper-parameters of the preset filled in."""
        return self._params

    def train(
        self,
        make_envs: MakeEnvs,
        *,
        setup: Setup,
        seed: int,
        accelerator: "Accelerator",
        monitor: TrainingMonitor,
    ) -> dict[str, Any]:
        """Learn the values of actions from replayed steps."""
        from accelerate.utils import set_seed

        envs = make_envs(setup.num_envs, max_episode_steps=self._dqn.max_episode_steps)
        set_seed(seed)  # the network begins alike whatever was drawn before
        self._lookback = lookback_of(envs)
        self._network = self._build()
        summary = DQNTraining(
            self._network, envs, self._dqn, setup=setup, seed=seed, accelerator=accelerator, monitor=monitor
        ).run()
        trained = sum(weight.numel() for weight in self._network.parameters())
        return {**summary, "weights": {"trained": trained}}

    def reset(self, seed: int) -> None:
        """Nothing to forget, and nothing left to chance: actions are greedy."""

    def act(self, observation: Observation) -> int:
        """The valid action of the highest value.

        Raises:
            AgentError: the agent was neither trained nor loaded, or with another lookback.
        """
        if self._network is None:
            raise AgentError("DQN was asked to act before it was trained or loaded")
        seen = len(observation["window"])
        if seen != self._lookback:
            raise AgentError(f"DQN learnt from {self._lookback} bars and was shown {seen}")
        batch = stack([observation])
        return int(best_actions(self._network, numeric_features(batch), batch["mask"])[0])

    def save(self, folder: Path) -> None:
        """Write the network as `trained.safetensors` and the params as `agent.json`.

        Raises:
            AgentError: nothing was learnt yet.
        """
        from flagbench.learning.checkpoint import save_checkpoint

        if self._network is None:
            raise AgentError("DQN was asked to save before it was trained or loaded")
        save_checkpoint(folder, self._network, self._params, lookback=self._lookback)

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote, into an agent built with the same params.

        Raises:
            RecordError: the folder's params or weights are not this agent's.
        """
        from flagbench.learning.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(folder, self._params, agent="DQN")
        self._lookback = checkpoint.lookback
        self._network = self._build()
        checkpoint.into(self._network)

    def _build(self) -> "QNetwork":
        from flagbench.learning.numeric_networks import QNetwork

        return QNetwork(feature_count(self._lookback), self._dqn.hidden, dueling=self._dqn.dueling)


def best_actions(network: "QNetwork", features: Float32Array, masks: npt.NDArray[np.int8]) -> IntArray:
    """The valid action of the highest value, (B,) from features (B, F) and masks (B, 3)."""
    import torch

    from flagbench.learning.numeric_networks import greedy

    with torch.no_grad():
        values = network(torch.from_numpy(features).to(next(network.parameters()).device))
    actions: IntArray = greedy(values.cpu(), torch.from_numpy(masks)).numpy()
    return actions


# Training loop


class DQNTraining:
    """One training run. Built anew for every seed.

    Args:
        network: what is trained, in place.
        envs: environments over the training window.
        params: hyper-parameters.
        setup: the budget, shared by all agents of a comparison.
        seed: of exploring and sampling; each process adds its rank.
        accelerator: owns device, precision and processes.
        monitor: told how it goes.
    """

    def __init__(
        self,
        network: "QNetwork",
        envs: VectorTradingEnv,
        params: DQNParams,
        *,
        setup: Setup,
        seed: int,
        accelerator: "Accelerator",
        monitor: TrainingMonitor,
    ) -> None:
        import torch

        from flagbench.learning.q_learner import q_learner
        from flagbench.learning.replay_buffer import NStep, ReplayBuffer
        from flagbench.learning.rollout_buffer import iteration_steps

        self._network, self._envs, self._params, self._setup = network, envs, params, setup
        self._accelerator, self._monitor = accelerator, monitor
        self._steps = iteration_steps(setup, num_steps=LOG_EVERY, processes=accelerator.num_processes)
        self._step_size = setup.num_envs * accelerator.num_processes
        self._budget = sum(self._steps) * self._step_size
        own_seed = seed + 100_003 * accelerator.process_index
        self._random, self._sampling = (
            np.random.default_rng(own_seed),
            torch.Generator().manual_seed(own_seed),
        )
        self._learner = q_learner(network, params, accelerator)
        self._folding = NStep(params.n_step, gamma=params.gamma)
        features = feature_count(lookback_of(envs))
        self._replay = ReplayBuffer(
            params.buffer_size, features, accounts=setup.num_envs, device=accelerator.device
        )
        self._owed = self._episodes = 0
        self._done = 0  # environment steps, over all processes
        self._losses: list[Tensor] = []
        self._batch: Batch = {}
        self._features: Float32Array = np.empty((0, features), dtype=np.float32)
        self._equity = np.ones(setup.num_envs)
        self._episode_return: float | None = None

    def run(self) -> dict[str, Any]:
        """Spend the whole budget and leave the last weights in the network.

        Returns:
            steps, optimiser steps, where gradients came from, seconds, and the final weights' sha256 in each
            process.
        """
        from accelerate.utils import gather_object

        from flagbench.learning.weights import weights_sha256

        started = time.perf_counter()
        self._batch, _ = self._envs.reset()
        self._features = numeric_features(self._batch)
        with self._learner:
            for index, steps in enumerate(self._steps):
                taken, rewards = np.zeros(3, dtype=int), 0.0
                for _ in range(steps):
                    actions, reward = self._step()
                    self._learn()
                    taken += np.bincount(actions, minlength=3)
                    rewards += float(reward.mean())
                self._log(index, time.perf_counter() - started, actions=taken, mean_reward=rewards / steps)
        return {
            "env_steps": self._done,
            "iterations": len(self._steps),
            "optimiser_steps": self._learner.optimiser_steps,
            "gradients": self._learner.gradients,
            "seconds": time.perf_counter() - started,
            "weights_sha256": gather_object([weights_sha256(self._network.named_parameters())]),
        }

    @property
    def _epsilon(self) -> float:
        """Chance of a random action: linear, then constant."""
        params = self._params
        gone = min(1.0, self._done / (params.exploration_share * self._budget))
        epsilon: float = params.start_epsilon + gone * (params.end_epsilon - params.start_epsilon)
        return epsilon

    def _actions(self) -> IntArray:
        """(N,) random valid actions with probability ε, else the best ones."""
        masks = self._batch["mask"]
        drawn: IntArray = np.where(masks, self._random.random(masks.shape), -1.0).argmax(1)
        explores = self._random.random(len(masks)) < self._epsilon
        if explores.all():
            return drawn
        best = np.where(masks, self._learner.values(self._features), -np.inf).argmax(1)
        return np.where(explores, drawn, best)

    def _step(self) -> tuple[IntArray, npt.NDArray[np.float64]]:
        """Act once in every environment and remember it."""
        actions = self._actions()
        batch, rewards, _, ends, info = self._envs.step(actions)
        ended = bool(ends.all())  # episodes of a vector environment end together
        last = stack(list(info["final_obs"])) if ended else batch
        self._equity = last["account"][:, 2]
        after = numeric_features(last)
        for transition in self._folding.add(
            self._features, actions, rewards, next_features=after, next_masks=last["mask"], ended=ended
        ):
            self._replay.add(transition)
        if ended:
            self._episodes += len(ends)
            self._episode_return = float(self._equity.mean()) - 1
        self._batch, self._features = batch, numeric_features(batch) if ended else after
        self._done += self._step_size
        self._monitor.advance(self._step_size)
        return actions, rewards

    def _learn(self) -> None:
        """The optimiser steps that are due, none during the warm-up."""
        if self._done <= self._params.warm_up * self._budget or not len(self._replay):
            return
        due, self._owed = divmod(self._owed + self._setup.num_envs, self._params.train_frequency)
        if due:
            sample = self._replay.sample(due, self._params.batch_size, self._sampling)
            self._losses.append(self._learner.learn(sample))

    def _log(self, index: int, elapsed: float, *, actions: IntArray, mean_reward: float) -> None:
        import torch

        loss = float(torch.cat(self._losses).mean()) if self._losses else None
        self._losses.clear()
        self._monitor.log(
            {
                "iteration": index + 1,
                "env_steps": self._done,
                "steps_per_second": self._done / elapsed,
                "epsilon": self._epsilon,
                "return_so_far": float(self._equity.mean()) - 1,
                "episodes": self._episodes,
                "episode_return": self._episode_return,
                "mean_reward": mean_reward,
                "actions": actions.tolist(),
                "loss": loss,
                "optimiser_steps": self._learner.optimiser_steps,
            }
        )
