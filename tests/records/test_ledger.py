import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flagbench.errors import RecordError
from flagbench.records.ledger import (
    GENESIS,
    LedgerState,
    append_trial,
    canonical_sha256,
    read_trials,
    trial_sharpes,
    verify,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """An intact ledger of four trials."""
    path = tmp_path / "ledger.jsonl"
    for seed in range(4):
        append_trial(path, {"agent": "flag", "seed": seed})
    return path


def test_a_trial_is_appended_and_linked_to_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.jsonl"
    first = append_trial(path, {"seed": 0})
    second = append_trial(path, {"seed": 1, "agent": "é\n"})
    assert (first.length, second.length) == (1, 2)
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [entry["index"] for entry in entries] == [0, 1]
    assert [entry["previous"] for entry in entries] == [GENESIS, first.head]
    assert [entry["sha256"] for entry in entries] == [first.head, second.head]
    assert read_trials(path) == entries
    assert entries[1]["agent"] == "é\n"


def test_what_was_written_before_is_never_touched(ledger: Path) -> None:
    before = ledger.read_bytes()
    append_trial(ledger, {"seed": 4})
    assert ledger.read_bytes().startswith(before)
    assert ledger.read_bytes().count(b"\n") == 5


def test_an_intact_ledger_is_verified_against_every_state_it_had(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    states = [append_trial(path, {"seed": seed}) for seed in range(3)]
    assert verify(path) == states[-1]
    for state in [LedgerState(GENESIS, 0), *states]:
        assert verify(path, expected=state) == states[-1]


Lines = list[str]

TAMPERED: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "edited": (
        lambda lines: [lines[0], lines[1].replace('"seed": 1', '"seed": 7'), *lines[2:]],
        "line 2: the entry was edited",
    ),
    "edited_last": (
        lambda lines: [*lines[:3], lines[3].replace("flag", "galf")],
        "line 4: the entry was edited",
    ),
    "dropped": (lambda lines: [lines[0], *lines[2:]], "line 2: the chain is broken"),
    "dropped_first": (lambda lines: lines[1:], "line 1: the chain is broken"),
    "reordered": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "line 2: the chain is broken"),
    "repeated": (lambda lines: [*lines[:2], lines[1], *lines[2:]], "line 3: the chain is broken"),
    "blank": (lambda lines: [*lines[:2], "", *lines[2:]], "line 3: no ledger entry"),
    "list": (lambda lines: [*lines[:2], "[]", *lines[2:]], "line 3: no ledger entry"),
    "half_written": (lambda lines: [*lines[:3], lines[3][:40]], "line 4: no ledger entry"),
    "without_hash": (lambda lines: [json.dumps({"index": 0}), *lines[1:]], "line 1: no ledger entry"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_ledger_that_was_tampered_with_is_found_out_and_refuses_more(ledger: Path, name: str) -> None:
    change, error = TAMPERED[name]
    ledger.write_text("\n".join(change(ledger.read_text().splitlines())) + "\n")
    before = ledger.read_bytes()
    for use in (verify, read_trials, lambda path: append_trial(path, {"seed": 9})):
        with pytest.raises(RecordError) as caught:
            use(ledger)
        assert caught.value.message.startswith(f"{ledger}, {error}")
        assert caught.value.hint == "restore the ledger from a copy, or begin another in a new --out"
    assert ledger.read_bytes() == before


def test_after_a_crash_in_the_middle_of_a_line_it_goes_on_without_that_line(ledger: Path) -> None:
    whole = ledger.read_bytes()
    state = verify(ledger)
    ledger.write_bytes(whole + whole.splitlines()[-1][:40])
    with pytest.raises(RecordError, match="line 5: no ledger entry") as caught:
        append_trial(ledger, {"seed": 9})
    assert str(caught.value.hint).endswith("no record refers to it: remove the line")
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(ledger) == state


def test_an_inserted_line_is_found_even_if_it_fits_the_one_before(ledger: Path) -> None:
    lines = ledger.read_text().splitlines()
    entry = {"index": 2, "previous": json.loads(lines[1])["sha256"], "agent": "flag", "seed": 9}
    forged = json.dumps({**entry, "sha256": canonical_sha256(entry)})
    ledger.write_text("\n".join([*lines[:2], forged, *lines[2:]]) + "\n")
    with pytest.raises(RecordError, match="line 4: the chain is broken"):
        verify(ledger)


@pytest.mark.parametrize(
    ("number", "change"),
    [(1, {"seed": 9}), (1, {"index": 2}), (3, {"index": 7}), (3, {"previous": GENESIS})],
)
def test_an_edit_is_found_even_if_its_own_hash_was_made_anew(
    ledger: Path, number: int, change: dict[str, object]
) -> None:
    lines = ledger.read_text().splitlines()
    entry = json.loads(lines[number]) | change
    del entry["sha256"]
    lines[number] = json.dumps({**entry, "sha256": canonical_sha256(entry)})
    ledger.write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordError, match="the chain is broken"):
        verify(ledger)


def test_a_last_entry_that_was_written_anew_is_not_the_one_that_a_record_refers_to(ledger: Path) -> None:
    expected = verify(ledger)
    ledger.write_text("\n".join(ledger.read_text().splitlines()[:3]) + "\n")
    append_trial(ledger, {"agent": "flag", "seed": 9})
    assert verify(ledger).length == 4
    with pytest.raises(RecordError, match="does not hold the entry 4"):
        verify(ledger, expected=expected)


def test_a_cut_below_a_head_that_a_record_refers_to_is_found(ledger: Path) -> None:
    expected = verify(ledger)
    lines = ledger.read_text().splitlines()
    ledger.write_text("\n".join(lines[:3]) + "\n")
    shorter = verify(ledger)
    assert shorter.length == 3
    with pytest.raises(RecordError, match="does not hold the entry 4 that a record refers to") as caught:
        verify(ledger, expected=expected)
    assert caught.value.hint == "it was cut or rewritten after that run; restore it from a copy"
    assert verify(ledger, expected=shorter) == shorter


def test_a_ledger_that_was_written_anew_does_not_hold_a_records_head(ledger: Path) -> None:
    expected = verify(ledger)
    ledger.unlink()
    for seed in range(10, 15):
        append_trial(ledger, {"agent": "flag", "seed": seed})
    assert verify(ledger).length == 5
    with pytest.raises(RecordError, match="does not hold the entry 4"):
        verify(ledger, expected=expected)


def test_a_missing_ledger_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"the ledger .* cannot be read"):
        verify(tmp_path / "ledger.jsonl")


