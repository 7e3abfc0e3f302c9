from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import AgentError
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.rollout import read_action, rollout

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

SELL, HOLD, BUY = Action


class Script:
    """Gives its answers one after the other and keeps what it saw."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.seen: list[Observation] = []

    def __call__(self, observation: Observation) -> object:
        self.seen.append(observation)
        return self.answers[len(self.seen) - 1]


@pytest.fixture
def env(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> TradingEnv:
    market = synthetic_market([100.0, 101, 102, 103, 104, 105, 106])
    return TradingEnv(market, protocol_with(), bars_of(market))


@pytest.mark.parametrize("answer", [0, 1, 2, Action.BUY, np.int64(2), np.int8(0), np.uint8(1)], ids=repr)
def test_whole_numbers_in_the_set_are_actions(answer: int) -> None:
    action = read_action(answer)
    assert action == answer
    assert type(action) is int


@pytest.mark.parametrize(
    "answer",
    [
        *(3, -1, 10**30, None, "buy", "2", b"2", 1.0, float("nan"), True, False, 1 + 0j, [2], (2,), {2: 2}),
        *(np.bool_(True), np.float64(1), np.int64(-1), np.array(2), np.array([2]), Action),
    ],
    ids=repr,
)
def test_no_action_is_guessed_from_any_other_answer(answer: object) -> None:
    assert read_action(answer) == UNPARSED


def test_a_rollout_writes_down_dates_and_actions_of_every_decision(env: TradingEnv) -> None:
    agent = Script(BUY, BUY, HOLD, SELL)
    trajectory = rollout(agent, env, seed=0)
    assert trajectory.actions.tolist() == [2, 2, 1, 0]
    assert trajectory.actions.dtype == np.int8
    decided = ["2020-01-03", "2020-01-06", "2020-01-07", "2020-01-08"]
    assert trajectory.dates.astype(str).tolist() == decided
    assert [observation["date"] for observation in agent.seen] == decided
    assert (trajectory.redundant, trajectory.unparsed) == (1, 0)


@pytest.mark.parametrize("answer", [3, -1, None, "buy", 1.0, True, float("nan")])
def test_an_unparsed_answer_keeps_the_position_and_is_written_as_such(
    answer: object, env: TradingEnv
) -> None:
    agent = Script(answer, BUY, answer, SELL)
    trajectory = rollout(agent, env, seed=0)
    assert trajectory.actions.tolist() == [UNPARSED, BUY, UNPARSED, SELL]
    assert (trajectory.redundant, trajectory.unparsed) == (0, 2)
    assert [observation["account"][0] for observation in agent.seen] == [0, 0, 1, 1]


def test_redundant_answers_are_counted_on_both_sides(env: TradingEnv) -> None:
    assert rollout(Script(SELL, BUY, BUY, BUY), env, seed=0).redundant == 3


def test_a_second_rollout_begins_anew(env: TradingEnv) -> None:
    first, second = Script(BUY, HOLD, HOLD, HOLD), Script(BUY, HOLD, HOLD, HOLD)
    assert rollout(first, env, seed=0).actions.tolist() == rollout(second, env, seed=1).actions.tolist()
    accounts = [[observation["account"].tolist() for observation in agent.seen] for agent in (first, second)]
    assert accounts[0] == accounts[1]


def test_an_agent_that_raises_is_reported_with_the_bar(env: TradingEnv) -> None:
    def fail(observation: Observation) -> int:
        if observation["date"] == "2020-01-07":
            raise ZeroDivisionError("by nothing")
        return HOLD

    with pytest.raises(
        AgentError, match=r"after the bar of 2020-01-07: ZeroDivisionError\('by nothing'\)"
    ) as caught:
        rollout(fail, env, seed=0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_bar_is_named_even_where_the_agent_emptied_the_observation(env: TradingEnv) -> None:
    def fail(observation: Observation) -> int:
        observation.clear()  # type: ignore[attr-defined]
        raise ValueError

    with pytest.raises(AgentError, match="after the bar of 2020-01-03"):
        rollout(fail, env, seed=0)


def test_an_interruption_passes_through(env: TradingEnv) -> None:
    def interrupt(_: Observation) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(interrupt, env, seed=0)


def test_an_agent_cannot_end_the_process(env: TradingEnv) -> None:
    def leave(_: Observation) -> int:
        raise SystemExit(0)

    with pytest.raises(AgentError, match=r"failed after the bar of .*SystemExit"):
        rollout(leave, env, seed=0)
