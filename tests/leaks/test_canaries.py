"""Each known way to see the future is caught, and nobody who does not is accused."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.leaks.battery import future_finding, training_finding
from flagbench.leaks.canaries import cut_bars, future_canary, learn, training_canary
from flagbench.leaks.jobs import exported
from flagbench.market.market import Market

if TYPE_CHECKING:
    from tests.leaks.conftest import SubjectFactory

Silence = Callable[[str], None]


def test_one_bar_is_cut_at_in_each_quarter_of_the_decisions(subject: "SubjectFactory", drawn: Market) -> None:
    bars = drawn.bar_range(drawn.asset.windows.test)
    for seed in range(20):
        parts = [(bar - bars.start) // 30 for bar in cut_bars(subject("Momentum"), seed)]
        assert parts == [0, 1, 2, 3]
    assert cut_bars(subject("Momentum"), 0) != cut_bars(subject("Momentum"), 1)


@pytest.mark.parametrize("name", ["Momentum", "SeededCoin"])
def test_an_honest_agent_changes_nothing_and_does_not_beat_chance(
    name: str, subject: "SubjectFactory", silent: Silence
) -> None:
    found = future_canary(subject(name), 0, None, say=silent)
    assert (found.rewritten, found.changed, found.markets) == (8, 0, 8)
    assert found.won <= 3
    assert future_finding([found]).passed is True


@pytest.mark.parametrize(
    "name",
    [
        "ReadsFolder",
        "ShiftedFeature",
        "WalksStack",
        "CollectsGarbage",
        "UnpicksEnvironment",
        "PlaysAhead",
    ],
)
def test_who_sees_later_prices_acts_otherwise_when_they_change_and_beats_chance(
    name: str, subject: "SubjectFactory", silent: Silence
) -> None:
    found = future_canary(subject(name), 0, None, say=silent)
    # Of two opposite futures at each of four bars the true action can fit one.
    assert found.changed >= 4
    assert found.repeatable
    assert found.won > 3  # by chance once in 2,700 times
    assert future_finding([found]).passed is False


def test_who_reads_later_text_acts_otherwise_when_it_changes(
    subject: "SubjectFactory", silent: Silence
) -> None:
    found = future_canary(subject("ReadsLaterText"), 0, None, say=silent)
    assert found.changed >= 4
    assert found.won <= 3
    assert future_finding([found]).passed is False


def test_an_agent_that_is_not_repeatable_gets_no_verdict_from_what_changed(
    subject: "SubjectFactory", silent: Silence
) -> None:
    found = future_canary(subject("OwnCoin"), 0, None, say=silent)
    assert found.changed
    assert not found.repeatable
    assert future_finding([found]).passed is None


def test_noise_does_not_hide_who_beats_chance(subject: "SubjectFactory", silent: Silence) -> None:
    found = future_canary(subject("ReadsFolderWithNoise"), 0, None, say=silent)
    assert not found.repeatable
    assert found.won == 8
    assert future_finding([found]).passed is False


def test_who_knows_another_way_to_the_true_files_is_seen_opening_them(
    subject: "SubjectFactory", drawn: Market, silent: Silence
) -> None:
    with exported([drawn]) as (folder,):
        path = Path(folder) / "market" / "TSLA" / "prices.csv"
        reader = subject("ReadsCopy", settings=[f"path={path}"], watched=[str(path.parent)])
        found = future_canary(reader, 0, None, say=silent)
        assert found.opened == (str(path.resolve()),)
    # No rewriting reaches it, and what it knows is worth nothing on another future.
    assert (found.changed, found.won <= 3) == (0, True)
    finding = future_finding([found])
    assert finding.passed is False
    assert "opened the true market's files" in finding.explanation


@pytest.mark.parametrize(
    ("name", "weights", "passed"),
    [
        ("Learner", 0, True),
        ("LearnsTestBars", 2, False),
        pytest.param("HidesTestBars", 0, False, marks=pytest.mark.slow),
    ],
)
def test_a_training_that_sees_test_bars_learns_something_else_when_they_change(
    *,
    name: str,
    weights: int,
    passed: bool,
    subject: "SubjectFactory",
    silent: Silence,
    tmp_path: Path,
) -> None:
    trained = subject(name, env_steps=16)
    plain = learn(trained, 0, tmp_path)
    found = training_canary(trained, 0, plain, say=silent)
    assert (found.trainings, found.weights_changed, found.repeatable) == (2, weights, True)
    assert (found.actions_changed > 0) is not passed
    assert training_finding([found]).passed is passed
