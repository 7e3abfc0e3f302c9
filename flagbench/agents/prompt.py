"""The prompt: an observation as text and tokens, cut to fit, every cut counted.

Four blocks in the order task, actions, output format, state (paper, figure 3, in our own words), without
ticker or date. What never changes comes first, then closes, then text, and the account, which changes
most, last: so prompts of one window share long prefixes. Each part is tokenised by itself, which keeps
the shared tokens equal. Prices are rebased to a last close of 100 and money is in percent of the initial
equity, so no price level and no cash amount shows.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from flagbench.errors import ConfigError
from flagbench.trading.accounts import HISTORY_LENGTH
from flagbench.trading.action import NAMES
from flagbench.trading.observation import Observation

Variant = Literal["paper", "news"]

STATIC = (
    "You trade one asset, long or flat, once a day. Buy before gains, sell before losses; "
    "trades cost money.\n"
    "Actions: Sell all shares, Hold, Buy with all cash.\n"
    'Answer with JSON: {"Action": "Sell", "Hold" or "Buy"}.\n'
    "State, prices with the last close as 100, money in % of the first day's:\n"
)
"""Task, actions and output format; under 200 tokens of a 512-token vocabulary (a test)."""

FEWEST_CLOSES = 5
SHORTEST_CUT = 16
"""Tokens; less of a cut text than this says nothing."""


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that a prompt needs."""

    chat_template: Any

    def __call__(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool = False) -> Any:
        """Token ids under `input_ids`."""

    def apply_chat_template(self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool) -> Any:
        """A conversation as text."""


@dataclass
class PromptCounts:
    """What was written and what was left out, summed over prompts."""

    prompts: int = 0
    tokens: int = 0
    text_items: int = 0
    text_dropped: int = 0
    text_cut: int = 0
    closes_dropped: int = 0
    history_dropped: int = 0

    def to_json(self) -> dict[str, int]:
        """Plain values."""
        return asdict(self)


class Prompt(NamedTuple):
    """One prompt as token ids."""

    tokens: list[int]
    static: int
    """How many of the first tokens every prompt shares."""
    daily: int
    """How many of the first tokens come before the account: all accounts of a bar share them, unless a
    longer account line made one of them give up closes or text."""


def closes_line(observation: Observation, count: int) -> str:
    """The last `count` closes, oldest first, the last as 100."""
    closes = observation["window"][-count:, 3].astype(np.float64)
    return " ".join(f"{value:.1f}" for value in 100 * closes / closes[-1])


def account_line(observation: Observation, count: int | None) -> str:
    """Position, cash, value, running profit and loss, and the last `count` rewards, values and actions.

    Args:
        observation: of a bar.
        count: None leaves their names out too.
    """
    position, cash, equity, days, mean, deviation = (float(value) for value in observation["account"])
    history = observation["history"][len(observation["history"]) - (count or 0) :]
    past = [row for row in history.astype(np.float64) if row[0] >= 0]
    rewards = " ".join(f"{row[1]:.2f}" for row in past)
    values = " ".join(f"{100 * row[2]:.1f}" for row in past)
    actions = " ".join(NAMES[int(row[0])] for row in past)
    shown = f"rewards: {rewards}\nvalues: {values}\nactions: {actions}\n"
    now = (
        f"day: {days:.0f}, mean: {100 * mean:.2f}, sd: {100 * deviation:.2f}\n"
        f"position: {'long' if position else 'flat'}, cash: {100 * cash:.1f}, value: {100 * equity:.1f}\n"
    )
    return now if count is None else shown + now


