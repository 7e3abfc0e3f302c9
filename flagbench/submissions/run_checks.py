"""Each run played again: its actions, its figures, its answers, and what an audit says of its row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flagbench.audit.auditing import audit_score
from flagbench.audit.claim import FLAGS
from flagbench.audit.finding import Finding
from flagbench.comparison.replaying import TOLERANCE, Play, play
from flagbench.errors import ConfigError
from flagbench.knowledge.retention import TaskRetention
from flagbench.market.market import Market
from flagbench.registry import load_metrics
from flagbench.submissions.action_checks import read_strictly
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.submissions.layout import SUBMISSION, actions_file
from flagbench.submissions.reading import Manifest
from flagbench.submissions.submission import RunClaim
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol

_MISSING = "missing"


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedRun:
    """A run whose actions could be played.

    Attributes:
        claim: what the submission says.
        market: what was traded.
        protocol: under which rules.
        actions: (n − 1,) of the test window.
        play: what they did.
        audit: of the claimed row; None where none was asked for, or the row has not all of its figures.
        retention: recomputed from the answers, a task and then the suite; None of a run that was not asked.
    """

    claim: RunClaim
    market: Market
    protocol: Protocol
    actions: IntArray
    play: Play
    audit: Finding | None
    retention: tuple[TaskRetention, ...] | None = None


def check_run(
    folder: Path,
    manifest: Manifest,
    index: int,
    market: Market,
    protocol: Protocol,
    *,
    files: Sequence[str],
    audit: bool,
) -> tuple[CheckedRun | None, list[Failure]]:
    """Play a run and hold what it claims against what comes of it; its answers are not looked at here.

    Args:
        folder: of the submission.
        manifest: of it.
        index: of the run in it.
        market: of the run's asset on the track.
        protocol: of the track.
        files: of the folder that may be opened.
        audit: whether a row that replays is audited too, which takes longer than all the rest.
    """
    claim, lines = manifest.submission.runs[index], manifest.lines
    failures = _identity_failures(manifest, index, market)
    bars = market.bar_range(market.asset.windows.test)
    dates = market.dates[bars.start : bars.stop]
    file = actions_file(claim.asset, claim.seed)
    if file not in files:
        return None, failures  # said of the files already
    actions, wrong = read_strictly(folder, file, dates, digest=claim.actions_sha256)
    failures += wrong
    if actions is None:
        return None, failures
    own = play(market, protocol, [(market.asset.windows.test, actions)])
    wrong = _figure_failures(manifest, index, own)
    row = {name: claim.metrics.get(name, _MISSING) for name in FLAGS.values()}
    missing = [name for name, value in row.items() if value == _MISSING]
    finding = None
    if not missing and (audit or wrong):
        try:
            finding = _audit(row, market, protocol, actions, claim)
            wrong += _audit_failures(manifest, index, finding)
        except ConfigError as error:  # a figure that no account can have
            line, what = lines.of("runs", index, "metrics"), f"runs.{index}.metrics"
            expected = "a row that can be audited"
            wrong.append(failure(SUBMISSION, what, found=error.message, expected=expected, line=line))
    for name in missing:
        line, what = lines.of("runs", index, "metrics"), f"runs.{index}.metrics"
        wrong.append(failure(SUBMISSION, what, found=f"no {name}", expected=own.values[name], line=line))
    checked = CheckedRun(
        claim=claim, market=market, protocol=protocol, actions=actions, play=own, audit=finding
    )
    return checked, (failures + wrong)[:MOST]


def _figure_failures(manifest: Manifest, index: int, own: Play) -> list[Failure]:
    """Every figure that is claimed and not what the actions come to."""
    figures = _figures(manifest.submission.runs[index], own)
    differing = {name: pair for name, pair in figures.items() if not _equal(*pair)}
    return _differences(manifest, index, differing)


def _audit_failures(manifest: Manifest, index: int, finding: Finding) -> list[Failure]:
    if finding.verdict != "unreachable":
        return []
    line, what = manifest.lines.of("runs", index, "metrics"), f"runs.{index}.metrics"
    expected = "a row that some path of positions has"
    return [failure(SUBMISSION, what, found="unreachable", expected=expected, line=line)]


def _identity_failures(manifest: Manifest, index: int, market: Market) -> list[Failure]:
    claim = manifest.submission.runs[index]
    test = market.asset.windows.test
    values = {
        "market.kind": (claim.market.kind, market.kind),
        "market.sha256": (claim.market.sha256, market.sha256),
        "period": (f"{claim.period[0]}:{claim.period[1]}", str(test)),
    }
    return _differences(manifest, index, {name: pair for name, pair in values.items() if pair[0] != pair[1]})


def _differences(manifest: Manifest, index: int, values: Mapping[str, tuple[Any, Any]]) -> list[Failure]:
    """Fields of a run that are not what they should be: by name, what was found and what was expected."""
    return [
        failure(
            SUBMISSION,
            f"runs.{index}.{name}",
            found=found,
            expected=expected,
            line=manifest.lines.of("runs", index, *name.split(".")),
        )
        for name, (found, expected) in values.items()
    ]


def _figures(claim: RunClaim, own: Play) -> dict[str, tuple[Any, Any]]:
    """Claimed and recomputed; a metric that is newer than the submission is not claimed, and not held."""
    known = load_metrics()
    metrics = {
        f"metrics.{name}": (value, own.values[name] if name in known else "no metric of that name")
        for name, value in claim.metrics.items()
    }
    return metrics | {
        "identical_to": (claim.identical_to, own.shape.identical_to),
        "redundant": (claim.redundant, own.redundant),
        "unparsed": (claim.unparsed, own.unparsed),
    }


def _equal(found: Any, expected: Any) -> bool:
    """By the tolerance of every replay; an undefined figure is None here and nan there."""
    if isinstance(expected, float) and math.isnan(expected):
        return found is None
    if isinstance(expected, (int, float)) and isinstance(found, (int, float)):
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(found == expected)


def _audit(
    figures: Mapping[str, Any], market: Market, protocol: Protocol, actions: IntArray, claim: RunClaim
) -> Finding:
    row = {name: math.nan if value is None else float(value) for name, value in figures.items()}
    name = f"{claim.asset} seed {claim.seed}"
    return audit_score(market, protocol, market.asset.windows.test, row, actions=actions, name=name)
