from typing import Any

import pytest

from flagbench.reports.reading import run_reading


def score(
    sharpe: float | None,
    *,
    gain: float,
    error: float | None = 0.5,
    scoring: str = "standard",
    identical: Any = None,
) -> dict[str, Any]:
    return {
        "bars": 150,
        "scoring": scoring,
        "cumulative_return": gain,
        "sharpe_ratio": sharpe,
        "uncertainty": {"sharpe_ratio": {"se": error}},
        "policy": {"identical_to": identical},
    }


def record(
    own: dict[str, Any], held: dict[str, Any], *, seed: int = 0, kind: str = "market"
) -> dict[str, Any]:
    return {
        "agent": "flag",
        "seed": seed,
        "market": {"kind": kind},
        "scores": {"test": own},
        "buy_and_hold": {"test": held},
    }


def test_what_100_became_and_that_few_days_cannot_tell() -> None:
    lines = run_reading([record(score(0.9, gain=0.25), score(1.5, gain=0.573))])
    assert lines == [
        "In words: over 149 test days, costs paid, 100 became 125.0 with flag (seed 0); "
        "bought once and held, 100 became 157.3.",
        "Sharpe ratio, return for the risk taken: 0.90 against buy-and-hold's 1.50, each give or take more "
        "than 0.5: so few days cannot tell them apart.",
    ]


@pytest.mark.parametrize(
    ("sharpe", "word"), [(3.0, "better"), (0.0, "worse"), (1.5 + 2 * 2**0.5 * 0.5 + 1e-9, "better")]
)
def test_two_standard_errors_apart_is_said(sharpe: float, word: str) -> None:
    (_, verdict) = run_reading([record(score(sharpe, gain=0.1), score(1.5, gain=0.2))])
    assert verdict.endswith(f"{word} by more than chance explains.")


def test_the_papers_return_is_a_logarithm() -> None:
    held = score(1.0, gain=0.0, scoring="paper")
    (first, _) = run_reading([record(score(1.0, gain=0.6931471805599453, scoring="paper"), held)])
    assert "100 became 200.0 with flag" in first
    assert first.endswith("bought once and held, 100 became 100.0.")


def test_seeds_that_came_out_differently_have_a_sentence_each() -> None:
    held = score(1.0, gain=0.1)
    own = [score(None, gain=0.0, error=None), score(1.0, gain=0.1, identical="buy-and-hold")]
    lines = run_reading([record(value, held, seed=seed) for seed, value in enumerate(own)])
    assert lines[1].endswith("seed 0: undefined, so there is nothing to compare.")
    assert lines[2].endswith("seed 1: the agent did what buy-and-hold does.")


def test_a_replica_is_called_made_up() -> None:
    held = score(1.0, gain=0.1)
    lines = run_reading([record(held, held, kind="replica")])
    assert lines[-1] == "Prices and headlines are a replica's, made up: they say nothing of the real asset."
