import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flagbench.agents.training import Setup
from flagbench.learning.ppo import PPOTrainer
from flagbench.learning.ppo_params import ppo_params
from flagbench.learning.start import start
from flagbench.learning.weights import weights_sha256
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.vector_environment import VectorTradingEnv

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


class DayNet(nn.Module):
    """Logits and a value for each day of a week."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 4)

    def forward(self, days: Tensor) -> tuple[Tensor, Tensor]:
        output = self.layer(days)
        return output[:, :3], output[:, 3]


class DayModel:
    """A policy that sees only how many bars have passed."""

    def __init__(self) -> None:
        self.net = DayNet()

    def features(self, observations: Sequence[Observation]) -> list[Tensor]:
        days = torch.tensor([int(o["account"][3]) for o in observations])
        return list(nn.functional.one_hot(days, 8).float())

    def collate(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return (torch.stack(list(features)),)

    def parts(self, features: Sequence[Tensor]) -> int:  # noqa: ARG002
        return 1


class Log:
    def __init__(self) -> None:
        self.steps = 0
        self.figures: list[Mapping[str, Any]] = []

    def advance(self, steps: int) -> None:
        self.steps += steps

    def log(self, figures: Mapping[str, Any]) -> None:
        self.figures.append(figures)


@pytest.fixture(scope="module")
def zigzag(synthetic_market: "MarketFactory") -> Market:
    """Opens go up and down by 10 % in turn."""
    window = Period(date(2020, 1, 2), date(2020, 1, 10))
    opens = [100.0, 100.0, 100.0, 110.0, 100.0, 110.0, 100.0, 110.0]
    closes = [100.0, 101.0, 109.0, 101.0, 109.0, 101.0, 109.0, 110.0]
    return synthetic_market(closes, opens=opens, train=window, test=window)


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    changes = {"lookback": 2, "reward": "log_return", "reward_scale": 100}
    return load_protocol("standard").model_copy(update=changes)


def train(
    market: Market, protocol: Protocol, *, steps: int = 160, **ppo: Any
) -> tuple[DayModel, Log, dict[str, Any]]:
    setup = Setup(env_steps=steps, num_envs=4)
    model, log = DayModel(), Log()

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        window = market.asset.windows.train
        return VectorTradingEnv(
            market, protocol, window, num_envs=num_envs, max_episode_steps=max_episode_steps
        )

    accelerator = start(setup, seed=0)
    trainer = PPOTrainer(
        model,
        make_envs,
        ppo_params("standard", {"num_steps": 10, **ppo}),
        setup=setup,
        seed=0,
        accelerator=accelerator,
        monitor=log,
    )
    return model, log, trainer.train()


def test_it_learns_when_to_be_long(zigzag: Market, protocol: Protocol) -> None:
    model, log, _ = train(zigzag, protocol, steps=4_000, learning_rate=0.05)
    logits, _ = model.net(torch.eye(8))
    # Flat and deciding after day 0, 2 or 4, an order fills below the next open; after 1 or 3 above it.
    buys = (logits[:5, 2] > logits[:5, 1]).tolist()
    sells = (logits[:5, 0] > logits[:5, 1]).tolist()
    assert buys[0::2] == [True, True, True]
    assert sells[1::2] == [True, True]
    assert log.figures[-1]["episode_return"] > log.figures[0]["return_so_far"]


def test_every_iteration_is_logged_with_finite_figures(zigzag: Market, protocol: Protocol) -> None:
    _, log, summary = train(zigzag, protocol)
    assert summary["env_steps"] == log.steps == 160
    assert [entry["env_steps"] for entry in log.figures] == [40, 80, 120, 160]
    for entry in log.figures:
        numbers = [value for value in entry.values() if isinstance(value, float)]
        assert all(math.isfinite(value) for value in numbers)
        assert 0 <= entry["entropy"] <= math.log(2) + 1e-6
        assert sum(entry["actions"]) == 40
        assert entry["approx_kl"] >= -1e-6


def test_the_learning_rate_falls_linearly_to_zero_or_stays(zigzag: Market, protocol: Protocol) -> None:
    _, falling, _ = train(zigzag, protocol, learning_rate=0.4)
    assert [entry["learning_rate"] for entry in falling.figures] == pytest.approx([0.4, 0.3, 0.2, 0.1])
    _, constant, _ = train(zigzag, protocol, learning_rate=0.4, anneal_lr=False)
    assert {entry["learning_rate"] for entry in constant.figures} == {0.4}


def test_epochs_stop_once_the_policy_moved_too_far(zigzag: Market, protocol: Protocol) -> None:
    changes: dict[str, Any] = {"learning_rate": 0.5, "update_epochs": 6, "minibatch_size": 40}
    _, free, _ = train(zigzag, protocol, **changes)
    _, held, _ = train(zigzag, protocol, **changes, target_kl=1e-4)
    assert free.figures[0]["optimiser_steps"] == 6
    # The first pass compares the policy with itself; the second finds that it moved.
    assert held.figures[0]["optimiser_steps"] == 2


def test_a_minibatch_is_one_optimiser_step(zigzag: Market, protocol: Protocol) -> None:
    _, log, summary = train(zigzag, protocol, update_epochs=1, minibatch_size=32)
    assert [entry["optimiser_steps"] for entry in log.figures] == [2] * 4  # 32 and 8 of 40 samples
    assert summary["optimiser_steps"] == 8


def test_only_the_net_is_trained_and_the_summary_has_its_hash(zigzag: Market, protocol: Protocol) -> None:
    before = weights_sha256(DayModel().net.named_parameters())
    model, _, summary = train(zigzag, protocol)
    assert summary["weights_sha256"] == [weights_sha256(model.net.named_parameters())]
    assert summary["weights_sha256"] != [before]


def test_episodes_are_cut_where_the_preset_says(zigzag: Market, protocol: Protocol) -> None:
    _, whole, _ = train(zigzag, protocol)
    _, cut, _ = train(zigzag, protocol, max_episode_steps=2)
    assert whole.figures[-1]["episodes"] == 4 * (40 // 6)
    assert cut.figures[-1]["episodes"] == 4 * 20


def test_hashes_do_not_depend_on_the_order_of_weights() -> None:
    weights = [("a", torch.ones(2)), ("b", torch.zeros(3))]
    assert weights_sha256(weights) == weights_sha256(reversed(weights))
    assert weights_sha256(weights) != weights_sha256([("a", torch.ones(2)), ("b", torch.full((3,), 1e-30))])


def test_sampling_does_not_touch_the_global_stream(zigzag: Market, protocol: Protocol) -> None:
    np.random.seed(0)
    train(zigzag, protocol)
    first = np.random.random()
    train(zigzag, protocol)
    assert np.random.random() == first


class Minibatches(DayModel):
    """Notes which days each call of the trained part sees together, of calls with a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[int]] = []

    def collate(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if torch.is_grad_enabled():
            self.seen.append([int(feature.argmax()) for feature in features])
        return super().collate(features)


class Large(DayModel):
    """Needs a part for every three samples."""

    def parts(self, features: Sequence[Tensor]) -> int:
        return -(-len(features) // 3)


def trained(model: DayModel, market: Market, protocol: Protocol, **ppo: Any) -> None:
    setup = Setup(env_steps=28, num_envs=4)

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        window = market.asset.windows.train
        return VectorTradingEnv(
            market, protocol, window, num_envs=num_envs, max_episode_steps=max_episode_steps
        )

    accelerator = start(setup, seed=0)
    params = ppo_params("standard", {"num_steps": 7, "update_epochs": 1, "minibatch_size": 8, **ppo})
    PPOTrainer(model, make_envs, params, setup=setup, seed=0, accelerator=accelerator, monitor=Log()).train()


def test_minibatches_of_whole_bars_hold_all_samples_of_a_bar(zigzag: Market, protocol: Protocol) -> None:
    """Six bars to decide on, one of them met twice in seven steps: pairs of steps of four environments."""
    by_bars, by_samples = Minibatches(), Minibatches()
    trained(by_bars, zigzag, protocol, shuffle="bars")
    trained(by_samples, zigzag, protocol)
    for model in (by_bars, by_samples):
        assert sorted(len(days) for days in model.seen) == [4, 8, 8, 8]
        days = sorted(day for minibatch in model.seen for day in minibatch)
        assert days == sorted([0, 1, 2, 3, 4, 5, 0] * 4)
    assert all(days.count(day) % 4 == 0 for days in by_bars.seen for day in days)
    assert any(days.count(day) % 4 for days in by_samples.seen for day in days)


def test_a_minibatch_split_to_fit_into_memory_learns_the_same(zigzag: Market, protocol: Protocol) -> None:
    whole, split = DayModel(), Large()
    split.net.load_state_dict(whole.net.state_dict())
    trained(whole, zigzag, protocol)
    trained(split, zigzag, protocol)
    for one, other in zip(whole.net.parameters(), split.net.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
