"""The backbone in the wheel is what its card says, and knows what it must."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

import flagbench.learning
from flagbench.pretraining.building import Figures, measure
from flagbench.pretraining.recipe import FULL, Recipe

FOLDER = Path(flagbench.learning.__path__[0]) / "embedded"
CARD = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measure(FOLDER, FULL, tokens=0, seconds=0)


def test_it_is_of_the_full_recipe_and_small() -> None:
    assert Recipe.model_validate_json((FOLDER / "recipe.json").read_text(encoding="utf-8")) == FULL
    assert f"`{sha256((FOLDER / 'model.safetensors').read_bytes()).hexdigest()}`" in CARD
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 8_000_000


def test_the_card_shows_what_is_measured(figures: Figures) -> None:
    assert float(re.findall(r"held-out rows \| ([\d.]+) \|", CARD)[0]) == pytest.approx(
        figures.perplexity, abs=0.02
    )
    for task, blind in zip(figures.basics.tasks, figures.blind, strict=True):
        (row,) = re.findall(rf"\| {task.task} \| all \| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|", CARD)
        assert int(row[0]) == len(task.items)
        # Another machine's last bits may turn an item or two.
        assert float(row[1]) == pytest.approx(100 * task.accuracy, abs=0.6)
        assert float(row[2]) == pytest.approx(100 * blind.accuracy, abs=1.5)


def test_it_knows_facts_and_calculations_it_never_saw_and_choices_tell_it_nothing(figures: Figures) -> None:
    items = [item for task in figures.basics.tasks for item in task.items]
    facts, sums = ([i.correct for i in items if (i.kind == "fact") == fact] for fact in (True, False))
    assert sum(facts) / len(facts) >= 0.85
    assert sum(sums) / len(sums) >= 0.60
    assert all(task.accuracy >= 0.75 for task in figures.basics.tasks)
    assert all(blind.accuracy <= 0.30 for blind in figures.blind)
