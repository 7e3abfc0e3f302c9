"""What only a whole track tells: confidence sets, superior predictive ability, intervals over all assets.

These take seconds an entry, so they are kept in a file of their own, `<board>/joint/<track>.json`, under the
hash of what they were computed from. A figure whose inputs are the same is not computed again.
"""

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from flagbench.board.level import Seeds, sharpe_level
from flagbench.comparison.comparison import RESAMPLES
from flagbench.comparison.joint_tests import joint_tests
from flagbench.errors import ConfigError, RecordError
from flagbench.market.price_file import FloatArray
from flagbench.records.ledger import canonical_sha256
from flagbench.settings import Settings, parse

SCHEMA_VERSION: Literal[1] = 1
"""A change of what a figure means raises it, so that every figure is computed anew."""

HELD = "buy-and-hold"
"""Its own name among the tested; entries are named `<name>__<date>`, so none of them has it."""

MOST_TESTED = 60
"""Ranked agents of which a confidence set is made. The range statistic takes all pairs in every resample: 1 s
an asset for 40 agents, 30 s for 100. Beyond it the board says that there is none."""


class Level(Settings):
    """The interquartile mean of the yearly Sharpe ratio over assets and seeds; None where undefined."""

    sha256: str
    """Of the series that it was computed from."""
    iqm: float | None
    low: float | None
    high: float | None
    reasons: tuple[str, ...] = ()


class AssetTests(Settings):
    """All ranked agents of a track on one asset."""

    spa_p_value: float | None
    """Of the hypothesis that none of them earns more a day than buy-and-hold."""
    reason: str = ""
    """Why there is no test or no set."""
    in_set: dict[str, bool] = Field(default_factory=dict)
    """Whether each cannot be told from the best at 90 %; empty where nothing was tested."""


class Joint(Settings):
    """The file."""

    schema_version: Literal[1] = SCHEMA_VERSION
    levels: dict[str, Level] = Field(default_factory=dict)
    """By entry, and buy-and-hold's."""
    tests_sha256: str = ""
    """Of the series of all ranked entries."""
    tests: dict[str, AssetTests] = Field(default_factory=dict)
    """By asset."""

    def in_set(self, name: str) -> tuple[int, int]:
        """On how many assets an entry is in the confidence set, and on how many there is one."""
        found = [test.in_set[name] for test in self.tests.values() if name in test.in_set]
        return sum(found), len(found)


Series = Mapping[str, Seeds]
"""All seeds of an entry, by asset; buy-and-hold's has one seed."""


def update_joint(
    kept: Joint, series: Mapping[str, Series], *, ranked: Sequence[str], resamples: int = RESAMPLES
) -> Joint:
    """What a track's entries amount to together; figures whose series are the same are taken as they are.

    Args:
        kept: from the file.
        series: of every entry, and of buy-and-hold under `HELD`.
        ranked: the entries that take part in the tests.
        resamples: of each interval.
    """
    digests = {name: series_sha256(own) for name, own in series.items()}
    levels = {
        name: kept.levels[name]
        if name in kept.levels and kept.levels[name].sha256 == digests[name]
        else level_of(own, digest=digests[name], resamples=resamples)
        for name, own in sorted(series.items())
    }
    tested = [*sorted(ranked), HELD] if series else []
    digest = canonical_sha256({name: digests[name] for name in tested})
    tests = kept.tests if kept.tests_sha256 == digest else _tests(series, tested)
    return Joint(levels=levels, tests_sha256=digest, tests=tests)


def series_sha256(series: Series) -> str:
    """Of every number that a figure is computed from."""
    digest = sha256()
    for asset, seeds in sorted(series.items()):
        digest.update(f"{asset}\0{seeds.unit!r}\0{seeds.returns.shape}\0".encode())
        digest.update(seeds.days)
        digest.update(np.ascontiguousarray(seeds.returns, dtype="<f8").tobytes())
    return digest.hexdigest()


def level_of(series: Series, *, digest: str, resamples: int) -> Level:
    """The level of one entry.

    Args:
        series: all of its assets.
        digest: `series_sha256` of them.
        resamples: of the bootstrap.
    """
    found = sharpe_level(list(series.values()), resamples=resamples)
    ends = [number(end) for end in (found.iqm, found.low, found.high)]
    return Level(sha256=digest, iqm=ends[0], low=ends[1], high=ends[2], reasons=found.reasons)


def _tests(series: Mapping[str, Series], tested: Sequence[str]) -> dict[str, AssetTests]:
    return {
        asset: _asset_tests({name: series[name][asset].returns.mean(axis=0) for name in tested})
        for asset in sorted(series[HELD] if tested else ())
    }


def _asset_tests(returns: Mapping[str, FloatArray]) -> AssetTests:
    agents = len(returns) - 1
    if agents > MOST_TESTED:
        reason = f"{agents} ranked agents; a set is made of at most {MOST_TESTED}"
        return AssetTests(spa_p_value=None, reason=reason)
    found = joint_tests(returns, HELD)
    return AssetTests(
        spa_p_value=number(found.spa_p_value), reason=found.spa_reason, in_set=dict(found.in_set)
    )


def number(value: float) -> float | None:
    """None for what is no number."""
    return float(value) if math.isfinite(value) else None


def joint_text(joint: Joint) -> str:
    """The same bytes for the same figures; a line an entry."""
    return json.dumps(joint.model_dump(mode="json"), allow_nan=False, indent=1, sort_keys=True) + "\n"


def read_joint(path: Path) -> Joint:
    """What is kept of a track; nothing where there is no file.

    Raises:
        RecordError: the file is broken.
    """
    if not path.is_file():
        return Joint()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return (
            parse(Joint, values, origin=str(path)) if values["schema_version"] == SCHEMA_VERSION else Joint()
        )
    except (OSError, ValueError, TypeError, KeyError, ConfigError) as error:
        raise RecordError(f"{path} is broken: {error}", hint="delete it; it is made anew") from None
