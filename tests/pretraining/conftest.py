from collections.abc import Sequence
from typing import Any

import pytest

from flagbench.pretraining.corpus import Corpus
from flagbench.pretraining.items import Item, make_items
from flagbench.pretraining.recipe import Recipe, Stage
from flagbench.pretraining.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """Trains in seconds, in all stages' lengths; what comes out knows nothing."""
    return Recipe(
        width=32,
        layers=1,
        feed_forward=64,
        heads=2,
        key_value_heads=1,
        vocabulary=600,
        tokenizer_texts=500,
        batch_tokens=2048,
        stages=(Stage(length=128, tokens=40_000), Stage(length=512, tokens=9_000)),
    )


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Of 1,200 tokens, so that a whole prompt fits 512 of them."""
    return train_tokenizer(Corpus(seed=0).tokenizer_texts(size=2_000), vocabulary=1_200, context=1024)


@pytest.fixture(scope="session")
def taught() -> Sequence[str]:
    """All that can be said of the facts, and forty thousand texts of all kinds, drawn."""
    corpus = Corpus(seed=7)
    return (*corpus.taught(), *(corpus.text() for _ in range(40_000)))


@pytest.fixture(scope="session")
def items() -> Sequence[Item]:
    """Both topics'."""
    return (*make_items("finance"), *make_items("general"))
