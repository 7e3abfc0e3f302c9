"""What every registered agent owes: the checks that users are given, and what more is asked of ours."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from flagbench.agents.agent import Agent, LanguageAgent, TrainableAgent
from flagbench.agents.bench import SEED, Bench, Entrant, Ground
from flagbench.agents.check import CHECKS, Finding, check_agent
from flagbench.agents.making import accepts
from flagbench.agents.training import Setup
from flagbench.market.period import Period
from flagbench.market.text_file import TextItem
from flagbench.registry import agent_names, load_agent_class
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import score
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from tests.conftest import MarketFactory

PROTOCOL = load_protocol("standard")
SETUP = Setup(env_steps=8, num_envs=2)
SMALL = {"backbone": "random", "max_prompt_tokens": 220}
"""Params that agents with a language model need to be quick."""

CLASSES = {name: load_agent_class(name) for name in agent_names()}
READERS = [name for name, each in CLASSES.items() if issubclass(each, LanguageAgent)]
LEARNERS = [name for name, each in CLASSES.items() if issubclass(each, TrainableAgent)]
PROMISES = [
    (name, check.name) for name, each in CLASSES.items() for check in CHECKS if issubclass(each, check.of)
]

readers = pytest.mark.parametrize("bench", READERS, indirect=True)
learners = pytest.mark.parametrize("bench", LEARNERS, indirect=True)
reading_learners = pytest.mark.parametrize(
    "bench", [name for name in READERS if name in LEARNERS], indirect=True
)


@pytest.fixture(scope="module")
def ground(synthetic_market: "MarketFactory") -> Ground:
    """60 bars with news: 20 of history, 20 to train on, 20 to test on."""
    moves = np.random.default_rng(7).normal(1, 0.02, 60)
    dates = np.busday_offset("2020-01-01", np.arange(60), roll="forward").astype("datetime64[D]")
    market = synthetic_market(
        (100 * np.cumprod(moves)).tolist(),
        text=[TextItem(str(day), "news", f"Item of {index}.") for index, day in enumerate(dates[::3])],
        train=Period.of(dates[20].item(), dates[39].item()),
        test=Period.of(dates[40].item(), dates[59].item()),
    )
    return Ground(market, PROTOCOL)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def begin(setup: Setup, *, seed: int) -> "Accelerator":
    from flagbench.learning.start import start

    return start(setup, seed=seed)


def bench_of(name: str, ground: Ground) -> Bench:
    params = {param: value for param, value in SMALL.items() if accepts(CLASSES[name], param)}
    return Bench(name, params, ground=ground, setup=SETUP, start=begin)


class Tried(NamedTuple):
    """An agent that was checked, once for all tests here."""

    bench: Bench
    findings: dict[str, Finding]


@pytest.fixture(scope="module")
def tried(ground: Ground) -> Callable[[str], Tried]:
    @cache
    def try_out(name: str) -> Tried:
        bench = bench_of(name, ground)
        return Tried(bench, {finding.name: finding for finding in check_agent(bench)})

    return try_out


@pytest.fixture
def bench(request: pytest.FixtureRequest, tried: Callable[[str], Tried]) -> Bench:
    return tried(request.param).bench


@pytest.mark.parametrize(("name", "promise"), PROMISES)
def test_it_keeps_its_promises(tried: Callable[[str], Tried], name: str, promise: str) -> None:
    findings = tried(name).findings
    assert promise in findings, f"left out, since it failed: {list(findings.values())[-1]}"
    assert findings[promise].passed, f"{findings[promise].claim}: {findings[promise].found}"


@learners
def test_its_training_takes_the_whole_budget(bench: Bench) -> None:
    entrant = bench.entrant
    assert entrant.summary is not None
    assert entrant.summary["env_steps"] == entrant.steps == SETUP.env_steps


@pytest.mark.parametrize("bench", sorted(set(CLASSES) - {"tone-rule"}), indirect=True)
def test_agents_that_ship_honour_the_mask(bench: Bench) -> None:
    for window in ("train", "test"):
        assert bench.played(bench.entrant.agent, window).redundant == 0


def test_the_tone_rule_says_what_it_reads_even_where_that_changes_nothing(ground: Ground) -> None:
    """It follows the headlines whatever it holds; most of its orders are for what it has already."""
    bench = bench_of("tone-rule", ground)
    assert bench.played(bench.made()).unparsed == 0


def weights_of(bench: Bench, agent: Agent) -> "dict[str, torch.Tensor]":
    """Every weight of an agent's language model, as it now is."""
    assert isinstance(agent, LanguageAgent)
    with bench.watching("language_model"):
        model, _ = agent.language_model()
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@readers
def test_before_training_its_language_model_is_the_same_for_the_same_seed(bench: Bench) -> None:
    weights = []
    for seed in (SEED, SEED, SEED + 1):
        agent = bench.made()
        agent.reset(seed)
        weights.append(weights_of(bench, agent))
    one, two, three = weights
    assert one.keys() == two.keys() == three.keys()
    assert all(one[name].equal(two[name]) for name in one)
    assert not all(one[name].equal(three[name]) for name in one)  # its weights are random here


