"""The three actions, and the mark of an answer that was none of them."""

from enum import IntEnum


class Action(IntEnum):
    """What an agent may answer after the close of a bar."""

    SELL = 0
    """Sell all shares."""
    HOLD = 1
    """Keep the position."""
    BUY = 2
    """Put all cash into shares."""


UNPARSED = -1
"""Stands in a list of actions where the agent's answer was no action; the position was kept."""

NAMES = {UNPARSED: "unparsed", Action.SELL: "sell", Action.HOLD: "hold", Action.BUY: "buy"}
"""How actions are written in files."""
