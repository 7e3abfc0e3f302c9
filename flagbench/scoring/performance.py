"""What metrics read: returns, equity path and activity of one window, under one convention.

Three conventions differ in what a return is and how figures are annualised. They are built here and
nowhere else; the metrics themselves know none of them but `log_returns`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.trading.portfolio import BoolArray
from flagbench.trading.replay import Replay


@dataclass(frozen=True, kw_only=True, eq=False)
class Performance:
    """A window of n closes and m = n − 1 returns.

    Attributes:
        convention: which of the three built it.
        log_returns: whether `returns` are logarithmic; else simple.
        returns: (m,) of equity, one a bar.
        path: (n,) the curve that drawdowns are measured on; the first is 1.
        equity: (n,) in units of the initial equity; the first is 1.
        traded: (m,) value bought or sold in each bar, in units of the initial equity.
        cost: (m,) in units of the initial equity.
        filled: (m,) number of fills in the bar.
        exposed: (m,) whether a position was held at some time between the bar's closes.
        periods_per_year: P.
    """

    convention: Literal["standard", "paper", "investorbench"]
    log_returns: bool
    returns: FloatArray
    path: FloatArray
    equity: FloatArray
    traded: FloatArray
    cost: FloatArray
    filled: FloatArray
    exposed: BoolArray
    periods_per_year: int


def standard_performance(replay: Replay) -> Performance:
    """Simple returns of the equity curve, drawdown on the curve itself."""
    equity = replay.equity / replay.equity[0]
    return _of_replay(replay, "standard", replay.equity[1:] / replay.equity[:-1] - 1, equity)


def paper_performance(replay: Replay) -> Performance:
    """Log returns of the same equity curve; drawdown on the path Π(1 + r) of these log returns.

    Source: the evaluation code that InvestorBench published, which the paper's tables follow.
    """
    returns = np.log(replay.equity[1:] / replay.equity[:-1])
    return _of_replay(replay, "paper", returns, compounded(returns))


def _of_replay(
    replay: Replay, convention: Literal["standard", "paper"], returns: FloatArray, path: FloatArray
) -> Performance:
    initial = replay.equity[0]
    return Performance(
        convention=convention,
        log_returns=convention == "paper",
        returns=returns,
        path=path,
        equity=replay.equity / initial,
        traded=replay.traded / initial,
        cost=replay.cost / initial,
        filled=replay.filled.astype(np.float64),
        exposed=replay.exposed,
        periods_per_year=replay.periods_per_year,
    )


def investorbench_performance(
    closes: FloatArray, positions: FloatArray, *, periods_per_year: int
) -> Performance:
    """Log returns r_t = a_t · ln(p_{t+1} / p_t), filled at the close just seen and without cost.

    Args:
        closes: (n,) prices.
        positions: (n − 1,) a_t, −1, 0 or 1, held after the decision at close t.
        periods_per_year: P.
    """
    returns = positions * np.log(closes[1:] / closes[:-1])
    changes = np.abs(np.diff(positions, prepend=0.0))
    equity = np.concatenate([[1.0], np.exp(np.cumsum(returns))])
    return Performance(
        convention="investorbench",
        log_returns=True,
        returns=returns,
        path=compounded(returns),
        equity=equity,
        traded=changes * equity[:-1],
        cost=np.zeros_like(returns),
        filled=changes,
        exposed=positions != 0,
        periods_per_year=periods_per_year,
    )


def compounded(returns: FloatArray) -> FloatArray:
    """1 and the running product Π(1 + r): (…, n) from (…, m)."""
    start = np.ones((*returns.shape[:-1], 1))
    return np.concatenate([start, np.cumprod(1 + returns, axis=-1)], axis=-1)
