import math
from pathlib import Path

import numpy as np
import pytest

from flagbench.board.joint import (
    HELD,
    MOST_TESTED,
    Joint,
    Series,
    joint_text,
    read_joint,
    series_sha256,
    update_joint,
)
from flagbench.board.level import Seeds
from flagbench.comparison.joint_tests import joint_tests
from flagbench.errors import RecordError


def series(seed: int, *, mean: float = 0.0) -> Series:
    returns = np.random.default_rng(seed).normal(mean, 0.01, (2, 60))
    return {"TSLA": Seeds(returns, math.sqrt(252), b"days")}


@pytest.fixture
def track() -> dict[str, Series]:
    return {"a": series(0, mean=0.004), "b": series(1), "c": series(2, mean=0.05), HELD: series(3)}


def test_only_the_ranked_and_buy_and_hold_are_tested(track: dict[str, Series]) -> None:
    joint = update_joint(Joint(), track, ranked=["a", "b"], resamples=50)
    known = joint_tests({name: track[name]["TSLA"].returns.mean(axis=0) for name in ("a", "b", HELD)}, HELD)
    assert joint.tests["TSLA"].in_set == known.in_set
    assert joint.tests["TSLA"].spa_p_value == known.spa_p_value
    assert joint.in_set("c") == (0, 0)
    assert joint.in_set("a") == (1, 1)
    assert set(joint.levels) == {"a", "b", "c", HELD}


def test_what_is_kept_is_not_computed_again(track: dict[str, Series]) -> None:
    first = update_joint(Joint(), track, ranked=["a"], resamples=50)
    marked = first.levels["a"].model_copy(update={"low": -123.0})
    kept = first.model_copy(update={"levels": {**first.levels, "a": marked, "gone": marked}})
    again = update_joint(kept, track, ranked=["a"], resamples=50)
    assert again.levels["a"].low == -123.0
    assert "gone" not in again.levels
    assert again.tests == first.tests
    changed = update_joint(kept, track | {"a": series(9)}, ranked=["a"], resamples=50)
    assert changed.levels["a"].low != -123.0
    assert changed.tests_sha256 != first.tests_sha256


def test_a_change_of_one_number_of_one_seed_is_another_hash() -> None:
    one, other = series(0), series(0)
    assert series_sha256(one) == series_sha256(other)
    other["TSLA"].returns[1, 7] += 1e-9
    assert series_sha256(one) != series_sha256(other)
    assert series_sha256(one) != series_sha256({"BTC": one["TSLA"]})


def test_of_too_many_there_is_no_set_and_a_reason(track: dict[str, Series]) -> None:
    many = {f"agent-{number}": series(number) for number in range(MOST_TESTED + 1)}
    joint = update_joint(Joint(), many | {HELD: series(99)}, ranked=list(many), resamples=2)
    assert joint.tests["TSLA"].in_set == {}
    assert joint.tests["TSLA"].reason == "61 ranked agents; a set is made of at most 60"


def test_it_is_read_back_as_it_was_written(track: dict[str, Series], tmp_path: Path) -> None:
    joint = update_joint(Joint(), track, ranked=["a"], resamples=50)
    path = tmp_path / "joint.json"
    assert read_joint(path) == Joint()
    path.write_text(joint_text(joint))
    assert read_joint(path) == joint
    assert joint_text(read_joint(path)) == path.read_text()
    path.write_text("{")
    with pytest.raises(RecordError, match="is broken"):
        read_joint(path)
