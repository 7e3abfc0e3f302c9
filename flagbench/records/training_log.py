"""The training log: one JSON object an iteration, in `train.jsonl`."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flagbench.agents.training import TrainingMonitor
from flagbench.records.trackers import scalars

Forward = Callable[[dict[str, float], int], None]
"""Takes an iteration's numbers and its step, which is `env_steps`, else the number of the line."""


class Silent:
    """A monitor that says nothing, for processes that have nothing to show."""

    def advance(self, steps: int) -> None:
        """Say nothing."""

    def log(self, figures: Mapping[str, Any]) -> None:
        """Say nothing."""


class TrainingLog:
    """Writes every iteration's figures and passes all on to a monitor.

    Args:
        path: the JSONL file, made anew.
        monitor: told everything too.
        forward: given the numbers of each iteration with its step, for trackers.
    """

    def __init__(self, path: Path, monitor: TrainingMonitor, forward: Forward | None = None) -> None:
        self._stream = path.open("w", encoding="utf-8")
        self._monitor = monitor
        self._forward = forward
        self._lines = 0

    def advance(self, steps: int) -> None:
        """Pass on."""
        self._monitor.advance(steps)

    def log(self, figures: Mapping[str, Any]) -> None:
        """Write one line and pass on; figures that are no finite numbers become null."""
        values = plain(dict(figures))
        self._stream.write(json.dumps(values, allow_nan=False) + "\n")
        self._stream.flush()
        self._lines += 1
        self._monitor.log(figures)
        if self._forward is not None:
            steps = values.get("env_steps")
            self._forward(scalars(values), steps if isinstance(steps, int) else self._lines)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def plain(value: Any) -> Any:
    """What JSON has: None for a number that is not finite, numbers for those of numpy, text for the rest."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


@contextmanager
def training_log(
    path: Path, monitor: TrainingMonitor, forward: Forward | None = None
) -> Iterator[TrainingLog]:
    """A log that is closed at the end, whatever happens."""
    log = TrainingLog(path, monitor, forward)
    try:
        yield log
    finally:
        log.close()


def read_training_log(path: Path) -> list[dict[str, Any]]:
    """All iterations, oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
