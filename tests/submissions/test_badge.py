import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.comparison.replaying import play
from flagbench.errors import RecordError
from flagbench.submissions.badge import Badge, load_badge, read_badge, status_of, write_badge
from flagbench.submissions.layout import badge_path, content_sha256
from flagbench.submissions.reproduction import judge, tolerance
from flagbench.submissions.run_checks import CheckedRun
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate
from flagbench.trading.oracle import best_actions
from flagbench.trading.portfolio import IntArray
from flagbench.trading.prices import window_prices

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def seeds(prepared: "Prepared", track: Track) -> list[CheckedRun]:
    """Both seeds on TSLA."""
    runs = validate(prepared.folder, track=track, audit=False).runs
    return [run for run in runs if run.claim.asset == "TSLA"]


def judged(
    seeds: list[CheckedRun], actions: IntArray, *, learns: bool = True, trained: CheckedRun | None = None
) -> Badge:
    again = trained or seeds[0]
    played = play(again.market, again.protocol, [(again.market.asset.windows.test, actions)])
    return judge(again, seeds, actions, played, digest="0" * 64, learns=learns, provenance={"a": 1}, now=NOW)


def with_actions(run: CheckedRun, actions: IntArray) -> CheckedRun:
    played = play(run.market, run.protocol, [(run.market.asset.windows.test, actions)])
    return replace(run, actions=actions, play=played)


def hindsight(run: CheckedRun) -> IntArray:
    prices = window_prices(run.market, run.protocol, run.market.asset.windows.test)
    return best_actions(prices, run.protocol)


def test_equal_actions_are_reproduced_exactly(seeds: list[CheckedRun]) -> None:
    badge = judged(seeds, seeds[0].actions)
    assert (badge.status, badge.exact, badge.equal_actions) == ("reproduced", True, 1.0)
    assert badge.found == badge.claimed == seeds[0].play.values["sharpe_ratio"]
    assert (badge.asset, badge.seed, badge.date) == ("TSLA", 0, "2026-01-02T03:04:05+00:00")


def test_what_learns_may_take_other_actions_with_a_ratio_among_its_seeds(seeds: list[CheckedRun]) -> None:
    worse, better = sorted(seeds, key=lambda run: run.play.values["sharpe_ratio"])
    badge = judged(seeds, better.actions, trained=worse)
    assert (badge.status, badge.exact) == ("reproduced", False)
    assert badge.equal_actions == np.mean(worse.actions == better.actions)
    assert badge.found == badge.highest
    assert badge.claimed == badge.lowest


def test_what_does_not_learn_must_do_the_same_again(seeds: list[CheckedRun]) -> None:
    worse, better = sorted(seeds, key=lambda run: run.play.values["sharpe_ratio"])
    badge = judged(seeds, better.actions, trained=worse, learns=False)
    assert (badge.status, badge.tolerance) == ("not-reproduced", None)
    assert judged(seeds, worse.actions, trained=worse, learns=False).status == "reproduced"


@pytest.mark.parametrize("honest", [1, 2, 3, 4])
def test_a_seed_from_hindsight_is_not_reproduced_beside_honest_ones(
    seeds: list[CheckedRun], honest: int
) -> None:
    """Of five; what the training comes to lies within the range that the submitter made, at its end."""
    first = seeds[0]
    chosen = with_actions(first, hindsight(first))
    badge = judged([first] * honest + [chosen] * (5 - honest), first.actions, trained=chosen)
    assert badge.found == badge.lowest
    assert badge.claimed == badge.highest
    assert (badge.status, badge.tolerance) == ("not-reproduced", 0)


def test_the_tolerance_is_the_lesser_of_two_spreads() -> None:
    """By hand: quartiles 5 and 9; the median, 8, lies 9, 3, 0, 1 and 3 away, and 3 × 3 is more than 4."""
    assert tolerance([-1.0, 5.0, 8.0, 9.0, 11.0]) == 4.0
    assert tolerance([0.0, 0.0, 0.1, 5.0, 5.0]) == pytest.approx(0.3)
    assert tolerance([1.5]) == 0.0


def test_a_ratio_outside_the_seeds_is_not(seeds: list[CheckedRun]) -> None:
    first = seeds[0]
    badge = judged(seeds, hindsight(first))
    assert badge.found is not None
    assert badge.highest is not None
    assert badge.found > badge.highest
    assert badge.status == "not-reproduced"


def test_an_agent_that_never_traded_is_reproduced_by_not_trading_alone(seeds: list[CheckedRun]) -> None:
    flat = np.ones(len(seeds[0].actions), dtype=np.int8)
    first = seeds[0]
    played = play(first.market, first.protocol, [(first.market.asset.windows.test, flat)])
    still = replace(first, actions=flat, play=played)
    badge = judged([still], flat)
    assert (badge.status, badge.found, badge.lowest) == ("reproduced", None, None)
    assert judged([still], first.actions).status == "not-reproduced"
    assert judged(seeds, flat).status == "not-reproduced"


def test_a_badge_speaks_of_one_content(submission: Path, seeds: list[CheckedRun]) -> None:
    assert status_of(submission) == "replayed"
    badge = judged(seeds, seeds[0].actions).model_copy(
        update={"submission_sha256": content_sha256(submission)}
    )
    write_badge(badge, badge_path(submission))
    assert read_badge(submission) == badge
    assert status_of(submission) == "reproduced"
    card = submission / "card.md"
    card.write_text(card.read_text() + "\nOne more word.\n")
    assert read_badge(submission) is None
    assert status_of(submission) == "replayed"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}'])
def test_a_broken_badge_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "badge.json"
    path.write_text(text)
    with pytest.raises(RecordError):
        load_badge(path)


def test_a_badge_is_plain_json(seeds: list[CheckedRun], tmp_path: Path) -> None:
    badge = judged(seeds, seeds[0].actions)
    write_badge(badge, tmp_path / "new" / "badge.json")
    values = json.loads((tmp_path / "new" / "badge.json").read_text())
    assert values["provenance"] == {"a": 1}
    assert load_badge(tmp_path / "new" / "badge.json") == badge
