"""DQN beside stable-baselines3's: whole trainings with equal environments, networks and updates."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.logger import configure
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecEnv

from benchmarks.interleaving import Contest, Row
from flagbench.agents.training import MakeEnvs, Setup, training_envs
from flagbench.learning.numeric_features import feature_count, lookback_of, numeric_features
from flagbench.learning.numeric_networks import QNetwork
from flagbench.learning.q_learner import ClosedFormLearner
from flagbench.learning.q_params import QParams
from flagbench.learning.replay_buffer import NStep, ReplayBuffer, Sample
from flagbench.learning.start import start
from flagbench.market.asset import load_asset
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.records.training_log import Silent
from flagbench.registry import load_agent_class
from flagbench.trading.protocol import load_protocol
from flagbench.trading.vector_environment import VectorTradingEnv, stack

OURS = f"{Path(__file__).parents[1] / 'baselines' / 'dqn.py'}:DQN"
NUM_ENVS, BATCH, TRAIN_FREQUENCY, TARGET_EVERY = 32, 64, 4, 32
WARM_UP = 0.02
GAMMA = 0.5
SETTINGS: dict[str, Any] = {
    "gamma": GAMMA,
    "hidden": [64, 64],
    "batch_size": BATCH,
    "train_frequency": TRAIN_FREQUENCY,
    "target_every": TARGET_EVERY,
    "warm_up": WARM_UP,
    "double": False,
    "dueling": False,
    "n_step": 1,
}
"""Of ours; what is not named is DQNParams' own, and `theirs` has the same."""

UPDATES = 3 * TARGET_EVERY
"""That both are led through on equal minibatches."""
CLOSENESS = 1e-6
"""‖difference‖ / ‖weights‖ after equal updates in float32."""


class NumericVecEnv(VecEnv):
    """Our vector environment as stable-baselines3 takes one; a few lines, and faster than its DummyVecEnv."""

    def __init__(self, envs: VectorTradingEnv) -> None:
        from gymnasium import spaces

        shape = (feature_count(lookback_of(envs)),)
        seen = spaces.Box(-np.inf, np.inf, shape, np.float32)
        self._envs = envs  # which the next line already asks
        super().__init__(envs.num_envs, seen, envs.single_action_space)
        self._actions: npt.NDArray[Any] = np.zeros(envs.num_envs, dtype=int)

    def reset(self) -> npt.NDArray[np.float32]:
        """Features (N, F) of all first observations."""
        return numeric_features(self._envs.reset()[0])

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Features, rewards, ends, and at an end the last features, as its DummyVecEnv hands them over."""
        batch, rewards, _, ends, info = self._envs.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in ends]
        if ends.all():
            last = numeric_features(stack(list(info["final_obs"])))
            infos = [{"terminal_observation": row, "TimeLimit.truncated": True} for row in last]
        return numeric_features(batch), rewards.astype(np.float32), ends, infos

    def close(self) -> None:
        """Close ours."""
        self._envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:  # noqa: ARG002
        """The same of each."""
        return [getattr(self._envs, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ARG002
        """Set it on ours, which all accounts share."""
        setattr(self._envs, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *args: Any,
        indices: Any = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> list[Any]:
        """Call it on ours once; all accounts get the same answer."""
        return [getattr(self._envs, method_name)(*args, **kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:  # noqa: ARG002
        """None is."""
        return [False] * self.num_envs


def ours(make_envs: MakeEnvs, env_steps: int) -> dict[str, Any]:
    """A whole training of `dqn`."""
    setup = Setup(env_steps=env_steps, num_envs=NUM_ENVS, mixed_precision="no")
    agent = load_agent_class(OURS)(dqn=SETTINGS)
    accelerator = start(setup, seed=0)
    found: dict[str, Any] = agent.train(
        make_envs, setup=setup, seed=0, accelerator=accelerator, monitor=Silent()
    )
    return found


def theirs(make_envs: MakeEnvs, env_steps: int) -> DQN:
    """The same of stable-baselines3."""
    return peer(make_envs, env_steps).learn(env_steps)


def peer(make_envs: MakeEnvs, env_steps: int) -> DQN:
    """stable-baselines3's DQN before a training of so many steps."""
    params = QParams()
    return DQN(
        "MlpPolicy",
        NumericVecEnv(make_envs(NUM_ENVS)),
        learning_rate=params.learning_rate,
        buffer_size=10_000,
        learning_starts=round(WARM_UP * env_steps),
        batch_size=BATCH,
        gamma=GAMMA,
        train_freq=1,  # a step of all environments
        gradient_steps=NUM_ENVS // TRAIN_FREQUENCY,
        target_update_interval=TARGET_EVERY * TRAIN_FREQUENCY,
        exploration_fraction=0.5,
        max_grad_norm=params.max_grad_norm,
        policy_kwargs={"net_arch": SETTINGS["hidden"]},  # ReLU, Adam and Huber's loss are its own
        seed=0,
        device="cpu",
    )


