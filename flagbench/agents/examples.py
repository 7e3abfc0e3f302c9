"""Worked examples for a prompt: states in which nothing moves, each with an answer.

An agent is never given the market, and examples picked from real prices would teach whatever those prices
did. So these are made up and say nothing about markets: all closes are equal, there is no news, and the
answers are balanced: flat and long, and for each a trade and none. They show the form of a state and of an
answer, which is most of what examples do for a language model (Min and others 2022, arXiv 2202.12837:
answers drawn at random cost little).
"""

from typing import NamedTuple

import numpy as np

from flagbench.agents.answer import WORDS
from flagbench.agents.prompt import FEWEST_CLOSES, account_line, closes_line
from flagbench.trading.action import Action
from flagbench.trading.observation import Observation


class Example(NamedTuple):
    """A position and what is answered."""

    is_long: bool
    action: Action


EXAMPLES = (
    Example(is_long=False, action=Action.BUY),
    Example(is_long=True, action=Action.SELL),
    Example(is_long=True, action=Action.HOLD),
    Example(is_long=False, action=Action.HOLD),
)


def examples_text(count: int) -> str:
    """The first `count` examples, at most four, as they stand between static part and state; empty for 0."""
    if count == 0:
        return ""
    return "".join(f"Example:\n{_text(example)}" for example in EXAMPLES[:count]) + "Now:\n"


def _text(example: Example) -> str:
    state = _state(example)
    answer = f'{{"Action": "{WORDS[example.action]}"}}'
    return f"closes: {closes_line(state, FEWEST_CLOSES)}\n{account_line(state, 0)}{answer}\n"


def _state(example: Example) -> Observation:
    """The first bar of a market that stands still."""
    position = float(example.is_long)
    return Observation(
        window=np.ones((FEWEST_CLOSES, 5), dtype=np.float32),
        date="",
        text=(),
        mask=np.array([example.is_long, 1, not example.is_long], dtype=np.int8),
        account=np.array([position, 1 - position, 1, 0, 0, 0], dtype=np.float32),
        history=np.empty((0, 3), dtype=np.float32),
    )
