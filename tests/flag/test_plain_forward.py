"""Computing less gives the same: FLAG as it is beside a plain forward of the whole backbone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flagbench.agents.training import Setup
from flagbench.flag.agent import FlagAgent
from flagbench.learning.start import start
from flagbench.market.asset import load_asset
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.records.training_log import Silent
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import load_protocol
from flagbench.trading.vector_environment import VectorTradingEnv
from tests.flag.conftest import TrainFlag


class Watched(VectorTradingEnv):
    """Keeps the actions it is given."""

    taken: list[IntArray]

    def step(self, actions: IntArray) -> Any:
        self.taken.append(np.asarray(actions).copy())
        return super().step(actions)


def trained_actions(backbone: str, *, forward: str, seed: int, **ppo: Any) -> tuple[IntArray, FlagAgent]:
    """Actions of 500 environment steps of training on a replica with news."""
    market = make_replica(load_asset("TSLA"), ReplicaSpec(signal=0.9, train=30, test=4))
    protocol = load_protocol("standard")
    envs: list[Watched] = []

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        env = Watched(
            market,
            protocol,
            market.asset.windows.train,
            num_envs=num_envs,
            max_episode_steps=max_episode_steps,
        )
        env.taken = []
        envs.append(env)
        return env

    setup = Setup(env_steps=500, num_envs=4, mixed_precision="no")
    params: dict[str, Any] = {
        "backbone": backbone,
        "prompt": "news",
        "max_prompt_tokens": 320,
        "forward": forward,
    }
    agent = FlagAgent(**params, ppo={"num_steps": 25, **ppo})
    accelerator = start(setup, seed=seed)
    summary = agent.train(make_envs, setup=setup, seed=seed, accelerator=accelerator, monitor=Silent())
    assert summary["layers"]["forward"] == forward
    return np.stack(envs[-1].taken), agent


@pytest.mark.parametrize(
    ("seed", "shuffle"), [(0, "samples"), (1, "samples"), (2, "bars"), (3, "bars"), (4, "samples")]
)
def test_a_training_takes_the_same_actions(backbone: str, seed: int, shuffle: str) -> None:
    ours, agent = trained_actions(backbone, forward="split", seed=seed, shuffle=shuffle)
    theirs, plain = trained_actions(backbone, forward="plain", seed=seed, shuffle=shuffle)
    assert ours.shape == (125, 4)
    assert 0 < ours.sum() < 2 * ours.size
    assert np.array_equal(ours, theirs), f"first different step: {np.argwhere((ours != theirs).any(1))[0]}"
    moved = [
        float((one - other).detach().abs().max() / other.detach().abs().max())
        for one, other in zip(agent.net.parameters(), plain.net.parameters(), strict=True)
    ]
    assert max(moved) < 0.01  # Adam divides small gradients by themselves, so rounding does not stay small


def test_the_record_says_how_the_backbone_was_run(train_flag: TrainFlag) -> None:
    _, summary = train_flag(trainable_layers=1)
    cache = summary["layers"].pop("state_cache")
    assert summary["layers"] == {
        "frozen": 1,
        "trained": 1,
        "forward": "split",
        "shares_prefix": True,
        "shares_upper": True,
    }
    assert cache["hits"] > 0
    assert cache["bytes"] > 0
    _, summary = train_flag(forward="plain")
    assert summary["layers"] == {"frozen": 1, "trained": 1, "forward": "plain"}


def test_a_family_that_cannot_be_split_is_run_whole_and_learns(
    train_flag: TrainFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body does something to the hidden states that no module of it shows."""
    from transformers import LlamaModel

    whole = LlamaModel.forward

    def scaled(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        output = whole(self, *args, **kwargs)
        output.last_hidden_state = output.last_hidden_state * 1.5
        return output

    monkeypatch.setattr(LlamaModel, "forward", scaled)
    agent, summary = train_flag()
    assert summary["layers"]["forward"] == "plain"
    before = torch.cat([weight.flatten() for weight in train_flag(env_steps=4)[0].net.parameters()])
    after = torch.cat([weight.flatten() for weight in agent.net.parameters()])
    assert not torch.equal(before, after)