def test_an_editor_that_drops_the_last_newline_does_no_harm(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes().removesuffix(b"\n"))
    assert append_trial(ledger, {"seed": 4}).length == 5
    assert [trial["seed"] for trial in read_trials(ledger)] == [0, 1, 2, 3, 4]


def test_a_trial_that_is_no_plain_json_is_not_half_written(ledger: Path) -> None:
    before = ledger.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_trial(ledger, {"sharpe": float("nan")})
    assert ledger.read_bytes() == before


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_sha256({"a": 1, "b": {"c": 2, "d": 3}}) == canonical_sha256(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert canonical_sha256({"a": 1}) != canonical_sha256({"a": 2})


APPENDER = """
import sys
from pathlib import Path
from flagbench.records.ledger import append_trial
sys.stdin.readline()
for number in range(15):
    append_trial(Path(sys.argv[1]), {"process": int(sys.argv[2]), "number": number})
"""


def test_processes_that_append_at_once_keep_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    processes = [
        subprocess.Popen([sys.executable, "-c", APPENDER, str(path), str(rank)], stdin=subprocess.PIPE)
        for rank in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    trials = read_trials(path)
    assert len(trials) == 60
    for rank in range(4):
        assert [trial["number"] for trial in trials if trial["process"] == rank] == list(range(15))


WINDOW = {"asset": "TSLA", "market_sha256": "m", "protocol_sha256": "p", "period": "2020-01-01:2020-06-30"}
ENTRY = {**WINDOW, "agent": "flag", "agent_sha256": "a", "params_sha256": "x", "setup": {"env_steps": 8}}


def sharpes(path: Path) -> list[float]:
    return trial_sharpes(path, **WINDOW)


def append_all(path: Path, *entries: dict[str, object]) -> Path:
    for entry in entries:
        append_trial(path, {**ENTRY, "seed": 0, "sharpe_per_period": 0.1, **entry})
    return path


def test_without_a_ledger_there_are_no_trials(tmp_path: Path) -> None:
    assert sharpes(tmp_path / "ledger.jsonl") == []
    assert list(tmp_path.iterdir()) == []


def test_seeds_of_a_trial_are_one_with_their_mean_and_the_later_run_of_a_seed_counts(tmp_path: Path) -> None:
    path = append_all(
        tmp_path / "ledger.jsonl",
        {"seed": 0, "sharpe_per_period": 0.1},
        {"seed": 1, "sharpe_per_period": 0.2},
        {"seed": 1, "sharpe_per_period": 0.4},
        {"seed": 2, "sharpe_per_period": None},
    )
    assert sharpes(path) == [pytest.approx(0.25)]


@pytest.mark.parametrize("field", ["agent", "agent_sha256", "params_sha256", "setup"])
def test_another_agent_source_params_or_setup_is_another_trial(tmp_path: Path, field: str) -> None:
    path = append_all(tmp_path / "ledger.jsonl", {}, {field: "other", "sharpe_per_period": 0.3}, {"seed": 1})
    assert sharpes(path) == [pytest.approx(0.1), 0.3]


@pytest.mark.parametrize("field", WINDOW)
def test_trials_on_other_windows_are_none_here(tmp_path: Path, field: str) -> None:
    assert sharpes(append_all(tmp_path / "ledger.jsonl", {field: "other"}, {"agent": "random"})) == [0.1]


def test_what_has_no_ratio_counts_and_what_knows_the_future_does_not(tmp_path: Path) -> None:
    path = append_all(
        tmp_path / "ledger.jsonl",
        {},
        {"agent": "always-flat", "sharpe_per_period": None},
        {"agent": "oracle", "ranked": False, "sharpe_per_period": 3.0},
    )
    old = {name: value for name, value in ENTRY.items() if name != "setup"}
    append_trial(path, {**old, "setup": None, "agent": "older", "seed": 0})
    found = sharpes(path)
    assert found[0] == 0.1
    assert len(found) == 3
    assert all(math.isnan(value) for value in found[1:])


def test_trials_of_a_broken_ledger_are_not_counted(tmp_path: Path) -> None:
    path = append_all(tmp_path / "ledger.jsonl", {}, {"seed": 1})
    path.write_text("\n".join(path.read_text().splitlines()[1:]) + "\n")
    with pytest.raises(RecordError, match="the chain is broken"):
        sharpes(path)
