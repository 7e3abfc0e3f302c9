"""What training did to a model's knowledge: the same items before and after, task by task and pooled."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from flagbench.errors import ComparabilityError, ConfigError
from flagbench.knowledge.cluster_tests import (
    bootstrap_interval,
    mcnemar_p_value,
    sign_flip_p_value,
    smallest_detectable_difference,
)
from flagbench.knowledge.results import SuiteResult, TaskResult
from flagbench.settings import Settings
from flagbench.trading.portfolio import IntArray

RESAMPLES = 5000
"""Of the bootstrap; as many as every other interval of the project has."""


class NoiseFloor(Settings):
    """The model before training, asked again in batches of another size and in reversed order.

    What changes here changed for no reason but rounding.
    """

    forgotten: int
    gained: int
    batch_size: int


class TaskRetention(Settings):
    """One task, or all tasks of a suite pooled, before and after training. Shares are fractions."""

    suite: str
    task: str | None
    """None for the whole suite: all items count alike, whatever their task."""
    version: str
    """Of the task; for the whole suite those of all tasks, with slashes between them."""
    items: int
    clusters: int
    before: float
    """Accuracy: share of items answered correctly."""
    after: float
    difference: float
    """After less before."""
    low: float
    """Of the 95 % interval of the difference, by a bootstrap over clusters."""
    high: float
    p_value: float
    """Two-sided; of no change."""
    test: Literal["mcnemar", "cluster-sign-flip"]
    """McNemar's exact test where each item is its own cluster, else signs of clusters' changes flipped."""
    forgotten: int
    """Items correct before and wrong after."""
    gained: int
    """Items wrong before and correct after."""
    smallest_detectable_difference: float | None
    """Found with 80 % power; None where no difference could be."""
    noise: NoiseFloor | None
    """None where it was not measured."""
    unparsed_before: int
    """Answers that could not be read; they count as wrong."""
    unparsed_after: int
    truncated_before: int
    """Prompts that did not fit the model's context."""
    truncated_after: int

    @property
    def name(self) -> str:
        """The task, or the suite for all of it."""
        return self.task or self.suite

    def to_json(self) -> dict[str, Any]:
        """Plain values; `flagbench.settings.parse` reads them back."""
        return self.model_dump(mode="json")


