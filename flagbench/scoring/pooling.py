"""Several windows as one: the daily returns of all of them in a row, as if the wealth were carried on.

Every window is played on its own: it begins flat, with cash. Pooling puts the returns of window 1, then those
of window 2 and so on into one series, so K windows of n bars have K·(n − 1) returns. The return from the last
close of a window to the first close of the next belongs to no window and is left out, and the position that a
window ends with is given up without a trade, since a window sells nothing at its end.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.scoring.performance import Performance, compounded
from flagbench.scoring.policy import buy_and_hold_actions, policy_shape
from flagbench.scoring.score import Score, played_performance, score_of
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol


def pool(parts: Sequence[Performance]) -> Performance:
    """One performance of the returns of several, in their order.

    Equity is chained: window k begins with what window k − 1 ended with, and what it traded and paid is in
    units of the very first equity. The path that drawdowns are measured on is the chained equity, or
    Π(1 + r) of all returns where returns are logarithmic.

    Args:
        parts: m_k returns each, all of one convention and calendar.

    Raises:
        ConfigError: there are none, or two of them are of different conventions or calendars.
    """
    if len({(part.convention, part.periods_per_year) for part in parts}) != 1:
        raise ConfigError("only performances of one convention and calendar can be pooled")
    first = parts[0]
    scales = np.cumprod([1.0, *(part.equity[-1] for part in parts[:-1])])
    returns = np.concatenate([part.returns for part in parts])
    curves = [scale * part.equity[1:] for scale, part in zip(scales, parts, strict=True)]
    equity: FloatArray = np.concatenate([[1.0], *curves])

    def scaled(name: str) -> FloatArray:
        values = [scale * getattr(part, name) for scale, part in zip(scales, parts, strict=True)]
        together: FloatArray = np.concatenate(values)
        return together

    return replace(
        first,
        returns=returns,
        path=compounded(returns) if first.log_returns else equity,
        equity=equity,
        traded=scaled("traded"),
        cost=scaled("cost"),
        filled=np.concatenate([part.filled for part in parts]),
        exposed=np.concatenate([part.exposed for part in parts]),
    )


def pooled_score(
    market: Market,
    protocol: Protocol,
    windows: Sequence[tuple[Period, IntArray]],
    *,
    trial_sharpes: Sequence[float] = (),
) -> Score:
    """The score of several windows as one; of a single window it is `score`.

    Args:
        market: where they trade.
        protocol: fills, costs, and the convention of the figures.
        windows: each with its (n − 1,) actions, oldest first.
        trial_sharpes: of one bar, pooled over the same windows, as `score` takes them.

    Returns:
        its period goes from the first date of all to the last; `bars` is the number of returns and one more.

    Raises:
        ConfigError: there is none, or another number of actions than decisions in one.
        MarketDataError: a window lies outside the data.
    """
    own = [played_performance(market, protocol, period, actions) for period, actions in windows]
    performance, played = pool([part for _, part in own]), [part for part, _ in own]
    held = [
        played_performance(market, protocol, period, buy_and_hold_actions(len(actions)))[1]
        for period, actions in windows
    ]
    positions = np.concatenate([part.position for part in played])
    earned = np.concatenate([part.order_returns for part in played])
    return score_of(
        performance,
        Period(windows[0][0].first, windows[-1][0].last),
        policy_shape(positions, earned),
        redundant=sum(part.redundant for part in played),
        unparsed=sum(part.unparsed for part in played),
        held=pool(held).returns,
        trial_sharpes=trial_sharpes,
    )
