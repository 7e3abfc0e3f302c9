import random

import numpy as np
import pytest
import torch

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.learning.start import observed, start

SETUP = Setup(env_steps=8, num_envs=2)


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))  # noqa: S311


def test_every_source_of_chance_begins_at_the_seed() -> None:
    start(SETUP, seed=5)
    first = draw()
    start(SETUP, seed=5)
    assert draw() == first
    start(SETUP, seed=6)
    assert all(ours != theirs for ours, theirs in zip(draw(), first, strict=True))


def test_what_was_observed_is_stated() -> None:
    state = observed(start(SETUP, seed=0))
    assert state["processes"] == 1
    assert state["device"] in ("cpu", "cuda", "mps", "xpu")
    assert state["mixed_precision"] == ("bf16" if torch.cuda.is_available() else "no")


def test_processes_that_accelerate_did_not_find_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    start(SETUP, seed=0)  # the process group's state is fixed by the first accelerator
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="started 2 processes, accelerate found 1"):
        start(SETUP, seed=0)
