"""Does FLAG learn to read? Trained on replicas with a planted signal, beside a rule that reads and an oracle.

    python benchmarks/planted_signal.py --signal 0.9 --markets 0-4
    python benchmarks/planted_signal.py --signal 0 --markets 0-19 --jobs 2

Each market is a fresh replica of TSLA and each training a fresh seed. Figures are of the test window, which
no training saw: final log return net of costs, and the timing statistic Σ (a_t − ā)·r_t, which is 0 in
expectation where nothing can be foreseen, whatever the exposure.
"""

import argparse
import json
import math
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan, parse_settings
from flagbench.agents.training import Setup, training_envs
from flagbench.cli.seeds import parse_seeds
from flagbench.market.asset import load_asset
from flagbench.market.market import Market
from flagbench.market.price_file import FloatArray
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.records.training_log import Silent
from flagbench.registry import load_agent_class
from flagbench.trading.environment import TradingEnv
from flagbench.trading.oracle import best_actions
from flagbench.trading.portfolio import IntArray
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

TONE_RULE = f"{Path(__file__).parents[1] / 'baselines' / 'tone_rule.py'}:ToneRule"
"""Not among the installed agents."""


class Result(NamedTuple):
    """One market: what three agents ended with on its test window, and how FLAG timed its positions."""

    market: int
    agent: float
    """Log return net of costs."""
    rule: float
    oracle: float
    train: float | None
    """Of the agent on the window it trained on, as a share of the oracle's there."""
    timing: float
    timing_by_chance: float
    """Standard deviation of the timing statistic over all circular shifts of the agent's positions."""
    exposure: float
    seconds: float

    @property
    def of_rule(self) -> float | None:
        """The agent's log return as a share of the rule's."""
        return share(self.agent, self.rule)

    @property
    def of_oracle(self) -> float | None:
        """The agent's log return as a share of the oracle's."""
        return share(self.agent, self.oracle)


def share(part: float, whole: float) -> float | None:
    """None of a whole that is not positive, as a rule's where there is nothing to read."""
    return part / whole if whole > 0 else None


def protocol_with(reward: str) -> Protocol:
    """`standard` with a reward for training; figures do not depend on it."""
    scale = 100.0 if reward == "log_return" else 1.0
    return load_protocol("standard").model_copy(update={"reward": reward, "reward_scale": scale})


def log_return(market: Market, protocol: Protocol, window: str, actions: IntArray) -> float:
    """Final log return net of costs."""
    played = replay(market, protocol, getattr(market.asset.windows, window), actions)
    return math.log(played.equity[-1] / played.equity[0])


def timing_of(positions: FloatArray, returns: FloatArray) -> tuple[float, float]:
    """The timing statistic, and its standard deviation over all circular shifts of the positions.

    Both are 0 for positions that never change.
    """
    held = positions - positions.mean()
    shifts = [float(np.dot(np.roll(held, shift), returns)) for shift in range(len(held))]
    return shifts[0], statistics.pstdev(shifts)


def flag_for(market: Market, arguments: argparse.Namespace) -> Any:
    """FLAG as `flagbench run` would build it, which reads the news where there are some."""
    train = market.bar_range(market.asset.windows.train)
    kinds = frozenset(item.kind for bar in train for item in market.text_of(bar))
    briefing = Briefing(preset=arguments.preset, train_text_kinds=kinds)
    params = {"backbone": arguments.backbone, **parse_settings(arguments.set)}
    return AgentPlan("flag", params, briefing).make()


def learn(seed: int, arguments: argparse.Namespace) -> Result:
    """Draw a market, train on its training window, trade both windows."""
    import time

    from flagbench.learning.start import start

    spec = ReplicaSpec(signal=arguments.signal, seed=seed, train=arguments.train, test=arguments.test)
    market = make_replica(load_asset(arguments.asset), spec)
    protocol = protocol_with(arguments.reward)
    train = market.asset.windows.train
    budget = {"env_steps": arguments.env_steps, "num_envs": arguments.num_envs, "mixed_precision": "no"}
    setup = Setup(**{**protocol.setup.model_dump(), **budget})
    agent = flag_for(market, arguments)
    begun = time.perf_counter()
    agent.train(
        training_envs(market.until(train), protocol, train),
        setup=setup,
        seed=seed,
        accelerator=start(setup, seed=seed),
        monitor=Silent(),
    )
    return result_of(agent, market, protocol, seed=seed, seconds=time.perf_counter() - begun)


