"""Results of a knowledge suite, item by item, so that the same items can be paired before and after."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flagbench.errors import ConfigError, RecordError


class ItemResult(NamedTuple):
    """One item, asked once."""

    item: str
    """Unique within its task, and the same before and after training."""
    cluster: str
    """Items that share a source, such as one page of a report, stand or fall together."""
    kind: str
    correct: bool
    answer: str
    """What the model chose or wrote."""
    target: str
    truncated: bool
    """The prompt was longer than the model's context; its beginning was cut off."""
    unparsed: bool
    """What the model wrote holds no answer; it counts as wrong."""


@dataclass(frozen=True)
class TaskResult:
    """One task's items.

    Attributes:
        task: its name.
        version: of its YAML file.
        items: at least one; in the order of the task's data, however they were asked.
        origin: where its data was read: a file below a data folder, a package, or the hub.

    Raises:
        ConfigError: there is no item, or two have the same id.
    """

    task: str
    version: str
    items: tuple[ItemResult, ...]
    origin: str = ""

    def __post_init__(self) -> None:
        if not self.items:
            raise ConfigError(f"knowledge task `{self.task}` has no items")
        seen: set[str] = set()
        for item in self.items:
            if item.item in seen:
                raise ConfigError(f"knowledge task `{self.task}` has two items `{item.item}`")
            seen.add(item.item)

    @property
    def accuracy(self) -> float:
        """Share of correct items."""
        return sum(item.correct for item in self.items) / len(self.items)

    @property
    def stderr(self) -> float:
        """Standard error of the accuracy p over n independent items, √(p(1 − p)/(n − 1)), as lm-eval's.

        nan for a single item.
        """
        count = len(self.items)
        if count == 1:
            return math.nan
        return math.sqrt(self.accuracy * (1 - self.accuracy) / (count - 1))

    @property
    def unparsed(self) -> int:
        """Items whose answer could not be read."""
        return sum(item.unparsed for item in self.items)

    @property
    def truncated(self) -> int:
        """Items whose prompt did not fit the model's context."""
        return sum(item.truncated for item in self.items)

    def summary(self) -> dict[str, Any]:
        """The task's figures without its items; None for a figure that is not defined."""
        return {
            "accuracy": self.accuracy,
            "stderr": None if math.isnan(self.stderr) else self.stderr,
            "items": len(self.items),
            "unparsed": self.unparsed,
            "truncated": self.truncated,
        }

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        items = [item._asdict() for item in self.items]
        return {"task": self.task, "version": self.version, "origin": self.origin, "items": items}


@dataclass(frozen=True)
class SuiteResult:
    """A suite's tasks, and what decides how they were computed.

    Attributes:
        suite: its name.
        tasks: by the suite's order.
        batch_size: prompts that the model read at once.
        dtype: of the model's weights, such as `float32`.
        model_sha256: of the weights that answered.
        limit: items a task was capped to; None for all.
        separately: why choices of one context were not read together; None where they were.
    """

    suite: str
    tasks: tuple[TaskResult, ...]
    batch_size: int
    dtype: str
    model_sha256: str
    limit: int | None = None
    separately: str | None = None

    @property
    def whole(self) -> TaskResult:
        """All items of all tasks as one task of the suite's name, each item counted once."""
        items = tuple(
            item._replace(item=f"{task.task}/{item.item}", cluster=f"{task.task}/{item.cluster}")
            for task in self.tasks
            for item in task.items
        )
        return TaskResult(self.suite, "/".join(task.version for task in self.tasks), items)

    def summary(self) -> dict[str, Any]:
        """What `flagbench knowledge --json` prints: figures by task, without items."""
        notes = {"limit": self.limit, "separately": self.separately}
        said = {name: note for name, note in notes.items() if note is not None}
        return {"suite": self.suite, **said, "tasks": {task.task: task.summary() for task in self.tasks}}

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values; `from_json` reads it back."""
        return {
            "suite": self.suite,
            "tasks": [task.to_json() for task in self.tasks],
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            "model_sha256": self.model_sha256,
            "limit": self.limit,
            **({} if self.separately is None else {"separately": self.separately}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "SuiteResult":
        """What `to_json` wrote.

        Raises:
            RecordError: a field is missing, unknown or of another type.
        """
        try:
            tasks = tuple(_task(task) for task in values["tasks"])
            given = {name: value for name, value in values.items() if name != "tasks"}
            result = cls(tasks=tasks, **given)
        except (ConfigError, KeyError, TypeError) as error:
            raise RecordError(f"a knowledge result is broken: {error}") from error
        if result.to_json() != dict(values):
            raise RecordError("a knowledge result is broken: a value has the wrong type")
        return result


def _task(values: Mapping[str, Any]) -> TaskResult:
    items = tuple(ItemResult(**item) for item in values["items"])
    given = {name: value for name, value in values.items() if name != "items"}
    return TaskResult(items=items, **given)
