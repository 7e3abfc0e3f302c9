"""The cells of a suite, one agent on one asset with one seed, and what is there of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from flagbench.errors import RecordError
from flagbench.market.market import Market
from flagbench.planning import Plan, RunSpec, planned_market, plans
from flagbench.records.ledger import canonical_sha256
from flagbench.records.pooled_record import pooled_path
from flagbench.records.run_record import read_record
from flagbench.suites.suite import Suite

State = Literal["done", "to do", "failed", "unreadable"]


@dataclass(frozen=True, eq=False)
class Cell:
    """One agent on one asset with one seed."""

    agent: str
    """Its label."""
    asset: str
    seed: int
    plans: tuple[Plan, ...]
    """One, or one a window where the protocol walks forward."""

    @property
    def run(self) -> Path:
        """The folder that this cell's seed shares with the other seeds of its agent and asset."""
        return self.plans[0].folder

    @property
    def error_file(self) -> Path:
        """Where the error of its last try is kept."""
        asset, _, agent, run_id = self.run.parts[-4:]
        return self.plans[0].spec.out / "errors" / f"{asset}.{agent}.{run_id}.seed-{self.seed}.txt"

    def __str__(self) -> str:
        return f"{self.agent} {self.asset} seed {self.seed}"


class CellState(NamedTuple):
    """What is there of a cell."""

    state: State
    """`failed` is to do again; `unreadable` is left alone, since nothing is overwritten."""
    windows_done: int
    seconds: float | None
    """What its windows took that are there, by their records; None where none is."""
    reason: str
    """Why it is unreadable, or what went wrong on the last try."""


def plan_cells(suite: Suite, *, out: Path, fallback: bool) -> list[Cell]:
    """Every cell of a suite, planned: names resolved, settings checked, nothing heavy loaded.

    A cell's folder is named after the hash of what decides its result: the spec without seed and place, the
    agent's source, the protocol and the market's content. A changed spec is another cell, in another folder.

    Args:
        suite: what is asked for.
        out: the folder of all its runs and of their ledger.
        fallback: whether a replica may stand in for missing data.

    Raises:
        FlagbenchError: whatever a user can get wrong.
    """
    markets: dict[str, Market] = {}
    cells: list[Cell] = []
    for agent in suite.agents:
        for asset in suite.assets:
            specs = suite.specs(agent, asset, out=out)
            if asset not in markets:
                markets[asset] = planned_market(specs[0], fallback=fallback)
            planned = plans(specs[0], market=markets[asset], run_id=suite.id)
            run_id = f"{suite.id}-{_identity(planned[0])}"
            for spec in specs:
                own = tuple(
                    plan._replace(spec=_needed(replace(plan.spec, seeds=spec.seeds), plan), run_id=run_id)
                    for plan in planned
                )
                cells.append(Cell(agent.name, own[0].market.label, spec.seeds[0], own))
    return cells


def _needed(spec: RunSpec, plan: Plan) -> RunSpec:
    """A budget says nothing of an agent that does not learn."""
    return replace(spec, env_steps=None, num_envs=None, precision=None) if plan.setup is None else spec


def _identity(plan: Plan) -> str:
    """Twelve digits of what decides the result, the seed apart."""
    spec = _needed(plan.spec, plan).to_json()
    return canonical_sha256(
        {
            "spec": _without_place(spec),
            "agent": plan.agent.source(),
            "setup": None if plan.setup is None else plan.setup.model_dump(mode="json"),
            "protocol": plan.protocol.model_dump(mode="json"),
            "market": plan.market.sha256,
        }
    )[:12]


def _without_place(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in ("seeds", "out")}


def state_of(cell: Cell) -> CellState:
    """Look at a cell's files."""
    seconds: list[float] = []
    for plan in cell.plans:
        folder = plan.seed_folder(cell.seed)
        if not folder.exists():
            continue
        try:
            record = read_record(folder)
        except RecordError as error:
            return CellState("unreadable", len(seconds), None, error.message)
        if _without_place(record.spec) != _without_place(plan.spec.to_json()) or record.seed != cell.seed:
            return CellState("unreadable", len(seconds), None, f"{folder} holds another spec's record")
        seconds.append(sum(record.seconds.values()))
    took = sum(seconds) if seconds else None
    pooled = len(cell.plans) == 1 or pooled_path(cell.run, cell.seed).is_file()
    if len(seconds) == len(cell.plans) and pooled:
        return CellState("done", len(seconds), took, "")
    if cell.error_file.is_file():
        return CellState("failed", len(seconds), took, last_words(cell.error_file))
    return CellState("to do", len(seconds), took, "")


def last_words(error_file: Path) -> str:
    """The line that says what went wrong: the first that begins with `error: `, else the last of all."""
    lines = [line.strip() for line in error_file.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return said[-1] if said else next((line for line in reversed(lines) if line), "nothing was said")
