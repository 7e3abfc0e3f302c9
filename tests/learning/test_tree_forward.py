from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, OpenAIGPTConfig, PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaMLP

from flagbench.flag.adaptation import Adapt, adapted
from flagbench.learning.prompt_tree import flattened, one_level, tree_of
from flagbench.learning.split import SplitBackbone
from flagbench.learning.tree_forward import NotSupportedError, last_states, layer_call

SHAPE: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}

DIRECTION = torch.linspace(-1, 1, 32)


def made(config: Any, *, attention: str = "sdpa") -> PreTrainedModel:
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    model.eval()
    return model


def llama(*, attention: str = "sdpa") -> PreTrainedModel:
    return made(LlamaConfig(**SHAPE), attention=attention)


def among_all(split: SplitBackbone, hidden: Tensor, lengths: Tensor) -> Tensor:
    """What `last_hidden` stands for: the whole upper half, of which one position a prompt is read."""
    return split.upper(hidden)[torch.arange(len(lengths)), lengths - 1]


def assert_alike(alone: Tensor, whole: Tensor) -> None:
    torch.testing.assert_close(alone, whole, atol=1e-6, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(0, 20))
def test_what_stands_in_the_padding_changes_nothing(lengths: list[int], padding: int) -> None:
    split = SplitBackbone(llama(), trained_layers=2)
    assert split.shares_upper
    hidden = torch.randn(len(lengths), max(lengths) + padding, 32)
    other = hidden.clone()
    for row, length in enumerate(lengths):
        other[row, length:] = 100 * torch.randn(hidden.shape[1] - length, 32)
    with torch.no_grad():
        first, second = (
            split.last_hidden(one_level(states, torch.tensor(lengths))) for states in (hidden, other)
        )
        alone = [
            split.last_hidden(one_level(hidden[row : row + 1, :length], torch.tensor([length])))
            for row, length in enumerate(lengths)
        ]
    assert_alike(second, first)
    assert_alike(torch.cat(alone), first)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("window", [3, 8, 40])
