"""`flagbench knowledge`."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flagbench.agents.backbone_name import has_random_weights
from flagbench.cli.printing import print_json, print_tables
from flagbench.cli.progress import RunProgress
from flagbench.errors import ConfigError
from flagbench.knowledge.results import SuiteResult, TaskResult
from flagbench.knowledge.suites import KnowledgeSuite, load_suites, tasks_of
from flagbench.reports.score_table import TableText, formatted

if TYPE_CHECKING:
    from flagbench.learning.backbone import Backbone

HEADER = ["", "accuracy ± s.e.", "items", "unparsed", "truncated"]


def knowledge_command(arguments: argparse.Namespace) -> None:
    """Ask a model the items of a suite and print what it knows."""
    suites = load_suites(arguments.suite)  # an unknown name must not wait for torch
    for name in ("batch_size", "limit"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"`--{name.replace('_', '-')}` is at least 1, given {value}")
    for note in noncommercial_notes(suites):
        print(note, file=sys.stderr)
    result = _evaluated(arguments)
    for task in result.tasks:
        if task.origin.startswith("hub"):
            print(f"note: {task.task} was read from the {task.origin}", file=sys.stderr)
    if arguments.json:
        print_json(result.summary())
    else:
        print_tables(knowledge_tables(arguments.model, suites, result))


def noncommercial_notes(suites: Sequence[KnowledgeSuite]) -> list[str]:
    """One line that names the tasks whose data may not be used commercially; none if there are none."""
    names = [f"{t.name} ({t.metadata.licence})" for t in tasks_of(suites) if t.metadata.noncommercial]
    return [f"note: not for commercial use: {', '.join(names)}"] if names else []


def _evaluated(arguments: argparse.Namespace) -> SuiteResult:
    import torch

    from flagbench.learning.backbone import load_backbone

    backbone = load_backbone(arguments.model, seed=0)
    if torch.accelerator.is_available():
        # transformers wraps `to` in a decorator that mypy misreads
        backbone.model.to(torch.accelerator.current_accelerator())  # type: ignore[arg-type]
    try:
        return _asked(backbone, arguments)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; no figures were printed") from None


def _asked(backbone: "Backbone", arguments: argparse.Namespace) -> SuiteResult:
    from flagbench.knowledge.evaluation import evaluate_knowledge

    with RunProgress("knowledge", None) as bar:

        def progress(task: str, *, done: int, total: int) -> None:  # noqa: ARG001
            bar.asked(arguments.suite, done, total)

        return evaluate_knowledge(
            backbone.model,
            backbone.tokenizer,
            suite=arguments.suite,
            max_tokens=backbone.max_tokens,
            batch_size=arguments.batch_size,
            limit=arguments.limit,
            data=arguments.data,
            progress=progress,
        )


def knowledge_tables(model: str, suites: Sequence[KnowledgeSuite], result: SuiteResult) -> list[TableText]:
    """A table a suite: a row a task and one for all its items."""
    by_name = {task.task: task for task in result.tasks}
    tables = []
    for suite in suites:
        tasks = tuple(by_name[task.name] for task in suite.tasks)
        rows = [_row(task.task, task) for task in tasks]
        if len(tasks) > 1:
            rows.append(_row(f"all of {suite.name}", _part(suite.name, tasks, result).whole))
        title = f"{suite.name}: what {model} knows"
        tables.append(TableText(title, HEADER, rows, []))
    notes = _notes(model, result)
    return [*tables[:-1], tables[-1]._replace(notes=notes)]


def _part(suite: str, tasks: tuple[TaskResult, ...], result: SuiteResult) -> SuiteResult:
    return SuiteResult(suite, tasks, result.batch_size, result.dtype, result.model_sha256, result.limit)


def _row(label: str, task: TaskResult) -> list[str]:
    figures = task.summary()
    error = "–" if figures["stderr"] is None else f"{100 * figures['stderr']:.2f}"
    accuracy = f"{formatted(figures['accuracy'], 'fraction')} ± {error}"
    return [label, accuracy, *(str(figures[name]) for name in ("items", "unparsed", "truncated"))]


def _notes(model: str, result: SuiteResult) -> list[str]:
    notes = []
    if has_random_weights(model):
        notes.append("random weights: what is right is right by chance")
    if result.limit is not None:
        notes.append(f"at most {result.limit} items a task, chosen by the hash of their ids")
    if result.whole.unparsed:
        notes.append("unparsed: no answer could be read; it counts as wrong")
    if result.whole.truncated:
        notes.append("truncated: the prompt was longer than the model's context and lost its beginning")
    if result.separately is not None:
        notes.append(f"choices were read one by one, by lm-eval's own pass: {result.separately}")
    return notes
