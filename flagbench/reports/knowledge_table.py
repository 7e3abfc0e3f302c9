"""What training did to a model's knowledge, as rows of text and as sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flagbench.knowledge.retention import TaskRetention
from flagbench.reports.score_table import TableText, formatted
from flagbench.settings import parse

RetentionJson = Mapping[str, Any]

HEADER = [
    "",
    "items",
    "before",
    "after",
    "difference, points [95 %]",
    "p",
    "forgotten / gained",
    "noise",
]

READ_TASKS = 3
"""Tasks of a suite up to which each has a sentence of its own; of more, the suite alone has one."""

SIGNIFICANT = 0.05


def knowledge_table(title: str, runs: Mapping[str, Sequence[RetentionJson] | None]) -> TableText:
    """One row a task and one for the whole suite, run by run, and below them what they say.

    Args:
        title: above the table.
        runs: `TaskRetention.to_json()` of each task by heading, such as `seed 0`; None for an agent without
            a language model, which has no knowledge to keep: dashes, never 100 %.

    Raises:
        ConfigError: a retention is broken.
    """
    rows: list[list[str]] = []
    notes: list[str] = []
    for heading, values in runs.items():
        prefix = f"{heading}: " if len(runs) > 1 else ""
        if values is None:
            rows.append([heading, *["–"] * (len(HEADER) - 1)])
            notes.append(f"– {heading}: no language model, so there is no knowledge to keep or lose")
            continue
        retentions = [parse(TaskRetention, value, origin=heading) for value in values]
        shown = list(_shown(retentions))
        rows += [[prefix + each.name, *_cells(each)] for each in shown]
        notes += [prefix + sentence for sentence in _sentences(shown)]
    return TableText(title, list(HEADER), rows, notes)


def knowledge_tables(records: Sequence[Mapping[str, Any]]) -> list[TableText]:
    """`knowledge_table` of a run's records, plain values each; none where no language model was asked."""
    asked = {_heading(record): record["knowledge"] for record in records if record["knowledge"]}
    if not asked:
        return []
    suite = next(iter(asked.values()))["suite"]
    retentions = {heading: knowledge["retention"] for heading, knowledge in asked.items()}
    return [knowledge_table(f"knowledge before and after training, suite {suite}", retentions)]


def _heading(record: Mapping[str, Any]) -> str:
    window = record.get("window")
    return f"seed {record['seed']}" if window is None else f"window {window}, seed {record['seed']}"


def _shown(retentions: Sequence[TaskRetention]) -> Iterator[TaskRetention]:
    """All but the whole of a suite that has one task, which would stand there twice."""
    for each in retentions:
        parts = [other for other in retentions if other.suite == each.suite and other.task is not None]
        if each.task is not None or len(parts) > 1:
            yield each


def _cells(retention: TaskRetention) -> list[str]:
    noise = retention.noise
    return [
        str(retention.items),
        formatted(retention.before, "fraction"),
        formatted(retention.after, "fraction"),
        f"{_points(retention.difference)} [{_points(retention.low)}, {_points(retention.high)}]",
        p_value_text(retention.p_value),
        f"{retention.forgotten} / {retention.gained}",
        "–" if noise is None else f"{noise.forgotten} / {noise.gained}",
    ]


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.2f}" if fraction else "0.00"


def p_value_text(p_value: float) -> str:
    """Three digits; a smaller one is no zero."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _sentences(retentions: Sequence[TaskRetention]) -> Iterator[str]:
    tasks = [each for each in retentions if each.task is not None]
    for each in retentions:
        if each.task is None or len(tasks) <= READ_TASKS:
            yield reading(each)
    for each in retentions:
        yield from _cautions(each)


def reading(retention: TaskRetention) -> str:
    """What one row says, in words for a reader who knows neither the test nor the suite."""
    lost, gained, items = retention.forgotten, retention.gained, retention.items
    were = "was" if lost == 1 else "were"
    words = f"{retention.name}: {lost} of {items} answers {were} lost and {gained} gained in training"
    if retention.noise is not None:
        floor = retention.noise
        words += f"; asked twice without training, {floor.forgotten} and {floor.gained} change by chance"
    return f"{words}. {_verdict(retention)}"


def _verdict(retention: TaskRetention) -> str:
    p_value = p_value_text(retention.p_value)
    if retention.p_value < SIGNIFICANT:
        change = "loss" if retention.difference < 0 else "gain"
        return f"This {change} is more than chance explains (p {_related(p_value)})"
    smallest = retention.smallest_detectable_difference
    if smallest is None:
        return f"These are too few answers to show a change (p {_related(p_value)})"
    unseen = f"a change below {100 * smallest:.1f} points may go unseen"
    return f"No change of accuracy is shown (p {_related(p_value)}); {unseen}"


def _related(p_value: str) -> str:
    return p_value if p_value.startswith("<") else f"= {p_value}"


def _cautions(retention: TaskRetention) -> Iterator[str]:
    """What weakens the figures of a row: items that belong together, and answers that are no answers."""
    name = retention.name
    if retention.test == "cluster-sign-flip":
        yield f"{name}: its {retention.items} items share {retention.clusters} sources; p flips whole sources"
    for what, before, after in (
        ("answers could not be read", retention.unparsed_before, retention.unparsed_after),
        ("prompts were cut at the model's context", retention.truncated_before, retention.truncated_after),
    ):
        if before or after:
            yield f"{name}: {before} {what} before training, {after} after it"
