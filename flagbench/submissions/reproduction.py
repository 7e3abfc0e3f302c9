"""A seed that was trained again beside the one that was submitted."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from flagbench.comparison.replaying import Play
from flagbench.submissions.badge import Badge
from flagbench.submissions.run_checks import CheckedRun
from flagbench.trading.portfolio import IntArray

METRIC = "sharpe_ratio"
"""Of the primary endpoint; where it is undefined, as of an agent that never traded, only equal actions do."""

ROUNDING = 1e-9
"""Beyond the range of the seeds, since the same actions may come to other last bits on another machine."""


def judge(
    submitted: CheckedRun,
    seeds: Sequence[CheckedRun],
    actions: IntArray,
    own: Play,
    *,
    digest: str,
    learns: bool,
    provenance: dict[str, Any],
    now: datetime,
) -> Badge:
    """The badge that a training earns.

    It is reproduced if the actions are equal. For an agent that learns, other actions may do too, since
    machines and versions round differently, and a rounding may flip an action and all that is learnt after
    it: if the Sharpe ratio found lies within the range of the submission's seeds on that asset, ends
    included, and the submitted one does not stand above it by more than `tolerance` of those seeds. The range
    alone is the submitter's to choose: one honest seed beside four from hindsight make it wide.

    Args:
        submitted: the seed that was trained again.
        seeds: all of the submission on that asset.
        actions: (n − 1,) that the new training took.
        own: what they come to.
        digest: of the submission's content.
        learns: whether the agent trains; what does not must do the same again.
        provenance: of the new training.
        now: UTC.
    """
    known = [run.play.values[METRIC] for run in seeds if not math.isnan(run.play.values[METRIC])]
    lowest, highest = min(known, default=math.nan), max(known, default=math.nan)
    found = own.values[METRIC]
    equal = float(np.mean(submitted.actions == actions))
    exact = bool(np.array_equal(submitted.actions, actions))
    claimed = submitted.play.values[METRIC]
    above = tolerance(known) if learns and known else math.nan
    # All of it is False where anything is nan.
    alike = lowest - ROUNDING <= found <= highest + ROUNDING and claimed - found <= above + ROUNDING
    return Badge(
        submission_sha256=digest,
        status="reproduced" if exact or alike else "not-reproduced",
        date=now.isoformat(timespec="seconds"),
        asset=submitted.claim.asset,
        seed=submitted.claim.seed,
        metric=METRIC,
        claimed=_plain(claimed),
        found=_plain(found),
        lowest=_plain(lowest),
        highest=_plain(highest),
        equal_actions=equal,
        exact=exact,
        source_is_claimed=True,  # of another file nothing is trained at all
        tolerance=_plain(above),
        provenance=provenance,
    )


MEDIAN_DISTANCES = 3.0
"""Two standard deviations of normal numbers; ours, as wide as leaves honest seeds their place."""


def tolerance(ratios: Sequence[float]) -> float:
    """By how much a seed's submitted ratio may stand above the one found, judged by all seeds' spread.

    The distance between their quartiles, or three times their median distance from the median if that is
    less: the one does not grow with one false seed of five, nor the other with two that are alike or three.

    Args:
        ratios: of all seeds on an asset, at least one.
    """
    lower, upper = np.percentile(ratios, [25, 75])
    distances = np.abs(np.asarray(ratios) - np.median(ratios))
    return float(min(upper - lower, MEDIAN_DISTANCES * np.median(distances)))


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
