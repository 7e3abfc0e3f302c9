import math

import numpy as np
import pytest
from arch.bootstrap import SPA

from flagbench.market.price_file import FloatArray
from flagbench.scoring.model_sets import model_confidence_set, superior_predictive_ability

DAYS = 200


def agents(*means: float, seed: int = 0) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, DAYS)
    own = rng.normal(0, 0.01, (len(means), DAYS))
    own -= own.mean(axis=1, keepdims=True)
    return {f"agent {at}": common + own[at] + mean for at, mean in enumerate(means)}


def test_an_agent_far_ahead_is_found() -> None:
    benchmark, *others = agents(0.0, 0.0, 0.004).values()
    found = superior_predictive_ability({"same": others[0], "ahead": others[1]}, benchmark)
    assert found.p_value < 0.01
    assert (found.identical, found.reason) == ((), None)


def test_agents_that_are_worse_are_not() -> None:
    benchmark, *others = agents(0.0, -0.001, -0.004).values()
    assert superior_predictive_ability({"a": others[0], "b": others[1]}, benchmark).p_value > 0.4


def test_a_wild_agent_hides_no_steady_one() -> None:
    # Not divided by its own deviation, the wild agent's noise would be the yardstick of both.
    rng = np.random.default_rng(2)
    benchmark = rng.normal(0, 0.01, DAYS)
    steady = benchmark + 0.001 + rng.normal(0, 0.002, DAYS)
    wild = benchmark + rng.normal(0, 0.1, DAYS)
    wild -= (wild - benchmark).mean()
    found = superior_predictive_ability({"steady": steady, "wild": wild}, benchmark)
    assert found.p_value < 0.01
    plain = SPA(-benchmark, -np.column_stack([steady, wild]), seed=0, studentize=True)
    plain.compute()
    assert plain.pvalues["consistent"] > 0.3


def test_copies_of_the_benchmark_are_taken_out_and_named() -> None:
    (benchmark, other) = agents(0.0, 0.002).values()
    alone = superior_predictive_ability({"other": other}, benchmark)
    found = superior_predictive_ability({"copy": benchmark.copy(), "other": other}, benchmark)
    assert found == alone._replace(identical=("copy",))
    nobody = superior_predictive_ability({"copy": benchmark.copy()}, benchmark)
    assert nobody.identical == ("copy",)
    assert nobody.reason == "nobody differs from the benchmark"
    assert math.isnan(nobody.p_value)


def test_the_best_is_in_the_set_and_the_hopeless_is_not() -> None:
    found = model_confidence_set(agents(0.002, 0.0018, -0.02))
    assert found.members == {"agent 0", "agent 1"}
    assert found.p_values["agent 0"] == 1
    assert found.p_values["agent 2"] < 0.1
    assert (found.identical_to, found.reason) == ({}, None)


def test_a_copy_shares_the_place_of_what_it_copies() -> None:
    returns = agents(0.002, -0.02)
    copied = {**returns, "good copy": returns["agent 0"].copy(), "bad copy": returns["agent 1"] + 0.0}
    alone, found = model_confidence_set(returns), model_confidence_set(copied)
    assert found.identical_to == {"good copy": "agent 0", "bad copy": "agent 1"}
    assert found.members == {"agent 0", "good copy"}
    assert found.p_values == {
        **alone.p_values,
        "good copy": alone.p_values["agent 0"],
        "bad copy": alone.p_values["agent 1"],
    }


def test_a_difference_that_does_not_vary_is_one_too() -> None:
    returns = agents(0.0)
    found = model_confidence_set({**returns, "richer": returns["agent 0"] + 0.001})
    assert found.identical_to == {"richer": "agent 0"}


def test_one_agent_is_the_best() -> None:
    assert model_confidence_set(agents(0.001)).members == {"agent 0"}
    copies = agents(0.001)
    copies["copy"] = copies["agent 0"]
    assert model_confidence_set(copies).members == {"agent 0", "copy"}


def test_a_set_at_a_higher_level_is_no_smaller() -> None:
    for seed in range(4):
        returns = agents(0.001, 0.0005, -0.001, -0.002, seed=seed)
        assert model_confidence_set(returns).members <= model_confidence_set(returns, level=0.99).members


def test_both_are_functions_of_their_arguments() -> None:
    returns = agents(0.001, 0.0, -0.001)
    assert model_confidence_set(returns, seed=3) == model_confidence_set(returns, seed=3)
    first, again = (superior_predictive_ability(returns, returns["agent 1"], seed=3) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        ({"a": np.zeros(2), "b": np.ones(2)}, "fewer than 11 returns"),
        ({"a": np.sin(np.ones(30)), "b": np.full(30, np.nan)}, "b: not every return is a number"),
        ({}, "there is nobody to compare"),
    ],
)
def test_what_cannot_be_tested_leaves_everybody_in_with_a_reason(
    returns: dict[str, FloatArray], reason: str
) -> None:
    found = model_confidence_set(returns)
    assert found.reason == reason
    assert found.members == set(returns)
    assert all(math.isnan(value) for value in found.p_values.values())


def test_a_benchmark_without_numbers_is_named() -> None:
    found = superior_predictive_ability(agents(0.0), np.full(DAYS, np.nan))
    assert found.reason == "benchmark: not every return is a number"
    assert math.isnan(found.p_value)


def test_days_that_cancel_each_other_do_no_harm() -> None:
    swing = np.tile([0.01, -0.01], DAYS // 2)
    found = superior_predictive_ability({"swing": swing}, np.zeros(DAYS))
    assert 0 <= found.p_value <= 1
