"""Files of a submission that are missing, strange, too large, or not spoken of."""

import gzip
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from flagbench.errors import RecordError
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate
from tests.submissions.desk import ACTIONS, Desk, only


class TestFiles:
    def test_a_file_that_is_gone_or_not_spoken_of(self, desk: Desk) -> None:
        (desk.folder / ACTIONS).rename(desk.folder / "actions/TSLA/seed-7.csv")
        found = [(each.file, each.found) for each in desk.failures()]
        assert found == [(ACTIONS, "nothing"), ("actions/TSLA/seed-7.csv", "a file")]

    @pytest.mark.parametrize(
        "name",
        ["extra.py", ".hidden", "badge.json", "actions/TSLA/seed-01.csv", "actions/a/b/c.csv", "x.pkl"],
    )
    def test_a_file_of_no_known_name(self, name: str, desk: Desk) -> None:
        (desk.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / name).write_text("x")
        assert only(desk.failures()).found in ("an unknown file", "no plain file")

    def test_links_and_pipes_are_not_opened(self, desk: Desk, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("x")
        (desk.folder / "card.md").unlink()
        (desk.folder / "card.md").symlink_to(secret)
        (desk.folder / ACTIONS).unlink()
        os.mkfifo(desk.folder / ACTIONS)  # whoever opens it waits for ever
        (desk.folder / "actions/BTC").rename(tmp_path / "BTC")
        (desk.folder / "actions/BTC").symlink_to(tmp_path / "BTC")
        found = {each.file: each.found for each in desk.failures()}
        assert found["card.md"] == "nothing"
        kinds = {each.file: each.found for each in desk.failures() if each.what == "kind of file"}
        assert kinds == {
            "actions/BTC": "a symbolic link",
            ACTIONS: "no plain file",
            "card.md": "a symbolic link",
        }

    def test_a_file_that_is_too_large_is_not_read(self, desk: Desk) -> None:
        with (desk.folder / "submission.json").open("r+b") as stream:
            stream.truncate(5_000_000)
        found = only(desk.failures())
        assert (found.file, found.what) == ("submission.json", "size")

    def test_an_empty_folder_and_none(self, track: Track, tmp_path: Path) -> None:
        assert only(list(validate(tmp_path, track=track).failures)).found == "nothing"
        with pytest.raises(RecordError, match="is no folder"):
            validate(tmp_path / "nowhere", track=track)

    @pytest.mark.parametrize(("agent", "missed"), [("random", False), ("mine.py:Mine", True)])
    def test_code_without_an_address_must_ship_with_flagbench(
        self, agent: str, missed: bool, desk: Desk
    ) -> None:
        card = desk.folder / "card.md"
        card.write_text(card.read_text().replace("https://example.org/agent", "null"))

        def spoil(manifest: dict[str, Any]) -> None:
            manifest["card"]["code"]["url"] = None
            manifest["card_sha256"] = sha256(card.read_bytes()).hexdigest()
            manifest["agent"]["name"] = agent

        desk.edit(spoil)
        found = [each for each in desk.failures() if each.what == "card.code.url"]
        assert len(found) == missed
        assert all(each.line and "does not ship with flagbench" in str(each.expected) for each in found)

    def test_a_card_that_says_something_else(self, desk: Desk) -> None:
        path = desk.folder / "card.md"
        path.write_text(path.read_text().replace("licence: Apache-2.0", "licence: MIT"))
        found = {each.file: each for each in desk.failures()}
        assert (found["card.md"].what, found["card.md"].line) == ("licence", 5)
        assert (found["card.md"].found, found["card.md"].expected) == ("MIT", "Apache-2.0")
        assert found["submission.json"].what == "card_sha256"


def test_nothing_in_a_failure_can_write_to_a_terminal(
    desk: Desk,
) -> None:
    desk.edit(lambda manifest: manifest.update(protocol="\x1b[31m\n" + "x" * 400))
    text = str(only(desk.failures()))
    assert text.isprintable()
    assert len(text) < 400


def test_a_gzip_beside_the_rest_is_no_knowledge(desk: Desk) -> None:
    path = desk.folder / "knowledge" / f"{'0' * 64}.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(json.dumps({}).encode()))
    assert only(desk.failures()).found == "a file"
