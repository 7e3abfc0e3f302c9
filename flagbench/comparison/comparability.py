"""What may share a table: runs that differ in nothing but the agent, the asset and the seed."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from flagbench.comparison.finding import SeedRun
from flagbench.errors import ComparabilityError
from flagbench.records.ledger import canonical_sha256


class Rule(NamedTuple):
    """One thing that runs must have in common.

    Attributes:
        what: its name in an error.
        among: runs of equal values of this are held against each other; None leaves a run out.
        value: what must be equal; plain values.
    """

    what: str
    among: Callable[[SeedRun], str | None]
    value: Callable[[SeedRun], Any]


def _everywhere(run: SeedRun) -> str | None:  # noqa: ARG001
    return "all"


def _asset(run: SeedRun) -> str | None:
    return str(run.record.asset.get("id"))


def _test_window(run: SeedRun) -> str | None:
    return f"{_asset(run)} {_windows(run).get('test')}"


def _learner(run: SeedRun) -> str | None:
    return None if run.record.setup is None else "all"


def _learner_on_window(run: SeedRun) -> str | None:
    return None if run.record.setup is None else _test_window(run)


def _asked(run: SeedRun) -> str | None:
    return None if run.record.knowledge is None else "all"


def _windows(run: SeedRun) -> dict[str, Any]:
    windows = run.record.asset.get("windows")
    return windows if isinstance(windows, dict) else {}


def _protocol(run: SeedRun) -> str:
    protocol = run.record.protocol
    return f"{protocol.get('id')} v{protocol.get('version')}"


def _suite(run: SeedRun) -> Any:
    """Suite, tasks and their versions."""
    knowledge = run.record.knowledge or {}
    tasks = [[task.get("task") or "all", task.get("version")] for task in knowledge.get("retention", ())]
    return {"suite": knowledge.get("suite"), "tasks": tasks}


RULES = (
    Rule("kind of market", _everywhere, lambda run: run.record.market.kind),
    Rule("protocol", _everywhere, _protocol),
    Rule("content of the protocol", _everywhere, lambda run: run.record.protocol),
    Rule("market", _asset, lambda run: run.record.market.sha256),
    Rule("calendar", _asset, lambda run: run.record.asset.get("calendar")),
    Rule("training window", _learner_on_window, lambda run: _windows(run).get("train")),
    Rule("set-up", _learner, lambda run: run.record.setup and run.record.setup.model_dump(mode="json")),
    Rule("knowledge suite", _asked, _suite),
)
"""In the order in which they are checked. An agent that does not learn fits any set-up and training window,
one that was asked nothing fits any suite."""


def check_one_table(runs: Sequence[SeedRun]) -> None:
    """Refuse runs that may not stand in one table.

    Raises:
        ComparabilityError: the first rule that is broken, with the two runs and what each has.
    """
    for rule in RULES:
        for one, other in _neighbours(rule, runs):
            mine, others = rule.value(one), rule.value(other)
            if canonical_sha256(mine) != canonical_sha256(others):
                first, second = _apart(mine, others)
                raise ComparabilityError(
                    f"one table holds one {rule.what}: {one.name} has {first}, {other.name} has {second}",
                    hint="compare them in tables of their own",
                )


def _neighbours(rule: Rule, runs: Sequence[SeedRun]) -> Iterator[tuple[SeedRun, SeedRun]]:
    bound = [run for run in runs if rule.among(run) is not None]
    grouped = sorted(bound, key=lambda run: str(rule.among(run)))
    for _, group in groupby(grouped, key=rule.among):
        yield from pairwise(group)


def _apart(mine: Any, others: Any) -> tuple[str, str]:
    """Two values as text; of groups of settings only those that differ."""
    if isinstance(mine, dict) and isinstance(others, dict):
        names = [name for name in {**mine, **others} if mine.get(name) != others.get(name)]
        sides = [", ".join(f"{name} {side.get(name)}" for name in names) for side in (mine, others)]
        return sides[0], sides[1]
    return str(mine)[:24], str(others)[:24]
