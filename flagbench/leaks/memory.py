"""Whether a language model may have read in pre-training what happens in the test window."""

from datetime import date

from flagbench.agents.backbone_name import EMBEDDED, has_random_weights
from flagbench.leaks.finding import Finding
from flagbench.market.market import Market

SERVED = "a server's model"
"""Stands for the name of a language model that is not at hand."""


def memory(backbone: str | None, market: Market, *, cut_off: date | None) -> Finding:
    """Hold the test window against the date at which a backbone's reading ended. Never a verdict.

    Args:
        backbone: its name; None for an agent without a language model.
        market: whose test window is asked about.
        cut_off: the last date of the texts it was trained on, where somebody knows it.
    """
    begins = market.asset.windows.test.first
    inside, explanation = _inside(backbone, market, begins, cut_off)
    figure = {
        "backbone": backbone,
        "cut_off": None if cut_off is None else cut_off.isoformat(),
        "test_begins": begins.isoformat(),
        "inside_pretraining": inside,
    }
    return Finding(None, figure, explanation)


def _inside(
    backbone: str | None, market: Market, begins: date, cut_off: date | None
) -> tuple[bool | None, str]:
    if backbone is None:
        return None, "the agent has no language model"
    unread = {
        "the market is drawn, so nobody has written about it": market.kind == "replica",
        "random weights have read nothing": has_random_weights(backbone),
        "the embedded backbone has read texts of flagbench's own": backbone == EMBEDDED,
    }
    reason = next((reason for reason, holds in unread.items() if holds), None)
    if reason is not None:
        return False, reason
    if cut_off is None:
        return None, "when the backbone's reading ended is not known; --cut-off states it"
    if begins <= cut_off:
        return True, "inside pre-training: the test window begins before the backbone's reading ended"
    return False, "the test window begins after the backbone's reading ended"
