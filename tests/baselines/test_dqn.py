import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.agents.training import Setup
from flagbench.errors import AgentError, ConfigError, RecordError
from flagbench.learning.numeric_features import numeric_features
from flagbench.market.market import Market
from flagbench.records.training_log import Silent
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol
from flagbench.trading.vector_environment import VectorTradingEnv, stack

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'dqn.py'}:DQN"


def made(preset: str = "standard", **dqn: Any) -> Any:
    briefing = Briefing(preset=preset, train_text_kinds=frozenset())
    return AgentPlan(NAME, {"dqn": dqn} if dqn else {}, briefing).make()


class Log:
    """A monitor that remembers."""

    def __init__(self) -> None:
        self.steps = 0
        self.figures: list[Mapping[str, Any]] = []

    def advance(self, steps: int) -> None:
        self.steps += steps

    def log(self, figures: Mapping[str, Any]) -> None:
        self.figures.append(figures)


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_best_policy_of_a_four_bar_market_within_2000_steps(
    seed: int, train: Any, play: Any, is_best_on_four_bars: Callable[[list[int]], bool]
) -> None:
    agent, summary = train(made(), env_steps=1_920, seed=seed, num_envs=8)
    assert summary["env_steps"] <= 2_000
    assert is_best_on_four_bars(play(agent))


@pytest.mark.parametrize(
    "switch",
    [
        {"double": False},
        {"dueling": False},
        {"n_step": 1},
        {"loss": "squared"},
        {"tau": 0.5},
        {"hidden": [32]},
    ],
    ids=str,
)
def test_each_part_can_be_switched_off_and_then_it_still_learns(
    switch: dict[str, Any], train: Any, play: Any, is_best_on_four_bars: Callable[[list[int]], bool]
) -> None:
    whole = made().params["dqn"]
    agent, summary = train(made(**switch), env_steps=1_920, num_envs=8)
    assert {name for name in whole if agent.params["dqn"][name] != whole[name]} == set(switch)
    assert is_best_on_four_bars(play(agent))
    # Long enough for the target network to be updated twice.
    _, other = train(made(), env_steps=480)
    _, short = train(made(**switch), env_steps=480)
    assert short["weights_sha256"] != other["weights_sha256"]
    assert summary["optimiser_steps"] > short["optimiser_steps"] > 0


