"""The trading environment, one account: gymnasium's contract over one window of a market."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from flagbench.errors import AgentError, ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.accounts import Accounts
from flagbench.trading.observation import BarView, Observation, bar_view, observation_space, observe
from flagbench.trading.prices import WindowPrices, window_prices
from flagbench.trading.protocol import Protocol


class Episode(NamedTuple):
    """Accounts in the middle of a window, and what shows them its next bar."""

    accounts: Accounts
    look: Callable[[int], BarView]
    """Bar t; each once and in turn."""

    def observe(self) -> list[Observation]:
        """One observation an account of the bar that the accounts have reached; once a bar."""
        return observe(self.look(self.accounts.t), self.accounts)


class TradingEnv(gym.Env[Observation, int]):
    """One account over one window; an episode is the whole window and ends by truncation.

    A decision after close t is filled and marked by `step`, which shows bar t + 1. The environment
    keeps no bar after its window's last, and shows none before its turn.

    Args:
        market: bars and text; what lies after the window is dropped.
        protocol: fills, costs, reward, lookback.
        period: the window.

    Raises:
        MarketDataError: the window lies outside the data or lacks history for the lookback.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, market: Market, protocol: Protocol, period: Period) -> None:
        self.action_space = spaces.Discrete(3)  # type: ignore[assignment]
        self.observation_space = observation_space(protocol.lookback)  # type: ignore[assignment]
        self._open = window_tape(market, protocol, period)
        self._episode: Episode | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin again at the window's first close, flat, with the initial cash."""
        super().reset(seed=seed, options=options)
        self._episode = self._open(1)
        return self._episode.observe()[0], {}

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Fill the order at the protocol's price and mark the account at the next close.

        Returns:
            observation, reward, terminated (never), truncated (at the window's last close), and what
            the bar did: `equity` in currency, `redundant`.

        Raises:
            ConfigError: `step` before `reset` or after the end, or an action that is none.
        """
        episode = self._episode
        if episode is None or episode.accounts.is_over:
            raise ConfigError("`step` was called outside an episode", hint="call `reset` first")
        if not self.action_space.contains(action):
            raise ConfigError(f"{action!r} is no action", hint="0 sell, 1 hold, 2 buy")
        marks = episode.accounts.advance(np.array([action]))
        observation = episode.observe()[0]
        info = {"equity": float(marks.equity[0]), "redundant": bool(marks.redundant[0])}
        return observation, float(marks.reward[0]), False, episode.accounts.is_over, info


def window_tape(
    market: Market, protocol: Protocol, period: Period, *, max_bars: int | None = None
) -> Callable[[int], Episode]:
    """How to begin an episode of so many accounts on a window.

    The market and its prices live in closures only, so that no attribute of an environment holds them, and
    what looks at bars moves forward only, one bar at a time.

    Args:
        market: what lies after the window is dropped.
        protocol: fills, costs, reward, lookback.
        period: the window.
        max_bars: drop the window's bars after so many.
    """
    known = market.until(period)
    prices = window_prices(known, protocol, period)
    if max_bars is not None and len(prices.dates) > max_bars:
        prices = WindowPrices(
            prices.dates[:max_bars],
            prices.closes[:max_bars],
            prices.fills[: max_bars - 1],
            prices.fill,
            prices.first_bar,
        )

    views: list[BarView] = []  # what one episode has seen, the next need not make anew

    def begin(count: int) -> Episode:
        seen = -1

        def look(t: int) -> BarView:
            nonlocal seen
            if t != seen + 1:
                raise AgentError(f"bar {t} was looked at out of turn, after bar {seen}")
            seen = t
            if t == len(views):
                views.append(bar_view(known, prices.first_bar + t, lookback=protocol.lookback))
            return views[t]

        return Episode(Accounts(prices, protocol, accounts=count), look)

    return begin


def make_env(
    asset: str, window: str = "train", protocol: str = "standard", data: str | None = None
) -> TradingEnv:
    """The entry point of `flagbench/Trading-v0`; see `flagbench.trading.registration`.

    It takes names and no market, since gymnasium keeps these arguments in `env.spec`.

    Args:
        asset: an installed asset's id.
        window: `train` or `test`.
        protocol: an installed protocol's id.
        data: the data folder; see `flagbench.market.loading.data_folder`.

    Raises:
        ConfigError: a window of another name.
    """
    market, rules, period = named_window(asset, window, protocol, data)
    return TradingEnv(market, rules, period)


def named_window(asset: str, window: str, protocol: str, data: str | None) -> tuple[Market, Protocol, Period]:
    """Market, protocol and period behind names.

    Raises:
        ConfigError: a window of another name than `train` or `test`.
    """
    from flagbench.market.loading import resolve_market
    from flagbench.trading.protocol import load_protocol

    if window not in ("train", "test"):
        raise ConfigError(f"unknown window `{window}`", hint="known: train, test")
    market = resolve_market(asset, data=data)
    windows = market.asset.windows
    return market, load_protocol(protocol), windows.train if window == "train" else windows.test
