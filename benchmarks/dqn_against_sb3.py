"""Does our DQN learn as well as stable-baselines3's? At equal settings, where returns can be foreseen.

    python benchmarks/dqn_against_sb3.py --seeds 0-9
    python benchmarks/dqn_against_sb3.py --seeds 0-1 --env-steps 640 --json

Double, dueling and n-step are off, since stable-baselines3's DQN does not have the first two. Both see the
same numeric features through one wrapper and have the same network, optimiser, buffer, schedules and budget.
What still differs: ours takes and bootstraps from valid actions only, where stable-baselines3's may sell
while flat, which keeps the position; ours tosses the coin between exploring and not for each environment,
stable-baselines3's one for all. Figures are returns of the test window, which no training saw, net of costs.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flagbench.agents.training import Setup, training_envs
from flagbench.cli.seeds import parse_seeds
from flagbench.learning.numeric_features import NumericObservations, numeric_features
from flagbench.market.asset import Asset, Calendar, Files, Windows
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.records.training_log import Silent
from flagbench.registry import load_agent_class
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.trading.action import Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.oracle import best_actions
from flagbench.trading.portfolio import IntArray
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout
from flagbench.trading.vector_environment import stack

OURS = f"{Path(__file__).parents[1] / 'baselines' / 'dqn.py'}:DQN"
LOOKBACK = 5
RELIABILITY = 0.9
"""Chance that a bar's longer wick points where the next close goes."""
DEVIATION = 0.015
"""Of daily returns before the sign is set."""
LONG_WICK, SHORT_WICK = 0.02, 0.002

SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "gamma": 0.5,
    "hidden": [64, 64],
    "buffer_size": 10_000,
    "batch_size": 64,
    "train_frequency": 8,
    "warm_up": 0.02,
    "start_epsilon": 1.0,
    "end_epsilon": 0.05,
    "exploration_share": 0.5,
    "target_every": 25,
    "tau": 1.0,
    "loss": "huber",
    "max_grad_norm": 10.0,
}
"""Of both, in our words. Double, dueling and n-step are off."""


class Result(NamedTuple):
    """One market and one seed: returns on the test window, and seconds of training."""

    seed: int
    ours: float
    sb3: float
    rule: float
    """Of whoever reads the wicks without a mistake."""
    oracle: float
    buy_and_hold: float
    seconds_ours: float
    seconds_sb3: float


def make_market(seed: int, *, train: int, test: int) -> Market:
    """Bars whose longer wick mostly points where the next close goes; each opens at the close before it."""
    random = np.random.default_rng(seed)
    count = LOOKBACK + train + test
    points_up = random.random(count) < 0.5
    keeps_word = random.random(count) < RELIABILITY
    moves = np.abs(random.normal(0, DEVIATION, count))
    # The return of bar t + 1 follows from the wicks of bar t.
    signs = np.where(points_up == keeps_word, 1.0, -1.0)
    close = 100 * np.exp(np.cumsum(np.roll(signs * moves, 1)))
    open_ = np.concatenate([[100.0], close[:-1]])
    above, below = np.maximum(open_, close), np.minimum(open_, close)
    high = above * (1 + np.where(points_up, LONG_WICK, SHORT_WICK))
    low = below * (1 - np.where(points_up, SHORT_WICK, LONG_WICK))
    bars = np.column_stack([open_, high, low, close, np.full(count, 1e6)])
    dates = np.busday_offset("2020-01-01", np.arange(count), roll="forward").astype("datetime64[D]")
    days = dates.tolist()
    windows = Windows(
        train=Period.of(days[LOOKBACK], days[LOOKBACK + train - 1]),
        test=Period.of(days[LOOKBACK + train], days[-1]),
    )
    asset = Asset(
        id="WICKS",
        version=1,
        name="Generated",
        asset_class="equity",
        currency="USD",
        calendar=Calendar(exchange="weekdays", periods_per_year=252),
        windows=windows,
        files=Files(prices="WICKS/prices.csv"),
    )
    digest = content_hash(dates, bars, close, None, ())
    return Market(
        asset=asset,
        dates=dates,
        bars=bars,
        adjusted_close=close,
        investorbench=None,
        text=(),
        kind="replica",
        sha256=digest,
    )


def rules() -> Protocol:
    """`standard` with few bars shown and the log return as reward."""
    changes = {"lookback": LOOKBACK, "reward": "log_return", "reward_scale": 100.0}
    return load_protocol("standard").model_copy(update=changes)


def train_ours(market: Market, setup: Setup, seed: int) -> Callable[[Observation], int]:
    """Our DQN's policy."""
    from flagbench.learning.start import start

    protocol, period = rules(), market.asset.windows.train
    agent = load_agent_class(OURS)(dqn={**SETTINGS, "double": False, "dueling": False, "n_step": 1})
    agent.train(
        training_envs(market.until(period), protocol, period),
        setup=setup,
        seed=seed,
        accelerator=start(setup, seed=seed),
        monitor=Silent(),
    )
    act: Callable[[Observation], int] = agent.act
    return act


