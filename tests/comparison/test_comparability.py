import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.comparison.comparability import check_one_table
from flagbench.comparison.finding import find_seeds
from flagbench.errors import ComparabilityError

if TYPE_CHECKING:
    from tests.comparison.conftest import Copy, Edit, MakeRun

SETUP = {"env_steps": 6400, "num_envs": 8, "mixed_precision": "auto", "gradient_accumulation_steps": 1}


def learned(**changes: Any) -> "Edit":
    return lambda record: record.update(setup=SETUP | changes)


def asked(suite: str, version: str) -> "Edit":
    tasks = [{"suite": suite, "task": name, "version": version} for name in ("sums", None)]
    return lambda record: record.update(knowledge={"suite": suite, "retention": tasks})


def nested(group: str, **changes: Any) -> "Edit":
    return lambda record: record[group].update(changes)


@pytest.mark.parametrize(
    ("edits", "what", "apart"),
    [
        ((None, nested("protocol", version=2)), "protocol", ("standard v1", "standard v2")),
        ((None, nested("protocol", id="paper")), "protocol", ("standard v1", "paper v1")),
        (
            (None, nested("protocol", cost_bps=3.0)),
            "content of the protocol",
            ("cost_bps 10.0", "cost_bps 3.0"),
        ),
        ((None, nested("market", sha256="f" * 64)), "market", ("f" * 24,)),
        ((None, nested("market", kind="market")), "kind of market", ("replica", "market")),
        ((learned(), learned(env_steps=3200)), "set-up", ("env_steps 6400", "env_steps 3200")),
        ((asked("basics", "1"), asked("basics", "2")), "knowledge suite", ("'1'", "'2'")),
        ((asked("basics", "1"), asked("finance", "1")), "knowledge suite", ("suite basics", "suite finance")),
    ],
)
def test_what_may_not_share_a_table_is_refused_with_both_runs(
    edits: tuple["Edit | None", "Edit"],
    what: str,
    apart: tuple[str, ...],
    copy: "Copy",
    edit_record: Callable[[Path, "Edit"], None],
) -> None:
    one, other = edits
    runs = [copy("always-flat", one), copy("tone-rule", other)]
    if one is not None:
        edit_record(runs[0] / "seed-1", one)
    with pytest.raises(ComparabilityError) as caught:
        check_one_table(find_seeds(runs))
    message = caught.value.message
    assert message.startswith(f"one table holds one {what}: ")
    assert all(str(run) in message for run in runs)
    assert all(value in message for value in apart)


def test_learners_of_one_window_share_their_training_window(
    copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    def shortened(record: dict[str, Any]) -> None:
        learned()(record)
        record["asset"]["windows"]["train"] = "2020-09-01:2020-09-30"

    first = copy("buy-and-hold", learned())
    second = copy("tone-rule", shortened)
    with pytest.raises(ComparabilityError, match="one training window"):
        check_one_table(find_seeds([first, second]))
    edit_record(first / "seed-0", lambda record: record.update(setup=None))
    check_one_table(find_seeds([first, second]))


def test_who_does_not_learn_fits_any_set_up_and_who_was_asked_nothing_any_suite(
    copy: "Copy",
) -> None:
    def both(record: dict[str, Any]) -> None:
        learned()(record)
        asked("basics", "1")(record)

    runs = [copy("buy-and-hold"), copy("tone-rule", both), copy("random")]
    check_one_table(find_seeds(runs))


def test_markets_are_held_against_each_other_asset_by_asset(runs: dict[str, Path]) -> None:
    found = find_seeds([runs["all"]])
    assert len({run.record.market.sha256 for run in found}) == 2
    check_one_table(found)


def test_real_runs_under_two_protocols_are_refused(
    runs: dict[str, Path], make_run: "MakeRun", tmp_path: Path
) -> None:
    other = make_run(tmp_path, "always-flat", protocol="paper")
    recorded = json.loads((other / "seed-0" / "record.json").read_text())
    assert recorded["protocol"]["id"] == "paper"
    with pytest.raises(ComparabilityError, match="one protocol"):
        check_one_table(find_seeds([runs["always-flat"], other]))
