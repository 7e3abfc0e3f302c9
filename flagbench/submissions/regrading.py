"""Answers to knowledge items scored against the suite's own right answers, as they are installed here.

A choice is right when it is the item's right choice; what was written is scored by the task's own
`process_results`. Nothing is asked again, and no model is loaded.
"""

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from flagbench.errors import ConfigError, FlagbenchError
from flagbench.knowledge.results import ItemResult, SuiteResult, TaskResult
from flagbench.knowledge.suites import KnowledgeTask, load_suites, tasks_of
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.submissions.samples import Sample, Samples

CACHED = 4
"""Suites whose items are kept; a board asks one or two."""


class Verdict(NamedTuple):
    """What an answer is worth."""

    correct: bool
    unparsed: bool


class GoldItem(NamedTuple):
    """An item with its right answer."""

    cluster: str
    kind: str
    target: str
    choices: tuple[str, ...] | None
    """None where an answer is written."""


class GoldTask:
    """A task's items as they are installed.

    Args:
        described: the task.
        data: a data folder, for tasks that need one.

    Raises:
        ConfigError: lm-eval cannot load it, or its data is missing.
    """

    def __init__(self, described: KnowledgeTask, *, data: str | None) -> None:
        self.name = described.name
        self.version = str(described.metadata.version)
        self._task = _load(described, data=data)
        self._metric = str(next(iter(self._task.aggregation())))
        self._docs: dict[str, Mapping[str, Any]] = {
            str(doc.get("id", index)): doc for index, doc in enumerate(self._task.eval_docs)
        }
        self.items = {name: self._gold(name, doc) for name, doc in self._docs.items()}

    def _gold(self, name: str, doc: Mapping[str, Any]) -> GoldItem:
        target = self._task.doc_to_target(doc)
        choices = None
        if self._task.OUTPUT_TYPE == "multiple_choice":
            choices = tuple(str(choice) for choice in self._task.doc_to_choice(doc))
            target = choices[target] if isinstance(target, int) else target
        return GoldItem(
            cluster=str(doc.get("cluster", name)),
            kind=str(doc.get("kind", self.name)),
            target=str(target),
            choices=choices,
        )

    def grade(self, item: str, answer: str) -> Verdict | None:
        """What an answer is worth; None for one that is no choice of the item."""
        gold = self.items[item]
        if gold.choices is not None:
            return Verdict(answer == gold.target, False) if answer in gold.choices else None
        scored = self._task.process_results(self._docs[item], [answer])
        return Verdict(bool(scored[self._metric]), bool(scored.get("unparsed", False)))


def _load(described: KnowledgeTask, *, data: str | None) -> Any:
    from lm_eval.tasks import TaskManager

    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises on metadata that are ours
    try:
        manager = TaskManager(include_defaults=False, metadata={"data": data})
        (task,) = manager.load([str(described.path)])["tasks"].values()
    except FlagbenchError:
        raise
    except Exception as error:  # lm-eval raises whatever a YAML, its functions or a data set lead to
        raise ConfigError(f"{described.path}: lm-eval cannot load the task: {error}") from error
    finally:
        logger.setLevel(level)
    return task


@lru_cache(maxsize=CACHED)
def gold_suite(suite: str, data: str | None = None) -> tuple[GoldTask, ...]:
    """The installed tasks of a suite with their right answers, in its order.

    Raises:
        FlagbenchError: no such suite, or its data is missing.
    """
    return tuple(GoldTask(task, data=data) for task in tasks_of(load_suites(suite)))


def regrade(
    samples: Samples,
    gold: tuple[GoldTask, ...],
    *,
    suite: str,
    batch_size: int,
    dtype: str,
    model_sha256: str,
) -> tuple[SuiteResult | None, list[Failure]]:
    """Score a file of answers, or say which items are missing, unknown, twice, or of another version.

    Args:
        samples: the answers.
        gold: of the suite.
        suite: its name.
        batch_size: prompts read at once, as claimed.
        dtype: of the weights, as claimed.
        model_sha256: of the weights, as claimed.
    """
    failures = _order_failures(samples, gold)
    results: dict[str, list[ItemResult]] = {task.name: [] for task in gold}
    by_name = {task.name: task for task in gold}
    for number, sample in enumerate(samples.samples, 1) if not failures else ():
        task = by_name[sample.task]
        verdict, item = task.grade(sample.item, sample.answer), task.items[sample.item]
        if verdict is None:
            wanted = f"a choice of item `{sample.item}`: {', '.join(item.choices or ())}"
            failures.append(
                failure(samples.file, "answer", found=sample.answer, expected=wanted, line=number)
            )
            continue
        results[task.name].append(_result(sample, item, verdict))
    if failures:
        return None, failures[:MOST]
    tasks = tuple(TaskResult(task.name, task.version, tuple(results[task.name])) for task in gold)
    return SuiteResult(suite, tasks, batch_size, dtype, model_sha256), []


def _result(sample: Sample, item: GoldItem, verdict: Verdict) -> ItemResult:
    return ItemResult(
        item=sample.item,
        cluster=item.cluster,
        kind=item.kind,
        correct=verdict.correct,
        answer=sample.answer,
        target=item.target,
        truncated=sample.truncated,
        unparsed=verdict.unparsed,
    )


def _order_failures(samples: Samples, gold: tuple[GoldTask, ...]) -> list[Failure]:
    """Every item of the suite stands there once, in the suite's order, in its version."""
    expected = [(task.name, item, task.version) for task in gold for item in task.items]
    failures: list[Failure] = []
    for number, (sample, wanted) in enumerate(zip(samples.samples, expected, strict=False), 1):
        found = (sample.task, sample.item, sample.version)
        if found != wanted:
            failures.append(
                failure(
                    samples.file,
                    "item",
                    found=_named(*found),
                    expected=_named(*wanted),
                    line=number,
                )
            )
            if len(failures) == MOST or found[:2] != wanted[:2]:
                break  # after an item that is missing or twice, every other stands in the wrong place
    if len(samples.samples) != len(expected) and not failures:
        failures.append(
            failure(
                samples.file,
                "number of items",
                found=len(samples.samples),
                expected=len(expected),
                line=min(len(samples.samples), len(expected)) + 1,
            )
        )
    return failures


def _named(task: str, item: str, version: str) -> str:
    return f"{task}/{item} v{version}"
