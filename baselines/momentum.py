"""Time-series momentum: long after a past return above zero, else flat.

Source: Moskowitz, Ooi and Pedersen 2012, "Time series momentum", Journal of Financial Economics 104: the sign
of an asset's own return over the last k months is its position in the next h. Departures: k = 1 month, the
shortest of their table 2, since the protocols show about a month of bars; decided anew at every bar, not once
a month; flat where they are short, and no scaling by volatility, since a position here is 0 or 1; the return
itself in place of its excess over the risk-free rate, which is 0 here.
"""

from collections import deque
from typing import Annotated

import numpy as np
from pydantic import Field

from flagbench.trading.action import Action
from flagbench.trading.observation import Observation


class Momentum:
    """Long while the last close lies above the one `bars` bars before it.

    It remembers closes over an episode, so `bars` may be more than an observation shows; until so many are
    known, the oldest known close stands in. With one close alone it does nothing.

    Args:
        bars: of the past return; 21 sessions are a month.
    """

    def __init__(self, *, bars: Annotated[int, Field(ge=1)] = 21) -> None:
        self._closes: deque[float] = deque(maxlen=bars + 1)
        self._newest = ""

    def reset(self, seed: int) -> None:  # noqa: ARG002
        """Forget the closes of the last episode; nothing is left to chance."""
        self._closes.clear()
        self._newest = ""

    def act(self, observation: Observation) -> int:
        """Take the position that the sign of the past return asks for."""
        self._remember(observation)
        if len(self._closes) < 2:
            return Action.HOLD
        wants_long = self._closes[-1] > self._closes[0]
        if wants_long == bool(observation["account"][0]):
            return Action.HOLD
        return Action.BUY if wants_long else Action.SELL

    def _remember(self, observation: Observation) -> None:
        """All closes of an episode's first window, then the one of each further bar."""
        closes = observation["window"][:, 3].astype(np.float64).tolist()
        if not self._newest:
            self._closes.extend(closes)
        elif observation["date"] != self._newest:
            self._closes.append(closes[-1])
        self._newest = observation["date"]
