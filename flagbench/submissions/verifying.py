"""From a valid submission to everything that a board shows of it."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flagbench.audit.explanation import sentences
from flagbench.comparison import differences
from flagbench.comparison.differences import Pairs, sharpe_difference
from flagbench.comparison.intervals import (
    drawdown_spread,
    metric_spread,
    published_factor,
    return_spread,
    returns_of,
    sharpe_spread,
    spread,
)
from flagbench.comparison.replaying import Play, play_buy_and_hold
from flagbench.errors import RecordError
from flagbench.market.period import Period
from flagbench.records.ledger import trial_key
from flagbench.registry import load_metrics
from flagbench.scoring.score import Score, score
from flagbench.scoring.sharpe import deflated_sharpe_ratio, probabilistic_sharpe_ratio
from flagbench.scoring.uncertainty import uncertainty
from flagbench.submissions.failure import Failure
from flagbench.submissions.layout import content_sha256
from flagbench.submissions.ledger_checks import Ledger
from flagbench.submissions.results import (
    AssetResults,
    Audit,
    Difference,
    Endpoint,
    Held,
    Knowledge,
    Pretraining,
    Results,
    SeedResults,
    Spread,
    rounded,
)
from flagbench.submissions.run_checks import CheckedRun
from flagbench.submissions.submission import BackboneCard, Submission
from flagbench.submissions.track import Track
from flagbench.submissions.validating import Checked, validate
from flagbench.version import __version__


class Verified(NamedTuple):
    """A submission looked at, and what it came to if nothing is wrong with it."""

    failures: tuple[Failure, ...]
    results: Results | None


def verify(folder: Path, *, track: Track | None = None, data: str | None = None) -> Verified:
    """Validate a submission and recompute everything that is shown of it.

    Args:
        folder: the submission.
        track: that it must be for; None for the installed one that it names.
        data: a data folder; None for FLAGBENCH_DATA or the user's cache folder.

    Raises:
        FlagbenchError: as `flagbench.submissions.validating.validate`.
    """
    checked = validate(folder, track=track, data=data)
    if checked.failures:
        return Verified(checked.failures, None)
    return Verified((), recompute(checked, content_sha256(folder)))


def recompute(checked: Checked, digest: str) -> Results:
    """Every figure of a valid submission.

    Args:
        checked: from `validate`, without failures.
        digest: of the folder's content.

    Raises:
        RecordError: the submission is not valid.
    """
    submission, track = checked.submission, checked.track
    if submission is None or track is None or checked.failures:
        raise RecordError("only a valid submission can be recomputed")
    by_asset: dict[str, list[CheckedRun]] = defaultdict(list)
    for run in checked.runs:
        by_asset[run.claim.asset].append(run)
    pairs = {asset: _pairs(runs) for asset, runs in by_asset.items()}
    assets = [_asset(runs, pairs[asset], checked, submission) for asset, runs in by_asset.items()]
    whole = sharpe_difference(list(pairs.values()))
    cells = [
        run.play.values["sharpe_ratio"] - _held(runs).values["sharpe_ratio"]
        for runs in by_asset.values()
        for run in runs
    ]
    endpoint = Endpoint(cells=rounded(cells), **_difference(whole).model_dump())
    return Results(
        submission_sha256=digest,
        flagbench=__version__,
        track=track.id,
        track_version=track.version,
        protocol=f"{track.rules.id} v{track.rules.version}",
        name=submission.card.name,
        date=submission.date.isoformat(),
        ranked=submission.agent.ranked,
        learns=submission.agent.setup is not None,
        endpoint=endpoint,
        assets=tuple(assets),
    )


def _held(runs: Sequence[CheckedRun]) -> Play:
    first = runs[0]
    return play_buy_and_hold(first.market, first.protocol, [first.market.asset.windows.test])


def _pairs(runs: Sequence[CheckedRun]) -> Pairs:
    held = _held(runs)
    years = runs[0].market.asset.calendar.periods_per_year
    return Pairs(
        ours=returns_of([run.play for run in runs]),
        held=held.returns,
        unit=math.sqrt(years) * published_factor(held),
        days=held.dates.tobytes(),
        log_returns=held.performance.log_returns,
    )


def _difference(found: differences.Difference) -> Difference:
    values = {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "smallest_detectable": found.smallest_detectable,
    }
    return Difference(reason=found.reason, **rounded(values))


def _asset(
    runs: Sequence[CheckedRun], pairs: Pairs, checked: Checked, submission: Submission
) -> AssetResults:
    """All seeds of one asset."""
    first, plays, held = runs[0], [run.play for run in runs], _held(runs)
    market, test = first.market, first.market.asset.windows.test
    trials = trial_sharpes(checked.ledgers.values(), first, protocol_sha256=submission.protocol_sha256)
    summary = {name: metric_spread(plays, name) for name in load_metrics()}
    summary |= {
        "sharpe_ratio": sharpe_spread(plays).spread,
        "cumulative_return": return_spread(plays),
        "max_drawdown": drawdown_spread(plays),
    }
    deflated = partial(deflated_sharpe_ratio, trial_sharpes=trials)
    collapsed = Counter(each.shape.identical_to for each in plays if each.shape.identical_to is not None)
    return AssetResults(
        asset=market.asset.id,
        name=market.asset.name,
        kind=market.kind,
        market_sha256=market.sha256,
        period=(str(test.first), str(test.last)),
        bars=len(held.returns) + 1,
        periods_per_year=market.asset.calendar.periods_per_year,
        log_returns=held.performance.log_returns,
        dates=tuple(str(day) for day in held.dates),
        held=Held(
            returns=rounded(held.returns.tolist()),
            metrics=rounded(held.values),
            uncertainty=rounded(uncertainty(held.performance, held=held.returns).to_json()),
        ),
        n_trials=max(len(trials), 1),
        pretraining=pretraining(submission.card.backbone, market.kind, test),
        summary={name: _spread(each.to_json()) for name, each in summary.items()},
        psr=_spread(spread([probabilistic_sharpe_ratio(each.returns) for each in plays]).to_json()),
        dsr=_spread(spread([deflated(each.returns) for each in plays]).to_json()),
        paired=_difference(sharpe_difference([pairs])),
        collapsed=dict(sorted(collapsed.items())),
        unparsed=rounded(sum(each.unparsed for each in plays) / sum(len(each.returns) for each in plays)),
        knowledge=_knowledge(runs),
        audit=tuple(_audits(runs)),
        seeds=tuple(_seed(run, trials) for run in runs),
    )


def _spread(values: Mapping[str, Any]) -> Spread:
    return Spread.model_validate(rounded(dict(values)))


def _seed(run: CheckedRun, trials: Sequence[float]) -> SeedResults:
    own: Score = score(
        run.market, run.protocol, run.market.asset.windows.test, run.actions, trial_sharpes=trials
    )
    return SeedResults(
        seed=run.claim.seed,
        actions_sha256=run.claim.actions_sha256,
        metrics=rounded(own.values),
        undefined=own.undefined,
        uncertainty=rounded(own.uncertainty.to_json()),
        identical_to=own.shape.identical_to,
        agreement_with_buy_and_hold=rounded(own.shape.agreement_with_buy_and_hold),
        timing_p_value=rounded(own.shape.timing.p_value),
        redundant=own.redundant,
        unparsed=own.unparsed,
        returns=rounded(run.play.returns.tolist()),
        knowledge=None if run.retention is None else rounded([task.to_json() for task in run.retention]),
    )


def _knowledge(runs: Sequence[CheckedRun]) -> Knowledge | None:
    whole = [run.retention[-1] for run in runs if run.retention is not None]
    if not whole:
        return None
    before, after = (spread([getattr(task, name) for task in whole]) for name in ("before", "after"))
    return Knowledge(suite=whole[0].suite, before=_spread(before.to_json()), after=_spread(after.to_json()))


def _audits(runs: Iterable[CheckedRun]) -> Iterable[Audit]:
    for run in runs:
        if run.audit is not None:
            yield Audit(
                seed=run.claim.seed,
                verdict=run.audit.verdict,
                flags=run.audit.flags,
                explanation=" ".join(sentences(run.audit)),
            )


def pretraining(backbone: BackboneCard | None, kind: str, test: Period) -> Pretraining:
    """Whether the backbone may have read of what the agent is tested on.

    Args:
        backbone: what the card says of it.
        kind: of the market.
        test: the test window.
    """
    if backbone is None:
        return "none"
    if kind == "replica":
        return "drawn"
    if not isinstance(backbone.cutoff, date):
        return backbone.cutoff
    return "inside" if backbone.cutoff >= test.first else "after"


def trial_sharpes(ledgers: Iterable[Ledger], run: CheckedRun, *, protocol_sha256: str) -> list[float]:
    """Sharpe ratios of one bar of the distinct trials on a run's market, protocol and window.

    As `flagbench.records.ledger.trial_sharpes` counts them: seeds of a trial are one, with the mean over
    those that have a ratio, nan where none has.

    Args:
        ledgers: whose chains are whole; what their entries say may still be anything.
        run: one of those that they hold.
        protocol_sha256: of the track's protocol.
    """
    wanted = {
        "asset": run.claim.asset,
        "market_sha256": run.claim.market.sha256,
        "protocol_sha256": protocol_sha256,
        "period": str(run.market.asset.windows.test),
    }
    tried: dict[str, dict[str, float]] = defaultdict(dict)
    for ledger in ledgers:
        for entry in ledger.entries:
            if entry.get("ranked", True) and all(entry.get(name) == value for name, value in wanted.items()):
                value: Any = entry.get("sharpe_per_period")
                is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
                sharpe = float(value) if is_number else math.nan
                tried[trial_key(entry)][str(entry.get("seed"))] = sharpe
    return [_mean_known(list(seeds.values())) for seeds in tried.values()]


def _mean_known(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
