"""One run from a plan to files: ask, train, roll out, ask again, write the trial down, score, record."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flagbench.agents.agent import (
    Agent,
    DescribedAgent,
    LanguageAgent,
    MeteredAgent,
    TrainableAgent,
    is_served,
)
from flagbench.agents.making import calling
from flagbench.agents.training import TrainingMonitor, training_envs
from flagbench.errors import AgentError
from flagbench.market.market import Market
from flagbench.planning import Plan
from flagbench.records.action_file import write_actions
from flagbench.records.ledger import append_trial, canonical_sha256, trial_sharpes
from flagbench.records.pooling import pool_windows
from flagbench.records.provenance import provenance
from flagbench.records.run_directory import read_run, writing
from flagbench.records.run_record import LedgerReference, MarketIdentity, RunRecord, write_record
from flagbench.records.trackers import Tracking
from flagbench.records.training_log import Silent, plain, training_log
from flagbench.reports.equity_plot import EquityCurves, plot_equity
from flagbench.reports.retention_plot import plot_retention, trade_off
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import Score, score, window_sharpe
from flagbench.trading.environment import TradingEnv
from flagbench.trading.portfolio import IntArray
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout
from flagbench.trading.trajectory import Trajectory

if TYPE_CHECKING:
    from accelerate import Accelerator

    from flagbench.knowledge.examination import Examination


class RunMonitor(TrainingMonitor, Protocol):
    """Told how a run goes: its training, and the questions before and after it."""

    def asked(self, what: str, done: int, total: int) -> None:
        """So many of so many requests of a knowledge suite are answered."""


class SilentRun(Silent):
    """A monitor that says nothing."""

    def asked(self, what: str, done: int, total: int) -> None:
        """Say nothing."""


def run_seed(plan: Plan, seed: int, monitor: RunMonitor) -> Path | None:
    """Train and score one seed and write its run directory.

    Args:
        plan: from `plan`.
        seed: of all chance in it.
        monitor: told how it goes.

    Returns:
        the seed's folder, or None in every process but the first.

    Raises:
        FlagbenchError: the agent failed, or the ledger is broken.
    """
    if plan.setup is None:
        return _record(plan, seed, plan.agent.make(), None, monitor) if is_main_process() else None
    from flagbench.learning.start import start

    accelerator = start(plan.setup, seed=seed, tracking=_tracking(plan, seed))
    agent = plan.agent.make()
    if not accelerator.is_main_process:
        _train(plan, seed, agent, accelerator, SilentRun())
        accelerator.wait_for_everyone()
        return None
    folder = _record(plan, seed, agent, accelerator, monitor)
    accelerator.wait_for_everyone()
    return folder


def _record(
    plan: Plan, seed: int, agent: Agent, accelerator: "Accelerator | None", monitor: RunMonitor
) -> Path:
    folder = plan.seed_folder(seed)
    with writing(folder) as partial:
        asked = time.perf_counter()
        examination = _examine_before(plan, seed, agent, accelerator, monitor)
        begun = time.perf_counter()
        training = None
        if accelerator is not None:
            training = _logged(plan, seed, agent, accelerator, monitor, path=partial / "train.jsonl")
            (partial / "checkpoint").mkdir()
            if isinstance(agent, TrainableAgent):
                with calling(plan.agent.name, "save"):
                    agent.save((partial / "checkpoint").absolute())
        trained = time.perf_counter()
        paths = {window: _play(plan, agent, window, seed) for window in ("train", "test")}
        played = time.perf_counter()
        knowledge = _examine_after(plan, agent, examination, partial)
        answered = time.perf_counter()
        write_actions(partial / "actions.csv", paths["test"].dates, paths["test"].actions)
        actions_sha256 = sha256((partial / "actions.csv").read_bytes()).hexdigest()
        params = _params(plan, agent)
        trial = _trial(plan, seed, params, actions_sha256)
        trial["sharpe_per_period"] = _window_sharpe(plan, paths["test"].actions)
        ledger = append_trial(plan.spec.out / "ledger.jsonl", trial)
        trials = {"train": [], "test": _trial_sharpes(plan, trial)}
        scores = {
            window: _score(plan, window, path.actions, trial_sharpes=trials[window])
            for window, path in paths.items()
        }
        record = RunRecord(
            run_id=plan.run_id,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            spec=plan.spec.to_json(),
            agent=plan.agent.name,
            agent_source=plan.agent.source(),
            ranked=plan.agent.ranked,
            params=params,
            seed=seed,
            window=plan.window,
            asset=plan.market.asset.model_dump(mode="json"),
            market=_market_identity(plan.market),
            protocol=plan.protocol.model_dump(mode="json"),
            setup=plan.setup,
            observed=_observed(accelerator),
            training=training,
            provenance=provenance(),
            seconds={
                "training": trained - begun,
                "evaluation": time.perf_counter() - answered + played - trained,
                "knowledge": begun - asked + answered - played,
            },
            actions_sha256=actions_sha256,
            scores={window: value.to_json() for window, value in scores.items()},  # type: ignore[misc]
            buy_and_hold={window: _hold_score(plan, window).to_json() for window in paths},  # type: ignore[misc]
            knowledge=knowledge,
            usage=_usage(plan, agent),
            ledger=LedgerReference(head=ledger.head, length=ledger.length),
        )
        write_record(record, partial)
        _write_curves(plan, seed, partial, paths)
    return folder


def _examine_before(
    plan: Plan, seed: int, agent: Agent, accelerator: "Accelerator | None", monitor: RunMonitor
) -> "Examination | None":
    """Ask the language model of an agent that has one at hand, unless no suite is wanted."""
    if plan.knowledge is None or not isinstance(agent, LanguageAgent) or is_served(agent):
        return None
    from flagbench.knowledge.examination import Examination
    from flagbench.knowledge.undisturbed import same_random_states

    device = None if accelerator is None else accelerator.device
    examination = Examination(
        plan.knowledge,
        data=plan.data_folder,
        device=device,
        report=monitor.asked,
        kept=plan.spec.out / ".answers",
    )
    # A run without questions has no such reset, and takes the same actions.
    with calling(plan.agent.name, "reset"), same_random_states():
        agent.reset(seed)
    with calling(plan.agent.name, "language_model"):
        examination.before(agent)
    return examination


def _examine_after(
    plan: Plan, agent: Agent, examination: "Examination | None", folder: Path
) -> dict[str, Any] | None:
    if examination is None or not isinstance(agent, LanguageAgent):
        return None
    with calling(plan.agent.name, "language_model"):
        examination.after(agent)
    examination.write(folder / "knowledge")
    return examination.to_record()


def _logged(
    plan: Plan, seed: int, agent: Agent, accelerator: "Accelerator", monitor: RunMonitor, *, path: Path
) -> dict[str, Any]:
    """Train with a log in a file, and in trackers where some were asked for."""
    from flagbench.learning.start import tracked

    with (
        tracked(accelerator, _tracking(plan, seed)) as forward,
        training_log(path, monitor, forward) as log,
    ):
        return _train(plan, seed, agent, accelerator, log)


def _tracking(plan: Plan, seed: int) -> Tracking | None:
    if not plan.spec.track:
        return None
    place = plan.seed_folder(seed).relative_to(plan.spec.out)
    known = {
        "agent": plan.agent.name,
        "asset": plan.market.label,
        "protocol": plan.protocol.id,
        "seed": seed,
        "window": plan.window,
        **({} if plan.setup is None else plan.setup.model_dump(mode="json")),
    }
    config = {name: value for name, value in known.items() if value is not None}
    return Tracking(plan.spec.track, plan.spec.out / "tracking" / place, str(place), config)


def _train(
    plan: Plan, seed: int, agent: Agent, accelerator: "Accelerator", monitor: TrainingMonitor
) -> dict[str, Any]:
    if not isinstance(agent, TrainableAgent) or plan.setup is None:
        raise AgentError(f"agent `{plan.agent.name}` cannot be trained")
    period = plan.period("train")
    make_envs = training_envs(plan.market.until(period), plan.protocol, period)
    with calling(plan.agent.name, "reset"):
        agent.reset(seed)
    with calling(plan.agent.name, "train"):
        summary = agent.train(
            make_envs, setup=plan.setup, seed=seed, accelerator=accelerator, monitor=monitor
        )
        values: dict[str, Any] = plain(dict(summary))
        return values


def _play(plan: Plan, agent: Agent, window: str, seed: int) -> Trajectory:
    env = TradingEnv(plan.market, plan.protocol, plan.period(window))
    with calling(plan.agent.name, "reset"):
        agent.reset(seed)
    with calling(plan.agent.name, "act"):
        return rollout(agent.act, env, seed=seed)


def pool_seed(planned: Sequence[Plan], seed: int) -> Path:
    """Score all test windows of a finished seed as one and write its pooled record.

    Args:
        planned: a plan a window, oldest first.
        seed: whose actions lie in every window's folder.

    Raises:
        RecordError: a window is missing, or its actions file was altered.
    """
    first = planned[0]
    return pool_windows(
        [plan.seed_folder(seed) for plan in planned],
        run=first.folder,
        market=first.market,
        protocol=first.protocol,
        ledger=first.spec.out / "ledger.jsonl",
    )


def _score(plan: Plan, window: str, actions: IntArray, *, trial_sharpes: Sequence[float] = ()) -> Score:
    return score(plan.market, plan.protocol, plan.period(window), actions, trial_sharpes=trial_sharpes)


def _window_sharpe(plan: Plan, actions: IntArray) -> float | None:
    sharpe = window_sharpe(plan.market, plan.protocol, plan.period("test"), actions)
    return None if math.isnan(sharpe) else sharpe


def _trial_sharpes(plan: Plan, trial: Mapping[str, Any]) -> list[float]:
    """Of all trials on the test window so far, this one among them."""
    names = ("asset", "market_sha256", "protocol_sha256", "period")
    window = {name: trial[name] for name in names}
    return trial_sharpes(plan.spec.out / "ledger.jsonl", **window)


def _hold_score(plan: Plan, window: str) -> Score:
    bars = plan.market.bar_range(plan.period(window))
    return _score(plan, window, buy_and_hold_actions(len(bars) - 1))


def _params(plan: Plan, agent: Agent) -> dict[str, Any]:
    with calling(plan.agent.name, "params"):
        params = agent.params if isinstance(agent, DescribedAgent) else plan.agent.params
        values: dict[str, Any] = plain(dict(params))
        return values


def _usage(plan: Plan, agent: Agent) -> dict[str, Any] | None:
    if not isinstance(agent, MeteredAgent):
        return None
    with calling(plan.agent.name, "usage"):
        values: dict[str, Any] = plain(dict(agent.usage))
        return values


def _observed(accelerator: "Accelerator | None") -> dict[str, Any] | None:
    if accelerator is None:
        return None
    from flagbench.learning.start import observed

    return observed(accelerator)


def _market_identity(market: Market) -> MarketIdentity:
    return MarketIdentity(
        kind=market.kind,
        sha256=market.sha256,
        first=str(market.dates[0]),
        last=str(market.dates[-1]),
        bars=len(market.dates),
        text_items=len(market.text),
    )


def _trial(plan: Plan, seed: int, params: dict[str, Any], actions_sha256: str) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": plan.run_id,
        "agent": plan.agent.name,
        "agent_sha256": plan.agent.source()["sha256"],
        "ranked": plan.agent.ranked,
        "params_sha256": canonical_sha256(params),
        "setup": None if plan.setup is None else plan.setup.model_dump(mode="json"),
        "asset": plan.market.asset.id,
        "market_sha256": plan.market.sha256,
        "protocol": f"{plan.protocol.id}@{plan.protocol.version}",
        "protocol_sha256": canonical_sha256(plan.protocol.model_dump(mode="json")),
        "period": str(plan.period("test")),
        "seed": seed,
        "actions_sha256": actions_sha256,
    }


def _write_curves(plan: Plan, seed: int, folder: Path, paths: Mapping[str, Trajectory]) -> None:
    curves: list[EquityCurves] = []
    lines = ["window,date,equity,buy_and_hold"]
    for window, path in paths.items():
        period = plan.period(window)
        played = replay(plan.market, plan.protocol, period, path.actions)
        held = replay(plan.market, plan.protocol, period, buy_and_hold_actions(len(path.actions)))
        lines += [
            f"{window},{day},{own!r},{other!r}"
            for day, own, other in zip(
                played.dates, played.equity.tolist(), held.equity.tolist(), strict=True
            )
        ]
        initial = plan.protocol.initial_cash
        curves.append(EquityCurves(window, played.dates, played.equity / initial, held.equity / initial))
    (folder / "equity.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rules = f"protocol {plan.protocol.id} v{plan.protocol.version}"
    title = f"{plan.market.label}, {plan.agent.name}, seed {seed}, {rules}"
    plot_equity(curves, folder / "equity.png", title=title, agent=plan.agent.name)


def draw_retention(folder: Path) -> Path | None:
    """Write `retention.png`, Sharpe ratio of the test window against change of knowledge, a point a seed.

    Args:
        folder: of a finished run.

    Returns:
        the picture; None where no language model was asked or no seed has a Sharpe ratio.
    """
    records = [record for record in read_run(folder) if record.knowledge is not None]
    points = [
        trade_off(_heading(record), record.scores["test"], task)
        for record in records
        if record.knowledge is not None
        for task in record.knowledge["retention"]
    ]
    if all(point.sharpe is None for point in points):
        return None
    points = list(dict.fromkeys(points))  # a suite of one task has it twice, as the task and as the whole
    path, first = folder / "retention.png", records[0]
    held = first.buy_and_hold["test"]["sharpe_ratio"]
    asset = f"{first.asset['id']} (replica)" if first.market.kind == "replica" else first.asset["id"]
    title = f"{asset}, {first.agent}, protocol {first.protocol['id']} v{first.protocol['version']}"
    plot_retention(points, path, title=title, buy_and_hold=held)
    return path


def _heading(record: RunRecord) -> str:
    return f"seed {record.seed}" if record.window is None else f"window {record.window}, seed {record.seed}"


def is_main_process() -> bool:
    """Whether this is the only process or the first of those that a launcher such as torchrun started."""
    return os.environ.get("RANK", "0") == "0"
