"""The trading environment, many accounts in step: gymnasium's vector contract."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.trading.environment import Episode, named_window, window_tape
from flagbench.trading.observation import Observation, books_of, observation_space
from flagbench.trading.portfolio import BoolArray, IntArray
from flagbench.trading.protocol import Protocol

Batch = dict[str, Any]


class VectorTradingEnv(VectorEnv[Batch, IntArray, npt.NDArray[Any]]):
    """N accounts over the same window, bar by bar together.

    All episodes begin and end at once. On the last bar `step` already returns the next episode's
    first observations and hands the last ones over as `final_obs` (`AutoresetMode.SAME_STEP`).

    Args:
        market: bars and text; what lies after the window is dropped.
        protocol: fills, costs, reward, lookback.
        period: the window.
        num_envs: N.
        max_episode_steps: truncate episodes after so many steps, if the window has more.

    Raises:
        ConfigError: no account, or an episode of no step.
        MarketDataError: the window lies outside the data or lacks history for the lookback.
    """

    metadata = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        market: Market,
        protocol: Protocol,
        period: Period,
        *,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
    ) -> None:
        if num_envs < 1:
            raise ConfigError(f"a vector environment needs one account or more, given {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ConfigError(f"an episode needs one step or more, given {max_episode_steps}")
        max_bars = None if max_episode_steps is None else max_episode_steps + 1
        self.num_envs = num_envs
        self.single_action_space = spaces.Discrete(3)
        self.single_observation_space = observation_space(protocol.lookback)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._open = window_tape(market, protocol, period, max_bars=max_bars)
        self._episode: Episode | None = None

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,  # noqa: ARG002
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[Batch, dict[str, Any]]:
        """Begin all episodes again; there is no chance in the environment, so seeds change nothing."""
        self._episode = self._open(self.num_envs)
        return _observed(self._episode), {}

    def step(self, actions: IntArray) -> tuple[Batch, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Advance all accounts by one bar.

        Returns:
            observations, rewards (N,), terminated (never), truncated (N,), and `equity`, `redundant` and,
            at the end, `final_obs`, an object array of N single observations.

        Raises:
            ConfigError: `step` before `reset`, or actions that are none.
        """
        episode = self._episode
        if episode is None:
            raise ConfigError("`step` was called outside an episode", hint="call `reset` first")
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or not _are_actions(chosen):
            raise ConfigError(
                f"{chosen!r} is no set of {self.num_envs} actions", hint="0 sell, 1 hold, 2 buy"
            )
        marks = episode.accounts.advance(chosen)
        observations = _observed(episode)
        over = np.zeros(self.num_envs, np.bool_)
        info: dict[str, Any] = {"equity": marks.equity, "redundant": marks.redundant}
        if episode.accounts.is_over:
            over[:] = True
            info |= {"final_obs": _objects(unstack(observations)), "_final_obs": over.copy()}
            self._episode = self._open(self.num_envs)
            observations = _observed(self._episode)
        return observations, marks.reward, np.zeros(self.num_envs, np.bool_), over, info


def _are_actions(numbers: npt.NDArray[Any]) -> bool:
    if numbers.dtype.kind in "iu":
        return bool(np.logical_and.reduce(numbers.astype(np.uint64) <= 2))  # below 0 becomes very large
    return bool(np.isin(numbers, (0, 1, 2)).all())


def _observed(episode: Episode) -> Batch:
    """What `stack` makes of `episode.observe()`, without N observations in between; once a bar."""
    view, count = episode.look(episode.accounts.t), len(episode.accounts.portfolio.cash)
    return {
        "window": view.window[np.newaxis].repeat(count, axis=0),
        "date": (view.date,) * count,
        "text": (view.text,) * count,
        **books_of(episode.accounts)._asdict(),
    }


def stack(observations: list[Observation]) -> Batch:
    """Single observations as one batch: arrays get a leading axis, dates and texts become tuples."""
    batch: Batch = {}
    for key in Observation.__annotations__:
        values = [observation[key] for observation in observations]  # type: ignore[literal-required]
        batch[key] = tuple(values) if key in ("date", "text") else np.stack(values)
    return batch


def unstack(batch: Batch) -> list[Observation]:
    """A batch as single observations."""
    columns = (batch[key] for key in Observation.__annotations__)
    return [
        {"window": window, "date": date, "text": text, "mask": mask, "account": account, "history": history}
        for window, date, text, mask, account, history in zip(*columns, strict=True)
    ]


def _objects(observations: list[Observation]) -> npt.NDArray[np.object_]:
    array = np.empty(len(observations), dtype=np.object_)
    array[:] = observations
    return array


def make_vector_env(
    asset: str,
    num_envs: int = 1,
    window: str = "train",
    protocol: str = "standard",
    data: str | None = None,
    *,
    max_episode_steps: int | None = None,
) -> VectorTradingEnv:
    """The entry point of `gymnasium.make_vec("flagbench.trading.registration:flagbench/Trading-v0", …)`.

    Raises:
        ConfigError: a window of another name than `train` or `test`.
    """
    market, rules, period = named_window(asset, window, protocol, data)
    return VectorTradingEnv(market, rules, period, num_envs=num_envs, max_episode_steps=max_episode_steps)
