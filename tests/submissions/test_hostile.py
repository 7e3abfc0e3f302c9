"""Whatever a stranger writes into a submission, a validator answers with failures and never breaks."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.submissions.track import Track
from flagbench.submissions.validating import Checked, validate

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    10**400,
    "\ud800",
    1e308,
    "",
    "../../../etc/passwd",
    "x" * 10_000,
    "\x00\x1b[2J\u202e",
    [],
    {},
    [[[[]]]],
    {"a": {"b": [None]}},
    "2020-01-01",
    "0" * 64,
)
"""In the place of any value."""

IN_A_RUN = 12
"""Trials in normal mode for each kind of file; ours, seconds."""


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[str | int, ...], by: Any) -> Any:
    if not path:
        return by
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


def garbled(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, dropped, doubled or moved."""
    spoilt = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(spoilt))
        kind = rng.randrange(4)
        if kind == 0:
            spoilt[at] = rng.randrange(256)
        elif kind == 1:
            del spoilt[at : at + rng.randint(1, 40)]
        elif kind == 2:
            spoilt[at:at] = spoilt[at : at + 40]
        else:
            spoilt[at:at] = rng.choice([b"\x00", b'"', b"\n", b"{", b"[" * 3000, b"NaN", b"\xff\xfe", b"---"])
    return bytes(spoilt)


class Spoil:
    """Validates a copy with one file changed."""

    def __init__(self, prepared: "Prepared", track: Track, scratch: Path) -> None:
        self.folder = scratch / "small" / prepared.folder.name
        shutil.copytree(prepared.folder, self.folder)
        self._track = track

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def validated(self, name: str, content: bytes) -> Checked:
        original = self.read(name)
        (self.folder / name).write_bytes(content)
        checked = validate(self.folder, track=self._track, audit=False)
        (self.folder / name).write_bytes(original)
        for failure in checked.failures:
            assert str(failure).isprintable()
            assert failure.line is None or failure.line >= 1
        return checked


@pytest.fixture
def spoil(prepared: "Prepared", track: Track, tmp_path: Path) -> Spoil:
    return Spoil(prepared, track, tmp_path)


def test_a_hostile_value_in_any_place_of_the_manifest(spoil: Spoil) -> None:
    rng = random.Random(0)  # noqa: S311 (no secret depends on it)
    values = json.loads(spoil.read("submission.json"))
    everywhere = list(places(values))
    for _ in range(3 * IN_A_RUN):
        place, hostile = rng.choice(everywhere), rng.choice(HOSTILE)
        spoil.validated("submission.json", json.dumps(replaced(values, place, hostile)).encode())


def test_a_hostile_value_in_any_place_of_a_ledgers_entry(spoil: Spoil) -> None:
    rng = random.Random(1)  # noqa: S311 (no secret depends on it)
    lines = spoil.read("ledger.jsonl").decode().splitlines()
    for _ in range(IN_A_RUN):
        number = rng.randrange(len(lines))
        entry = json.loads(lines[number])
        place = rng.choice(list(places(entry)))
        spoilt = [*lines]
        spoilt[number] = json.dumps(replaced(entry, place, rng.choice(HOSTILE)))
        if spoilt != lines:
            assert spoil.validated("ledger.jsonl", "\n".join(spoilt).encode()).failures


@pytest.mark.parametrize("name", ["submission.json", "card.md", "ledger.jsonl", "actions/BTC/seed-0.csv"])
def test_garbled_bytes_in_any_file(name: str, spoil: Spoil) -> None:
    rng = random.Random(name)  # noqa: S311 (no secret depends on it)
    content = spoil.read(name)
    for _ in range(IN_A_RUN):
        spoilt = garbled(content, rng)
        checked = spoil.validated(name, spoilt)
        # What a manifest says of seconds or versions, for one, is held against nothing.
        assert checked.failures or spoilt == content or name == "submission.json"
    assert spoil.validated(name, content).failures == ()


@pytest.mark.parametrize(
    "value", ["!!bool x", "!!int ''", "!!float ''", "!!timestamp 'abc'", '"\\UFFFFFFFF"', "0x" + "f" * 5000]
)
def test_what_only_looks_like_a_value_of_yaml_is_a_failure_of_the_card(value: str, spoil: Spoil) -> None:
    card = spoil.read("card.md").decode()
    spoilt = card.replace("licence: Apache-2.0", f"licence: {value}")
    assert spoilt != card
    assert {each.file for each in spoil.validated("card.md", spoilt.encode()).failures} == {
        "card.md",
        "submission.json",
    }


def test_nothing_that_moves_a_terminal_comes_out_of_a_key_or_a_files_name(spoil: Spoil) -> None:
    values = json.loads(spoil.read("submission.json")) | {"\x1b[2K\x1b[1Aforged: valid\x1b[8m": 1}
    assert spoil.validated("submission.json", json.dumps(values).encode()).failures
    for name in (b"a\x1b]0;own\x07.txt", b"bad\xff.txt"):
        (Path(os.fsdecode(bytes(spoil.folder) + b"/" + name))).touch()
    checked = spoil.validated("card.md", spoil.read("card.md"))
    assert [each.found for each in checked.failures] == ["an unknown file"] * 2
