from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from flagbench.errors import ConfigError
from flagbench.submissions.card import FILL_IN, card_failures, read_card, split_card, starting_card
from flagbench.submissions.submission import CardFields

if TYPE_CHECKING:
    from tests.submissions.conftest import WriteCard


def test_a_card_is_its_fields_and_its_words(tmp_path: Path, write_card: "WriteCard") -> None:
    backbone = "{name: a/b, cutoff: 2024-06-30, licence: MIT}"
    card = read_card(write_card(tmp_path, "mine", backbone=backbone))
    assert card.fields.name == "mine"
    assert card.fields.authors == ("A. Author", "B. Author")
    assert card.fields.backbone is not None
    assert str(card.fields.backbone.cutoff) == "2024-06-30"
    assert card.fields.contact is None
    assert card.body == "# A card\n\nSome words.\n"


@pytest.mark.parametrize("cutoff", ["undated", "unknown"])
def test_a_backbone_may_have_no_date(cutoff: str, tmp_path: Path, write_card: "WriteCard") -> None:
    card = read_card(write_card(tmp_path, "mine", backbone=f"{{name: a, cutoff: {cutoff}, licence: MIT}}"))
    assert card.fields.backbone is not None
    assert card.fields.backbone.cutoff == cutoff


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("licence: Apache-2.0\n", "", "`licence`: Field required"),
        ("licence: Apache-2.0", "license: MIT", "unknown setting `license`"),
        ("name: mine", "name: ../../etc", "`name`: String should match"),
        ("name: mine", "name: .hidden", "`name`: String should match"),
        ("name: mine", "name: a b", "`name`: String should match"),
        ("url: https://example.org/agent", "url: javascript:alert(1)", "`code.url`"),
        ("url: https://example.org/agent", "url: 'https://a\"onclick='", "`code.url`"),
        ("commit: 0123456789abcdef", "commit: main", "`code.commit`"),
        ("backbone: null", "backbone: {name: a, cutoff: soon, licence: b}", "`backbone.cutoff"),
        ("[A. Author, B. Author]", "[]", "`authors`"),
        ("description: An agent", f"description: {'x' * 501} An agent", "`description`"),
        ("trials: none other", 'trials: "none\\nother"', "`trials`: String should match"),
        ("trials: none other", "trials: \u202enone other", "`trials`: String should match"),
        ("trials: none other", f"trials: {FILL_IN}", "`trials` is not filled in"),
        ("---\nname", "name", "a card begins with YAML"),
        ("trials: none other\n---", "trials: none other", "a card begins with YAML"),
        ("authors: [A. Author, B. Author]", "authors: &a [*a]", "its head is no YAML"),
        ("name: mine", "name: [mine", "its head is no YAML, line"),
        ("description: An agent for a test", "description: !!python/name:os.system x", "its head is no YAML"),
    ],
)
def test_a_card_that_will_not_do_is_refused_with_the_field(
    before: str, after: str, message: str, tmp_path: Path, write_card: "WriteCard"
) -> None:
    path = write_card(tmp_path, "mine")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(ConfigError) as refused:
        read_card(path)
    assert message in refused.value.message
    assert str(path) in refused.value.message


def test_a_card_of_another_size_or_nowhere(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_card(tmp_path / "nowhere.md")
    (tmp_path / "large.md").write_text("x" * 70_000)
    with pytest.raises(ConfigError, match="more than 65536 bytes"):
        read_card(tmp_path / "large.md")
    (tmp_path / "latin.md").write_bytes(b"---\n\xff\n---\n")
    with pytest.raises(ConfigError, match="codec"):
        read_card(tmp_path / "latin.md")


def test_a_bomb_of_aliases_is_no_card() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise("abcdefg"))
    with pytest.raises(ValueError, match="aliases are not allowed"):
        split_card(f"---\n{bomb}---\n")


def test_lines_may_end_as_on_another_system(tmp_path: Path, write_card: "WriteCard") -> None:
    path = write_card(tmp_path, "mine")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_card(path).fields.name == "mine"


@pytest.mark.parametrize("backbone", [None, "HuggingFaceTB/SmolLM2-135M-Instruct", "a: b # c"])
def test_a_card_to_begin_with_lacks_only_what_a_person_knows(backbone: str | None, tmp_path: Path) -> None:
    text = starting_card(
        name="mine", ships=False, backbone=backbone, commit="0123abcd", hardware="a: small # one"
    )
    path = tmp_path / "card.md"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is not filled in"):
        read_card(path)
    for before, after in (
        ("url: FILL IN", "url: https://example.org"),
        ("cutoff: FILL IN", "cutoff: unknown"),
    ):
        text = text.replace(before, after)
    path.write_text(text.replace(FILL_IN, "words"))
    fields = read_card(path).fields
    assert (fields.name, fields.hardware, fields.code.commit) == ("mine", "a: small # one", "0123abcd")
    assert (fields.backbone and fields.backbone.name) == backbone


def test_a_card_in_a_submission_is_held_against_the_manifest(tmp_path: Path, write_card: "WriteCard") -> None:
    path = write_card(tmp_path, "mine")
    claimed = read_card(path).fields
    assert card_failures(path.read_bytes(), claimed) == []
    (found,) = card_failures(path.read_bytes().replace(b"hardware: a small", b"hardware: a large"), claimed)
    assert (found.file, found.line, found.what) == ("card.md", 11, "hardware")
    assert (found.found, found.expected) == ("a large machine", "a small machine")
    (found,) = card_failures(path.read_bytes().replace(b"name: mine", b"name: a/b"), claimed)
    assert (found.line, found.what, found.found) == (2, "name", "a/b")
    (found,) = card_failures(b"words", claimed)
    assert found.expected == "a head of YAML, then Markdown"


def test_what_is_not_filled_in_is_refused_in_a_submission_too(
    tmp_path: Path, write_card: "WriteCard"
) -> None:
    """Else it is valid, and the board that shows it cannot be built."""
    path = write_card(tmp_path, "mine")
    path.write_text(path.read_text().replace("trials: none other", f"trials: none, {FILL_IN} later"))
    values, _ = split_card(path.read_text())
    (found,) = card_failures(path.read_bytes(), CardFields.model_validate(values))
    assert (found.what, found.found) == ("trials", FILL_IN)
    assert found.line == next(
        number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith("trials")
    )


def test_text_in_a_starting_card_is_yaml_whatever_it_holds() -> None:
    values, _ = split_card(starting_card(name="x", ships=True, backbone="no", commit=None, hardware="null"))
    assert values["code"]["url"] is None
    assert values["hardware"] == "null"
    assert values["backbone"]["name"] == "no"
    assert yaml.safe_load("no") is False
