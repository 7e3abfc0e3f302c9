"""Market states and what followed: headlines and prices of replicas, as short texts and as prompts.

The words of tone mean what they mean in a replica: in the markets behind this corpus, tone and the return
that follows are correlated by `SIGNAL`. So a backbone made here can read a replica's headlines, as a large
model can read real ones; it has seen no price, headline or seed that a run uses.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from flagbench.agents.prompt import account_line, closes_line
from flagbench.market.asset import Asset, load_asset
from flagbench.market.headlines import TONE_WORDS
from flagbench.market.replica import ReplicaSpec, draw_replica
from flagbench.pretraining.tokenizer import END_OF_TURN, START_OF_TURN
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import Protocol, load_protocol

Generator = np.random.Generator

SIGNAL = 0.9
"""Correlation of tone and what follows in the corpus: high, so that few states teach the words."""
FIRST_SEED = 1_000_000
"""Replicas of the corpus have this seed or a later one; runs and tests use small ones."""
BARS = 120
"""Of one market's window; 119 states."""
ASSETS = ("TSLA", "MSFT", "BTC")
"""Whose volatility and wording the corpus has; both subjects of headlines are among them."""
QUIET = 0.25
"""A move of less than this share of a bar's usual one is called little change."""
STATEMENTS = (
    "A {word} outlook is {class_} news.",
    "{word} means {class_}.",
    "If the mood is {word}, that is {class_} news, and prices tend to {move}.",
    "{word} news tends to move prices {direction}.",
    "Question: Is {word} news good or bad?\nAnswer: {class_}",
    "Question: What do prices tend to do after {word} news?\nAnswer: {move}",
)
CLASSES = ("very bad", "bad", "neutral", "good", "very good")
MOVES = ("fall much", "fall", "stay", "rise", "rise much")
DIRECTIONS = ("far down", "down", "nowhere", "up", "far up")


class State(NamedTuple):
    """What an agent sees on one bar, and what an order decided on it then earns."""

    observation: Observation
    outcome: float
    """Return that the order earns, in standard deviations of its market."""


def draw_states(source: Generator, seeds: Iterator[int]) -> Iterator[State]:
    """States of replicas without end, accounts moved by random orders.

    Args:
        source: of the accounts' orders and of the choice of assets.
        seeds: of the replicas, one each.
    """
    for seed in seeds:
        asset = load_asset(ASSETS[int(source.integers(len(ASSETS)))])
        yield from _states_of(asset, seed, source)


def _states_of(asset: Asset, seed: int, source: Generator) -> Iterator[State]:
    spec = ReplicaSpec(signal=SIGNAL, seed=seed, train=BARS, test=2)
    replica = draw_replica(asset, spec)
    market = replica.market
    outcomes = replica.innovations
    period = market.asset.windows.train
    env = TradingEnv(market, _protocol(), period)
    bars = market.bar_range(period)
    observation, _ = env.reset(seed=seed)
    eagerness = source.random()
    for bar in bars[:-1]:
        yield State(observation, float(outcomes[bar]))
        changes = source.random() < eagerness * 0.5
        mask = observation["mask"]
        action = 1 if not changes else (2 if mask[2] else 0)
        observation, *_ = env.step(action)


@lru_cache
def _protocol() -> Protocol:
    return load_protocol("standard")


def word_text(source: Generator) -> str:
    """A text on what a word of tone means."""
    tone = int(source.integers(5))
    word = TONE_WORDS[tone][int(source.integers(4))]
    form = STATEMENTS[int(source.integers(len(STATEMENTS)))]
    text = form.format(word=word, class_=CLASSES[tone], move=MOVES[tone], direction=DIRECTIONS[tone])
    return text[0].upper() + text[1:]


class Piece(NamedTuple):
    """A text in two parts."""

    read: str
    """Comes first and is not learned."""
    learned: str

    def __str__(self) -> str:
        return self.read + self.learned


def short_text(state: State, source: Generator) -> Piece:
    """A state as a few lines, with what followed."""
    closes = closes_line(state.observation, int(source.integers(1, 6)))
    news = "".join(f"{item.kind}: {item.text}\n" for item in state.observation["text"])
    if source.random() < 0.5:
        return Piece(f"closes: {closes}\n", f"{news}next: {followed(state.outcome)}")
    return Piece("", f"{news}Question: What did the price do next?\nAnswer: {followed(state.outcome)}")


def short_turn(state: State, source: Generator) -> Piece:
    """A state as a user's turn in the words of a prompt, without its static part; the right order answers."""
    observation = state.observation
    closes = closes_line(observation, int(source.integers(1, 4)))
    news = "".join(f"{item.kind}: {item.text}\n" for item in observation["text"])
    account = account_line(observation, int(source.integers(0, 3)))
    user = f"{START_OF_TURN}user\ncloses: {closes}\n{news}{account}{END_OF_TURN}\n"
    answer = f'{best_action(state)}"}}{END_OF_TURN}'
    return Piece(f'{user}{START_OF_TURN}assistant\n{{"Action": "', answer)


def shortened(observation: Observation, source: Generator) -> Observation:
    """The same bar seen with a shorter memory: fewer closes, fewer past decisions."""
    closes = int(source.integers(1, len(observation["window"]) + 1))
    past = int(source.integers(0, len(observation["history"]) + 1))
    window, history = observation["window"][-closes:], observation["history"]
    return {**observation, "window": window, "history": history[len(history) - past :]}


def followed(outcome: float) -> str:
    """An outcome in words."""
    if abs(outcome) < QUIET:
        return "little change"
    size = "a lot" if abs(outcome) > 1 else "some"
    return f"{'up' if outcome > 0 else 'down'} {size}"


def best_action(state: State) -> str:
    """The order that would have been right, in the words of the prompt's answer."""
    if abs(state.outcome) < QUIET:
        return "Hold"
    return "Buy" if state.outcome > 0 else "Sell"
