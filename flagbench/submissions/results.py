"""What a submission came to, recomputed: everything that a board shows, without data and without computing.

Figures have `DIGITS` significant digits, so that machines that compute the last bits differently write the
same file. Shares are fractions, never percent; an undefined figure is null.
"""

import json
import math
from pathlib import Path
from typing import Any, Literal

from flagbench.errors import ConfigError, RecordError
from flagbench.records.whole_file import write_whole
from flagbench.settings import Settings, parse

SCHEMA_VERSION: Literal[1] = 1

DIGITS = 6
"""Significant ones. Sums over a window differ by 1e-13 between machines, resampled ends by little more."""

Pretraining = Literal["none", "drawn", "undated", "unknown", "inside", "after"]
"""Of a test window: no language model; a drawn market; the model read nothing dated; nobody knows; what the
model read reaches into the window, or beyond it; the window lies behind all of it."""


class Spread(Settings):
    """One figure of all seeds, as `flagbench.comparison.comparison.Spread.to_json` gives it."""

    values: tuple[float | None, ...]
    """In the order of the seeds."""
    iqm: float | None
    low: float | None
    """Of the 95 % interval of the IQM; null where there is none."""
    high: float | None
    minimum: float | None
    maximum: float | None
    undefined: int
    reasons: tuple[str, ...]


class Difference(Settings):
    """How far the agent's Sharpe ratio, a year, lies from buy-and-hold's on the same days."""

    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    smallest_detectable: float | None
    reason: str
    """Why something is null, or empty."""


class Endpoint(Difference):
    """The primary endpoint: IQM over assets and seeds of the difference to buy-and-hold."""

    cells: tuple[float | None, ...]
    """Each difference, asset by asset and seed by seed."""


class Held(Settings):
    """Buy-and-hold on the same bars."""

    returns: tuple[float, ...]
    metrics: dict[str, float | None]
    uncertainty: dict[str, Any]
    """As `flagbench score --json` prints it."""


class Audit(Settings):
    """What an audit says of a seed's row."""

    seed: int
    verdict: str
    flags: tuple[str, ...]
    explanation: str


class Knowledge(Settings):
    """Accuracy of the whole suite, over seeds."""

    suite: str
    before: Spread
    after: Spread


class SeedResults(Settings):
    """One seed on one asset."""

    seed: int
    actions_sha256: str
    metrics: dict[str, float | None]
    undefined: dict[str, str]
    """The reason for each metric that is null."""
    uncertainty: dict[str, Any]
    """As `flagbench score --json` prints it."""
    identical_to: str | None
    agreement_with_buy_and_hold: float | None
    timing_p_value: float | None
    redundant: int
    unparsed: int
    returns: tuple[float, ...]
    """(m,) of each day; simple, or logarithmic by the paper's convention."""
    knowledge: tuple[dict[str, Any], ...] | None
    """`flagbench.knowledge.retention.TaskRetention` of each task, then of the suite."""


class AssetResults(Settings):
    """All seeds on one asset."""

    asset: str
    name: str
    """Of the company or coin."""
    kind: Literal["market", "replica"]
    market_sha256: str
    period: tuple[str, str]
    bars: int
    periods_per_year: int
    log_returns: bool
    dates: tuple[str, ...]
    """(m,) of each return."""
    held: Held
    n_trials: int
    """Distinct trials on the window in the submission's ledgers."""
    pretraining: Pretraining
    summary: dict[str, Spread]
    """Every metric; with intervals for `sharpe_ratio` and `cumulative_return`, a range for `max_drawdown`."""
    psr: Spread
    dsr: Spread
    paired: Difference
    collapsed: dict[str, int]
    """Number of seeds that are identical to a policy, by the policy's name."""
    unparsed: float
    """Share of answers that were no action."""
    knowledge: Knowledge | None
    audit: tuple[Audit, ...]
    seeds: tuple[SeedResults, ...]


class Results(Settings):
    """Everything of one submission."""

    schema_version: Literal[1] = SCHEMA_VERSION
    submission_sha256: str
    """Of the content that was looked at; `flagbench.submissions.layout.content_sha256`."""
    flagbench: str
    """Version that computed it."""
    track: str
    track_version: int
    protocol: str
    name: str
    date: str
    ranked: bool
    """False for an agent that was given the future."""
    learns: bool
    endpoint: Endpoint
    assets: tuple[AssetResults, ...]


def rounded(value: Any) -> Any:
    """Plain values with every float at `DIGITS` significant digits; nan and infinities become None."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(inner) for inner in value]
    return value


def write_results(results: Results, path: Path) -> None:
    """Write the file whole or not at all, a group of figures a line.

    Raises:
        RecordError: it cannot be written.
    """
    write_whole(
        path, json.dumps(rounded(results.model_dump(mode="json")), allow_nan=False, ensure_ascii=False)
    )


def read_results(path: Path) -> Results:
    """Read it back.

    Raises:
        RecordError: there is none, or it is broken or of another schema version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{path} cannot be read: {error}", hint="write it: flagbench submit validate DIR --results"
        ) from error
    found = values.get("schema_version") if isinstance(values, dict) else None
    if found != SCHEMA_VERSION:
        raise RecordError(
            f"{path} has schema version {found}, this flagbench reads {SCHEMA_VERSION}",
            hint="write it again: flagbench submit validate DIR --results",
        )
    try:
        return parse(Results, values, origin=str(path))
    except ConfigError as error:
        raise RecordError(error.message, hint=error.hint) from None
