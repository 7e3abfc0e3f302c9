import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, register_tracker_class

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.learning.start import start, tracked
from flagbench.records.trackers import Tracking
from flagbench.records.training_log import Silent, read_training_log, training_log

SETUP = Setup(env_steps=8, num_envs=2)


class Notebook(GeneralTracker):  # type: ignore[misc]  # accelerate has no types
    """Writes down whatever accelerate passes on."""

    name = "notebook"
    requires_logging_directory = True
    told: tuple[Any, ...] = ()
    breaks = False

    def __init__(self, run_name: str, logging_dir: str, **kwargs: Any) -> None:
        super().__init__()
        Notebook.told = (("made", run_name, str(logging_dir), kwargs),)

    @property
    def tracker(self) -> None:
        return None

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        sys.stdout.write("chatter\n")
        Notebook.told += (("config", values),)

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        if Notebook.breaks:
            raise OSError("the line is dead")
        Notebook.told += (("log", values, step),)

    def finish(self) -> None:
        Notebook.told += (("finish",),)


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    register_tracker_class(Notebook)
    yield
    del LOGGER_TYPE_TO_CLASS[Notebook.name]


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.setattr(Notebook, "told", ())
    return Tracking(("notebook",), tmp_path / "tracking", "TSLA/seed-0", {"agent": "flag", "seed": 0})


def test_figures_go_through_accelerate_to_every_tracker_and_to_the_file(
    tracking: Tracking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accelerator = start(SETUP, seed=0, tracking=tracking)
    path = tmp_path / "train.jsonl"
    with tracked(accelerator, tracking) as forward, training_log(path, Silent(), forward) as log:
        log.log({"env_steps": 8, "loss": 0.5, "worst": float("nan"), "actions": [3, 5]})
        log.log({"loss": 0.25})
    assert Notebook.told == (
        ("made", "flagbench", str(tmp_path / "tracking"), {}),
        ("config", {"agent": "flag", "seed": 0}),
        ("log", {"env_steps": 8, "loss": 0.5, "actions/0": 3, "actions/1": 5}, 8),
        ("log", {"loss": 0.25}, 2),
        ("finish",),
    )
    assert [line["loss"] for line in read_training_log(path)] == [0.5, 0.25]
    assert capsys.readouterr() == ("", "chatter\n")


def test_trackers_are_finished_when_the_training_fails(tracking: Tracking) -> None:
    accelerator = start(SETUP, seed=0, tracking=tracking)
    with pytest.raises(KeyboardInterrupt), tracked(accelerator, tracking):
        raise KeyboardInterrupt
    assert Notebook.told[-1] == ("finish",)


def test_a_tracker_that_fails_is_no_fault_of_the_agent(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Notebook, "breaks", True)
    accelerator = start(SETUP, seed=0, tracking=tracking)
    path = tmp_path / "train.jsonl"
    with (
        pytest.raises(ConfigError, match=r"a tracker failed to log: OSError\('the line is dead'\)") as caught,
        tracked(accelerator, tracking) as forward,
        training_log(path, Silent(), forward) as log,
    ):
        log.log({"env_steps": 8})
    assert caught.value.hint == "leave out --track; train.jsonl has the same figures"
    assert read_training_log(path) == [{"env_steps": 8}]


def test_without_trackers_nothing_is_forwarded() -> None:
    accelerator = start(SETUP, seed=0)
    with tracked(accelerator, None) as forward:
        assert forward is None
    assert accelerator.trackers == []
