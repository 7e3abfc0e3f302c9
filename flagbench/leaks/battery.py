"""All tests of the battery over all seeds, each as one finding."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from flagbench.leaks.anonymising import anonymised
from flagbench.leaks.calibrating import Calibration, calibrate, delay, played_return
from flagbench.leaks.canaries import (
    FutureCanary,
    Plain,
    Say,
    TrainingCanary,
    future_canary,
    learn,
    training_canary,
)
from flagbench.leaks.chance import as_actions, most_by_chance
from flagbench.leaks.finding import Finding
from flagbench.leaks.memory import memory
from flagbench.leaks.placebo import CHEAP, DEAR, Placebo, can_be_drawn, placebo
from flagbench.leaks.subject import Subject
from flagbench.trading.portfolio import IntArray

NOT_REPEATABLE = "two equal runs differ, so no verdict on what a rewriting changed"


def check_leaks(
    subject: Subject, seeds: Sequence[int], *, cut_off: date | None = None, say: Say = lambda _: None
) -> dict[str, Finding]:
    """Run the whole battery.

    Args:
        subject: from `prepare`.
        seeds: one round of canaries each; the first one also numbers the placebo markets.
        cut_off: when the backbone's reading ended.
        say: told how it goes, a line a step.

    Returns:
        findings by name, in the order of evaluation.md.

    Raises:
        AgentError: the agent failed on some version of the market.
    """
    with TemporaryDirectory(prefix="flagbench-") as folder:
        plains: list[Plain] = []
        for seed in seeds:
            say(f"seed {seed}: the true market")
            plains.append(learn(subject, seed, Path(folder)))
        chosen = [as_actions(plain.outcome.actions["test"]) for plain in plains]
        rounds = list(zip(seeds, plains, strict=True))
        futures = [future_canary(subject, seed, plain.checkpoint, say=say) for seed, plain in rounds]
        trainings = [
            training_canary(subject, seed, plain, say=say)
            for seed, plain in rounds
            if plain.checkpoint is not None
        ]
        findings = {
            "calibration": calibration_finding(
                [calibrate(subject.market, subject.protocol, each) for each in chosen]
            ),
            "future_canary": _with_budget(subject, future_finding(futures)),
            "training_canary": _with_budget(subject, training_finding(trainings)),
            "placebo": _with_budget(subject, _placebo(subject, seeds[0], say)),
            "delay": _delay(subject, chosen),
            "anonymised": _anonymised(subject, rounds, chosen, say),
        }
    return {**findings, "memory": memory(subject.language_model, subject.market, cut_off=cut_off)}


def _with_budget(subject: Subject, finding: Finding) -> Finding:
    """The budget of the trainings stands in the figure."""
    if subject.setup is None:
        return finding
    return finding._replace(figure={**finding.figure, "env_steps": subject.setup.env_steps})


def calibration_finding(rounds: Sequence[Calibration]) -> Finding:
    """One round a seed."""
    faults = sorted({fault for each in rounds for fault in each.faults})
    best, first = max(each.agent for each in rounds), rounds[0]
    figure = {**first._asdict(), "agent": best}
    explanation = "; ".join(faults) or (
        "final over initial wealth: nobody has more than the oracle, buy-and-hold is its closed form, "
        "flat returns 0"
    )
    return Finding(not faults, figure, explanation)


def future_finding(rounds: Sequence[FutureCanary]) -> Finding:
    """One round a seed."""
    changed, won = sum(each.changed for each in rounds), sum(each.won for each in rounds)
    markets = sum(each.markets for each in rounds)
    limit = most_by_chance(markets)
    certain = [each for each in rounds if each.changed and each.repeatable]
    opened = sorted({path for each in rounds for path in each.opened})
    figure: dict[str, Any] = {
        "rewritten": sum(each.rewritten for each in rounds),
        "changed": changed,
        "won": won,
        "markets_of_chance": markets,
        "limit": limit,
        "opened": len(opened),
    }
    faults = []
    if certain:
        faults.append(f"an action changed with what came later, first on {certain[0].first_change}")
    if won > limit:
        faults.append("a future of pure chance was beaten more often than chance does")
    if opened:
        faults.append(f"the agent opened the true market's files: {opened[0]}")
    if faults:
        return Finding(False, figure, "; ".join(faults))
    if changed:
        return Finding(None, figure, NOT_REPEATABLE)
    return Finding(True, figure, "no action depends on what comes later, and chance is not beaten")


def training_finding(rounds: Sequence[TrainingCanary]) -> Finding:
    """One round a seed; none for an agent that does not learn."""
    if not rounds:
        return Finding(None, {"trainings": 0}, "the agent does not learn")
    weights, actions = (
        sum(each.weights_changed for each in rounds),
        sum(each.actions_changed for each in rounds),
    )
    figure = {
        "trainings": sum(each.trainings for each in rounds),
        "weights_changed": weights,
        "actions_changed": actions,
    }
    if any((each.weights_changed or each.actions_changed) and each.repeatable for each in rounds):
        return Finding(False, figure, "what was learnt changed with bars of the test window")
    if weights or actions:
        return Finding(None, figure, NOT_REPEATABLE)
    return Finding(True, figure, "what was learnt does not depend on bars of the test window")


def placebo_finding(found: Placebo) -> Finding:
    """The verdict on all placebo markets together."""
    explanation = (
        "markets without a signal, at no cost: earned more often than chance does"
        if found.won > found.limit
        else "markets without a signal, at no cost: not earned more often than chance does"
    )
    return Finding(found.won <= found.limit, found._asdict(), explanation)


def _placebo(subject: Subject, seed: int, say: Say) -> Finding:
    markets, _ = CHEAP if subject.is_cheap else DEAR
    if not can_be_drawn(subject.market.asset):
        explanation = "no replica can be drawn: the asset has no `replica` params"
        return Finding(None, {"markets": 0}, explanation)
    return placebo_finding(placebo(subject, seed * markets, say=say))


def _delay(subject: Subject, chosen: Sequence[IntArray]) -> Finding:
    """Means over seeds; a ratio that is undefined for a seed leaves the mean undefined."""
    found = [delay(subject.market, subject.protocol, actions) for actions in chosen]
    figure = {name.rstrip("_"): fmean(getattr(each, name) for each in found) for name in found[0]._fields}
    return Finding(None, figure, "the same with every order one bar later")


def _anonymised(
    subject: Subject, rounds: Sequence[tuple[int, Plain]], chosen: Sequence[IntArray], say: Say
) -> Finding:
    """Returns with and without the asset's name and dates, means over seeds."""
    hidden = anonymised(subject.market)
    gaps, changed = [], 0
    for (seed, plain), actions in zip(rounds, chosen, strict=True):
        say(f"seed {seed}: anonymised")
        outcome = subject.play(hidden, seed=seed, checkpoint=plain.checkpoint)
        nameless = as_actions(outcome.actions["test"])
        changed += int(np.sum(nameless != actions))
        own, other = (played_return(subject.market, subject.protocol, each) for each in (actions, nameless))
        gaps.append(own - other)
    figure = {"return_gap": fmean(gaps), "actions_changed": changed, "actions": sum(map(len, chosen))}
    return Finding(
        None, figure, "return minus that under another ticker, other names and dates 28 years later"
    )