def test_a_window_that_slides_hides_the_same_keys(attention: str, window: int) -> None:
    model = made(MistralConfig(**SHAPE, sliding_window=window), attention=attention)
    split = SplitBackbone(model, trained_layers=1)
    assert split.shares_upper
    hidden, lengths = torch.randn(3, 33, 32), torch.tensor([33, 2, 20])
    assert_alike(split.last_hidden(one_level(hidden, lengths)), among_all(split, hidden, lengths))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_under_autocast_it_rounds_as_the_whole_does(attention: str) -> None:
    split = SplitBackbone(llama(attention=attention), trained_layers=2)
    hidden, lengths = torch.randn(3, 17, 32), torch.tensor([17, 1, 9])
    weights = list(split.upper_layers.parameters())
    exact = among_all(split, hidden, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        alone, whole = split.last_hidden(one_level(hidden, lengths)), among_all(split, hidden, lengths)
        assert not torch.equal(whole, exact)  # it did round
        assert alone.dtype == whole.dtype
        # bfloat16 has eight bits: 2**-8 of the largest value, over a few operations
        torch.testing.assert_close(alone, whole, atol=0.03, rtol=0.03)
        gradients = torch.autograd.grad((alone.float() @ DIRECTION).sum(), weights)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


ADAPTATIONS: list[Adapt] = ["top_layers", "lora", "full"]


@pytest.mark.parametrize("adapt", ADAPTATIONS)
def test_whatever_is_trained_gets_the_gradients_of_the_whole(adapt: Adapt) -> None:
    model = llama()
    split = adapted(model, adapt, trainable_layers=None, lora_rank=2)
    assert isinstance(split, SplitBackbone)
    assert split.shares_upper
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # they begin at 0, and then the other factors have no gradient
            weight.data.normal_()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    hidden, lengths = torch.randn(3, 17, 32), torch.tensor([17, 1, 9])
    ours, theirs = split.last_hidden(one_level(hidden, lengths)), among_all(split, hidden, lengths)
    assert_alike(ours, theirs)
    # No sum of squares: after the final norm that is a constant.
    gradients = [torch.autograd.grad((states @ DIRECTION).sum(), trained) for states in (ours, theirs)]
    largest = max(float(gradient.abs().max()) for gradient in gradients[1])
    for one, other in zip(*gradients, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(one, other, atol=1e-5 * largest, rtol=1e-4)


def test_a_family_without_a_cache_runs_whole() -> None:
    config = OpenAIGPTConfig(vocab_size=97, n_positions=64, n_embd=32, n_layer=3, n_head=4)
    split = SplitBackbone(made(config, attention="eager"), trained_layers=2)
    assert not split.shares_upper
    hidden, lengths = torch.randn(3, 17, 32), torch.tensor([17, 1, 9])
    assert torch.equal(split.last_hidden(one_level(hidden, lengths)), among_all(split, hidden, lengths))


def test_a_layer_that_mixes_tokens_outside_its_attention_runs_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum over all earlier tokens is causal, so the model can be cut, but one token alone is not enough."""
    original: Callable[..., Tensor] = LlamaMLP.forward

    def summed(self: LlamaMLP, hidden: Tensor) -> Tensor:
        return original(self, hidden).cumsum(1)

    monkeypatch.setattr(LlamaMLP, "forward", summed)
    split = SplitBackbone(llama(), trained_layers=1)
    assert not split.shares_upper
    hidden, lengths = torch.randn(2, 9, 32), torch.tensor([9, 4])
    assert torch.equal(split.last_hidden(one_level(hidden, lengths)), among_all(split, hidden, lengths))


class Plain(nn.Module):
    """A layer that takes no cache."""

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden


class Deaf(nn.Module):
    """A layer that takes a cache and never asks it."""

    def forward(self, hidden: Tensor, past_key_values: object = None) -> Tensor:  # noqa: ARG002
        return hidden


@pytest.mark.parametrize(
    ("layer", "why"),
    [(Plain(), "takes no cache by any of the names"), (Deaf(), "never hands keys and values")],
)
def test_a_layer_that_cannot_is_refused_with_the_reason(layer: nn.Module, why: str) -> None:
    hidden = torch.zeros(1, 3, 2)
    with pytest.raises(NotSupportedError, match=why):
        last_states([layer], [layer_call(layer, (hidden,), {})], one_level(hidden, torch.tensor([2])))


def pieces(*lengths: int) -> list[Tensor]:
    return [torch.randn(length, 32) for length in lengths]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("trained_layers", [1, 3])
def test_a_tree_gives_what_its_prompts_give_one_by_one(
    attention: str, window: int | None, trained_layers: int
) -> None:
    config = LlamaConfig(**SHAPE) if window is None else MistralConfig(**SHAPE, sliding_window=window)
    split = SplitBackbone(made(config, attention=attention), trained_layers=trained_layers)
    assert split.shares_upper
    static, one, other = pieces(11, 6, 9)
    tree = tree_of(
        [(static, bar, *pieces(own)) for bar, own in ((one, 3), (other, 8), (one, 1), (other, 5), (one, 12))]
    )
    assert [len(level.lengths) for level in tree.levels] == [1, 2, 5]
    weights = list(split.upper_layers.parameters())
    whole = among_all(split, *flattened(tree))
    shared = split.last_hidden(tree)
    assert_alike(shared, whole)
    gradients = [torch.autograd.grad((states @ DIRECTION).sum(), weights) for states in (shared, whole)]
    largest = max(float(gradient.abs().max()) for gradient in gradients[1])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=5e-6 * largest, rtol=0)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_trees_of_every_shape_agree_with_their_prompts(data: st.DataObject) -> None:
    split = SplitBackbone(llama(), trained_layers=2)
    length = st.integers(1, 9)
    statics = [torch.randn(data.draw(length), 32) for _ in range(data.draw(st.integers(1, 2)))]
    bars = [
        (data.draw(st.sampled_from(statics)), torch.randn(data.draw(length), 32))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    prompts = [
        (*data.draw(st.sampled_from(bars)), torch.randn(data.draw(length), 32))
        for _ in range(data.draw(st.integers(1, 6)))
    ]
    with torch.no_grad():
        together = split.last_hidden(tree_of(prompts))
        alone = [split.last_hidden(tree_of([prompt])) for prompt in prompts]
    assert_alike(together, torch.cat(alone))


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_gradients_are_the_same_every_time_with_several_threads() -> None:
    """Adding up by index in several threads would add in whatever order they come."""
    split = SplitBackbone(llama(), trained_layers=2)
    static, bars = torch.randn(60, 32), [torch.randn(200, 32) for _ in range(4)]
    tree = tree_of([(static, bars[row % 4], torch.randn(20, 32)) for row in range(48)])
    weights = list(split.upper_layers.parameters())
    found = [torch.autograd.grad(split.last_hidden(tree).square().sum(), weights) for _ in range(6)]
    for again in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], again, strict=True))
