"""The best that hindsight could have done: the actions with the highest final wealth in a window.

No agent can reach it without seeing the future, so it calibrates and is never ranked.
"""

import numpy as np
import numpy.typing as npt

from flagbench.trading.action import Action
from flagbench.trading.prices import WindowPrices
from flagbench.trading.protocol import Protocol

FLAT, LONG = 0, 1


def best_actions(prices: WindowPrices, protocol: Protocol) -> npt.NDArray[np.int8]:
    """Actions of highest final equity, by dynamic programming over the two positions.

    After each decision only two things matter: the most cash a flat account can have, and the most shares
    a long one can. A path is best if its last position is worth most at the last close. Among equal paths
    the one that trades less is taken.

    Args:
        prices: the window of n bars.
        protocol: its cost.

    Returns:
        (n − 1,) of `Action`, without a redundant one.
    """
    cost, decisions = protocol.cost, len(prices.fills)
    cash, shares = float(protocol.initial_cash), 0.0
    came_from = np.empty((decisions, 2), dtype=np.int8)  # position before each decision, by position after it
    for t, price in enumerate(prices.fills.tolist()):
        sold, bought = shares * price * (1 - cost), cash / (price * (1 + cost))
        came_from[t] = (LONG if sold > cash else FLAT, FLAT if bought > shares else LONG)
        cash, shares = max(cash, sold), max(shares, bought)
    after = LONG if shares * float(prices.closes[-1]) > cash else FLAT
    actions = np.full(decisions, Action.HOLD, dtype=np.int8)
    for t in range(decisions - 1, -1, -1):
        before = int(came_from[t, after])
        if before != after:
            actions[t] = Action.BUY if after == LONG else Action.SELL
        after = before
    return actions
