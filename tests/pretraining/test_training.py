import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from flagbench.pretraining.building import Trained, train_backbone
from flagbench.pretraining.corpus import Corpus, Packer
from flagbench.pretraining.recipe import FULL, SHORT, Recipe, Stage
from flagbench.pretraining.training import Progress, learning_rate, make_model, train

TENTH = Recipe(warm_up=0.1, stages=(Stage(length=128, tokens=10_000),))


def trained(recipe: Recipe) -> tuple[Trained, list[Progress]]:
    told: list[Progress] = []
    return train_backbone(recipe, report=told.append), told


@pytest.fixture(scope="module")
def first(tiny_recipe: Recipe) -> tuple[Trained, list[Progress]]:
    """The tiny recipe, once."""
    return trained(tiny_recipe)


def weights(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters())


@pytest.mark.parametrize(
    ("done", "share"),
    [
        (0.0, 0.001),
        (0.05, 0.5),
        (0.1, 1.0),
        (0.55, 0.505),
        (1.0, 0.01),
        (0.325, 0.01 + 0.99 * (2 + 2**0.5) / 4),
    ],
)
def test_the_rate_rises_in_a_line_and_falls_as_a_cosine(done: float, share: float) -> None:
    assert learning_rate(done, TENTH) == pytest.approx(share)


@given(one=st.floats(0, 1), other=st.floats(0, 1), recipe=st.sampled_from([FULL, SHORT, TENTH]))
def test_the_rate_never_exceeds_its_peak_and_turns_once(one: float, other: float, recipe: Recipe) -> None:
    earlier, later = sorted((one, other))
    rates = learning_rate(earlier, recipe), learning_rate(later, recipe)
    assert all(0.001 <= rate <= 1 for rate in rates)
    if later < recipe.warm_up:
        assert rates[0] <= rates[1]
    if earlier >= recipe.warm_up:
        assert rates[0] >= rates[1]


@pytest.mark.parametrize("recipe", [FULL, SHORT])
def test_the_recipes_stages_grow_up_to_the_context(recipe: Recipe) -> None:
    lengths = [stage.length for stage in recipe.stages]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == recipe.context
    assert all(recipe.batch_tokens % length == 0 for length in lengths)


def test_a_model_has_the_recipes_shape_and_its_seeds_weights(tiny_recipe: Recipe, tokenizer: Any) -> None:
    model = make_model(tiny_recipe, tokenizer)
    # 1,200 · 32 embeddings, tied; attention 2 · 32 · 32 + 2 · 16 · 32; 3 · 64 · 32 forward; 3 norms.
    assert sum(one.numel() for one in model.parameters()) == 38_400 + 3_072 + 6_144 + 96
    assert model.config.max_position_embeddings == 1024
    assert (model.config.eos_token_id, model.config.pad_token_id, model.config.bos_token_id) == (2, 0, 0)
    again, other = (make_model(tiny_recipe.model_copy(update={"seed": seed}), tokenizer) for seed in (0, 1))
    assert all(torch.equal(one, weights(again)[name]) for name, one in weights(model).items())
    assert not torch.equal(model.model.embed_tokens.weight, other.model.embed_tokens.weight)


def test_stages_follow_each_other_in_whole_batches(first: tuple[Trained, list[Progress]]) -> None:
    told = first[1]
    # 40,000 // 2,048 = 19 batches of 16 rows of 128; 9,000 // 2,048 = 4 of 4 rows of 512.
    assert [progress.tokens for progress in told] == [2_048 * step for step in range(1, 24)]
    assert {progress.of_tokens for progress in told} == {49_000}
    assert first[0].tokens == 23 * 2_048
    seconds = [progress.seconds for progress in told]
    assert seconds == sorted(seconds)


def test_training_lowers_the_loss(first: tuple[Trained, list[Progress]]) -> None:
    losses = [progress.loss for progress in first[1]]
    assert losses[0] == pytest.approx(math.log(600), abs=0.3)
    assert sum(losses[-6:]) / 6 < losses[0] - 1


def test_every_weight_is_trained_and_the_model_is_left_in_evaluation(
    tiny_recipe: Recipe, first: tuple[Trained, list[Progress]]
) -> None:
    model, tokenizer, _ = first[0]
    assert not model.training
    untrained = weights(make_model(tiny_recipe, tokenizer))
    assert [name for name, one in weights(model).items() if torch.equal(one, untrained[name])] == []
    assert all(torch.isfinite(one).all() for one in weights(model).values())


def test_one_seed_ends_in_one_set_of_weights_and_another_elsewhere(
    tiny_recipe: Recipe, first: tuple[Trained, list[Progress]]
) -> None:
    again, told = trained(tiny_recipe)
    assert [progress.loss for progress in told] == [progress.loss for progress in first[1]]
    assert again.tokenizer.backend_tokenizer.to_str() == first[0].tokenizer.backend_tokenizer.to_str()
    assert all(torch.equal(one, weights(first[0].model)[name]) for name, one in weights(again.model).items())
    other, _ = trained(tiny_recipe.model_copy(update={"seed": 1}))
    assert other.tokenizer.backend_tokenizer.to_str() != first[0].tokenizer.backend_tokenizer.to_str()
    embedded = [one.model.model.embed_tokens.weight for one in (other, first[0])]
    assert not torch.equal(*embedded)


def test_what_is_ignored_is_not_learned(tiny_recipe: Recipe, tokenizer: Any) -> None:
    """The loss of the first step is that of the labels alone."""
    recipe = tiny_recipe.model_copy(update={"stages": (Stage(length=512, tokens=2_048),)})
    model, told = make_model(recipe, tokenizer), list[Progress]()
    rows = Packer(Corpus(seed=6), tokenizer, context=1024, seed=6).rows(count=4, length=512)
    tokens, labels = (torch.tensor(part) for part in zip(*rows, strict=True))
    assert (labels == -100).float().mean() > 0.3
    with torch.no_grad():
        scores = model(input_ids=tokens).logits[:, :-1].log_softmax(-1)
    known = labels[:, 1:] != -100
    picked = scores.gather(-1, tokens[:, 1:, None])[..., 0][known]
    train(model, Packer(Corpus(seed=6), tokenizer, context=1024, seed=6), recipe, told.append)
    assert told[0].loss == pytest.approx(float(-picked.mean()), rel=1e-5)
