from pathlib import Path
from typing import Any

import pytest
import torch

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.errors import UnknownNameError
from flagbench.learning.backbone import load_backbone

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'flag_frozen.py'}:FlagFrozen"
BRIEFING = Briefing(preset="standard", train_text_kinds=frozenset({"news"}))


def made(**params: Any) -> Any:
    return AgentPlan(NAME, {"backbone": "random", **params}, BRIEFING).make()


def test_no_weight_of_the_language_model_moves_and_the_heads_do(train: Any) -> None:
    agent, summary = train(made(), env_steps=96)
    model, _ = agent.language_model()
    untouched = load_backbone("random", seed=0)
    before = dict(untouched.model.named_parameters())
    after = dict(model.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert summary["weights"]["backbone_sha256"] == untouched.sha256
    assert summary["layers"]["trained"] == 0
    assert summary["layers"]["frozen"] == untouched.model.config.num_hidden_layers
    assert summary["weights"]["trained"] == summary["weights"]["heads"] > 0
    other, _ = train(made(), env_steps=48)
    names = [name for name, weight in agent.net.named_parameters() if weight.requires_grad]
    assert {name.split(".")[0] for name in names} == {"policy_head", "value_head"}
    weights, fewer_steps = dict(agent.net.named_parameters()), dict(other.net.named_parameters())
    assert not any(torch.equal(weights[name], fewer_steps[name]) for name in names)


def test_what_the_language_model_answers_is_the_same_to_the_bit(train: Any) -> None:
    agent = made()
    agent.reset(0)
    model, tokenizer = agent.language_model()
    ids = torch.tensor([tokenizer.encode("closes: 99.5 100.0")])
    with torch.no_grad():
        before = model(ids).logits
    train(agent, env_steps=96)
    with torch.no_grad():
        after = agent.language_model()[0](ids).logits
    assert torch.equal(before, after)


def test_it_finds_the_best_policy_of_a_four_bar_market(
    train: Any, play: Any, is_best_on_four_bars: Any
) -> None:
    agent, _ = train(made(), env_steps=1_920, num_envs=8)
    assert is_best_on_four_bars(play(agent))


def test_a_checkpoint_holds_the_heads_alone_and_restores_them(train: Any, play: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    agent, _ = train(made(), env_steps=96)
    agent.save(tmp_path)
    assert len(load_file(tmp_path / "trained.safetensors")) == 8  # two heads of two layers
    restored = made()
    restored.load(tmp_path)
    assert play(restored) == play(agent)


def test_it_is_flag_in_all_but_what_is_trained() -> None:
    from flagbench.flag.agent import FlagAgent

    flag = FlagAgent(backbone="random", prompt="news").params
    assert made().params == {**flag, "adapt": "heads"}
    with pytest.raises(UnknownNameError, match="unknown"):
        made(trainable_layers=1)
