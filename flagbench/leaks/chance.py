"""Whether an agent earned where nothing can be foreseen: how often, and how often is too often."""

import math

import numpy as np

from flagbench.market.market import Market
from flagbench.scoring.sharpe import probabilistic_sharpe_ratio
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import replay

SURE = 0.95
"""A probabilistic Sharpe ratio above this is one win; by chance one market in twenty gives one."""

FEWEST_DAYS = 50
"""Days with shares; with fewer, chance alone wins more often than one time in twenty, so none is counted.

Simulated on returns of Student's t with five degrees of freedom: 6.6 % at 30 days, 4.9 % at 50.
"""

FALSE_ALARM = 0.001
"""How often an honest agent may be called a cheat, a test."""


def wins(market: Market, protocol: Protocol, actions: IntArray) -> bool:
    """Whether actions beat chance in a test window, at no cost, with PSR(0) > 0.95.

    The ratio is that of the days on which shares were held. Days without any say nothing of skill, and with
    them one lucky day of a rare trader looks sure: its skewness shrinks the ratio's standard error.

    Args:
        market: a martingale, replayed without cost, so that nobody can be expected to gain or lose.
        protocol: of the fills.
        actions: of the test window.
    """
    free = protocol.model_copy(update={"cost_bps": 0.0})
    played = replay(market, free, market.asset.windows.test, actions)
    returns = played.equity[1:] / played.equity[:-1] - 1
    held = returns[played.exposed]
    return len(held) >= FEWEST_DAYS and bool(probabilistic_sharpe_ratio(held) > SURE)


def false_alarm(most: int, markets: int) -> float:
    """Probability that more than `most` of so many markets are won by chance alone: a binomial tail."""
    rate = 1 - SURE
    below = (math.comb(markets, k) * rate**k * SURE ** (markets - k) for k in range(most + 1))
    return max(0.0, 1 - math.fsum(below))


def most_by_chance(markets: int) -> int:
    """The smallest limit of wins that chance exceeds with a probability of at most `FALSE_ALARM`."""
    return next(most for most in range(markets + 1) if false_alarm(most, markets) <= FALSE_ALARM)


def as_actions(actions: tuple[int, ...]) -> IntArray:
    """Actions as they are replayed: (m,) int8."""
    return np.array(actions, dtype=np.int8)
