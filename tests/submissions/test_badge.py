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
from flagbench.submissions.reproduction import judge
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


def judged(seeds: list[CheckedRun], actions: IntArray) -> Badge:
    first = seeds[0]
    played = play(first.market, first.protocol, [(first.market.asset.windows.test, actions)])
    return judge(
        first, seeds, actions, played, digest="0" * 64, source_is_claimed=True, provenance={"a": 1}, now=NOW
    )


def test_equal_actions_are_reproduced_exactly(seeds: list[CheckedRun]) -> None:
    badge = judged(seeds, seeds[0].actions)
    assert (badge.status, badge.exact, badge.equal_actions) == ("reproduced", True, 1.0)
    assert badge.found == badge.claimed == seeds[0].play.values["sharpe_ratio"]
    assert (badge.asset, badge.seed, badge.date) == ("TSLA", 0, "2026-01-02T03:04:05+00:00")


def test_other_actions_with_a_ratio_among_the_seeds_are_reproduced(seeds: list[CheckedRun]) -> None:
    badge = judged(seeds, seeds[1].actions)
    assert (badge.status, badge.exact) == ("reproduced", False)
    assert badge.equal_actions == np.mean(seeds[0].actions == seeds[1].actions)
    assert badge.found in (badge.lowest, badge.highest)


def test_a_ratio_outside_the_seeds_is_not(seeds: list[CheckedRun]) -> None:
    first = seeds[0]
    prices = window_prices(first.market, first.protocol, first.market.asset.windows.test)
    best = best_actions(prices, first.protocol)
    badge = judged(seeds, best)
    assert badge.found is not None
    assert badge.highest is not None
    assert badge.found > badge.highest
    assert badge.status == "not-reproduced"
    held = judged(seeds, np.full(len(best), 2, dtype=np.int8))
    assert held.found is not None
    assert held.lowest is not None
    inside = held.lowest <= held.found <= badge.highest
    assert held.status == ("reproduced" if inside else "not-reproduced")


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