def train_sb3(market: Market, setup: Setup, seed: int) -> Callable[[Observation], int]:
    """The policy of stable-baselines3's DQN."""
    from stable_baselines3 import DQN
    from stable_baselines3.common.vec_env import DummyVecEnv

    protocol, period = rules(), market.asset.windows.train
    known = market.until(period)
    envs = DummyVecEnv([lambda: NumericObservations(TradingEnv(known, protocol, period))] * setup.num_envs)
    steps_an_update = SETTINGS["train_frequency"]
    model = DQN(
        "MlpPolicy",
        envs,
        learning_rate=SETTINGS["learning_rate"],
        buffer_size=SETTINGS["buffer_size"],
        learning_starts=round(SETTINGS["warm_up"] * setup.env_steps),
        batch_size=SETTINGS["batch_size"],
        tau=SETTINGS["tau"],
        gamma=SETTINGS["gamma"],
        train_freq=1,  # a step of all environments
        gradient_steps=setup.num_envs // steps_an_update,
        target_update_interval=SETTINGS["target_every"] * steps_an_update,
        exploration_fraction=SETTINGS["exploration_share"],
        exploration_initial_eps=SETTINGS["start_epsilon"],
        exploration_final_eps=SETTINGS["end_epsilon"],
        max_grad_norm=SETTINGS["max_grad_norm"],
        policy_kwargs={"net_arch": SETTINGS["hidden"]},  # ReLU, Adam and Huber's loss are its own
        seed=seed,
        device="cpu",
    )
    model.learn(setup.env_steps)

    def act(observation: Observation) -> int:
        features = numeric_features(stack([observation]))
        return int(model.predict(features, deterministic=True)[0][0])

    return act


def reader_actions(market: Market) -> IntArray:
    """Long after a longer wick above, flat after a longer wick below."""
    bars = market.bars[market.bar_range(market.asset.windows.test)][:-1]
    above = bars[:, 1] / bars[:, [0, 3]].max(axis=1)
    below = bars[:, [0, 3]].min(axis=1) / bars[:, 2]
    return np.where(above > below, Action.BUY, Action.SELL)


def test_return(market: Market, actions: IntArray) -> float:
    """Simple return of the test window, net of costs."""
    played = replay(market, rules(), market.asset.windows.test, actions)
    return float(played.equity[-1] / played.equity[0]) - 1


def learn(seed: int, arguments: argparse.Namespace) -> Result:
    """Draw a market, train both, trade the test window."""
    import torch

    torch.set_num_threads(1)
    market = make_market(seed, train=arguments.train, test=arguments.test)
    setup = Setup(env_steps=arguments.env_steps, num_envs=arguments.num_envs, mixed_precision="no")
    test = market.asset.windows.test
    returns, seconds = [], []
    for train in (train_ours, train_sb3):
        begun = time.perf_counter()
        act = train(market, setup, seed)
        seconds.append(time.perf_counter() - begun)
        returns.append(test_return(market, rollout(act, TradingEnv(market, rules(), test), seed=0).actions))
    best = best_actions(window_prices(market, rules(), test), rules())
    peers = (reader_actions(market), best, buy_and_hold_actions(len(best)))
    return Result(seed, *returns, *(test_return(market, actions) for actions in peers), *seconds)


def summary(results: list[Result], *, level: float = 0.9) -> dict[str, Any]:
    """The mean difference, ours less theirs, with Student's interval, as shares of the mean oracle."""
    from scipy.stats import t

    differences = [result.ours - result.sb3 for result in results]
    oracle = statistics.mean(result.oracle for result in results)
    mean = statistics.mean(differences)
    error = statistics.stdev(differences) / math.sqrt(len(results)) if len(results) > 1 else math.nan
    reach = float(t.ppf((1 + level) / 2, len(results) - 1)) * error if len(results) > 1 else math.nan
    return {
        "seeds": [result._asdict() for result in results],
        "mean_ours": statistics.mean(result.ours for result in results),
        "mean_sb3": statistics.mean(result.sb3 for result in results),
        "mean_rule": statistics.mean(result.rule for result in results),
        "mean_oracle": oracle,
        "mean_difference": mean,
        "of_oracle": mean / oracle,
        "interval_of_oracle": [(mean - reach) / oracle, (mean + reach) / oracle],
        "level": level,
    }


def line_of(result: Result) -> str:
    """One seed in words."""
    return (
        f"seed {result.seed}: ours {result.ours:.3f}, stable-baselines3 {result.sb3:.3f}, "
        f"rule {result.rule:.3f}, oracle {result.oracle:.3f}, buy-and-hold {result.buy_and_hold:.3f}; "
        f"{result.seconds_ours:.0f} s and {result.seconds_sb3:.0f} s"
    )


def arguments_of(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--seeds", default="0-9", type=parse_seeds, help="of markets and trainings, such as 0-9"
    )
    parser.add_argument("--train", type=int, default=800, help="days of the training window")
    parser.add_argument("--test", type=int, default=150, help="days of the test window")
    parser.add_argument("--env-steps", type=int, default=6400)
    parser.add_argument("--num-envs", type=int, default=8, help="a multiple of 8")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Print a line a seed as it is done, then the summary."""
    arguments = arguments_of(argv)
    results = []
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for result in pool.map(partial(learn, arguments=arguments), arguments.seeds):
            results.append(result)
            print(line_of(result), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    found = summary(results)
    if arguments.json:
        print(json.dumps(found))
        return
    low, high = found["interval_of_oracle"]
    print(
        f"{len(results)} seeds: ours {found['mean_ours']:.3f}, stable-baselines3 {found['mean_sb3']:.3f}, "
        f"rule {found['mean_rule']:.3f}, oracle {found['mean_oracle']:.3f}; "
        f"difference {100 * found['of_oracle']:+.1f} % of the oracle, "
        f"{100 * found['level']:.0f} % interval {100 * low:+.1f} to {100 * high:+.1f} %"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
