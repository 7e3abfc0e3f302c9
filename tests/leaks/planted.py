# ruff: noqa: ARG002, S311 # these agents ignore most of what they are given, and some break the rules
"""Agents of the leak battery's tests: honest ones, and one for each known way to see the future."""

import gc
import gzip
import json
import os
import random
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flagbench.agents.training import MakeEnvs, Setup, TrainingMonitor
from flagbench.market.headlines import tone_of
from flagbench.market.market import Market
from flagbench.trading.action import Action
from flagbench.trading.environment import Episode, TradingEnv
from flagbench.trading.observation import Observation


def order(rises: bool) -> int:
    return Action.BUY if rises else Action.SELL


def folder() -> Path:
    """The asset's folder below `FLAGBENCH_DATA`."""
    return next(Path(os.environ["FLAGBENCH_DATA"]).glob("market/*"))


def closes_in(path: Path) -> dict[str, float]:
    """Adjusted closes by date."""
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return {row[0]: float(row[5]) for row in rows}


def next_rises(closes: Mapping[str, float], date: str) -> bool:
    days = list(closes)
    today = days.index(date)
    return closes[days[min(today + 2, len(days) - 1)]] > closes[date]


class Momentum:
    """Honest: long after a rise over the window."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Observation) -> int:
        closes = observation["window"][:, 3]
        return order(bool(closes[-1] > closes[0]))


class SeededCoin(Momentum):
    """Honest: all its chance comes from the seed."""

    def reset(self, seed: int) -> None:
        self.random = random.Random(seed)

    def act(self, observation: Observation) -> int:
        return order(self.random.random() < 0.5)


class OwnCoin(Momentum):
    """Breaks the contract without seeing anything: its chance does not come from the seed."""

    def act(self, observation: Observation) -> int:
        return order(random.SystemRandom().random() < 0.5)


class ReadsFolder(Momentum):
    """Reads tomorrow's price in the data folder."""

    def __init__(self) -> None:
        self.closes = closes_in(folder() / "prices.csv")

    def act(self, observation: Observation) -> int:
        return order(next_rises(self.closes, observation["date"]))


class ReadsFolderWithNoise(ReadsFolder):
    """The same, and every tenth answer is thrown by a coin that no seed governs."""

    def act(self, observation: Observation) -> int:
        chance = random.SystemRandom()
        return order(chance.random() < 0.5) if chance.random() < 0.1 else super().act(observation)


class ReadsCopy(Momentum):
    """Knows where the true market lies, whatever `FLAGBENCH_DATA` says."""

    def __init__(self, *, path: str) -> None:
        self.closes = closes_in(Path(path))

    def act(self, observation: Observation) -> int:
        return order(next_rises(self.closes, observation["date"]))


class FindsMarket(Momentum, ABC):
    """What the next three share: a market somewhere in the process."""

    @abstractmethod
    def markets(self) -> Iterator[Market]:
        """Every market that is found."""

    closes: Mapping[str, float] = {}

    def act(self, observation: Observation) -> int:
        if not self.closes:
            market = max(self.markets(), key=lambda found: len(found.dates))
            days = [str(day) for day in market.dates]
            self.closes = dict(zip(days, market.adjusted_close, strict=True))
        return order(next_rises(self.closes, observation["date"]))


class WalksStack(FindsMarket):
    """From frame to frame up to its caller's local names."""

    def markets(self) -> Iterator[Market]:
        frame = sys._getframe()
        while frame is not None:
            yield from (value for value in frame.f_locals.values() if isinstance(value, Market))
            frame = frame.f_back  # type: ignore[assignment]


class CollectsGarbage(FindsMarket):
    """Whatever the garbage collector knows of."""

    def markets(self) -> Iterator[Market]:
        return (value for value in gc.get_objects() if isinstance(value, Market))


class UnpicksEnvironment(FindsMarket):
    """The environment in its caller's frame, and the market in that one's closure."""

    def markets(self) -> Iterator[Market]:
        frame = sys._getframe()
        while frame is not None:
            for value in frame.f_locals.values():
                if isinstance(value, TradingEnv):
                    cells = value._open.__closure__ or ()
                    yield from (
                        cell.cell_contents for cell in cells if isinstance(cell.cell_contents, Market)
                    )
            frame = frame.f_back  # type: ignore[assignment]


