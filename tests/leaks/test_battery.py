import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.errors import ConfigError, FlagbenchError, UnknownNameError
from flagbench.leaks.battery import check_leaks, future_finding, placebo_finding, training_finding
from flagbench.leaks.canaries import FutureCanary, TrainingCanary
from flagbench.leaks.finding import Finding
from flagbench.leaks.placebo import Placebo
from flagbench.leaks.subject import prepare
from flagbench.market.asset import load_asset
from flagbench.market.market import Market
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.trading.oracle import best_actions
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.leaks.conftest import SubjectFactory

NAMES = ["calibration", "future_canary", "training_canary", "placebo", "delay", "anonymised", "memory"]
STANDARD = load_protocol("standard")


@pytest.fixture(scope="module")
def without_replicas(drawn: Market) -> Market:
    """The market of an asset that no placebo can be drawn of."""
    return replace(drawn, asset=drawn.asset.model_copy(update={"replica": None}))


def verdicts(findings: Mapping[str, Finding]) -> dict[str, bool | None]:
    return {name: finding.passed for name, finding in findings.items()}


def test_an_honest_agent_passes_over_two_seeds(subject: "SubjectFactory", without_replicas: Market) -> None:
    said: list[str] = []
    findings = check_leaks(subject("SeededCoin", market=without_replicas), (0, 3), say=said.append)
    assert list(findings) == NAMES
    assert verdicts(findings) == dict.fromkeys(NAMES) | {"calibration": True, "future_canary": True}
    assert findings["future_canary"].figure["rewritten"] == 16
    assert findings["future_canary"].figure["limit"] == 4
    assert findings["anonymised"].figure == {"return_gap": 0.0, "actions_changed": 0, "actions": 240}
    assert "no replica can be drawn" in findings["placebo"].explanation
    assert said[0] == "seed 0: the true market"
    json.dumps([finding.to_json() for finding in findings.values()], allow_nan=False)


def test_who_knows_dates_by_heart_is_shown_by_the_anonymised_market_alone(
    subject: "SubjectFactory", without_replicas: Market
) -> None:
    prices = window_prices(without_replicas, STANDARD, without_replicas.asset.windows.test)
    best = best_actions(prices, STANDARD)
    long, dates = False, {}
    for day, action in zip(prices.dates[:-1], best, strict=True):
        long = bool(action == 2 or (long and action != 0))
        dates[str(day)] = long
    settings = [f"dates={json.dumps(dates)}"]
    findings = check_leaks(subject("KnowsByHeart", market=without_replicas, settings=settings), (0,))
    assert verdicts(findings)["future_canary"] is True
    assert verdicts(findings)["calibration"] is True
    assert findings["calibration"].figure["agent"] == pytest.approx(findings["calibration"].figure["oracle"])
    assert findings["anonymised"].figure["return_gap"] == pytest.approx(
        findings["calibration"].figure["oracle"] - 1
    )
    assert findings["anonymised"].figure["actions_changed"] > 40


def canary(**changes: Any) -> FutureCanary:
    honest = FutureCanary(8, 0, None, True, markets=8, won=0, opened=())
    return honest._replace(**changes)


@pytest.mark.parametrize(
    ("rounds", "passed"),
    [
        ([canary()], True),
        ([canary(won=3)], True),
        ([canary(won=4)], False),
        ([canary(won=3), canary(won=1)], True),
        ([canary(won=3), canary(won=2)], False),
        ([canary(changed=1, first_change="2020-01-02")], False),
        ([canary(changed=1, repeatable=False)], None),
        ([canary(changed=1, repeatable=False), canary(changed=1, first_change="2020-01-02")], False),
        ([canary(opened=("/data/prices.csv",))], False),
    ],
)
def test_verdicts_of_the_future_canary(rounds: list[FutureCanary], passed: bool | None) -> None:
    assert future_finding(rounds).passed is passed


@pytest.mark.parametrize(
    ("rounds", "passed"),
    [
        ([], None),
        ([TrainingCanary(2, 0, 0, repeatable=True)], True),
        ([TrainingCanary(2, 1, 0, repeatable=True)], False),
        ([TrainingCanary(2, 0, 1, repeatable=True)], False),
        ([TrainingCanary(2, 2, 2, repeatable=False)], None),
    ],
)
def test_verdicts_of_the_training_canary(rounds: list[TrainingCanary], passed: bool | None) -> None:
    assert training_finding(rounds).passed is passed


@pytest.mark.parametrize(("won", "passed"), [(0, True), (20, True), (21, False)])
def test_verdicts_of_the_placebo(won: int, passed: bool) -> None:
    assert placebo_finding(Placebo(200, won, 20)).passed is passed


def test_agents_that_learn_or_read_with_a_model_are_dear(drawn: Market, subject: "SubjectFactory") -> None:
    assert subject("Momentum").is_cheap
    assert not subject("Learner").is_cheap
    flag = prepare("flag", drawn, STANDARD, env_steps=64)
    assert (flag.is_cheap, flag.language_model) == (False, "embedded")
    assert prepare("flag", drawn, STANDARD, backbone="random").language_model == "random"


@pytest.mark.parametrize(
    ("agent", "given", "error", "message"),
    [
        ("momentun", {}, UnknownNameError, "momentun"),
        ("oracle", {}, ConfigError, "given the future"),
        ("random", {"backbone": "embedded"}, FlagbenchError, "backbone"),
        ("random", {"settings": ["size=3"]}, UnknownNameError, "size"),
        ("flag", {"env_steps": 0}, ConfigError, "env_steps"),
        ("random", {"protocol": load_protocol("walk-forward")}, ConfigError, "several test windows"),
    ],
)
def test_what_a_user_can_get_wrong_is_told_before_the_first_process(
    agent: str, given: dict[str, Any], error: type[FlagbenchError], message: str, drawn: Market
) -> None:
    protocol = given.pop("protocol", STANDARD)
    with pytest.raises(error) as caught:
        prepare(agent, drawn, protocol, **given)
    assert message in caught.value.message


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_momentum_passes_on_every_seed(seed: int) -> None:
    market = make_replica(load_asset("TSLA"), ReplicaSpec(signal=0.2, seed=seed))
    assert passes(check_leaks(prepare("momentum", market, STANDARD), (seed,)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("agent", "steps"), [("dqn", 1024), ("flag", 320)])
def test_agents_that_learn_pass_on_every_seed_at_a_reduced_budget(agent: str, steps: int, seed: int) -> None:
    spec = ReplicaSpec(signal=0.2, seed=seed, train=120, test=120)
    market = make_replica(load_asset("TSLA"), spec)
    findings = check_leaks(prepare(agent, market, STANDARD, env_steps=steps), (seed,))
    assert passes(findings)
    assert verdicts(findings)["training_canary"] is True
    budgets = [findings[name].figure["env_steps"] for name in ("future_canary", "training_canary", "placebo")]
    assert budgets == [steps] * 3


def passes(findings: Mapping[str, Finding]) -> bool:
    return all(finding.passed is not False for finding in findings.values())
