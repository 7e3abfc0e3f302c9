"""A run in plain words, for whoever has not read the paper."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flagbench.records.run_record import agent_label

RecordJson = Mapping[str, Any]

APART = 0.05
"""p-value of the paired test below which two Sharpe ratios are called different. The convention."""

UNTESTED = {"p_value": None, "reason": "the record is of a version that made no test"}


def run_reading(records: Sequence[RecordJson]) -> list[str]:
    """What the test window came to: a sentence a seed, one on buy-and-hold, one on what it is worth.

    Args:
        records: `record.json` of each seed of one run.
    """
    first = records[0]
    held = first["buy_and_hold"]["test"]
    days = held["bars"] - 1
    lines = [
        f"In words: over {days} test days, costs paid, 100 became "
        + ", ".join(_became(record) for record in records)
        + f"; bought once and held, 100 became {_wealth(held)}."
    ]
    verdicts = {_verdict(record["scores"]["test"], held) for record in records}
    if len(verdicts) == 1:
        lines.append(f"Sharpe ratio, return for the risk taken: {verdicts.pop()}.")
    else:
        lines += [
            f"Sharpe ratio, return for the risk taken, seed {record['seed']}: "
            f"{_verdict(record['scores']['test'], held)}."
            for record in records
        ]
    if first["market"]["kind"] == "replica":
        lines.append("Prices and headlines are a replica's, made up: they say nothing of the real asset.")
    return lines


def _became(record: RecordJson) -> str:
    return f"{_wealth(record['scores']['test'])} with {agent_label(record)} (seed {record['seed']})"


def _wealth(score: Mapping[str, Any]) -> str:
    """100 after the window, from the cumulative return, which the paper's convention has as a logarithm."""
    gain = score["cumulative_return"]
    factor = math.exp(gain) if score["scoring"] == "paper" else 1 + gain
    return f"{100 * factor:.1f}"


def _verdict(own: Mapping[str, Any], held: Mapping[str, Any]) -> str:
    values = [score["sharpe_ratio"] for score in (own, held)]
    if own["policy"]["identical_to"] == "buy-and-hold":
        return "the agent did what buy-and-hold does"
    if any(value is None for value in values):
        return "undefined, so there is nothing to compare"
    paired = own.get("against_buy_and_hold", UNTESTED)
    figures = f"{values[0]:.2f} against buy-and-hold's {values[1]:.2f}"
    if paired["p_value"] is None:
        return f"{figures}; the two cannot be tested against each other: {paired['reason']}"
    if paired["p_value"] >= APART:
        return (
            f"{figures}: so few days cannot tell them apart (p = {paired['p_value']:.2f}; they could, had "
            f"the true ratios been {paired['smallest_detectable']:.1f} apart)"
        )
    better = "better" if paired["difference"] > 0 else "worse"
    return f"{figures}: {better} by more than chance explains (p = {paired['p_value']:.3f})"
