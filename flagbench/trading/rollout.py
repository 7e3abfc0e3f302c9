"""An agent plays an environment once, and its actions are written down."""

from typing import TYPE_CHECKING

import numpy as np

from flagbench.errors import SEE_WHERE, AgentError, FlagbenchError
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagbench.trading.environment import TradingEnv
    from flagbench.trading.observation import Observation


def read_action(answer: object) -> int:
    """An agent's answer as an `Action`, or `UNPARSED`; nothing is guessed from a wrong answer."""
    whole = isinstance(answer, (int, np.integer)) and not isinstance(answer, (bool, np.bool_))
    return int(answer) if whole and answer in tuple(Action) else UNPARSED  # type: ignore[call-overload]


def rollout(act: "Callable[[Observation], object]", env: "TradingEnv", *, seed: int) -> Trajectory:
    """Play one episode.

    Args:
        act: gives an answer for an observation; an answer that is no action keeps the position and is
            counted.
        env: the window.
        seed: handed to the environment.

    Raises:
        AgentError: `act` raised; the message names the bar.
    """
    observation, _ = env.reset(seed=seed)
    dates: list[str] = []
    actions: list[int] = []
    redundant = 0
    over = False
    while not over:
        dates.append(observation["date"])
        try:
            answer = act(observation)
        except FlagbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise AgentError(
                f"the agent failed after the bar of {dates[-1]}: {error!r}", hint=SEE_WHERE
            ) from error
        action = read_action(answer)
        actions.append(action)
        observation, _, _, over, info = env.step(Action.HOLD if action == UNPARSED else action)
        redundant += info["redundant"]
    return Trajectory(
        dates=np.array(dates, dtype="datetime64[D]"),
        actions=np.array(actions, dtype=np.int8),
        redundant=redundant,
        unparsed=actions.count(UNPARSED),
    )
