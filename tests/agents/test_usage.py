from flagbench.agents.usage import Prices, Usage


def test_answers_are_counted_and_those_that_were_kept_cost_nothing() -> None:
    usage = Usage()
    usage.asked.add(1_000, 10)
    usage.asked.add(2_000, 20)
    usage.cached.add(500_000, 400)
    usage.retries += 1
    usage.models |= {"b", "a"}
    assert usage.to_json(Prices(2.0, 10.0)) == {
        "asked": {"answers": 2, "prompt_tokens": 3_000, "completion_tokens": 30},
        "cached": {"answers": 1, "prompt_tokens": 500_000, "completion_tokens": 400},
        "uncounted": 0,
        "retries": 1,
        "cost": (3_000 * 2 + 30 * 10) / 1_000_000,
        "models": ["a", "b"],
    }


def test_without_a_price_or_a_count_no_cost_is_known() -> None:
    usage = Usage()
    usage.asked.add(1_000, 10)
    assert usage.cost(Prices(0.0, 0.0)) == 0
    assert usage.cost(Prices(1.0, None)) is None
    assert usage.cost(Prices(None, 1.0)) is None
    usage.uncounted += 1
    assert usage.cost(Prices(1.0, 1.0)) is None
