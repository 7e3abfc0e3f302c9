import json
import math
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from flagbench.errors import ConfigError, RecordError
from flagbench.learning.backbone import load_backbone
from flagbench.pretraining.building import Figures, build_backbone, measure, perplexity
from flagbench.pretraining.items import make_items
from flagbench.pretraining.recipe import SHORT, Recipe
from flagbench.pretraining.training import Progress, make_model

LARGEST = 8_000_000
"""Bytes of a backbone that may lie in the wheel."""


class Built(NamedTuple):
    """A folder and what was measured of it."""

    folder: Path
    figures: Figures


@pytest.fixture(scope="module")
def built(tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """From the tiny recipe."""
    folder = tmp_path_factory.mktemp("below") / "new" / "backbone"
    figures = build_backbone(folder, tiny_recipe, report=lambda _: None)
    assert figures is not None
    return Built(folder, figures)


def test_the_folder_holds_a_model_its_recipe_and_its_card_and_nothing_else_is_left(built: Built) -> None:
    assert [path.name for path in built.folder.parent.iterdir()] == ["backbone"]
    assert {path.name for path in built.folder.iterdir()} == {
        "MODEL_CARD.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "recipe.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_it_loads_as_any_model_does(built: Built) -> None:
    model = AutoModelForCausalLM.from_pretrained(built.folder)
    tokenizer = AutoTokenizer.from_pretrained(built.folder)
    assert model.dtype == torch.bfloat16
    assert len(tokenizer) == model.config.vocab_size == 600
    (scores,) = model(torch.tensor([tokenizer("The price")["input_ids"]])).logits
    assert torch.isfinite(scores).all()
    turn = [{"role": "user", "content": "Up or down?"}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    assert str(text).endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_it_loads_as_a_backbone_of_an_agent(built: Built) -> None:
    backbone = load_backbone(str(built.folder), seed=0)
    assert backbone.max_tokens == 1024
    assert backbone.model.dtype == torch.float32


def test_weights_are_stored_in_two_bytes(built: Built) -> None:
    stored = load_file(built.folder / "model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.bfloat16}
    assert sum(weight.numel() for weight in stored.values()) == built.figures.weights
    assert (built.folder / "model.safetensors").stat().st_size < 2 * built.figures.weights + 10_000


def test_recipe_and_card_are_of_this_folder(built: Built, tiny_recipe: Recipe) -> None:
    stored = json.loads((built.folder / "recipe.json").read_text(encoding="utf-8"))
    assert Recipe.model_validate(stored) == tiny_recipe
    digest = sha256((built.folder / "model.safetensors").read_bytes()).hexdigest()
    assert built.figures.sha256 == digest
    assert f"`{digest}`" in (built.folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_no_path_of_this_machine_is_written_down(built: Built) -> None:
    for path in built.folder.iterdir():
        assert str(built.folder.parent).encode() not in path.read_bytes()
        assert b"partial-" not in path.read_bytes()


def test_what_was_measured_is_found_again(built: Built, tiny_recipe: Recipe) -> None:
    figures = built.figures
    assert figures.tokens == 23 * 2_048
    assert math.isfinite(figures.perplexity)
    assert 1 < figures.perplexity < 600
    counts = [len(make_items("finance")), len(make_items("general"))]
    assert [len(task.items) for task in figures.basics.tasks] == counts
    assert [len(task.items) for task in figures.blind] == counts
    asked = [item.item.partition("/")[2] for item in figures.blind[0].items]
    assert asked == [item.id for item in make_items("finance")]
    again = measure(built.folder, tiny_recipe, tokens=figures.tokens, seconds=figures.seconds)
    # The card came after its figures.
    card = (built.folder / "MODEL_CARD.md").stat().st_size
    assert again._replace(bytes=again.bytes - card) == figures


def test_a_model_that_knows_nothing_is_as_perplexed_as_it_has_tokens(
    tiny_recipe: Recipe, tokenizer: Any
) -> None:
    model = make_model(tiny_recipe, tokenizer).eval()
    with torch.no_grad():
        model.model.embed_tokens.weight.zero_()
    assert perplexity(model, tokenizer, context=1024) == pytest.approx(1_200, rel=1e-4)


# Nothing is overwritten, nothing is left half-written.


def never(_: Progress) -> None:
    pytest.fail("the training began")


@pytest.mark.parametrize("what", ["file", "empty folder", "folder"])
def test_what_is_there_already_is_left_alone(what: str, tiny_recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "backbone"
    if what == "file":
        out.write_text("mine")
    else:
        out.mkdir()
    if what == "folder":
        (out / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="backbone is there already") as caught:
        build_backbone(out, tiny_recipe, report=never)
    assert caught.value.hint == "choose a new folder, or remove it first"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_found_out_before_the_training(
    tiny_recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be written"):
        build_backbone(tmp_path / "file" / "backbone", tiny_recipe, report=never)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_ends_a_training_leaves_nothing(
    error: type[BaseException], tiny_recipe: Recipe, tmp_path: Path
) -> None:
    def stop(_: Progress) -> None:
        assert [path.name[:18] for path in tmp_path.glob("a/b/.*")] == [".backbone.partial-"]
        raise error

    with pytest.raises(error):
        build_backbone(tmp_path / "a" / "b" / "backbone", tiny_recipe, report=stop)
    assert list(tmp_path.iterdir()) == []


# The short form, whole.


@pytest.mark.long
def test_the_short_form_learns_facts_and_choices_give_nothing_away(tmp_path: Path) -> None:
    """About two minutes on an idle core."""
    losses: list[float] = []
    out = tmp_path / "backbone"
    figures = build_backbone(out, SHORT, report=lambda progress: losses.append(progress.loss))
    assert figures is not None
    assert all(math.isfinite(loss) for loss in losses)
    assert math.isfinite(figures.perplexity)
    assert figures.perplexity < 4
    assert figures.bytes == sum(path.stat().st_size for path in out.iterdir() if path.suffix != ".md")
    assert sum(path.stat().st_size for path in out.iterdir()) <= LARGEST
    assert 1_000_000 <= figures.weights <= 3_000_000
    # A recipe that teaches nothing is right in a quarter of some 700 facts, give or take 1.6 points; this
    # one was in about 40 %.
    right = [item.correct for task in figures.basics.tasks for item in task.items if item.kind == "fact"]
    assert len(right) > 600
    assert sum(right) / len(right) >= 0.33
    for blind in figures.blind:
        assert blind.accuracy <= 0.32, blind.task
