"""Tests that look at all agents of an asset at once: superior predictive ability, model confidence set.

Both compare mean returns of a bar, of which an agent has the mean over its seeds: a mean of means is what an
agent with a seed drawn from these would earn.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from flagbench.comparison.comparison import SET_LEVEL
from flagbench.market.price_file import FloatArray
from flagbench.scoring.model_sets import model_confidence_set, superior_predictive_ability


class JointTests(NamedTuple):
    """What was found of all ranked agents of an asset."""

    spa_p_value: float
    spa_reason: str
    in_set: Mapping[str, bool]
    """By label; empty where nothing was tested."""


def joint_tests(returns: Mapping[str, FloatArray], reference: str) -> JointTests:
    """Test every ranked agent of an asset, buy-and-hold among them.

    Args:
        returns: (m,) by label.
        reference: the label of buy-and-hold.
    """
    others = {label: series for label, series in returns.items() if label != reference}
    if not others:
        return JointTests(math.nan, "there is no agent but buy-and-hold", {})
    ability = superior_predictive_ability(others, returns[reference])
    chosen = model_confidence_set(returns, level=SET_LEVEL)
    in_set = {} if chosen.reason else {label: label in chosen.members for label in returns}
    return JointTests(ability.p_value, ability.reason or "", in_set)
