"""What a suite will do, before it does it: a table of cells, and how long the rest takes."""

from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

from flagbench.reports.score_table import TableText
from flagbench.suites.cells import Cell, CellState

States = Mapping[Cell, CellState]


class Estimate(NamedTuple):
    """How long the cells that are not done will take, one after the other."""

    seconds: float
    """Of the cells whose agent has a finished cell: the sum of their agents' medians."""
    unknown: dict[str, int]
    """Cells to do, by agent, of agents that no cell is finished of: nothing is guessed for them."""


def seconds_of(agent: str, states: States) -> float | None:
    """The median of what this agent's finished cells took, by their records; None where there is none."""
    took = [
        state.seconds
        for cell, state in states.items()
        if cell.agent == agent and state.state == "done" and state.seconds is not None
    ]
    return median(took) if took else None


def remaining(states: States) -> list[Cell]:
    """Cells to do, those that failed before among them, in the suite's order."""
    return [cell for cell, state in states.items() if state.state in ("to do", "failed")]


def estimate(states: States) -> Estimate:
    """How long the rest takes, from measured seconds alone."""
    total, unknown = 0.0, dict[str, int]()
    for cell in remaining(states):
        each = seconds_of(cell.agent, states)
        if each is None:
            unknown[cell.agent] = unknown.get(cell.agent, 0) + 1
        else:
            total += each * (1 - states[cell].windows_done / len(cell.plans))
    return Estimate(total, unknown)


def outlook_table(title: str, states: States) -> TableText:
    """A row an agent and asset, a column a seed."""
    seeds = list(dict.fromkeys(cell.seed for cell in states))
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for cell, state in states.items():
        rows.setdefault((cell.agent, cell.asset), {})[cell.seed] = _shown(cell, state)
    return TableText(
        title,
        ["agent", "asset", *(f"seed {seed}" for seed in seeds), "a cell takes"],
        [
            [agent, asset, *(own.get(seed, "–") for seed in seeds), _takes(agent, states)]
            for (agent, asset), own in rows.items()
        ],
        [],
        numeric=False,
    )


def _shown(cell: Cell, state: CellState) -> str:
    if state.windows_done and state.state in ("to do", "failed"):
        return f"{state.state}, {state.windows_done} of {len(cell.plans)} windows done"
    return state.state


def _takes(agent: str, states: States) -> str:
    each = seconds_of(agent, states)
    return "unknown" if each is None else duration(each)


def outlook_lines(states: States, *, jobs: int) -> list[str]:
    """How many cells are in which state, and how long the rest takes."""
    counts = {name: sum(state.state == name for state in states.values()) for name in _WORDS}
    shown = [f"{count} {_WORDS[name]}" for name, count in counts.items() if count]
    lines = [f"{_cells(len(states))}: {', '.join(shown)}"]
    expected = estimate(states)
    if not remaining(states):
        return [*lines, "estimated time: nothing is left to do"]
    parts = (
        []
        if len(expected.unknown) == len({cell.agent for cell in remaining(states)})
        else [f"{duration(expected.seconds / jobs)} with {jobs} at once"]
    )
    if expected.unknown:
        listed = ", ".join(f"{agent} ({count})" for agent, count in expected.unknown.items())
        parts.append(f"unknown for {listed}, of which no cell is finished")
    return [*lines, f"estimated time: {'; '.join(parts)}"]


_WORDS = {
    "done": "done",
    "to do": "to do",
    "failed": "failed, to do again",
    "unreadable": "unreadable",
}


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def duration(seconds: float) -> str:
    """Such as `12 s`, `4 min` or `3 h 20 min`; rounded up, never to nothing."""
    whole = max(1, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = -(-whole // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