@pytest.mark.parametrize("bench", ["flag"], indirect=True)
def test_training_changes_its_language_model(bench: Bench) -> None:
    untrained = bench.made()
    untrained.reset(SEED)
    before, after = weights_of(bench, untrained), weights_of(bench, bench.entrant.agent)
    shared = before.keys() & after.keys()
    assert shared
    assert not all(before[name].equal(after[name]) for name in shared)


@readers
def test_asking_for_its_language_model_changes_nothing(bench: Bench) -> None:
    agent = bench.entrant.agent
    before = weights_of(bench, agent)
    first = bench.played(agent).actions.tolist()
    after = weights_of(bench, agent)
    assert all(before[name].equal(after[name]) for name in before)
    assert bench.played(agent).actions.tolist() == first


@reading_learners
def test_asked_for_its_language_model_beforehand_it_learns_the_same(bench: Bench) -> None:
    class Asked(Bench):
        def made(self, ground: Ground | None = None) -> Agent:
            agent = super().made(ground)
            agent.reset(SEED)
            weights_of(self, agent)
            return agent

    again: Entrant = Asked(
        bench.name, bench.params, ground=bench.ground, setup=bench.setup, start=begin
    ).trained()
    one, two = weights_of(bench, bench.entrant.agent), weights_of(bench, again.agent)
    assert all(one[name].equal(two[name]) for name in one)
    first, second = (bench.played(agent).actions for agent in (again.agent, bench.entrant.agent))
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("window", ["train", "test"])
def test_buy_and_hold_equals_its_closed_form(ground: Ground, window: str) -> None:
    bench = bench_of("buy-and-hold", ground)
    assert bench.played(bench.made(), window).actions.tolist() == buy_and_hold_actions(19).tolist()


@pytest.mark.parametrize("window", ["train", "test"])
def test_always_flat_returns_nothing(ground: Ground, window: str) -> None:
    bench = bench_of("always-flat", ground)
    result = score(ground.market, PROTOCOL, ground.period(window), bench.played(bench.made(), window).actions)
    assert result.values["cumulative_return"] == 0
    assert result.values["trades"] == 0
    assert result.shape.identical_to == "always-flat"


def test_the_random_agent_tosses_a_fair_coin_of_its_seed(ground: Ground) -> None:
    observation, _ = TradingEnv(ground.market, PROTOCOL, ground.period("test")).reset()
    agent = bench_of("random", ground).made()
    tosses: list[list[int]] = []
    for seed in (0, 1):
        agent.reset(seed)
        tosses.append([agent.act(observation) for _ in range(2000)])
    assert tosses[0] != tosses[1]
    assert set(tosses[0]) == {1, 2}
    # Five standard deviations of a fair coin's count.
    assert abs(tosses[0].count(2) - 1000) < 5 * np.sqrt(500)


def test_nobody_ends_richer_than_the_oracle(ground: Ground) -> None:
    for window in ("train", "test"):
        returns = {}
        for name in CLASSES:
            bench = bench_of(name, ground)
            if not issubclass(bench.agent_class, (TrainableAgent, LanguageAgent)):
                actions = bench.played(bench.made(), window).actions
                result = score(ground.market, PROTOCOL, ground.period(window), actions)
                returns[name] = result.values["cumulative_return"]
        assert max(returns, key=lambda name: returns[name]) == "oracle"
        assert len(returns) >= 5
