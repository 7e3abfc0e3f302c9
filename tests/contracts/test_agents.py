import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from flagbench.agents.agent import Agent, Briefing, LanguageAgent, TrainableAgent
from flagbench.agents.making import AgentPlan, accepts
from flagbench.agents.training import Setup
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.text_file import TextItem
from flagbench.registry import agent_names, load_agent_class
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import score
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import load_protocol
from flagbench.trading.rollout import read_action, rollout
from flagbench.trading.trajectory import Trajectory
from flagbench.trading.vector_environment import VectorTradingEnv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from tests.conftest import MarketFactory

PROTOCOL = load_protocol("standard")
BRIEFING = Briefing(preset=PROTOCOL.preset, train_text_kinds=frozenset({"news"}))
SETUP = Setup(env_steps=8, num_envs=2)
SMALL = {"backbone": "random", "max_prompt_tokens": 220}
"""Params that agents with a language model need to be quick."""

LEARNERS = [name for name in agent_names() if issubclass(load_agent_class(name), TrainableAgent)]
learners = pytest.mark.parametrize("entrant", LEARNERS, indirect=True)
READERS = [name for name in agent_names() if issubclass(load_agent_class(name), LanguageAgent)]
readers = pytest.mark.parametrize("entrant", READERS, indirect=True)


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    """60 bars with news: 20 of history, 20 to train on, 20 to test on."""
    moves = np.random.default_rng(7).normal(1, 0.02, 60)
    dates = np.busday_offset("2020-01-01", np.arange(60), roll="forward").astype("datetime64[D]")
    return synthetic_market(
        (100 * np.cumprod(moves)).tolist(),
        text=[TextItem(str(day), "news", f"Item of {index}.") for index, day in enumerate(dates[::3])],
        train=Period.of(dates[20].item(), dates[39].item()),
        test=Period.of(dates[40].item(), dates[59].item()),
    )


class Listener:
    """A monitor that remembers how many steps it was told of, and when it last had figures."""

    def __init__(self) -> None:
        self.steps = self.told_at = 0

    def advance(self, steps: int) -> None:
        self.steps += steps

    def log(self, figures: "Mapping[str, Any]") -> None:
        self.told_at = figures["env_steps"]


def planned(name: str) -> AgentPlan:
    agent_class = load_agent_class(name)
    params = {param: value for param, value in SMALL.items() if accepts(agent_class, param)}
    return AgentPlan(name, params, BRIEFING)


def made(name: str) -> Agent:
    return planned(name).make()


class Entrant(NamedTuple):
    """An agent that has learnt what it can, and what its training came to."""

    name: str
    agent: Agent
    monitor: Listener
    summary: dict[str, Any] | None


def trained(
    name: str, market: Market, *, seed: int = 5, beforehand: "Callable[[Agent], None] | None" = None
) -> Entrant:
    agent, monitor = made(name), Listener()
    if beforehand is not None:
        beforehand(agent)
    if not isinstance(agent, TrainableAgent):
        return Entrant(name, agent, monitor, None)
    from flagbench.learning.start import start

    period = market.asset.windows.train
    known = market.until(period)

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        return VectorTradingEnv(
            known, PROTOCOL, period, num_envs=num_envs, max_episode_steps=max_episode_steps
        )

    agent.reset(seed)
    accelerator = start(SETUP, seed=seed)
    summary = agent.train(make_envs, setup=SETUP, seed=seed, accelerator=accelerator, monitor=monitor)
    return Entrant(name, agent, monitor, dict(summary))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=agent_names())
def entrant(request: pytest.FixtureRequest, market: Market) -> Entrant:
    return trained(request.param, market)


def played(agent: Agent, market: Market, window: str = "test", *, seed: int = 5) -> Trajectory:
    agent.reset(seed)
    return rollout(agent.act, TradingEnv(market, PROTOCOL, period_of(market, window)), seed=seed)


def period_of(market: Market, window: str) -> Period:
    windows = market.asset.windows
    return windows.train if window == "train" else windows.test


def test_it_is_made_again_and_again_from_plain_params(entrant: Entrant) -> None:
    plan = planned(entrant.name)
    assert plan.make() is not plan.make()
    assert json.loads(json.dumps(plan.params)) == plan.params


def test_it_answers_with_valid_actions_and_redundant_ones_only_against_the_mask(
    entrant: Entrant, market: Market
) -> None:
    invalid = 0

    def act(observation: Observation) -> int:
        nonlocal invalid
        answer = entrant.agent.act(observation)
        assert read_action(answer) in (0, 1, 2)
        invalid += not observation["mask"][answer]
        return answer

    entrant.agent.reset(5)
    trajectory = rollout(act, TradingEnv(market, PROTOCOL, market.asset.windows.test), seed=5)
    assert len(trajectory.actions) == 19
    assert trajectory.unparsed == 0
    assert trajectory.redundant == invalid


@pytest.mark.parametrize("name", ["always-flat", "buy-and-hold", "random"])
def test_agents_that_ship_honour_the_mask(name: str, market: Market) -> None:
    for window in ("train", "test"):
        assert played(made(name), market, window).redundant == 0


def test_the_same_seed_gives_the_same_actions_whatever_was_played_before(
    entrant: Entrant, market: Market
) -> None:
    first = played(entrant.agent, market).actions
    played(entrant.agent, market, "train", seed=6)
    assert played(entrant.agent, market).actions.tolist() == first.tolist()


def test_built_and_trained_anew_from_the_same_seed_it_acts_the_same(entrant: Entrant, market: Market) -> None:
    again = trained(entrant.name, market)
    for window in ("train", "test"):
        first, second = (played(each.agent, market, window).actions for each in (entrant, again))
        assert first.tolist() == second.tolist()


