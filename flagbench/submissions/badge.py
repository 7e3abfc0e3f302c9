"""What a maintainer found when a seed of a submission was trained again.

A submission that nobody has trained again is `replayed`: its arithmetic is right, and its actions may still
have been chosen in hindsight. The badge lies outside the submission, and counts only while it speaks of the
content that the folder has.
"""

import json
from pathlib import Path
from typing import Any, Literal

from flagbench.errors import ConfigError, RecordError
from flagbench.records.whole_file import write_whole
from flagbench.settings import Settings, parse
from flagbench.submissions.layout import badge_path, content_sha256

SCHEMA_VERSION: Literal[1] = 1

Status = Literal["replayed", "reproduced", "not-reproduced"]


class Badge(Settings):
    """One seed trained again."""

    schema_version: Literal[1] = SCHEMA_VERSION
    submission_sha256: str
    status: Literal["reproduced", "not-reproduced"]
    date: str
    """UTC, ISO."""
    asset: str
    seed: int
    metric: str
    """That decides."""
    claimed: float | None
    found: float | None
    """Null where undefined."""
    lowest: float | None
    """Of all seeds that the submission has on the asset."""
    highest: float | None
    equal_actions: float
    """Share of the test window's actions."""
    exact: bool
    """Whether all actions are equal."""
    source_is_claimed: bool
    """Whether the agent's file has the submitted sha256; a badge of another file counts for nothing."""
    tolerance: float | None = None
    """By how much the submitted ratio might stand above the one found; null if only equal actions count."""
    provenance: dict[str, Any]
    """Versions, source revision and machine of the training."""


def read_badge(folder: Path) -> Badge | None:
    """The badge of a board's submission; None where there is none, or it is about another content or agent.

    Raises:
        RecordError: the folder lies on no board, or the badge's file is broken.
    """
    path = badge_path(folder)
    if not path.is_file():
        return None
    badge = load_badge(path)
    speaks = badge.source_is_claimed and badge.submission_sha256 == content_sha256(folder)
    return badge if speaks else None


def status_of(folder: Path) -> Status:
    """`replayed` until somebody has trained a seed again.

    Raises:
        RecordError: as `read_badge`.
    """
    badge = read_badge(folder)
    return "replayed" if badge is None else badge.status


def load_badge(path: Path) -> Badge:
    """A badge's file, whatever it is about.

    Raises:
        RecordError: it cannot be read or is broken.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
        return parse(Badge, values, origin=str(path))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    except ConfigError as error:
        raise RecordError(error.message, hint=error.hint) from None


def write_badge(badge: Badge, path: Path) -> None:
    """Write the file whole or not at all.

    Raises:
        RecordError: it cannot be written.
    """
    write_whole(path, json.dumps(badge.model_dump(mode="json"), indent=2, allow_nan=False))
