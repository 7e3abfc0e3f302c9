"""Every way to tamper with a ledger is found; what was never recorded cannot be."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.records.ledger import GENESIS, canonical_sha256
from flagbench.submissions.failure import Failure
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared

Lines = list[str]
Entry = dict[str, Any]


@pytest.fixture
def tampered(submission: Path, track: Track) -> Callable[[Callable[[Lines], object]], list[Failure]]:
    """Changes the lines of the ledger; what `validate` says of it."""

    def change_lines(change: Callable[[Lines], object]) -> list[Failure]:
        path = submission / "ledger.jsonl"
        lines = path.read_text().splitlines()
        change(lines)
        path.write_text("".join(f"{line}\n" for line in lines))
        return list(validate(submission, track=track, audit=False).failures)

    return change_lines


def resealed(lines: Lines) -> Lines:
    """The same entries with a chain that fits, as a forger would write it."""
    previous, sealed = GENESIS, []
    for index, line in enumerate(lines):
        entry = {name: value for name, value in json.loads(line).items() if name != "sha256"}
        entry |= {"index": index, "previous": previous}
        previous = canonical_sha256(entry)
        sealed.append(json.dumps({**entry, "sha256": previous}))
    return sealed


def edited(line: str, **values: object) -> str:
    return json.dumps(json.loads(line) | values)


def test_the_ledger_of_a_prepared_submission_has_four_trials(prepared: "Prepared") -> None:
    assert len((prepared.folder / "ledger.jsonl").read_text().splitlines()) == 4


def test_an_edit_is_found_by_the_entrys_own_hash(
    tampered: Callable[[Callable[[Lines], object]], list[Failure]],
) -> None:
    (found,) = tampered(lambda lines: lines.__setitem__(1, edited(lines[1], seed=7)))
    assert (found.file, found.line, found.what) == ("ledger.jsonl", 2, "sha256")
    assert found.found != found.expected


def test_an_edit_with_a_new_hash_is_found_by_the_next_entry(
    tampered: Callable[[Callable[[Lines], object]], list[Failure]],
) -> None:
    def edit(lines: Lines) -> None:
        entry = json.loads(lines[1]) | {"seed": 7}
        entry.pop("sha256")
        lines[1] = json.dumps({**entry, "sha256": canonical_sha256(entry)})

    (found,) = tampered(edit)
    assert (found.line, found.what) == (3, "previous")


@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_a_dropped_entry_is_found(
    dropped: int, tampered: Callable[[Callable[[Lines], object]], list[Failure]]
) -> None:
    found = tampered(lambda lines: lines.pop(dropped))
    assert {(each.file, each.line, each.what) for each in found} == {
        ("ledger.jsonl", dropped + 1, "index"),
        ("ledger.jsonl", dropped + 1, "previous"),
    }
    assert found[0].expected == str(dropped)


def test_two_entries_that_changed_places_are_found(
    tampered: Callable[[Callable[[Lines], object]], list[Failure]],
) -> None:
    found = tampered(lambda lines: lines.insert(2, lines.pop(1)))
    assert {(each.line, each.what) for each in found} == {(2, "index"), (2, "previous")}


def test_an_entry_that_was_added_in_the_middle_is_found(
    tampered: Callable[[Callable[[Lines], object]], list[Failure]],
) -> None:
    found = tampered(lambda lines: lines.insert(1, lines[1]))
    assert {(each.line, each.what) for each in found} == {(3, "index"), (3, "previous")}


@pytest.mark.parametrize("kept", [1, 3])
def test_a_cut_below_a_head_that_a_run_refers_to_is_found(
    kept: int, tampered: Callable[[Callable[[Lines], object]], list[Failure]]
) -> None:
    found = {each.what: each for each in tampered(lambda lines: lines.__delitem__(slice(kept, None)))}
    assert set(found) == {"length", "head"}
    assert (found["length"].found, found["length"].expected[:1]) == (str(kept), "4")


def test_a_cut_that_the_manifest_was_changed_to_is_found_by_the_runs(
    tampered: Callable[[Callable[[Lines], object]], list[Failure]],
    submission: Path,
    edit_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None],
) -> None:
    def cut(lines: Lines) -> None:
        del lines[3:]
        state = {"file": "ledger.jsonl", "head": json.loads(lines[-1])["sha256"], "length": 3}
        edit_manifest(submission, lambda manifest: manifest.update(ledgers=[state]))

    (found,) = tampered(cut)
    assert (found.file, found.line, found.what) == ("ledger.jsonl", 4, "entry of a run")
    assert found.found == "3 entries"
    assert found.expected.startswith("entry 4 with ")


def test_a_whole_new_chain_is_found_by_the_heads_of_the_runs(
    tampered: Callable[[Callable[[Lines], object]], list[Failure]],
    submission: Path,
    edit_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None],
) -> None:
    def forge(lines: Lines) -> None:
        lines[:] = resealed([lines[1], lines[0], *lines[2:]])
        state = {"file": "ledger.jsonl", "head": json.loads(lines[-1])["sha256"], "length": 4}
        edit_manifest(submission, lambda manifest: manifest.update(ledgers=[state]))

    found = tampered(forge)
    assert [(each.what, each.line) for each in found] == [("entry of a run", line) for line in (1, 2, 3, 4)]


def test_a_run_whose_reference_was_moved_to_another_entry_is_found_by_what_that_says(
    submission: Path,
    track: Track,
    edit_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None],
) -> None:
    def swap(manifest: dict[str, Any]) -> None:
        manifest["runs"][0]["ledger"] = manifest["runs"][1]["ledger"]

    edit_manifest(submission, swap)
    found = validate(submission, track=track, audit=False).failures
    assert {each.what for each in found} == {"seed", "actions_sha256", "sharpe_per_period"}
    assert {(each.file, each.line) for each in found} == {("ledger.jsonl", 2)}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "tone-rule"}, "agent"),
        ({"source_sha256": "0" * 64}, "agent_sha256"),
        ({"params": {"temperature": 1}}, "params_sha256"),
        ({"ranked": False}, "ranked"),
    ],
)
def test_an_agent_that_is_not_the_ledgers(
    change: dict[str, object],
    what: str,
    submission: Path,
    track: Track,
    edit_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None],
) -> None:
    edit_manifest(submission, lambda manifest: manifest["agent"].update(change))
    found = validate(submission, track=track, audit=False).failures
    of_ledger = [(each.file, each.what) for each in found if each.file == "ledger.jsonl"]
    assert of_ledger == [("ledger.jsonl", what)] * 4


@pytest.mark.parametrize(
    "line",
    ["", "[]", "null", '{"sha256": 1}', "[" * 5000, '{"index": NaN}', '{"a": 1, "a": 2}', '{"index": 1e400}'],
)
def test_a_line_that_is_no_entry_is_named(
    line: str, tampered: Callable[[Callable[[Lines], object]], list[Failure]]
) -> None:
    (found,) = tampered(lambda lines: lines.__setitem__(2, line))
    assert (found.file, found.line) == ("ledger.jsonl", 3)


def test_trials_that_went_on_after_the_runs_stay_in_it(
    prepared: "Prepared", tmp_path: Path, track: Track
) -> None:
    """A later trial on the same windows counts, and does no harm to the chain."""
    from flagbench.records.ledger import append_trial
    from flagbench.submissions.preparing import prepare

    runs = tmp_path / "runs"
    shutil.copytree(prepared.runs[0].parents[3], runs)
    last = json.loads((runs / "ledger.jsonl").read_text().splitlines()[-1])
    later = {name: value for name, value in last.items() if name not in ("index", "previous", "sha256")}
    append_trial(runs / "ledger.jsonl", later | {"agent": "another", "sharpe_per_period": 0.3})
    folder = prepare([runs], prepared.board / "random.md", out=tmp_path / "submissions", track=track)
    assert len((folder / "ledger.jsonl").read_text().splitlines()) == 5
    assert validate(folder, track=track, audit=False).failures == ()