def whole_training(full: bool) -> Contest:
    """A training from its first line to its last: 6,400 steps of 32 environments and 1,568 updates, or 640.

    Equal are the environments (our vector environment on a replica of TSLA, lookback 20), their features, the
    network (64-64), optimiser, batch of 64, an update every four steps, replay buffer, warm-up, exploration,
    target network. Ours takes and bootstraps from valid actions only, and tosses for each environment whether
    to explore; stable-baselines3's knows no masks and tosses once for all. It gets our vector environment
    through a thin VecEnv, with which it is faster than with its DummyVecEnv of single ones.
    """
    env_steps = 6_400 if full else 640
    market = make_replica(load_asset("TSLA"), ReplicaSpec(seed=0))
    period = market.asset.windows.train
    make_envs = training_envs(market.until(period), load_protocol("standard"), period)
    return Contest(
        partial(ours, make_envs, env_steps),
        partial(theirs, make_envs, env_steps),
        partial(agree, make_envs, env_steps),
    )


def agree(make_envs: MakeEnvs, env_steps: int) -> str:
    """As many steps and updates; and the updates themselves are stable-baselines3's own, on equal batches."""
    summary, model = ours(make_envs, env_steps), theirs(make_envs, env_steps)
    assert summary["gradients"] == "closed form"
    assert summary["env_steps"] == model.num_timesteps == env_steps
    assert summary["optimiser_steps"] == model._n_updates, "both update as often"
    apart, moved = updates_apart(peer(make_envs, env_steps), filled(make_envs(NUM_ENVS), steps=40))
    assert apart < CLOSENESS, f"weights differ by {apart:.1e}"
    assert moved > 0.01, "and the updates moved them"
    return (
        f"weights after {UPDATES} updates from equal batches: {apart:.1e} of their norm, of which they went "
        f"{moved:.1e}; a whole training: {summary['optimiser_steps']} updates each"
    )


def updates_apart(model: DQN, replay: ReplayBuffer) -> tuple[float, float]:
    """How far ours and stable-baselines3's lead apart on equal minibatches, and how far they lead.

    Both are shares of the weights' norm.
    """
    sample = replay.sample(UPDATES, BATCH, torch.Generator().manual_seed(0))
    # Without masks, which stable-baselines3's has not.
    sample = sample._replace(barred=torch.zeros_like(sample.barred))
    network = QNetwork(sample.features.shape[2], SETTINGS["hidden"], dueling=False)
    network.load_state_dict(dict(zip(network.state_dict(), model.q_net.state_dict().values(), strict=True)))
    before = flat(network)
    ClosedFormLearner(network, QParams(double=False, target_every=TARGET_EVERY)).learn(sample)
    update_theirs(model, sample)
    apart = float((flat(network) - flat(model.q_net)).norm() / flat(model.q_net).norm())
    moved = float((flat(network) - before).norm() / before.norm())
    return apart, moved


def filled(envs: VectorTradingEnv, *, steps: int) -> ReplayBuffer:
    """What random actions met."""
    features = feature_count(lookback_of(envs))
    replay = ReplayBuffer(steps * NUM_ENVS, features, accounts=NUM_ENVS, device=torch.device("cpu"))
    random, folding = np.random.default_rng(0), NStep(1, gamma=GAMMA)
    before = numeric_features(envs.reset()[0])
    for _ in range(steps):
        actions = random.integers(0, 3, NUM_ENVS)
        batch, rewards, *_ = envs.step(actions)
        after = numeric_features(batch)
        for transition in folding.add(
            before, actions, rewards, next_features=after, next_masks=batch["mask"], ended=False
        ):
            replay.add(transition)
        before = after
    return replay


def update_theirs(model: DQN, sample: Sample) -> None:
    """stable-baselines3's own updates, on these minibatches in place of those that it would draw."""
    batches = iter(
        ReplayBufferSamples(
            observations=features,
            actions=chosen.argmax(1, keepdim=True),
            next_observations=next_features,
            dones=torch.zeros_like(returns),
            rewards=returns,
        )
        for features, next_features, chosen, _, returns, _ in zip(*sample, strict=True)
    )
    model.replay_buffer.sample = lambda *_, **__: next(batches)  # type: ignore[method-assign, union-attr]
    model.set_logger(configure(folder=None, format_strings=[]))
    for _ in range(UPDATES // TARGET_EVERY):
        model.q_net_target.load_state_dict(model.q_net.state_dict())
        model.train(TARGET_EVERY, batch_size=BATCH)


def flat(network: torch.nn.Module) -> torch.Tensor:
    """All weights in a row."""
    return torch.cat([weight.detach().reshape(-1) for weight in network.parameters()])


ROWS = (
    Row(
        slug="dqn",
        loop="DQN steps per second, equal environments and updates",
        against="stable-baselines3",
        at_least=1.3,
        prepare=whole_training,
        rounds=9,
    ),
)
