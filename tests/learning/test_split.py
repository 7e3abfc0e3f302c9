from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

from flagbench.agents.prompt import Prompt
from flagbench.errors import ConfigError
from flagbench.learning.split import NotSplittableError, SplitBackbone

SHAPE: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
GROUPED: dict[str, Any] = {**SHAPE, "num_key_value_heads": 2}

FAMILIES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**GROUPED),
    "qwen2": Qwen2Config(**GROUPED),
    "qwen3": Qwen3Config(**GROUPED, head_dim=8),
    "mistral": MistralConfig(**GROUPED, sliding_window=4),
    "gemma3": Gemma3TextConfig(**GROUPED, head_dim=8, sliding_window=4),
    "gpt_neox": GPTNeoXConfig(**SHAPE),
    "gpt2": GPT2Config(
        vocab_size=97, n_embd=32, n_layer=4, n_head=4, bos_token_id=0, eos_token_id=1, pad_token_id=1
    ),
}


def random_model(config: PreTrainedConfig) -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    model.eval()
    return model


def assert_same_gradients(ours: Tensor, theirs: Tensor, weights: list[nn.Parameter]) -> None:
    """Of a sum along one direction; the sum of squares is a constant after the final norm."""
    direction = torch.linspace(-1, 1, ours.shape[-1])
    gradients = [torch.autograd.grad((states @ direction).sum(), weights) for states in (ours, theirs)]
    largest = max(float(gradient.abs().max()) for gradient in gradients[1])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5 * largest, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("trained_layers", [1, 3, 4])
def test_halves_give_what_the_whole_gives(family: str, trained_layers: int) -> None:
    model = random_model(FAMILIES[family])
    split = SplitBackbone(model, trained_layers=trained_layers)
    ids = torch.randint(0, 97, (3, 21))
    with torch.no_grad():
        whole = model.base_model(input_ids=ids).last_hidden_state
        halves = split.upper(split.lower(ids))
    torch.testing.assert_close(halves, whole, atol=1e-6, rtol=1e-5)
    assert split.frozen_layers == 4 - trained_layers


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_the_upper_half_are_those_of_the_whole(family: str) -> None:
    model = random_model(FAMILIES[family])
    split = SplitBackbone(model, trained_layers=2)
    ids = torch.randint(0, 97, (2, 13))
    weights = list(split.upper_layers.parameters())
    whole = model.base_model(input_ids=ids).last_hidden_state[:, -1]
    assert_same_gradients(split.upper(split.lower(ids))[:, -1], whole, weights)


def prompts_of_two_bars(*, seed: int = 0) -> list[Prompt]:
    """Five prompts with one static part, two bars and accounts of different lengths."""
    source = torch.Generator().manual_seed(seed)

    def draw(length: int) -> list[int]:
        return torch.randint(0, 97, (length,), generator=source).tolist()

    static, bars = draw(13), [draw(9), draw(14)]
    return [
        Prompt([*static, *bars[turn % 2], *draw(own)], static=13, daily=13 + len(bars[turn % 2]))
        for turn, own in enumerate((7, 11, 5, 8, 3))
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("trained_layers", [1, 2, 4])
def test_prompts_in_pieces_give_what_each_gives_whole(family: str, trained_layers: int) -> None:
    model = random_model(FAMILIES[family])
    split = SplitBackbone(model, trained_layers=trained_layers)
    assert split.shares_upper
    assert split.trunk.shares == (trained_layers < 4)
    prompts = prompts_of_two_bars()
    (tree,) = split.collate(split.features(prompts))
    assert [len(level.lengths) for level in tree.levels] == [1, 2, 5]
    ours = split.last_hidden(tree)
    whole = [model.base_model(input_ids=torch.tensor([prompt.tokens])) for prompt in prompts]
    theirs = torch.stack([output.last_hidden_state[0, -1] for output in whole])
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    assert_same_gradients(ours, theirs, list(split.upper_layers.parameters()))


def test_layers_that_lie_deeper_in_the_model_are_found() -> None:
    """OPT keeps them in a decoder below its body."""
    config = OPTConfig(
        vocab_size=97,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        dropout=0.0,
    )
    model = random_model(config)
    split = SplitBackbone(model, trained_layers=1)
    prompts = prompts_of_two_bars()
    with torch.no_grad():
        ours = split.last_hidden(*split.collate(split.features(prompts)))
        whole = [model.base_model(input_ids=torch.tensor([prompt.tokens])) for prompt in prompts]
    theirs = torch.stack([output.last_hidden_state[0, -1] for output in whole])
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(0, 20))
def test_padding_on_the_right_changes_nothing_at_real_positions(real: int, padding: int) -> None:
    model = random_model(FAMILIES["llama"])
    split = SplitBackbone(model, trained_layers=1)
    ids = torch.randint(0, 97, (1, real + padding))
    with torch.no_grad():
        padded = split.upper(split.lower(ids))[:, :real]
        alone = split.upper(split.lower(ids[:, :real]))
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=1e-5)


def test_the_lower_half_has_no_gradient_and_the_halves_are_the_models_own_modules() -> None:
    model = random_model(FAMILIES["llama"])
    split = SplitBackbone(model, trained_layers=1)
    assert not split.lower(torch.zeros((1, 4), dtype=torch.long)).requires_grad
    layers = model.get_submodule("model.layers")
    assert isinstance(layers, nn.ModuleList)
    assert split.upper_layers[0] is layers[3]
    assert split.tail[0] is model.get_submodule("model.norm")


@pytest.mark.parametrize("trained_layers", [0, 5])
def test_more_or_fewer_layers_than_there_are_is_refused(trained_layers: int) -> None:
    with pytest.raises(ConfigError, match=f"{trained_layers} trained layers asked for, the backbone has 4"):
        SplitBackbone(random_model(FAMILIES["llama"]), trained_layers=trained_layers)


def test_a_family_whose_layers_are_not_found_is_refused_with_a_way_out() -> None:
    model = random_model(FAMILIES["llama"])
    layers = model.get_submodule("model.layers")
    assert isinstance(layers, nn.ModuleList)
    model.base_model.add_module("others", nn.ModuleList([nn.Linear(2, 2) for _ in layers]))
    with pytest.raises(ConfigError, match="no single list of 4 decoder layers") as caught:
        SplitBackbone(model, trained_layers=1)
    assert "Llama" in caught.value.hint


def test_a_model_whose_halves_disagree_with_the_whole_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(FAMILIES["llama"])
    body = model.base_model
    whole = type(body).forward

    def scaled(self: nn.Module, *args: object, **kwargs: object) -> object:
        output = whole(self, *args, **kwargs)
        output.last_hidden_state = output.last_hidden_state * 1.001
        return output

    monkeypatch.setattr(type(body), "forward", scaled)
    with pytest.raises(NotSplittableError, match="cannot be split after layer 3"):
        SplitBackbone(model, trained_layers=1)
