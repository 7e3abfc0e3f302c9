import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flagbench.errors import AgentError, ConfigError, RecordError
from flagbench.flag.agent import FlagAgent
from flagbench.learning.backbone import load_backbone
from flagbench.market.market import Market
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

Train = Callable[..., tuple[FlagAgent, Mapping[str, Any]]]


def weights_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def actions_of(agent: FlagAgent, market: Market, protocol: Protocol) -> list[int]:
    env = TradingEnv(market, protocol, market.asset.windows.train)
    return [int(action) for action in rollout(agent.act, env, seed=0).actions]


def test_frozen_layers_are_bit_equal_after_training_and_trained_ones_moved(
    train_flag: Train, backbone: str
) -> None:
    before = weights_of(load_backbone(backbone, seed=0).model)
    agent, _ = train_flag()
    after = weights_of(agent.language_model()[0])
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    trained = {name for name in before if name.startswith(("model.layers.1.", "model.norm."))}
    assert moved == trained


@pytest.mark.parametrize("adapt", ["lora", "full"])
def test_variants_train_every_layer_and_leave_embeddings_alone(
    train_flag: Train, backbone: str, adapt: str
) -> None:
    before = weights_of(load_backbone(backbone, seed=0).model)
    agent, summary = train_flag(adapt=adapt)
    model = agent.language_model()[0]
    assert (summary["layers"]["frozen"], summary["layers"]["trained"]) == (0, 2)
    # no layer is frozen, so nothing below the boundary is shared
    assert (summary["layers"]["shares_prefix"], summary["layers"]["shares_upper"]) == (False, True)
    assert torch.equal(model.get_input_embeddings().weight, before["model.embed_tokens.weight"])
    assert torch.equal(model.get_output_embeddings().weight, before["model.embed_tokens.weight"])
    after = weights_of(model)
    if adapt == "full":
        assert not any(torch.equal(before[n], after[n]) for n in before if "self_attn.q_proj" in n)
        return
    adapters = [weight for name, weight in after.items() if "lora_B" in name]
    assert len(adapters) == 2 * 7  # seven linear maps a layer
    assert all(bool(weight.any()) for weight in adapters)
    base = {name.replace(".base_layer", ""): weight for name, weight in after.items() if "lora" not in name}
    assert all(torch.equal(base[name], before[name]) for name in before)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(train_flag: Train) -> None:
    first, again, other = (train_flag(seed=seed)[1]["weights_sha256"] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_splitting_a_minibatch_changes_the_weights_by_rounding_only(train_flag: Train) -> None:
    whole, _ = train_flag(preset="paper")
    split, _ = train_flag(preset="paper", accumulation=8)
    for ours, theirs in zip(whole.net.parameters(), split.net.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("power", [-9, 7])
def test_scaling_prices_by_a_power_of_two_changes_no_action_and_no_return(
    train_flag: Train, four_bars: Market, short_protocol: Protocol, synthetic_market: Any, power: int
) -> None:
    scale = 2.0**power
    scaled = synthetic_market(
        (four_bars.bars[:, 3] * scale).tolist(),
        opens=(four_bars.bars[:, 0] * scale).tolist(),
        train=four_bars.asset.windows.train,
        test=four_bars.asset.windows.test,
    )
    plain_agent, plain = train_flag(env_steps=96)
    scaled_agent, other = train_flag(env_steps=96, market=scaled)
    assert plain["weights_sha256"] == other["weights_sha256"]
    actions = actions_of(plain_agent, four_bars, short_protocol)
    assert actions == actions_of(scaled_agent, scaled, short_protocol)
    plain_equity, scaled_equity = (
        replay(market, short_protocol, market.asset.windows.train, np.array(actions)).equity
        for market in (four_bars, scaled)
    )
    np.testing.assert_array_equal(plain_equity, scaled_equity)


def test_scaling_the_initial_cash_by_a_power_of_two_changes_no_weight(
    train_flag: Train, short_protocol: Protocol
) -> None:
    rich = short_protocol.model_copy(update={"initial_cash": short_protocol.initial_cash * 2**10})
    assert train_flag()[1]["weights_sha256"] == train_flag(protocol=rich)[1]["weights_sha256"]


def test_a_saved_agent_acts_as_before_and_holds_tensors_as_safetensors_only(
    train_flag: Train, backbone: str, four_bars: Market, short_protocol: Protocol, tmp_path: Path
) -> None:
    agent, _ = train_flag(env_steps=480)
    agent.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"trained.safetensors", "agent.json"}
    restored = FlagAgent(backbone=backbone)
    restored.load(tmp_path)
    assert actions_of(restored, four_bars, short_protocol) == actions_of(agent, four_bars, short_protocol)
    for ours, theirs in zip(restored.net.parameters(), agent.net.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_of_another_agent_or_none_is_refused(
    train_flag: Train, backbone: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordError, match="holds no checkpoint"):
        FlagAgent(backbone=backbone).load(tmp_path)
    train_flag()[0].save(tmp_path)
    with pytest.raises(RecordError, match="other params"):
        FlagAgent(backbone=backbone, trainable_layers=2).load(tmp_path)
    saved = json.loads((tmp_path / "agent.json").read_text(encoding="utf-8"))
    saved["params"]["trainable_layers"] = 2
    (tmp_path / "agent.json").write_text(json.dumps(saved), encoding="utf-8")
    with pytest.raises(RecordError, match="do not fit the backbone"):
        FlagAgent(backbone=backbone, trainable_layers=2).load(tmp_path)


def test_acting_before_training_is_refused(
    backbone: str, four_bars: Market, short_protocol: Protocol
) -> None:
    env = TradingEnv(four_bars, short_protocol, four_bars.asset.windows.train)
    with pytest.raises(AgentError, match="before it was trained"):
        FlagAgent(backbone=backbone).act(env.reset()[0])


def test_the_language_model_still_generates_and_only_the_top_changed_its_mind(
    train_flag: Train, backbone: str
) -> None:
    agent, _ = train_flag(env_steps=480)
    model, tokenizer = agent.language_model()
    ids = tokenizer("closes: 99.5 100.0", return_tensors="pt")["input_ids"]
    untouched = load_backbone(backbone, seed=0).model
    with torch.no_grad():
        ours, theirs = model(ids), untouched(ids)
    assert ours.logits.shape == theirs.logits.shape
    assert not torch.equal(ours.logits, theirs.logits)
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape == (1, ids.shape[1] + 3)


def test_training_never_computes_the_language_model_head(
    train_flag: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the whole model was called")

    monkeypatch.setattr(LlamaForCausalLM, "forward", refuse)
    train_flag()


@pytest.mark.parametrize(("rule", "expected"), [("last", False), ("best_train_return", True)])
def test_the_checkpoint_rule_decides_which_weights_stay(train_flag: Train, rule: str, expected: bool) -> None:
    # With a learning rate that wrecks the policy, the best weights are not the last ones.
    ppo = {"learning_rate": 0.3, "num_steps": 3, "anneal_lr": False}
    last, _ = train_flag(env_steps=240, ppo=ppo)
    kept, _ = train_flag(env_steps=240, ppo=ppo, checkpoint_rule=rule)
    differs = any(
        not torch.equal(a, b) for a, b in zip(last.net.parameters(), kept.net.parameters(), strict=True)
    )
    assert differs == expected


def test_the_reference_term_holds_the_policy_back(train_flag: Train) -> None:
    logs: dict[float, float] = {}
    for kl_coef in (0.0, 50.0):
        agent, _ = train_flag(env_steps=480, ppo={"kl_coef": kl_coef, "ent_coef": 0.0})
        logs[kl_coef] = max(float(w.detach().abs().max()) for w in agent.net.policy_head[2].parameters())
    assert logs[50.0] < logs[0.0]


def test_params_are_all_filled_in_and_wrong_ones_refused() -> None:
    agent = FlagAgent(backbone="random", preset="paper", ppo={"gamma": 0.9})
    assert agent.params["ppo"]["gamma"] == 0.9
    assert agent.params["ppo"]["kl_coef"] == 0.05
    with pytest.raises(ConfigError, match="unknown setting"):
        FlagAgent(backbone="random", ppo={"gama": 0.9})


def test_a_prompt_longer_than_the_context_is_refused_with_the_context_named(train_flag: Train) -> None:
    with pytest.raises(ConfigError, match="the context 60"):
        train_flag(max_prompt_tokens=60)


def test_hashes_of_weights_are_hex_digests(train_flag: Train) -> None:
    (digest,) = train_flag()[1]["weights_sha256"]
    assert len(bytes.fromhex(digest)) == hashlib.sha256().digest_size