def retention(
    before: SuiteResult,
    after: SuiteResult,
    noise: SuiteResult | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[TaskRetention, ...]:
    """Compare a suite's answers before and after training: one entry a task, then the suite pooled.

    Items are matched by their ids, in whatever order they were asked. Formulas and their sources stand in
    `flagbench.knowledge.cluster_tests`.

    Args:
        before: the untrained model.
        after: the trained one; same items, batch size and dtype.
        noise: the untrained model again; same items and dtype, another batch size.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        ComparabilityError: suite, tasks, versions, items, batch size or dtype differ; or `noise` is of
            other weights, or has the batch size of `before`.
        ConfigError: the suite has no task.
    """
    if not before.tasks:
        raise ConfigError(f"knowledge suite `{before.suite}` has no tasks, so nothing can be compared")
    _check_trained(before, after)
    if noise is not None:
        _check_noise(before, noise)
    results = (before, after) if noise is None else (before, after, noise)
    parts = [[_by_name(result)[task.task] for result in results] for task in before.tasks]
    parts.append([result.whole for result in results])
    names = [*(task.task for task in before.tasks), None]
    return tuple(
        TaskRetention(
            suite=before.suite,
            task=name,
            version=part[0].version,
            noise=None if noise is None else _noise_floor(part[0], part[2], batch_size=noise.batch_size),
            **_figures(part[0], part[1], seed=seed, resamples=resamples),
        )
        for name, part in zip(names, parts, strict=True)
    )


def _correct(asked: TaskResult, order: TaskResult) -> IntArray:
    """1 for correct and 0 for wrong, item by item in the order of another result; (n,)."""
    found = {item.item: item.correct for item in asked.items}
    return np.array([found[item.item] for item in order.items], dtype=np.int64)


def _noise_floor(before: TaskResult, noise: TaskResult, *, batch_size: int) -> NoiseFloor:
    change = _correct(noise, before) - _correct(before, before)
    return NoiseFloor(
        forgotten=int((change < 0).sum()), gained=int((change > 0).sum()), batch_size=batch_size
    )


def _figures(before: TaskResult, after: TaskResult, *, seed: int, resamples: int) -> dict[str, Any]:
    """All of `TaskRetention` that comes of one pair."""
    change = _correct(after, before) - _correct(before, before)
    forgotten, gained = int((change < 0).sum()), int((change > 0).sum())
    _, cluster = np.unique([item.cluster for item in before.items], return_inverse=True)
    sizes = np.bincount(cluster)
    changes = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(changes, cluster, change)
    single = len(sizes) == len(change)
    low, high = bootstrap_interval(changes, sizes, seed=seed, resamples=resamples)
    mcnemar = mcnemar_p_value(forgotten=forgotten, gained=gained)
    return {
        "items": len(change),
        "clusters": len(sizes),
        "before": before.accuracy,
        "after": after.accuracy,
        "difference": (gained - forgotten) / len(change),
        "low": low,
        "high": high,
        "p_value": mcnemar if single else sign_flip_p_value(changes),
        "test": "mcnemar" if single else "cluster-sign-flip",
        "forgotten": forgotten,
        "gained": gained,
        "smallest_detectable_difference": smallest_detectable_difference(changes, sizes),
        "unparsed_before": before.unparsed,
        "unparsed_after": after.unparsed,
        "truncated_before": before.truncated,
        "truncated_after": after.truncated,
    }


def _check_trained(before: SuiteResult, after: SuiteResult) -> None:
    found = list(_differences(before, after))
    if before.batch_size != after.batch_size:
        found.append(f"batch size {before.batch_size} and {after.batch_size}")
    if found:
        raise ComparabilityError(
            f"knowledge before and after training cannot be compared: {'; '.join(found)}",
            hint="evaluate one suite before and after, with one batch size and dtype",
        )


def _check_noise(before: SuiteResult, noise: SuiteResult) -> None:
    found = list(_differences(before, noise))
    if before.model_sha256 != noise.model_sha256:
        found.append(f"weights {before.model_sha256[:12]} and {noise.model_sha256[:12]}")
    if before.batch_size == noise.batch_size:
        found.append(f"batch size {noise.batch_size} in both")
    if found:
        raise ComparabilityError(
            f"the noise floor does not belong to the knowledge before training: {'; '.join(found)}",
            hint="evaluate the untrained model twice, in batches of different sizes",
        )


def _by_name(suite: SuiteResult) -> dict[str, TaskResult]:
    return {task.task: task for task in suite.tasks}


def _differences(one: SuiteResult, other: SuiteResult) -> Iterator[str]:
    """What differs, in words, the first value that of `one`."""
    if one.suite != other.suite:
        yield f"suite `{one.suite}` and `{other.suite}`"
    if one.dtype != other.dtype:
        yield f"dtype {one.dtype} and {other.dtype}"
    mine, theirs = _by_name(one), _by_name(other)
    if lonely := sorted(mine.keys() ^ theirs.keys()):
        yield f"tasks on one side only: {', '.join(lonely)}"
    for name in mine:
        if name in theirs:
            yield from _task_differences(mine[name], theirs[name])


def _task_differences(one: TaskResult, other: TaskResult) -> Iterator[str]:
    if one.version != other.version:
        yield f"task `{one.task}` version {one.version} and {other.version}"
    mine, theirs = ({item.item: item for item in task.items} for task in (one, other))
    if lonely := sorted(mine.keys() ^ theirs.keys()):
        yield f"task `{one.task}` has {len(lonely)} items on one side only, such as `{lonely[0]}`"
    for name in (name for name in mine if name in theirs):
        for field in ("target", "cluster", "kind"):
            pair = [getattr(items[name], field) for items in (mine, theirs)]
            if pair[0] != pair[1]:
                yield f"task `{one.task}`, item `{name}`: {field} `{pair[0]}` and `{pair[1]}`"
                return
