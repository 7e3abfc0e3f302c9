import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import CacheHook, CachingLM
from lm_eval.models.huggingface import HFLM
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

from flagbench.knowledge.evaluation import evaluate_knowledge
from flagbench.knowledge.examination import Examination
from flagbench.knowledge.shared_contexts import SharedContexts
from flagbench.knowledge.undisturbed import undisturbed
from flagbench.learning.backbone import Backbone, load_backbone
from flagbench.learning.random_backbone import make_tokenizer

if TYPE_CHECKING:
    from tests.knowledge.conftest import Parrot

Pair = tuple[str, str]
TOKENIZER = make_tokenizer()
WORDS = ["sell", "buy", "hold", "long", "flat", "cash", "the", "price", "rose", "by", "12", "7"]
SHAPE: dict[str, Any] = {
    "vocab_size": len(TOKENIZER),
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
LAYERS: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
FAMILIES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SHAPE, **LAYERS),
    "gpt2": GPT2Config(**SHAPE, n_embd=32, n_layer=2, n_head=4, n_positions=256),
    "window": MistralConfig(**SHAPE, **LAYERS, sliding_window=24),
    "bloom": BloomConfig(**SHAPE, hidden_size=32, n_layer=2, n_head=4),
}
"""Choices cannot be read together with `window`, in which a token sees no more than 24, and `bloom`, which
counts positions from a mask of its own."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without lm-eval's bars and warnings."""
    with undisturbed(family("llama")):
        yield


