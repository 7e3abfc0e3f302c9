import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from flagbench.market.text_file import TextItem
from flagbench.trading.observation import Observation


class ObservationFactory(Protocol):
    """The type of `observation`; tests import it under `TYPE_CHECKING` only."""

    def __call__(
        self,
        *,
        seed: int = 0,
        account_seed: int = 0,
        decisions: int = 10,
        lookback: int = 20,
        news: Sequence[str] = (),
        scale: float = 1.0,
        date: str = "2020-03-04",
    ) -> Observation: ...


@pytest.fixture(scope="session")
def observation() -> ObservationFactory:
    """Makes an observation: a random walk of closes, so many past decisions, and some news."""

    def make_observation(
        *,
        seed: int = 0,
        account_seed: int = 0,
        decisions: int = 10,
        lookback: int = 20,
        news: Sequence[str] = (),
        scale: float = 1.0,
        date: str = "2020-03-04",
    ) -> Observation:
        closes = 100 * np.cumprod(1 + np.random.default_rng(seed).normal(0, 0.02, lookback))
        bars = np.column_stack([closes, closes * 1.01, closes * 0.99, closes]).astype(np.float32)
        volume = np.full((lookback, 1), 1e6, dtype=np.float32)
        chance = np.random.default_rng(account_seed)
        history = np.tile(np.array([-1, 0, 0], dtype=np.float32), (10, 1))
        for row in range(10 - decisions, 10):
            history[row] = [row % 3, chance.normal(), 1 + chance.normal(0, 0.01)]
        long = account_seed % 2
        account = [long, 1 - long, 1 + chance.normal(0, 0.01), decisions, 0.001, 0.01]
        return Observation(
            window=np.hstack([bars * np.float32(scale), volume]),
            date=date,
            text=tuple(TextItem(date, "news", words) for words in news),
            mask=np.array([long, 1, 1 - long], dtype=np.int8),
            account=np.array(account, dtype=np.float32),
            history=history,
        )

    return make_observation


@pytest.fixture(scope="session")
def own_tokenizer() -> Any:
    """The project's own tokenizer, which has no chat template."""
    from flagbench.learning.random_backbone import make_tokenizer

    return make_tokenizer()


@pytest.fixture(scope="session")
def chat_tokenizer() -> Any:
    """The same tokenizer with a chat template that closes each turn."""
    from flagbench.learning.random_backbone import make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.chat_template = (
        "{% for message in messages %}<s>{{ message['role'] }}\n{{ message['content'] }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
    )
    return tokenizer


@pytest.fixture(scope="session")
def stories_tokenizer(models_folder: Path) -> Any:
    """The tokenizer of stories-260k: 512 tokens, so that nothing is shorter in any other."""
    folder = models_folder / "stories-260k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is no folder: this test needs that model's tokenizer")
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The folder of real models: `FLAGBENCH_MODELS`, else `models` beside `FLAGBENCH_DATA`."""
    if os.environ.get("FLAGBENCH_MODELS"):
        return Path(os.environ["FLAGBENCH_MODELS"])
    if os.environ.get("FLAGBENCH_DATA"):
        return Path(os.environ["FLAGBENCH_DATA"]).parent / "models"
    pytest.skip("neither FLAGBENCH_MODELS nor FLAGBENCH_DATA is set: this test needs a real model")