def result_of(agent: Any, market: Market, protocol: Protocol, *, seed: int, seconds: float) -> Result:
    """Trade both windows, beside the rule and the oracle."""
    reader = load_agent_class(TONE_RULE)()
    actions, oracle, rule = {}, {}, {}
    for window in ("train", "test"):
        period = getattr(market.asset.windows, window)
        actions[window] = rollout(agent.act, TradingEnv(market, protocol, period), seed=seed).actions
        rule[window] = rollout(reader.act, TradingEnv(market, protocol, period), seed=seed).actions
        oracle[window] = best_actions(window_prices(market, protocol, period), protocol)
    played = replay(market, protocol, market.asset.windows.test, actions["test"])
    timing, by_chance = timing_of(played.position, played.order_returns)
    value = partial(log_return, market, protocol)
    return Result(
        market=seed,
        agent=value("test", actions["test"]),
        rule=value("test", rule["test"]),
        oracle=value("test", oracle["test"]),
        train=share(value("train", actions["train"]), value("train", oracle["train"])),
        timing=timing,
        timing_by_chance=by_chance,
        exposure=float(played.position.mean()),
        seconds=seconds,
    )


def summary(results: list[Result]) -> dict[str, Any]:
    """Over all markets: medians of the shares, and the mean timing statistic with its standard error."""
    timings = [result.timing for result in results]
    of_rule = [result.of_rule for result in results if result.of_rule is not None]
    of_oracle = [result.of_oracle for result in results if result.of_oracle is not None]
    return {
        "markets": [
            {**result._asdict(), "of_rule": result.of_rule, "of_oracle": result.of_oracle}
            for result in results
        ],
        "median_of_oracle": statistics.median(of_oracle) if of_oracle else None,
        "median_of_rule": statistics.median(of_rule) if of_rule else None,
        "at_least_80_percent_of_rule": sum(each >= 0.8 for each in of_rule),
        "mean_timing": statistics.mean(timings),
        "standard_error_of_timing": (
            statistics.stdev(timings) / math.sqrt(len(timings)) if len(timings) > 1 else None
        ),
    }


def two(value: float | None) -> str:
    """Two decimals; a dash for what is not defined."""
    return "–" if value is None else f"{value:.2f}"


def line_of(result: Result) -> str:
    """One market in words."""
    return (
        f"market {result.market}: log return {result.agent:.3f}, of the rule's {two(result.of_rule)}, "
        f"of the oracle's {two(result.of_oracle)} (on the training window {two(result.train)}), "
        f"timing {result.timing:.3f} (by chance ± {result.timing_by_chance:.3f}), "
        f"exposure {result.exposure:.2f}, {result.seconds:.0f} s"
    )


def arguments_of(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--asset", default="TSLA")
    parser.add_argument("--signal", type=float, default=0.9)
    parser.add_argument("--markets", default="0-4", type=parse_seeds, help="seeds, such as 0-4")
    parser.add_argument("--train", type=int, default=250, help="days of the training window")
    parser.add_argument("--test", type=int, default=150, help="days of the test window")
    parser.add_argument("--env-steps", type=int, default=6400)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--reward", choices=("log_return", "sharpe_delta"), default="log_return")
    parser.add_argument("--backbone", default="embedded")
    parser.add_argument("--preset", choices=("standard", "paper"), default="standard")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    """Print a line a market as it is done, then the summary."""
    arguments = arguments_of(argv)
    results = []
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for result in pool.map(partial(learn, arguments=arguments), arguments.markets):
            results.append(result)
            print(line_of(result), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    found = summary(results)
    if arguments.json:
        print(json.dumps(found))
        return
    error = found["standard_error_of_timing"]
    print(
        f"{found['at_least_80_percent_of_rule']} of {len(results)} at 0.80 of the rule or more, "
        f"median {two(found['median_of_oracle'])} of the oracle, mean timing {found['mean_timing']:.3f}"
        + ("" if error is None else f" ± {error:.3f} (one standard error)")
    )


if __name__ == "__main__":
    main(sys.argv[1:])
