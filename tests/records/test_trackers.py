import importlib.util

import pytest

from flagbench.errors import ConfigError, MissingExtraError
from flagbench.records.trackers import TRACKERS, check_trackers, scalars


def test_numbers_are_kept_flat_and_the_rest_is_left_out() -> None:
    figures = {
        "loss": 0.5,
        "actions": [1, 2],
        "name": "flag",
        "none": None,
        "inner": {"a": 1, "b": [None, 2.5]},
    }
    assert scalars(figures) == {"loss": 0.5, "actions/0": 1, "actions/1": 2, "inner/a": 1, "inner/b/1": 2.5}


def test_an_unknown_tracker_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="`--track tensorbord` is no tracker") as caught:
        check_trackers(["tensorbord"])
    assert caught.value.hint == "known: tensorboard, wandb, mlflow, trackio"


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_missing_is_answered_with_the_line_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flagbench.records.trackers.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=f"needs the package `{name}`") as caught:
        check_trackers([name])
    assert caught.value.hint == 'pip install "flagbench[trackers]"'


def test_a_package_that_is_there_is_enough() -> None:
    there = [name for name in TRACKERS if importlib.util.find_spec(name) is not None]
    check_trackers(there)
    check_trackers([])