def family(name: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(FAMILIES[name], dtype=dtype)
    assert isinstance(model, PreTrainedModel)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.mul_(3)  # else what was read long ago changes nothing that could be seen
    model.eval()
    return model


def text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def pairs(words: tuple[int, ...] = (0, 0, 1, 5, 20, 60), *, items: int = 12) -> list[Pair]:
    """Contexts of so many words in turn with choices of one word or several; the first choice comes twice."""
    chance = random.Random(3)  # noqa: S311
    asked = []
    for item in range(items):
        context = text(chance, words[item % len(words)])
        choices = [" " + text(chance, chance.choice([1, 1, 2, 5])) for _ in range(chance.choice([1, 2, 4]))]
        asked += [(context, choice) for choice in [*choices, choices[0]]]
    chance.shuffle(asked)
    return asked


def instances(asked: list[Pair]) -> list[Instance]:
    return [Instance("loglikelihood", {}, pair, index) for index, pair in enumerate(asked)]


class Answered(CacheHook):  # type: ignore[misc]
    """What lm-eval's cache would be given."""

    def __init__(self) -> None:
        super().__init__(None)
        self.given: dict[Pair, tuple[float, bool]] = {}
        self.count = 0

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        assert attr == "loglikelihood"
        self.given[req] = res
        self.count += 1


def made(cls: type[HFLM], model: PreTrainedModel, *, batch_size: int = 32, max_tokens: int = 256) -> Any:
    tokenizer = copy.deepcopy(TOKENIZER)
    return cls(model, "causal", tokenizer=tokenizer, max_length=max_tokens, batch_size=batch_size)


def both(
    model: PreTrainedModel, asked: list[Pair], **settings: int
) -> tuple[SharedContexts, list[Any], list[Any]]:
    """Ours with its answers, and lm-eval's."""
    lm = made(SharedContexts, model, **settings)
    ours = lm.loglikelihood(instances(asked), disable_tqdm=True)
    return lm, ours, made(HFLM, model, **settings).loglikelihood(instances(asked), disable_tqdm=True)


def assert_same(ours: list[Any], theirs: list[Any]) -> None:
    """To 1e-5; from 64 on a log-likelihood in single precision is itself written in steps of 0.8e-5."""
    assert [answer[0] for answer in ours] == pytest.approx(
        [answer[0] for answer in theirs], abs=1e-5, rel=2e-7
    )
    assert [answer[1] for answer in ours] == [answer[1] for answer in theirs]


# The same as lm-eval's own


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize(("batch_size", "max_tokens"), [(32, 256), (1, 256), (3, 20)])
def test_log_likelihoods_are_lm_evals(name: str, batch_size: int, max_tokens: int) -> None:
    """With 20 tokens most contexts lose their beginning, another one for each length of a choice."""
    lm, ours, theirs = both(family(name), pairs(), batch_size=batch_size, max_tokens=max_tokens)
    assert lm.separately is None
    assert_same(ours, theirs)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_so_they_are_whatever_computes_attention(attention: str) -> None:
    model = family("llama")
    model.set_attn_implementation(attention)
    lm, ours, theirs = both(model, pairs())
    assert lm.separately is None
    assert_same(ours, theirs)


@pytest.mark.parametrize("words", [(0,), (1,), (40,)])
def test_so_they_are_for_contexts_of_one_length(words: tuple[int, ...]) -> None:
    lm, ours, theirs = both(family("llama"), pairs(words, items=5))
    assert lm.separately is None
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", ["embedded", "stories"])
def test_what_differs_for_a_trained_model_is_rounding(name: str, request: pytest.FixtureRequest) -> None:
    """In double precision nothing is left of it; in single ours is no worse than lm-eval's own."""
    backbone: Backbone = load_backbone(name, seed=0) if name == "embedded" else request.getfixturevalue(name)
    asked = instances(pairs(items=6))
    found = {}
    for model in (backbone.model, copy.deepcopy(backbone.model).double()):
        for cls in (SharedContexts, HFLM):
            tokenizer = copy.deepcopy(backbone.tokenizer)
            lm = cls(model, "causal", tokenizer=tokenizer, max_length=backbone.max_tokens, batch_size=8)
            answers = lm.loglikelihood(asked, disable_tqdm=True)
            found[cls, model.dtype] = np.array([answer[0] for answer in answers])
    exact = found[HFLM, torch.float64]
    assert np.abs(found[SharedContexts, torch.float64] - exact).max() < 1e-10
    ours, theirs = (np.abs(found[cls, torch.float32] - exact).max() for cls in (SharedContexts, HFLM))
    assert ours < 2 * theirs + 1e-5


def test_what_a_model_would_write_is_greedy(parrot: "Parrot") -> None:
    model = parrot(" sell").model
    asked = [("hold the", " sell"), ("hold the", " cash"), ("hold the", " sell sell"), ("", " sell")]
    _, ours, theirs = both(model, asked)
    assert [greedy for _, greedy in ours] == [True, False, False, True]
    assert_same(ours, theirs)


def test_lm_evals_cache_is_given_every_answer(tmp_path: Path) -> None:
    asked = pairs()
    given = []
    for cls in (SharedContexts, HFLM):
        lm, hook = made(cls, family("llama")), Answered()
        lm.set_cache_hook(hook)
        answers = lm.loglikelihood(instances(asked), disable_tqdm=True)
        assert hook.given == dict(zip(asked, answers, strict=True))
        given.append((hook.count, sorted(hook.given)))
    assert given[0] == given[1] == (len(asked), sorted(set(asked)))
    model = family("llama")
    cached = CachingLM(made(SharedContexts, model), str(tmp_path / "answers.db"))
    first = cached.loglikelihood(instances(asked))
    model.register_forward_pre_hook(lambda *_: pytest.fail("the model was asked again"))
    assert cached.loglikelihood(instances(asked)) == first


def test_a_text_is_read_in_windows_as_before() -> None:
    written = Instance("loglikelihood_rolling", {}, (text(random.Random(0), 60),), 0)  # noqa: S311
    ours, theirs = (made(cls, family("llama"), max_tokens=32) for cls in (SharedContexts, HFLM))
    assert ours.loglikelihood_rolling([written]) == theirs.loglikelihood_rolling([written])


def test_what_lm_eval_refuses_is_refused() -> None:
    for asked in ([("hold", "")], [("hold", " " + " ".join(WORDS))]):
        for cls in (SharedContexts, HFLM):
            with pytest.raises(AssertionError):
                made(cls, family("llama"), max_tokens=4).loglikelihood(instances(asked), disable_tqdm=True)
    assert made(SharedContexts, family("llama")).loglikelihood([], disable_tqdm=True) == []


# What is read


def test_a_context_is_read_once_and_only_for_its_keys_and_values() -> None:
    model = family("llama")
    lm = made(SharedContexts, model)
    lm.loglikelihood(instances([("hold " * 90, " sell")]), disable_tqdm=True)  # compares, with a longer one
    seen: dict[str, int] = {"embed_tokens": 0, "layers.1.mlp": 0, "lm_head": 0}
    for name in seen:
        module = model.get_submodule(name if name == "lm_head" else f"model.{name}")

        def note(_: torch.nn.Module, args: Any, name: str = name) -> None:
            seen[name] += args[0].shape[0] * args[0].shape[1]

        module.register_forward_pre_hook(note)
    context, choices = " ".join(WORDS), [" sell buy", " sell cash", " hold", " sell buy long"]
    lm.loglikelihood(instances([(context, choice) for choice in choices]), disable_tqdm=True)
    length = len(TOKENIZER.encode(context))
    beginnings = 2  # sell, sell buy
    assert seen == {
        "embed_tokens": length + beginnings,
        "layers.1.mlp": 1 + beginnings,
        "lm_head": 1 + beginnings,
    }


def test_a_context_is_encoded_once() -> None:
    lm = made(SharedContexts, family("llama"))
    asked = [("hold the", choice) for choice in (" sell", " buy", " cash")]
    encode, encoded = lm.tokenizer.encode, []

    def note(string: str, **settings: Any) -> Any:
        encoded.append(string)
        return encode(string, **settings)

    lm.tokenizer.encode = note
    lm.loglikelihood(instances(asked), disable_tqdm=True)
    assert sorted(encoded) == sorted(["hold the", *("".join(pair) for pair in asked)])


# Models for which it does not hold


@pytest.mark.parametrize(
    ("name", "reason"), [("window", "log-likelihoods differ by"), ("bloom", "cannot be read together: ")]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_another_family_keeps_lm_evals_pass_and_the_reason_is_kept(
    name: str, reason: str, dtype: torch.dtype
) -> None:
    model = family(name, dtype)
    lm, ours, theirs = both(model, pairs())
    assert lm.separately is not None
    assert reason in lm.separately
    assert ours == theirs
    assert lm.model is model


def test_half_precision_is_compared_in_float32() -> None:
    model = family("llama", torch.bfloat16)
    before = copy.deepcopy(model.state_dict())
    lm, ours, theirs = both(model, pairs())
    assert lm.separately is None
    assert lm.model is model
    assert model.dtype == torch.bfloat16
    assert all(torch.equal(weights, before[name]) for name, weights in model.state_dict().items())
    # A log-likelihood of -40 is written in steps of a quarter.
    assert [answer[0] for answer in ours] == pytest.approx([answer[0] for answer in theirs], rel=0.02)


def test_longer_contexts_are_compared_again() -> None:
    model = family("window")
    lm = made(SharedContexts, model)
    lm.loglikelihood(instances(pairs((3,))), disable_tqdm=True)
    reasons = [lm.separately]
    ours = lm.loglikelihood(instances(pairs()), disable_tqdm=True)
    reasons.append(lm.separately)
    assert [reason is None for reason in reasons] == [True, False]  # a window that nothing outgrows is none
    assert ours == made(HFLM, model).loglikelihood(instances(pairs()), disable_tqdm=True)


def test_an_evaluation_says_so(toy_suite: str, tiny: Backbone) -> None:
    class Holder:
        def __init__(self, model: PreTrainedModel) -> None:
            self.language_model = lambda: (model, TOKENIZER)

    assert evaluate_knowledge(tiny.model, TOKENIZER, suite=toy_suite, max_tokens=256).separately is None
    model = family("window")
    result = evaluate_knowledge(model, TOKENIZER, suite=toy_suite, max_tokens=256)
    assert result.separately is not None
    assert result.summary()["separately"] == result.to_json()["separately"] == result.separately
    assert type(result).from_json(result.to_json()) == result
    exam = Examination(toy_suite, data=None, device=None, report=lambda *_: None)
    exam.before(Holder(model))
    exam.after(Holder(model))
    assert "log-likelihoods differ by" in exam.to_record()["separately"]