def test_budget_warm_up_and_updates_are_counted_as_they_are(train: Any) -> None:
    log = Log()
    _, summary = train(made(), env_steps=1_000, num_envs=4, monitor=log)
    assert summary["env_steps"] == log.steps == log.figures[-1]["env_steps"] == 1_000
    # 20 steps are 2 % of the budget; each further step of four environments is one optimiser step.
    assert summary["optimiser_steps"] == (1_000 - 20) // 4
    assert summary["gradients"] == "closed form"
    assert summary["iterations"] == len(log.figures) == 7  # of 40 steps of each environment
    for entry in log.figures:
        assert all(math.isfinite(value) for value in entry.values() if isinstance(value, float))
        assert sum(entry["actions"]) == min(160, 1_000 - 160 * (entry["iteration"] - 1))
    assert log.figures[-1]["episodes"] == 4 * (250 // 3)


def test_exploration_falls_linearly_over_its_share_of_the_budget(train: Any) -> None:
    log = Log()
    train(made(), env_steps=1_280, num_envs=4, monitor=log)
    expected = [1 - 0.95 * min(1, step / 640) for step in range(160, 1_281, 160)]
    assert [entry["epsilon"] for entry in log.figures] == pytest.approx(expected)


def test_no_invalid_action_is_ever_taken(four_bars: Market, short_protocol: Protocol) -> None:
    from flagbench.learning.start import start

    redundant: list[int] = []

    class Watched(VectorTradingEnv):
        def step(self, actions: Any) -> Any:
            result = super().step(actions)
            redundant.append(int(result[4]["redundant"].sum()))
            return result

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        window = four_bars.asset.windows.train
        return Watched(
            four_bars, short_protocol, window, num_envs=num_envs, max_episode_steps=max_episode_steps
        )

    for epsilon in (1.0, 0.0):
        agent = made(start_epsilon=epsilon, end_epsilon=epsilon)
        setup = Setup(env_steps=400, num_envs=4)
        accelerator = start(setup, seed=0)
        agent.train(make_envs, setup=setup, seed=0, accelerator=accelerator, monitor=Silent())
    assert len(redundant) == 200
    assert sum(redundant) == 0


def test_an_episode_ends_by_truncation_and_its_last_step_is_worth_what_follows(
    train: Any, synthetic_market: "MarketFactory", short_protocol: Protocol
) -> None:
    """Each bar rises by 1 %: r = 1 a step for ever is worth 1 / (1 − γ) = 2, cut off it would be worth 1."""
    closes = (100 * 1.01 ** np.arange(12)).tolist()
    market = synthetic_market(closes)
    free = short_protocol.model_copy(update={"cost_bps": 0.0})
    agent, _ = train(made(), env_steps=2_000, num_envs=4, market=market, protocol=free)
    env = TradingEnv(market, free, market.asset.windows.train)
    observation, _ = env.reset()
    steps = len(market.bar_range(market.asset.windows.train)) - 1
    for _ in range(steps - 1):
        observation, *_ = env.step(2)
    with torch.no_grad():
        values = agent._network(torch.from_numpy(numeric_features(stack([observation]))))
    assert float(values[0, 1]) == pytest.approx(2 * 100 * math.log(1.01), rel=0.15)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(train: Any) -> None:
    first, again, other = (train(made(), env_steps=96, seed=s)[1]["weights_sha256"] for s in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("power", [-9, 7])
def test_scaling_prices_or_cash_by_a_power_of_two_changes_no_weight_and_no_action(
    train: Any, play: Any, four_bars: Market, short_protocol: Protocol, synthetic_market: Any, *, power: int
) -> None:
    scale = 2.0**power
    windows = four_bars.asset.windows
    scaled = synthetic_market(
        (four_bars.bars[:, 3] * scale).tolist(),
        opens=(four_bars.bars[:, 0] * scale).tolist(),
        train=windows.train,
        test=windows.test,
    )
    rich = short_protocol.model_copy(update={"initial_cash": short_protocol.initial_cash * scale})
    agent, plain = train(made(), env_steps=200)
    other, moved = train(made(), env_steps=200, market=scaled)
    assert moved["weights_sha256"] == plain["weights_sha256"]
    assert train(made(), env_steps=200, protocol=rich)[1]["weights_sha256"] == plain["weights_sha256"]
    assert play(agent) == play(other, scaled)


def test_a_saved_agent_acts_as_before_and_another_is_refused(train: Any, play: Any, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no checkpoint of DQN"):
        made().load(tmp_path)
    with pytest.raises(AgentError, match="save before it was trained"):
        made().save(tmp_path)
    agent, _ = train(made(), env_steps=480)
    agent.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"trained.safetensors", "agent.json"}
    restored = made()
    restored.load(tmp_path)
    assert play(restored) == play(agent)
    with pytest.raises(RecordError, match="other params"):
        made(n_step=1).load(tmp_path)
    saved = json.loads((tmp_path / "agent.json").read_text(encoding="utf-8"))
    saved["lookback"] = 9
    (tmp_path / "agent.json").write_text(json.dumps(saved), encoding="utf-8")
    with pytest.raises(RecordError, match="do not fit the agent's network"):
        made().load(tmp_path)


def test_acting_unprepared_or_on_another_lookback_is_refused(
    train: Any, four_bars: Market, short_protocol: Protocol
) -> None:
    observation, _ = TradingEnv(four_bars, short_protocol, four_bars.asset.windows.train).reset()
    with pytest.raises(AgentError, match="before it was trained"):
        made().act(observation)
    agent, _ = train(made())
    observation["window"] = np.repeat(observation["window"], 2, axis=0)
    with pytest.raises(AgentError, match="learnt from 2 bars and was shown 4"):
        agent.act(observation)


def test_presets_have_flags_discount_and_episodes() -> None:
    from flagbench.learning.ppo_params import PRESETS

    for preset in ("standard", "paper"):
        own = made(preset).params
        assert json.loads(json.dumps(own)) == own
        flag = PRESETS[preset]
        assert own["dqn"]["gamma"] == flag.gamma
        assert own["dqn"]["max_episode_steps"] == flag.max_episode_steps


@pytest.mark.parametrize(
    ("dqn", "message"),
    [
        ({"gama": 0.9}, "unknown setting `gama`"),
        ({"gamma": 1.5}, "`gamma`"),
        ({"hidden": []}, "`hidden`"),
        ({"exploration_share": 0}, "`exploration_share`"),
    ],
)
def test_wrong_hyper_parameters_are_refused(dqn: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**dqn)


def test_a_buffer_smaller_than_one_step_of_all_environments_is_refused(train: Any) -> None:
    with pytest.raises(ConfigError, match="3 transitions for 4 environments"):
        train(made(buffer_size=3))


def test_an_old_step_gives_way_and_training_goes_on(train: Any) -> None:
    _, summary = train(made(buffer_size=10), env_steps=200)
    assert summary["optimiser_steps"] > 0


PROCESS = """
import json, sys
from pathlib import Path
import numpy as np
from flagbench.agents.training import Setup, training_envs
from flagbench.learning.start import start
from flagbench.market.loading import resolve_market
from flagbench.market.period import Period
from flagbench.records.training_log import Silent
from flagbench.registry import load_agent_class
from flagbench.trading.protocol import load_protocol

agent_name, bars, out = sys.argv[1:]
train, test = Period.parse("2020-01-29:2020-02-10"), Period.parse("2020-02-11:2020-02-20")
market = resolve_market(bars, train=train, test=test)
setup = Setup(env_steps=160, num_envs=2, mixed_precision="no")
accelerator = start(setup, seed=0)
agent = load_agent_class(agent_name)()
envs = training_envs(market.until(train), load_protocol("standard"), train)
summary = agent.train(envs, setup=setup, seed=0, accelerator=accelerator, monitor=Silent())
Path(out, f"{accelerator.process_index}.json").write_text(json.dumps(summary))
"""


def test_two_processes_share_the_budget_and_end_with_equal_weights(tmp_path: Path) -> None:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 40)))
    days = np.busday_offset("2020-01-01", np.arange(40), roll="forward").astype("datetime64[D]")
    rows = [f"{day},{c},{c * 1.01},{c * 0.99},{c}" for day, c in zip(days, closes, strict=True)]
    bars, script = tmp_path / "walk.csv", tmp_path / "process.py"
    bars.write_text("\n".join(["date,open,high,low,close", *rows]) + "\n", encoding="utf-8")
    script.write_text(PROCESS, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    done = subprocess.run(
        [*torchrun, str(script), NAME, str(bars), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["env_steps"] == second["env_steps"] == 160
    # Autograd's, since accelerate averages over processes what autograd found; alone they are written out.
    assert first["gradients"] == second["gradients"] == "autograd"
    # Forty steps of two environments in each; a warm-up of 2 % is over with the first, and n-step returns
    # fill the buffer from the third on, where the first optimiser step is owed half.
    assert first["optimiser_steps"] == second["optimiser_steps"] == 19
    for summary in (first, second):
        one, other = summary["weights_sha256"]
        assert one == other
    assert first["weights_sha256"] == second["weights_sha256"]
