"""What a language model answered, read as an action: strictly, and never guessed."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flagbench.trading.action import UNPARSED, Action

WORDS: Mapping[Action, str] = {Action.SELL: "Sell", Action.HOLD: "Hold", Action.BUY: "Buy"}
"""The actions as the prompt's static part names them."""

OPENING = '{"Action": "'
"""How an answer begins, and how a prompt for a local model ends."""

_FENCE = re.compile(r"\A```(?:json)?\s*\n(?P<inside>.*)\n\s*```\Z", re.DOTALL)
_WORD = re.compile(r'\A\s*(?:```(?:json)?\s*)?\{\s*"Action"\s*:\s*"(?P<word>[^"]*)', re.DOTALL)


class TokenChoice(NamedTuple):
    """A token of an answer, and what could have stood in its place."""

    text: str
    alternatives: tuple[tuple[str, float], ...]
    """Texts with their natural log-probabilities, the token's own among them."""


def read_answer(text: str) -> int:
    """The action that a generated answer names, or `UNPARSED`.

    An answer is one JSON object with nothing but white space around it, or a Markdown fence, into which
    chat models like to put JSON. Its `Action` is one of the three words, letter for letter. Other names may
    stand beside it; no name may stand twice.
    """
    stripped = text.strip()
    fence = _FENCE.match(stripped)
    try:
        value = json.loads(fence["inside"] if fence else stripped, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return UNPARSED
    named = value.get("Action") if isinstance(value, dict) else None
    return next((action for action, word in WORDS.items() if word == named), UNPARSED)


def is_finished(text: str) -> bool:
    """Whether an answer's JSON object is complete; what comes behind it does not matter."""
    try:
        json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return False
    return True


def word_log_probs(tokens: Sequence[TokenChoice]) -> dict[Action, float]:
    """Log-probability of each action, read at the token with which the value of `Action` begins.

    The three words differ in their first letter, so that one token tells them apart; alternatives that
    begin or complete the same word are summed.

    Args:
        tokens: of a whole answer, with the likeliest alternatives of each.

    Returns:
        log-probabilities of the actions that are among the alternatives; empty where the answer does not
        begin like `OPENING`.
    """
    written = ""
    for token in tokens:
        if _word(written + token.text):
            return _summed(written, token.alternatives)
        written += token.text
    return {}


def best_valid(log_probs: Mapping[Action, float], mask: Sequence[int]) -> int:
    """The likeliest action that the mask allows, the first of equals; `UNPARSED` where none is known."""
    valid = [action for action in sorted(log_probs) if mask[action]]
    return max(valid, key=lambda action: log_probs[action], default=UNPARSED)


def _word(text: str) -> str:
    match = _WORD.match(text)
    return match["word"] if match else ""


def _summed(written: str, alternatives: Sequence[tuple[str, float]]) -> dict[Action, float]:
    sums: dict[Action, float] = {}
    for text, log_prob in alternatives:
        begun = _word(written + text)
        for action, word in WORDS.items():
            if begun and word.startswith(begun):
                sums[action] = sums.get(action, 0.0) + math.exp(min(log_prob, 0.0))
    return {action: math.log(value) for action, value in sums.items() if value > 0}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; one that says two things under one name says nothing."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)
