import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.errors import AgentError, ConfigError, RecordError
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol

if TYPE_CHECKING:
    from flagbench.market.market import Market

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'mlp_ppo.py'}:MLPPPO"


def made(preset: str = "standard", **params: Any) -> Any:
    briefing = Briefing(preset=preset, train_text_kinds=frozenset())
    return AgentPlan(NAME, params, briefing).make()


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_best_policy_of_a_four_bar_market_within_2000_steps(
    seed: int, train: Any, play: Any, is_best_on_four_bars: Callable[[list[int]], bool]
) -> None:
    agent, summary = train(made(), env_steps=1_920, seed=seed, num_envs=8)
    assert summary["env_steps"] <= 2_000
    assert is_best_on_four_bars(play(agent))


def test_it_has_flags_presets_and_hyper_parameters() -> None:
    from flagbench.flag.agent import FlagAgent

    for preset in ("standard", "paper"):
        own, flag = made(preset).params, FlagAgent(preset=preset).params
        assert own["preset"] == flag["preset"] == preset
        assert own["ppo"] == flag["ppo"]
    assert made(ppo={"gamma": 0.9}).params["ppo"]["gamma"] == 0.9
    with pytest.raises(ConfigError, match="unknown setting"):
        made(ppo={"gama": 0.9})
    with pytest.raises(ConfigError, match="`hidden"):
        made(hidden=[])


def test_params_are_plain_and_the_summary_counts_the_weights(train: Any) -> None:
    agent, summary = train(made(hidden=[5]))
    assert json.loads(json.dumps(dict(agent.params))) == agent.params
    # 11 features, 5 hidden units, three logits; the same with one value.
    assert summary["weights"]["trained"] == (12 * 5 + 6 * 3) + (12 * 5 + 6)
    assert summary["weights"]["trained"] == sum(weight.numel() for weight in agent.net.parameters())


def test_a_saved_agent_acts_as_before(train: Any, play: Any, tmp_path: Path) -> None:
    agent, _ = train(made(), env_steps=480)
    agent.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"trained.safetensors", "agent.json"}
    restored = made()
    restored.load(tmp_path)
    assert play(restored) == play(agent)
    for ours, theirs in zip(restored.net.parameters(), agent.net.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(RecordError, match="other params"):
        made("paper").load(tmp_path)


def test_acting_unprepared_or_on_another_lookback_is_refused(
    train: Any, four_bars: "Market", short_protocol: Protocol
) -> None:
    observation, _ = TradingEnv(four_bars, short_protocol, four_bars.asset.windows.train).reset()
    with pytest.raises(AgentError, match="before it was trained"):
        made().act(observation)
    agent, _ = train(made())
    observation["window"] = np.repeat(observation["window"], 2, axis=0)
    with pytest.raises(AgentError, match="learnt from 2 bars and was shown 4"):
        agent.act(observation)


def test_the_checkpoint_rule_decides_which_weights_stay(train: Any) -> None:
    # With a learning rate that wrecks the policy, the best weights are not the last ones.
    ppo = {"learning_rate": 0.3, "num_steps": 3, "anneal_lr": False}
    last, _ = train(made(ppo=ppo), env_steps=240)
    best, _ = train(made(ppo=ppo, checkpoint_rule="best_train_return"), env_steps=240)
    pairs = zip(last.net.parameters(), best.net.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)