class PromptWriter:
    """Writes observations as tokens for one tokenizer and one context length.

    Args:
        tokenizer: of the backbone; with a chat template the prompt is one user turn, else plain text.
        variant: `paper` has prices and account, `news` adds the day's text.
        max_tokens: the context.
        text_share: the largest part of the context that text may take.
        history: how many of the last ten decisions are shown at most; with 0 their names are left out too.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        variant: Variant,
        max_tokens: int,
        text_share: float,
        history: int = HISTORY_LENGTH,
    ) -> None:
        self._tokenizer = tokenizer
        self._variant = variant
        self._max_tokens = max_tokens
        self._text_share = text_share
        self._history = history
        self._head, self._tail = self._frame()
        self._cached = lru_cache(maxsize=4096)(self._tokens)
        self.counts = PromptCounts()

    def write(self, observation: Observation) -> Prompt:
        """The prompt of an observation.

        If it is too long, text gives way first (whole items, oldest first; the last one to fit is cut),
        then the oldest closes down to 5, then the oldest rewards, values and actions.

        Raises:
            ConfigError: even then it does not fit the context.
        """
        lookback, past = len(observation["window"]), min(self._history, len(observation["history"]))
        for closes, history in _shrinking(lookback, past):
            market = self._cached(f"closes: {closes_line(observation, closes)}\n")
            account = [
                *self._tokens(account_line(observation, history if self._history else None)),
                *self._tail,
            ]
            room = self._max_tokens - len(self._head) - len(market) - len(account)
            if room >= 0:
                break
        else:
            raise ConfigError(
                f"the shortest prompt has {self._max_tokens - room} tokens, the context {self._max_tokens}",
                hint="choose a backbone with a longer context",
            )
        text = self._text(observation, room) if self._variant == "news" else []
        tokens = [*self._head, *market, *text, *account]
        counts = self.counts
        counts.prompts += 1
        counts.tokens += len(tokens)
        counts.closes_dropped += lookback - closes
        kept = len(observation["history"]) - past
        dropped = observation["history"][kept : kept + past - history]
        counts.history_dropped += int((dropped[:, 0] >= 0).sum())
        return Prompt(tokens, static=len(self._head), daily=len(tokens) - len(account))

    def _text(self, observation: Observation, room: int) -> list[int]:
        """The bar's text within its share of the context, newest first."""
        budget = min(room, int(self._text_share * self._max_tokens))
        tokens: list[int] = []
        items, end = observation["text"][::-1], self._cached("\n")
        self.counts.text_items += len(items)
        for index, item in enumerate(items):
            line = self._cached(f"{item.kind}: {item.text}\n")
            left = budget - len(tokens)
            if len(line) <= left:
                tokens += line
                continue
            cut = left >= SHORTEST_CUT
            tokens += [*line[: left - len(end)], *end] if cut else []
            self.counts.text_cut += cut
            self.counts.text_dropped += len(items) - index - cut
            break
        return tokens

    def _tokens(self, text: str) -> list[int]:
        # What looks like a special token in somebody's news is text like any other.
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        ids: list[int] = encoded["input_ids"]
        return ids

    def _frame(self) -> tuple[list[int], list[int]]:
        """Tokens before and after the state: the static part with what the template puts around it."""
        if self._tokenizer.chat_template is None:
            head = self._tokenizer(STATIC, add_special_tokens=True)["input_ids"]
            bare = self._tokenizer(STATIC, add_special_tokens=False)["input_ids"]
            # Special tokens that the tokenizer would put at the end belong after the state, if anywhere.
            start = next(i for i in range(len(head)) if head[i : i + len(bare)] == bare)
            return head[: start + len(bare)], self._tokens('{"Action": "')
        mark = "\x00"
        conversation = [{"role": "user", "content": mark}]
        text = self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
        before, _, after = text.partition(mark)
        head, tail = (
            self._tokenizer(frame, add_special_tokens=False)["input_ids"]
            for frame in (before + STATIC, after + '{"Action": "')
        )
        return head, tail


def _shrinking(closes: int, history: int) -> list[tuple[int, int]]:
    """Numbers of closes and of past decisions to try, from all down to the fewest."""
    fewest = min(FEWEST_CLOSES, closes)
    fewer_closes = [(count, history) for count in range(closes, fewest - 1, -1)]
    return fewer_closes + [(fewest, count) for count in range(history - 1, -1, -1)]
