"""The training log: one JSON object an iteration, in `train.jsonl`."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from flagbench.agents.training import TrainingMonitor


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
    """

    def __init__(self, path: Path, monitor: TrainingMonitor) -> None:
        self._stream = path.open("w", encoding="utf-8")
        self._monitor = monitor

    def advance(self, steps: int) -> None:
        """Pass on."""
        self._monitor.advance(steps)

    def log(self, figures: Mapping[str, Any]) -> None:
        """Write one line and pass on; figures that are no finite numbers become null."""
        self._stream.write(json.dumps(plain(dict(figures)), allow_nan=False) + "\n")
        self._stream.flush()
        self._monitor.log(figures)

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
def training_log(path: Path, monitor: TrainingMonitor) -> Iterator[TrainingLog]:
    """A log that is closed at the end, whatever happens."""
    log = TrainingLog(path, monitor)
    try:
        yield log
    finally:
        log.close()


def read_training_log(path: Path) -> list[dict[str, Any]]:
    """All iterations, oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
