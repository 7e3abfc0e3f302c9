"""A submission held against its track: every file, every figure, every answer, and the ledger.

Nothing of the submission is run, and nothing of it is believed but actions and answers. All failures are
collected; a part that cannot be read leaves out what depends on it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from flagbench.records.ledger import canonical_sha256
from flagbench.scoring.sharpe import sharpe_per_period
from flagbench.submissions.card import card_failures
from flagbench.submissions.failure import Failure, failure
from flagbench.submissions.knowledge_checks import KnowledgeChecks
from flagbench.submissions.layout import CARD, SUBMISSION, inspect
from flagbench.submissions.ledger_checks import Ledger, RunEntry, read_ledger, run_failures
from flagbench.submissions.manifest_checks import manifest_failures
from flagbench.submissions.reading import Manifest, read_manifest
from flagbench.submissions.run_checks import CheckedRun, check_run
from flagbench.submissions.submission import RunClaim, Submission
from flagbench.submissions.track import MAX_UNPARSED, Track, TrackMarkets, load_track, track_names


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """A submission that was looked at.

    Attributes:
        failures: everything that is wrong with it; a valid one has none.
        submission: its manifest; None if that could not be read.
        track: that it is for; None if there is none of that name.
        runs: those whose actions could be played.
        ledgers: those whose chains are whole, by file.
    """

    failures: tuple[Failure, ...]
    submission: Submission | None = None
    track: Track | None = None
    runs: tuple[CheckedRun, ...] = ()
    ledgers: Mapping[str, Ledger]


def validate(
    folder: Path, *, track: Track | None = None, data: str | None = None, audit: bool = True
) -> Checked:
    """Find everything that is wrong with a submission.

    Args:
        folder: the submission.
        track: that it must be for; None for the installed one that it names.
        data: a data folder; None for FLAGBENCH_DATA or the user's cache folder.
        audit: whether rows that replay are audited too, which takes longer than all the rest.

    Raises:
        RecordError: `folder` is no folder.
        MarketDataError: the data of its track is not here, or not the track's.
        FlagbenchError: the track's knowledge suite cannot be read here.
    """
    files, failures = inspect(folder)
    manifest, wrong = read_manifest(folder) if SUBMISSION in files else (None, [])
    failures += wrong
    if manifest is None:
        if SUBMISSION not in files and not failures:
            failures.append(failure(SUBMISSION, "file", found="nothing", expected="a submission's manifest"))
        return Checked(failures=tuple(failures), ledgers={})
    named = manifest.submission.track
    if track is None and named not in track_names():  # a path must not make a file of its own the rules
        line, known = manifest.lines.of("track"), ", ".join(track_names())
        failures.append(failure(SUBMISSION, "track", found=named, expected=f"one of {known}", line=line))
        return Checked(failures=tuple(failures), submission=manifest.submission, ledgers={})
    found = track or load_track(named)
    failures += manifest_failures(manifest, found, folder=folder, files=files)
    failures += _card_failures(folder, manifest, files)
    runs, wrong = _runs(folder, manifest, TrackMarkets(found, data), files, data=data, audit=audit)
    failures += wrong
    ledgers, wrong = _ledgers(folder, manifest, runs, files)
    failures += wrong
    return Checked(
        failures=tuple(dict.fromkeys(failures)),
        submission=manifest.submission,
        track=found,
        runs=tuple(runs),
        ledgers=ledgers,
    )


def _card_failures(folder: Path, manifest: Manifest, files: Sequence[str]) -> list[Failure]:
    if CARD not in files:
        return []  # said of the files already
    content = (folder / CARD).read_bytes()
    submission, digest = manifest.submission, sha256(content).hexdigest()
    failures = card_failures(content, submission.card)
    if digest != submission.card_sha256:
        line = manifest.lines.of("card_sha256")
        failures.append(
            failure(SUBMISSION, "card_sha256", found=submission.card_sha256, expected=digest, line=line)
        )
    return failures


def _runs(
    folder: Path,
    manifest: Manifest,
    markets: TrackMarkets,
    files: Sequence[str],
    *,
    data: str | None,
    audit: bool,
) -> tuple[list[CheckedRun], list[Failure]]:
    """Every run of an asset of the track, played and asked after."""
    track, protocol = markets.track, markets.track.rules
    knowledge = KnowledgeChecks(folder, manifest, files=files, data=data)
    runs: list[CheckedRun] = []
    failures: list[Failure] = []
    for index, claim in enumerate(manifest.submission.runs):
        if claim.asset not in track.assets:
            continue  # said of the manifest already
        run, wrong = check_run(
            folder, manifest, index, markets.of(claim.asset), protocol, files=files, audit=audit
        )
        failures += wrong
        retained, wrong = knowledge.of(index)
        failures += wrong
        if run is not None:
            runs.append(replace(run, retention=retained))
    return runs, failures + _unparsed_failures(manifest, runs)


def _unparsed_failures(manifest: Manifest, runs: Iterable[CheckedRun]) -> list[Failure]:
    """Too many answers that were no action on an asset, over its seeds."""
    answers: dict[str, list[int]] = {}
    for run in runs:
        count = answers.setdefault(run.claim.asset, [0, 0])
        count[0] += run.play.unparsed
        count[1] += len(run.actions)
    return [
        failure(
            SUBMISSION,
            f"share of answers on {asset} that were no action",
            found=f"{unparsed / given:.2%}",
            expected=f"less than {MAX_UNPARSED:.0%}",
            line=manifest.lines.of("runs"),
        )
        for asset, (unparsed, given) in answers.items()
        if unparsed >= MAX_UNPARSED * given
    ]


def _ledgers(
    folder: Path, manifest: Manifest, runs: Iterable[CheckedRun], files: Sequence[str]
) -> tuple[dict[str, Ledger], list[Failure]]:
    """The chains, and whether each run stands in one as it says."""
    submission, lines = manifest.submission, manifest.lines
    found: dict[str, Ledger] = {}
    failures: list[Failure] = []
    for index, claimed in enumerate(submission.ledgers):
        if claimed.file not in files:
            continue  # said of the files already
        ledger, wrong = read_ledger(folder, claimed, line=lines.of("ledgers", index))
        failures += wrong
        if ledger is not None:
            found[ledger.file] = ledger
    named = {ledger.file for ledger in submission.ledgers}
    if len(named) < len(submission.ledgers):
        files_named = ", ".join(ledger.file for ledger in submission.ledgers)
        line = lines.of("ledgers")
        failures.append(
            failure(SUBMISSION, "ledgers", found=files_named, expected="each file once", line=line)
        )
    for index, run in enumerate(submission.runs):
        if run.ledger.file not in named:
            line, expected = lines.of("runs", index, "ledger"), f"one of {', '.join(sorted(named))}"
            what = f"runs.{index}.ledger.file"
            failures.append(failure(SUBMISSION, what, found=run.ledger.file, expected=expected, line=line))
    played = {(run.claim.asset, run.claim.seed): run for run in runs}
    entries = [
        RunEntry(
            ("runs", index, "ledger"),
            run.ledger,
            _entry_fields(submission, run, played.get((run.asset, run.seed))),
        )
        for index, run in enumerate(submission.runs)
    ]
    return found, failures + run_failures(manifest, found, entries)


def _entry_fields(submission: Submission, run: RunClaim, played: CheckedRun | None) -> dict[str, Any]:
    """What the ledger's entry of a run must say."""
    agent = submission.agent
    params = agent.params | agent.asset_params.get(run.asset, {})
    fields: dict[str, Any] = {
        "run_id": run.run_id,
        "agent": agent.name,
        "agent_sha256": agent.source_sha256,
        "ranked": agent.ranked,
        "params_sha256": canonical_sha256(params),
        "setup": None if agent.setup is None else agent.setup.model_dump(mode="json"),
        "asset": run.asset,
        "market_sha256": run.market.sha256,
        "protocol_sha256": submission.protocol_sha256,
        "period": f"{run.period[0]}:{run.period[1]}",
        "seed": run.seed,
        "actions_sha256": run.actions_sha256,
    }
    if played is None:
        return fields
    sharpe = sharpe_per_period(played.play.returns)
    return fields | {"sharpe_per_period": None if math.isnan(sharpe) else sharpe}
