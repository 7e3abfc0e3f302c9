"""`card.md`: what a submitter says. YAML between two lines of `---`, then Markdown.

Nothing of it is believed or run. Whoever shows it must escape it.
"""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from flagbench.errors import ConfigError
from flagbench.settings import parse
from flagbench.submissions.failure import Failure, failure
from flagbench.submissions.layout import CARD, KIB
from flagbench.submissions.submission import CardFields

FENCE = "---"
FILL_IN = "FILL IN"
"""Stands in a card that was just begun wherever only a person knows what belongs there."""

MOST_BYTES = 64 * KIB

STARTING = Template(f"""\
---
name: $name
description: {FILL_IN}  # one sentence on what the agent does
authors: [{FILL_IN}]
contact: null  # a URL or an address, if you want to be asked
licence: {FILL_IN}  # of the code, such as Apache-2.0
code:
  url: $url  # https://… where the code can be read; null if it ships with flagbench
  commit: $commit
$backbone
training_data: {FILL_IN}  # what besides the track's training windows the agent was trained on, or none
hardware: $hardware
trials: {FILL_IN}  # what else was tried, and how this configuration was chosen
---

# $name

What is new, what it is for, what it cannot do, in plain Markdown.
""")

WITH_BACKBONE = Template(f"""\
backbone:
  name: $name
  cutoff: {FILL_IN}  # last date of what it has read, YYYY-MM-DD; undated if it read nothing dated; or unknown
  licence: {FILL_IN}""")


class Card(NamedTuple):
    """A card in two parts."""

    fields: CardFields
    body: str
    """Markdown of the submitter's."""


class _Loader(yaml.SafeLoader):
    """No aliases: a few of them within each other make a page of YAML fill the memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases are not allowed")
        return super().compose_node(parent, index)


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        ConfigError: there is none, or a field is missing, unknown, or not filled in.
    """
    try:
        content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="begin one: --write-card"
        ) from error
    if content is None:
        raise ConfigError(f"{path} has more than {MOST_BYTES} bytes")
    try:
        values, body = split_card(content.decode())
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    unfilled = _unfilled(values)
    if unfilled:
        raise ConfigError(f"{path}: `{unfilled[0]}` is not filled in", hint=f"replace every `{FILL_IN}`")
    return Card(parse(CardFields, values, origin=str(path)), body)


def split_card(text: str) -> tuple[dict[str, Any], str]:
    """The head as plain values, and the Markdown below it.

    Raises:
        ValueError: there is no head, or it is no YAML mapping.
    """
    head, _, rest = text.replace("\r\n", "\n").partition("\n")
    inner, fence, body = rest.partition(f"\n{FENCE}\n")
    if head.strip() != FENCE or not fence:
        raise ValueError(f"a card begins with YAML between two lines of `{FENCE}`")
    try:
        values = yaml.load(inner, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, OverflowError) as error:
        # Its readers of numbers, truths and dates fail in all of these ways on what only looks like one.
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 2}" if mark else ""
        raise ValueError(f"its head is no YAML{line}: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(values, dict):
        raise ValueError("its head must be names with values")
    return values, body.lstrip("\n")


def card_failures(content: bytes, claimed: CardFields) -> list[Failure]:
    """Whether a submission's card is one, and says what its `submission.json` says."""
    try:
        values, _ = split_card(content.decode())
        fields = CardFields.model_validate(values)
    except ValidationError as error:
        return [
            failure(
                CARD,
                ".".join(str(part) for part in found["loc"]),
                found="nothing" if found["type"] == "missing" else found["input"],
                expected=found["msg"],
                line=_line(content, str(found["loc"][0])),
            )
            for found in error.errors(include_url=False, include_context=False)
        ]
    except ValueError as error:
        return [failure(CARD, "card", found=str(error), expected="a head of YAML, then Markdown", line=1)]
    unfilled = [
        failure(CARD, name, found=FILL_IN, expected="what only a person knows", line=_line(content, name))
        for name in _unfilled(values)
    ]
    if unfilled:
        return unfilled
    mine, theirs = fields.model_dump(mode="json"), claimed.model_dump(mode="json")
    return [
        failure(CARD, name, found=mine[name], expected=theirs[name], line=_line(content, name))
        for name in mine
        if mine[name] != theirs[name]
    ]


def _line(content: bytes, field: str) -> int:
    """Of a field of the head, from 1."""
    lines = content.decode(errors="replace").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"{field}:")), 1)


def starting_card(
    *, name: str, ships: bool, backbone: str | None, commit: str | None, hardware: str | None
) -> str:
    """A card to begin with: what runs know is filled in.

    Args:
        name: of the entry.
        ships: whether the agent is flagbench's own.
        backbone: the language model's name; None without one.
        commit: of flagbench's own source, for an agent that ships with it.
        hardware: what the runs say.
    """
    without = "backbone: null"
    described = without if backbone is None else WITH_BACKBONE.substitute(name=_quoted(backbone))
    return STARTING.substitute(
        name=name,
        url="null" if ships else FILL_IN,
        commit=commit or FILL_IN,
        backbone=described,
        hardware=_quoted(hardware) if hardware else FILL_IN,
    )


def _quoted(text: str) -> str:
    """Text as YAML holds it on one line."""
    return str(yaml.safe_dump(text, width=10_000, default_flow_style=True)).partition("\n")[0]


def _unfilled(values: Mapping[str, Any]) -> list[str]:
    return [name for name, text in _texts(values) if FILL_IN in text]


def _texts(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Every value as text, under its dotted name."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _texts(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", str(value)))
    return found
