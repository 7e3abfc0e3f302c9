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
    source_is_claimed: bool,
    provenance: dict[str, Any],
    now: datetime,
) -> Badge:
    """The badge that a training earns.

    It is reproduced if the actions are equal, or the Sharpe ratio lies within the range of the submission's
    seeds on that asset, ends included: machines and versions round differently, and a rounding may flip an
    action and all after it.

    Args:
        submitted: the seed that was trained again.
        seeds: all of the submission on that asset.
        actions: (n − 1,) that the new training took.
        own: what they come to.
        digest: of the submission's content.
        source_is_claimed: whether the agent's file is the claimed one.
        provenance: of the new training.
        now: UTC.
    """
    known = [run.play.values[METRIC] for run in seeds if not math.isnan(run.play.values[METRIC])]
    lowest, highest = min(known, default=math.nan), max(known, default=math.nan)
    found = own.values[METRIC]
    equal = float(np.mean(submitted.actions == actions))
    exact = bool(np.array_equal(submitted.actions, actions))
    inside = lowest - ROUNDING <= found <= highest + ROUNDING  # False where anything is nan
    return Badge(
        submission_sha256=digest,
        status="reproduced" if exact or inside else "not-reproduced",
        date=now.isoformat(timespec="seconds"),
        asset=submitted.claim.asset,
        seed=submitted.claim.seed,
        metric=METRIC,
        claimed=_plain(submitted.play.values[METRIC]),
        found=_plain(found),
        lowest=_plain(lowest),
        highest=_plain(highest),
        equal_actions=equal,
        exact=exact,
        source_is_claimed=source_is_claimed,
        provenance=provenance,
    )


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