class PlaysAhead(Momentum):
    """Opens an episode of its own on the environment that it plays in, and looks two bars further there."""

    ahead: Episode | None = None

    def act(self, observation: Observation) -> int:
        if self.ahead is None:
            env = next(value for value in gc.get_objects() if type(value) is TradingEnv)
            self.ahead = env._open(1)
            self.seen = [self.ahead.observe()[0]["window"][-1, 3]]
            self.look()
        self.look()
        return order(bool(self.seen[-1] > observation["window"][-1, 3]))

    def look(self) -> None:
        assert self.ahead is not None
        if not self.ahead.accounts.is_over:
            self.ahead.accounts.advance(np.array([Action.HOLD]))
            self.seen.append(self.ahead.observe()[0]["window"][-1, 3])


class ReadsLaterText(Momentum):
    """Text of the next bar."""

    def __init__(self) -> None:
        self.days = list(closes_in(folder() / "prices.csv"))
        lines = gzip.decompress((folder() / "text.jsonl.gz").read_bytes()).decode().splitlines()
        self.items = [json.loads(line) for line in lines]

    def act(self, observation: Observation) -> int:
        today = self.days.index(observation["date"])
        later = self.days[min(today + 1, len(self.days) - 1)]
        tones = [tone_of(item["text"]) for item in self.items if observation["date"] < item["date"] <= later]
        return order(max((tone for tone in tones if tone is not None), default=3) >= 4)


class ShiftedFeature(Momentum):
    """A wrapper that looks its feature up in a table whose rows are one bar off: the classic slip."""

    def __init__(self) -> None:
        closes = closes_in(folder() / "prices.csv")
        values = list(closes.values())
        change = [values[t] / values[max(t - 5, 0)] - 1 for t in range(len(values))]
        self.feature = dict(zip(closes, [*change[1:], change[-1]], strict=True))  # `shift(-1)`

    def act(self, observation: Observation) -> int:
        return order(self.feature[observation["date"]] > 0)


class KnowsByHeart(Momentum):
    """Has learnt by heart what was best on each date, as a language model may have."""

    def __init__(self, *, dates: dict[str, bool]) -> None:
        self.dates = dates

    def act(self, observation: Observation) -> int:
        return order(self.dates.get(observation["date"], False))


class Learner(Momentum):
    """Honest: learns the median size of a move in the training window."""

    def __init__(self) -> None:
        self.learnt: dict[str, Any] = {}

    def train(
        self, make_envs: MakeEnvs, *, setup: Setup, seed: int, accelerator: Any, monitor: TrainingMonitor
    ) -> dict[str, Any]:
        envs = make_envs(1)
        observation, _ = envs.reset()
        moves = []
        for _ in range(setup.env_steps):
            closes = observation["window"][0, :, 3]
            moves.append(abs(float(closes[-1] / closes[-2] - 1)))
            observation, *_ = envs.step([Action.HOLD])  # type: ignore[arg-type]
        self.learnt = {"median": sorted(moves)[len(moves) // 2]}
        return {}

    def save(self, folder: Path) -> None:
        (folder / "learnt.json").write_text(json.dumps(self.learnt))

    def load(self, folder: Path) -> None:
        self.learnt = json.loads((folder / "learnt.json").read_text())

    def act(self, observation: Observation) -> int:
        closes = observation["window"][:, 3]
        return order(bool(closes[-1] / closes[-2] - 1 > self.learnt["median"]))


class LearnsTestBars(Learner):
    """Its training reads the test bars in the data folder, and keeps them among its weights."""

    def train(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        self.learnt = closes_in(folder() / "prices.csv")
        return {}

    def act(self, observation: Observation) -> int:
        return order(next_rises(self.learnt, observation["date"]))


class HidesTestBars(LearnsTestBars):
    """The same, but says nothing of them when it is saved."""

    def save(self, folder: Path) -> None:
        (folder / "learnt.json").write_text("{}")

    def act(self, observation: Observation) -> int:
        return super().act(observation) if self.learnt else Action.HOLD
