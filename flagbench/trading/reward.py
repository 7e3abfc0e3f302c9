"""Training rewards from marked equity. They teach; they never score."""

from typing import Literal

import numpy as np

from flagbench.market.price_file import FloatArray


class RewardMeter:
    """Rewards of N accounts, bar by bar, with the running moments that the account shows.

    `sharpe_delta` is SR_t − SR_{t−1}, SR_t the mean over the sample deviation of daily profit and loss
    1 … t, not annualised, risk-free rate 0 (paper, section 4); undefined counts as 0.
    `log_return` is ln(E_t / E_{t−1}); `pnl` is (E_t − E_{t−1}) / E_0. All are times `scale`.

    Args:
        kind: which of the three.
        scale: factor on every reward.
        min_observations: days before `sharpe_delta` has a Sharpe ratio, at least 2.
        initial_equity: E_0, in currency.
        accounts: N.
    """

    def __init__(
        self,
        kind: Literal["sharpe_delta", "log_return", "pnl"],
        *,
        scale: float,
        min_observations: int,
        initial_equity: float,
        accounts: int,
    ) -> None:
        self._kind = kind
        self._scale = scale
        self._min_observations = min_observations
        self._initial_equity = initial_equity
        self._equity = np.full(accounts, float(initial_equity))
        self._sharpe = np.zeros(accounts)
        self._squares = np.zeros(accounts)
        self.days = 0
        self.mean = np.zeros(accounts)
        """(N,) mean daily profit and loss so far, in units of the initial equity."""
        self.deviation = np.zeros(accounts)
        """(N,) sample deviation (ddof 1) of daily profit and loss so far, 0 before the second day."""

    def mark(self, equity: FloatArray) -> FloatArray:
        """Take the next close's equity, (N,) in currency, and give the bar's rewards, (N,)."""
        pnl = (equity - self._equity) / self._initial_equity
        before, self._equity = self._equity, equity.copy()  # the caller hands its array on
        # Welford's update: one pass, no difference of large sums.
        self.days += 1
        shift = pnl - self.mean
        self.mean += shift / self.days
        shift *= pnl - self.mean
        self._squares += shift
        if self.days > 1:
            self.deviation = np.sqrt(self._squares / (self.days - 1))
        rewards: FloatArray
        if self._kind == "pnl":
            rewards = pnl
        elif self._kind == "log_return":
            rewards = np.log(equity / before)
        else:
            rewards = self._sharpe_change()
        return rewards * self._scale

    def _sharpe_change(self) -> FloatArray:
        before, self._sharpe = self._sharpe, np.zeros(len(self.mean))
        if self.days >= self._min_observations:
            np.divide(self.mean, self.deviation, out=self._sharpe, where=self.deviation > 0)
        return self._sharpe - before
