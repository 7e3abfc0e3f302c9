"""A submission to be spoilt, and what its validation then says."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.submissions.failure import Failure
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate

Edit = Callable[[dict[str, Any]], object]
EditManifest = Callable[[Path, Edit], None]

ACTIONS = "actions/TSLA/seed-1.csv"
TSLA_1 = 3
"""Index of TSLA's seed 1 among the runs."""


class Desk(NamedTuple):
    """A submission that may be spoilt, and a validator."""

    folder: Path
    edit: Callable[[Edit], None]
    track: Track

    def failures(self, file: str | None = None) -> list[Failure]:
        """All of them, or those of one file."""
        found = validate(self.folder, track=self.track, audit=False).failures
        return [each for each in found if file in (None, each.file)]

    def set_run(self, index: int, **values: Any) -> None:
        self.edit(lambda manifest: manifest["runs"][index].update(values))

    def rewrite_actions(self, text: str, *, index: int = TSLA_1) -> None:
        """Other actions, whose hash the manifest has."""
        (self.folder / ACTIONS).write_text(text)
        self.set_run(index, actions_sha256=sha256(text.encode()).hexdigest())

    def line_of_run(self, index: int) -> int:
        lines = (self.folder / "submission.json").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if line.strip() == '"runs": [') + 1 + index


def only(failures: list[Failure]) -> Failure:
    assert len(failures) == 1, [str(each) for each in failures]
    return failures[0]
