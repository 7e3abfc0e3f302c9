"""Services that a training's figures are passed on to, beside `train.jsonl`; accelerate does the passing."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.errors import ConfigError, MissingExtraError

TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")
"""Names as accelerate has them; each is also the name of the package that it needs."""


class Tracking(NamedTuple):
    """What one training is tracked by."""

    trackers: tuple[str, ...]
    folder: Path
    """Takes the files of trackers that write some; not in the run directory, which appears at the end."""
    run: str
    """What the training is called where trackers list it."""
    config: Mapping[str, Any]
    """What is shown beside its figures: names and numbers."""


def check_trackers(names: Iterable[str]) -> None:
    """See that every tracker is known and its package there, before anything heavy loads.

    Raises:
        ConfigError: a name is unknown.
        MissingExtraError: a package is not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise ConfigError(f"`--track {name}` is no tracker", hint=f"known: {', '.join(TRACKERS)}")
        if find_spec(name) is None:
            raise MissingExtraError(
                f"`--track {name}` needs the package `{name}`, which is not installed",
                hint='pip install "flagbench[trackers]"',
            )


def scalars(figures: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of an iteration's figures; those of a list under `name/0`, `name/1` and so on.

    Args:
        figures: plain values, None for a number that is not finite.
    """
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, list):
            found |= scalars({f"{name}/{index}": item for index, item in enumerate(value)})
        elif isinstance(value, Mapping):
            found |= scalars({f"{name}/{key}": item for key, item in value.items()})
        elif isinstance(value, (int, float)):
            found[name] = value
    return found