def test_it_changes_nothing_of_what_it_is_shown(entrant: Entrant, market: Market) -> None:
    def act(observation: Observation) -> int:
        shown: dict[str, Any] = dict(observation)
        before = deepcopy(shown)
        answer = entrant.agent.act(observation)
        assert dict(observation).keys() == before.keys()
        for key, value in before.items():
            assert observation[key] is shown[key]  # type: ignore[literal-required]
            assert np.array_equal(shown[key], value)
        return answer

    entrant.agent.reset(5)
    rollout(act, TradingEnv(market, PROTOCOL, market.asset.windows.test), seed=5)


@learners
def test_its_training_takes_the_whole_budget_and_is_plain_json(entrant: Entrant) -> None:
    assert entrant.summary is not None
    assert entrant.summary["env_steps"] == SETUP.env_steps
    assert entrant.monitor.steps == entrant.monitor.told_at == SETUP.env_steps
    json.dumps(entrant.summary, allow_nan=False)


@learners
def test_what_it_learnt_is_kept_in_safetensors_and_nothing_that_runs_code(
    entrant: Entrant, tmp_path: Path
) -> None:
    assert isinstance(entrant.agent, TrainableAgent)
    entrant.agent.save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*")} == {".safetensors", ".json"}


@learners
def test_loaded_from_its_checkpoint_it_acts_the_same(
    entrant: Entrant, market: Market, tmp_path: Path
) -> None:
    assert isinstance(entrant.agent, TrainableAgent)
    entrant.agent.save(tmp_path)
    loaded: Any = made(entrant.name)
    loaded.load(tmp_path)
    for window in ("train", "test"):
        first, second = (played(agent, market, window).actions for agent in (entrant.agent, loaded))
        assert first.tolist() == second.tolist()


def weights_of(agent: Agent) -> dict[str, "torch.Tensor"]:
    """Every weight of an agent's language model, as it now is."""
    assert isinstance(agent, LanguageAgent)
    model, _ = agent.language_model()
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@readers
def test_its_language_model_reads_and_predicts_tokens(entrant: Entrant) -> None:
    import torch

    for agent in (made(entrant.name), entrant.agent):
        assert isinstance(agent, LanguageAgent)
        agent.reset(5)
        model, tokenizer = agent.language_model()
        again, _ = agent.language_model()
        assert again is model
        ids = torch.tensor([tokenizer.encode("What is a share?")])
        with torch.no_grad():
            logits = model(ids.to(model.device)).logits
        assert logits.shape[:2] == ids.shape
        assert logits.shape[2] >= len(tokenizer)
        assert torch.isfinite(logits).all()


@readers
def test_before_training_its_language_model_is_the_same_for_the_same_seed(entrant: Entrant) -> None:
    first, second, other = made(entrant.name), made(entrant.name), made(entrant.name)
    for agent, seed in ((first, 5), (second, 5), (other, 6)):
        agent.reset(seed)
    one, two, three = (weights_of(agent) for agent in (first, second, other))
    assert one.keys() == two.keys() == three.keys()
    assert all(one[name].equal(two[name]) for name in one)
    assert not all(one[name].equal(three[name]) for name in one)  # its weights are random here


@readers
def test_training_changes_its_language_model_and_asking_for_it_changes_nothing(
    entrant: Entrant, market: Market
) -> None:
    untrained = made(entrant.name)
    untrained.reset(5)
    before, after = weights_of(untrained), weights_of(entrant.agent)
    shared = before.keys() & after.keys()
    assert not all(before[name].equal(after[name]) for name in shared)
    first = played(entrant.agent, market).actions.tolist()
    asked = weights_of(entrant.agent)
    assert all(asked[name].equal(after[name]) for name in after)
    assert played(entrant.agent, market).actions.tolist() == first


@readers
def test_asked_for_its_language_model_beforehand_it_learns_the_same(entrant: Entrant, market: Market) -> None:
    def ask(agent: Agent) -> None:
        agent.reset(5)
        weights_of(agent)

    again = trained(entrant.name, market, beforehand=ask)
    one, two = weights_of(entrant.agent), weights_of(again.agent)
    assert all(one[name].equal(two[name]) for name in one)
    assert played(again.agent, market).actions.tolist() == played(entrant.agent, market).actions.tolist()


@pytest.mark.parametrize("window", ["train", "test"])
def test_buy_and_hold_equals_its_closed_form(market: Market, window: str) -> None:
    assert played(made("buy-and-hold"), market, window).actions.tolist() == buy_and_hold_actions(19).tolist()


@pytest.mark.parametrize("window", ["train", "test"])
def test_always_flat_returns_nothing(market: Market, window: str) -> None:
    actions = played(made("always-flat"), market, window).actions
    result = score(market, PROTOCOL, period_of(market, window), actions)
    assert result.values["cumulative_return"] == 0
    assert result.values["trades"] == 0
    assert result.shape.identical_to == "always-flat"


def test_the_random_agent_tosses_a_fair_coin_of_its_seed(market: Market) -> None:
    observation, _ = TradingEnv(market, PROTOCOL, market.asset.windows.test).reset()
    agent = made("random")
    tosses: list[list[int]] = []
    for seed in (0, 1):
        agent.reset(seed)
        tosses.append([agent.act(observation) for _ in range(2000)])
    assert tosses[0] != tosses[1]
    assert set(tosses[0]) == {1, 2}
    # Five standard deviations of a fair coin's count.
    assert abs(tosses[0].count(2) - 1000) < 5 * np.sqrt(500)
