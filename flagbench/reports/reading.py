"""A run in plain words, for whoever has not read the paper."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

RecordJson = Mapping[str, Any]

APART = 2.0
"""Standard errors of a difference from which on two Sharpe ratios are called different; about 95 %.

Both errors are added as if the two were independent. They are not, since both trade the same bars, so this
errs towards "cannot be told apart"; a paired test would be sharper.
"""


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
    return f"{_wealth(record['scores']['test'])} with {record['agent']} (seed {record['seed']})"


def _wealth(score: Mapping[str, Any]) -> str:
    """100 after the window, from the cumulative return, which the paper's convention has as a logarithm."""
    gain = score["cumulative_return"]
    factor = math.exp(gain) if score["scoring"] == "paper" else 1 + gain
    return f"{100 * factor:.1f}"


def _verdict(own: Mapping[str, Any], held: Mapping[str, Any]) -> str:
    values = [score["sharpe_ratio"] for score in (own, held)]
    errors = [score["uncertainty"]["sharpe_ratio"]["se"] for score in (own, held)]
    if own["policy"]["identical_to"] == "buy-and-hold":
        return "the agent did what buy-and-hold does"
    if any(value is None for value in (*values, *errors)):
        return "undefined, so there is nothing to compare"
    difference, error = values[0] - values[1], math.hypot(*errors)
    if abs(difference) < APART * error:
        return (
            f"{values[0]:.2f} against buy-and-hold's {values[1]:.2f}, each give or take more than "
            f"{min(errors):.1f}: so few days cannot tell them apart"
        )
    better = "better" if difference > 0 else "worse"
    return f"{values[0]:.2f} against buy-and-hold's {values[1]:.2f}: {better} by more than chance explains"
