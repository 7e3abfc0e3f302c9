from typing import Any

import pytest

from flagbench.reports.reading import run_reading


def score(
    sharpe: float | None,
    *,
    gain: float,
    paired: dict[str, Any] | None = None,
    scoring: str = "standard",
    identical: Any = None,
) -> dict[str, Any]:
    return {
        "bars": 150,
        "scoring": scoring,
        "cumulative_return": gain,
        "sharpe_ratio": sharpe,
        "against_buy_and_hold": paired or {},
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


def paired(difference: float | None, p_value: float | None, reason: str | None = None) -> dict[str, Any]:
    return {"difference": difference, "p_value": p_value, "smallest_detectable": 3.64, "reason": reason}


def test_what_100_became_and_that_few_days_cannot_tell() -> None:
    own = score(0.9, gain=0.25, paired=paired(-0.6, 0.05))
    assert run_reading([record(own, score(1.5, gain=0.573))]) == [
        "In words: over 149 test days, costs paid, 100 became 125.0 with flag (seed 0); "
        "bought once and held, 100 became 157.3.",
        "Sharpe ratio, return for the risk taken: 0.90 against buy-and-hold's 1.50: so few days cannot tell "
        "them apart (p = 0.05; they could, had the true ratios been 3.6 apart).",
    ]


@pytest.mark.parametrize(("difference", "word"), [(1.5, "better"), (-1.5, "worse")])
def test_what_the_paired_test_finds_is_said(difference: float, word: str) -> None:
    own = score(1.5 + difference, gain=0.1, paired=paired(difference, 0.0499))
    (_, verdict) = run_reading([record(own, score(1.5, gain=0.2))])
    assert verdict.endswith(f"{word} by more than chance explains (p = 0.050).")


def test_where_there_is_no_test_the_reason_is_said() -> None:
    own = score(0.9, gain=0.1, paired=paired(None, None, "ours: fewer than 11 returns"))
    (_, verdict) = run_reading([record(own, score(1.5, gain=0.2))])
    assert verdict.endswith("the two cannot be tested against each other: ours: fewer than 11 returns.")


def test_a_record_from_before_there_was_a_test_is_read() -> None:
    own = score(0.9, gain=0.1)
    del own["against_buy_and_hold"]
    (_, verdict) = run_reading([record(own, score(1.5, gain=0.2))])
    assert verdict.endswith("the record is of a version that made no test.")


def test_the_papers_return_is_a_logarithm() -> None:
    held = score(1.0, gain=0.0, scoring="paper")
    own = score(1.0, gain=0.6931471805599453, scoring="paper", paired=paired(0.0, 0.9))
    (first, _) = run_reading([record(own, held)])
    assert "100 became 200.0 with flag" in first
    assert first.endswith("bought once and held, 100 became 100.0.")


def test_seeds_that_came_out_differently_have_a_sentence_each() -> None:
    held = score(1.0, gain=0.1)
    own = [score(None, gain=0.0), score(1.0, gain=0.1, identical="buy-and-hold")]
    lines = run_reading([record(value, held, seed=seed) for seed, value in enumerate(own)])
    assert lines[1].endswith("seed 0: undefined, so there is nothing to compare.")
    assert lines[2].endswith("seed 1: the agent did what buy-and-hold does.")


def test_a_replica_is_called_made_up() -> None:
    held = score(1.0, gain=0.1, identical="buy-and-hold")
    lines = run_reading([record(held, held, kind="replica")])
    assert lines[-1] == "Prices and headlines are a replica's, made up: they say nothing of the real asset."
