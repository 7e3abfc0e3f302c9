import re

import pytest

from flagbench.knowledge.results import ItemResult, SuiteResult, TaskResult
from flagbench.pretraining.building import Figures
from flagbench.pretraining.calculations import KINDS
from flagbench.pretraining.corpus import SHARES
from flagbench.pretraining.model_card import model_card
from flagbench.pretraining.recipe import Recipe, Stage
from flagbench.pretraining.relations import load_relations


def task(name: str, *right: tuple[str, bool]) -> TaskResult:
    items = tuple(
        ItemResult(f"{name}-{n}", f"{n}", kind, correct, "a", "b", truncated=False, unparsed=False)
        for n, (kind, correct) in enumerate(right)
    )
    return TaskResult(name, "1", items)


FACTS = ("fact", True), ("fact", True), ("fact", False)
ASKED = task("finance_basics", *FACTS, ("percent_of", True), ("trend", False))
BLIND = task("finance_basics_blind", ("fact", False), *FACTS[1:], ("percent_of", False), ("trend", False))
FIGURES = Figures(
    weights=1_234_567,
    sha256="ab" * 32,
    bytes=2_650_000,
    tokens=999_424,
    seconds=1_830.0,
    perplexity=2.345,
    basics=SuiteResult("basics", (ASKED,), 32, "float32", "cd" * 32, None),
    blind=(BLIND,),
)
RECIPE = Recipe(seed=3, stages=(Stage(length=128, tokens=900_000), Stage(length=1024, tokens=100_000)))


@pytest.fixture(scope="module")
def card() -> str:
    return model_card(RECIPE, FIGURES)


@pytest.mark.parametrize(
    "line",
    [
        f"| file of weights, sha256 | `{'ab' * 32}` |",
        "| size of the folder | 2.6 MB, weights stored as bf16, computed as float32 |",
        "| seed | 3 |",
        "| tokens read | 999,424 (planned: 900,000 in rows of 128, then 100,000 in rows of 1024) |",
        "| time of this build | 30 minutes |",
        "| perplexity on held-out rows | 2.35 |",
    ],
)
def test_it_states_what_was_measured(card: str, line: str) -> None:
    assert line in card.splitlines()


def test_it_shows_accuracy_by_kind_of_item_beside_that_without_the_question(card: str) -> None:
    table = [line for line in card.splitlines() if line.count("|") == 6]
    assert table == [
        "| task | kind of item | items | right | without the question |",
        "|---|---|---|---|---|",
        "| finance_basics | all | 5 | 60.0 % | 20.0 % |",
        "|  | fact | 3 | 66.7 % | 33.3 % |",
        "|  | calculations | 2 | 50.0 % | 0.0 % |",
        "|  | percent of | 1 | 100.0 % | 0.0 % |",
        "|  | trend | 1 | 0.0 % | 0.0 % |",
    ]


def test_it_states_the_corpus(card: str) -> None:
    shares = [int(share) for share in re.findall(r"^- (\d+) % ", card, flags=re.MULTILINE)]
    assert shares == [round(100 * share) for share in SHARES.values()]
    for topic, words in (("finance", "facts of finance"), ("general", "general facts")):
        facts = sum(len(relation.facts) for relation in load_relations(topic))
        assert f"tell or ask {facts} {words}" in card
    assert f"are calculations of {len(KINDS)} kinds" in card


def test_what_it_says_of_the_shape_and_of_held_out_wordings_is_so(card: str) -> None:
    assert "A Llama of 1,234,567 weights (5 layers, width 128, 4 heads," in card
    assert "Of every fact two question wordings a direction are held out" in card
    for topic in ("finance", "general"):
        for relation in load_relations(topic):
            assert len(relation.held_out) == 2
            assert relation.inverse is None or len(relation.inverse.held_out) == 2


def test_its_parts_are_apart_and_its_lines_readable(card: str) -> None:
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert headings == [
        "# The embedded backbone",
        "## Corpus",
        "## What it knows",
        "## What it is not for",
    ]
    assert card.endswith(".\n")
    assert "\n\n\n" not in card
    assert all(len(line) <= 115 for line in card.splitlines() if not line.startswith("|"))
