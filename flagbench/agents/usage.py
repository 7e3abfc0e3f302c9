"""What answers came to: questions, tokens, money."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TOKENS_PER_PRICE = 1_000_000
"""Prices are of so many tokens, as servers' price lists have them."""


class Prices(NamedTuple):
    """What a million tokens cost, in any one currency; None where it is not known."""

    price_in: float | None
    """Of prompts."""
    price_out: float | None
    """Of answers."""


@dataclass
class TokenCount:
    """Answers and their tokens."""

    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        """One answer more."""
        self.answers += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens

    def to_json(self) -> dict[str, int]:
        """Plain values."""
        return {
            "answers": self.answers,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }


@dataclass
class Usage:
    """All answers since an agent was built."""

    asked: TokenCount = field(default_factory=TokenCount)
    """Answered by a model now."""
    cached: TokenCount = field(default_factory=TokenCount)
    """Answered before and kept; these cost nothing."""
    uncounted: int = 0
    """Answers asked now whose server did not say how many tokens they had."""
    retries: int = 0
    models: set[str] = field(default_factory=set)
    """Who answered: what the server says, or the hash of a local model's weights."""

    def cost(self, prices: Prices) -> float | None:
        """Of what was asked now; None where a price or a number of tokens is not known."""
        if prices.price_in is None or prices.price_out is None or self.uncounted:
            return None
        asked = self.asked
        cost = asked.prompt_tokens * prices.price_in + asked.completion_tokens * prices.price_out
        return cost / TOKENS_PER_PRICE

    def to_json(self, prices: Prices) -> Mapping[str, Any]:
        """Plain values for the record."""
        return {
            "asked": self.asked.to_json(),
            "cached": self.cached.to_json(),
            "uncounted": self.uncounted,
            "retries": self.retries,
            "cost": self.cost(prices),
            "models": sorted(self.models),
        }
