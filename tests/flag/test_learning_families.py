from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPTNeoXConfig, PreTrainedConfig, Qwen2Config

from flagbench.learning.random_backbone import CONTEXT, make_tokenizer
from flagbench.market.market import Market
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol
from flagbench.trading.rollout import rollout

pytestmark = pytest.mark.slow

BUY_SELL_BUY = [2, 0, 2]
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}
SPECIAL: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}


def config_of(family: str, vocabulary: int) -> PreTrainedConfig:
    if family == "gpt2":
        shape: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
        return GPT2Config(vocab_size=vocabulary, **shape, **SPECIAL)
    if family == "gpt_neox":
        return GPTNeoXConfig(vocab_size=vocabulary, **SHAPE, **SPECIAL)
    return Qwen2Config(vocab_size=vocabulary, num_key_value_heads=2, **SHAPE, **SPECIAL)


def learnt(agent: Any, market: Market, protocol: Protocol) -> list[int]:
    env = TradingEnv(market, protocol, market.asset.windows.train)
    return [int(action) for action in rollout(agent.act, env, seed=0).actions]


@pytest.mark.parametrize("family", ["qwen2", "gpt2", "gpt_neox"])
def test_other_families_learn_the_four_bars_too(
    family: str, train_flag: Callable[..., Any], four_bars: Market, short_protocol: Protocol, tmp_path: Path
) -> None:
    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config_of(family, len(tokenizer))).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    agent, _ = train_flag(env_steps=1_920, num_envs=8, backbone=str(tmp_path))
    assert learnt(agent, four_bars, short_protocol) == BUY_SELL_BUY


@pytest.mark.parametrize("adapt", ["lora", "full"])
def test_the_variants_learn_the_four_bars_too(
    adapt: str, train_flag: Callable[..., Any], four_bars: Market, short_protocol: Protocol
) -> None:
    agent, _ = train_flag(env_steps=1_920, num_envs=8, adapt=adapt)
    assert learnt(agent, four_bars, short_protocol) == BUY_SELL_BUY
