"""From finished runs and a card to the folder of a submission, whole or not there."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flagbench.errors import RecordError
from flagbench.records.ledger import canonical_sha256, read_trials
from flagbench.records.run_directory import writing
from flagbench.records.run_record import RunRecord
from flagbench.registry import load_metrics, ships
from flagbench.submissions.candidates import Candidate, CandidateSet, gather
from flagbench.submissions.card import Card, read_card, starting_card
from flagbench.submissions.failure import shown
from flagbench.submissions.layout import CARD, SUBMISSION, actions_file
from flagbench.submissions.manifest_checks import PLACE
from flagbench.submissions.samples import samples_text, write_samples
from flagbench.submissions.strict_json import parse_json
from flagbench.submissions.submission import (
    SCHEMA_VERSION,
    AgentClaim,
    KnowledgeClaim,
    LedgerFile,
    MarketClaim,
    RunClaim,
    Submission,
)
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate

PHASES = ("before", "noise", "after")

MOST_LEDGERS = 9
"""`ledger.jsonl`, then `ledger-2.jsonl` to `ledger-9.jsonl`."""


def prepare(
    paths: Sequence[Path],
    card_path: Path,
    *,
    out: Path,
    track: Track | None = None,
    data: str | None = None,
    calibration: bool = False,
) -> Path:
    """Write a submission and validate it as anybody else would.

    Args:
        paths: runs' folders, seeds' folders, or folders above them.
        card_path: what the submitter says.
        out: takes `<track>/<name>__<date>/`.
        track: what it is for; None for the installed one of the runs' protocol and kind of market.
        data: a data folder; None for FLAGBENCH_DATA or the user's cache folder.
        calibration: whether an agent that knows the future is meant.

    Returns:
        the folder.

    Raises:
        ConfigError: the card is not complete.
        RecordError: the runs are no complete set, the folder is there, or what was written is not valid.
    """
    card = read_card(card_path)
    found = gather(paths, track=track, data=data, calibration=calibration)
    day = max(candidate.run.record.created[:10] for candidate in found.candidates)
    folder = out / found.track.id / f"{card.fields.name}__{day}"
    with writing(folder) as partial:
        content = card_path.read_bytes()
        (partial / CARD).write_bytes(content)
        try:
            submission = _written(found, card, sha256(content).hexdigest(), partial)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise RecordError(
                f"the runs cannot be submitted: `{field}`: {first['msg']}, found {shown(first['input'])}"
            ) from None
        (partial / SUBMISSION).write_text(_manifest_text(submission), encoding="utf-8")
        checked = validate(partial, track=found.track, data=data, audit=False)
        # Its place is the only thing that a folder which is being written has wrong.
        wrong = [each for each in checked.failures if each.what not in PLACE]
        if wrong:
            raise RecordError(f"what these runs make is no valid submission: {wrong[0]}")
    return folder


def _written(found: CandidateSet, card: Card, card_sha256: str, folder: Path) -> Submission:
    """The manifest; actions, answers and ledgers are written into the folder on the way."""
    ledgers = _ledgers(found, folder)
    records = [candidate.run.record for candidate in found.candidates]
    first, rules = records[0], found.track.rules
    runs = [_run(candidate, ledgers[candidate.ledger], folder) for candidate in found.candidates]
    provenance = {json.dumps(record.provenance, sort_keys=True): record.provenance for record in records}
    return Submission(
        schema_version=SCHEMA_VERSION,
        track=found.track.id,
        track_version=found.track.version,
        protocol=rules.id,
        protocol_version=rules.version,
        protocol_sha256=canonical_sha256(rules.model_dump(mode="json")),
        date=date.fromisoformat(max(record.created[:10] for record in records)),
        card=card.fields,
        card_sha256=card_sha256,
        agent=_agent(first, records),
        provenance=tuple(provenance.values()),
        ledgers=tuple(ledgers.values()),
        runs=tuple(runs),
    )


def _agent(first: RunRecord, records: Sequence[RunRecord]) -> AgentClaim:
    return AgentClaim(
        name=first.agent.rpartition("/")[2],
        object=str(first.agent_source.get("object")),
        source_sha256=first.agent_source.get("sha256"),
        ranked=first.ranked,
        backbone=first.spec.get("backbone"),
        settings=tuple(first.spec.get("settings", ())),
        params=first.params,
        asset_params=_asset_params(first.params, records),
        setup=first.setup,
    )


def _asset_params(shared: Mapping[str, Any], records: Sequence[RunRecord]) -> dict[str, dict[str, Any]]:
    """By asset, what its runs' params have otherwise.

    Raises:
        RecordError: two seeds of one asset have other params, or an asset lacks one.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        asset = str(record.asset["id"])
        if set(record.params) != set(shared):
            raise RecordError(f"{asset} seed {record.seed} has other params than the first run")
        apart = {name: value for name, value in record.params.items() if value != shared[name]}
        if found.setdefault(asset, apart) != apart:
            raise RecordError(f"seeds of {asset} have params that differ: {', '.join(apart)}")
    return {asset: apart for asset, apart in found.items() if apart}


def _ledgers(found: CandidateSet, folder: Path) -> dict[Path, LedgerFile]:
    """Copy every ledger, whole: later trials on the same windows count too.

    Raises:
        RecordError: one is broken, or there are too many.
    """
    paths = sorted({candidate.ledger for candidate in found.candidates})
    if len(paths) > MOST_LEDGERS:
        raise RecordError(f"the runs have {len(paths)} ledgers, at most {MOST_LEDGERS} can be submitted")
    copied: dict[Path, LedgerFile] = {}
    for number, path in enumerate(paths, 1):
        entries = read_trials(path)
        name = "ledger.jsonl" if number == 1 else f"ledger-{number}.jsonl"
        (folder / name).write_bytes(path.read_bytes())
        copied[path] = LedgerFile(file=name, head=entries[-1]["sha256"], length=len(entries))
    return copied


def _run(candidate: Candidate, ledger: LedgerFile, folder: Path) -> RunClaim:
    record, play = candidate.run.record, candidate.seed.play
    asset = str(record.asset["id"])
    path = folder / actions_file(asset, record.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((candidate.run.folder / "actions.csv").read_bytes())
    test = record.scores["test"]
    period = candidate.seed.period
    return RunClaim(
        asset=asset,
        seed=record.seed,
        run_id=record.run_id,
        created=record.created,
        market=MarketClaim(kind=record.market.kind, sha256=record.market.sha256),
        period=(period.first, period.last),
        actions_sha256=record.actions_sha256,
        metrics={name: test[name] for name in load_metrics() if name in test},
        identical_to=play.shape.identical_to,
        redundant=test["redundant"],
        unparsed=test["unparsed"],
        ledger=LedgerFile(file=ledger.file, head=record.ledger.head, length=record.ledger.length),
        knowledge=_knowledge(candidate, folder),
        usage=record.usage,
        observed=record.observed,
        seconds=record.seconds,
    )


def _knowledge(candidate: Candidate, folder: Path) -> KnowledgeClaim | None:
    """Copy the answers without the right ones.

    Raises:
        RecordError: a file of answers is missing or broken.
    """
    claimed = candidate.run.record.knowledge
    if claimed is None:
        return None
    digests = {
        phase: write_samples(
            samples_text(_rows(candidate.run.folder / "knowledge" / f"{phase}.jsonl")), folder
        )
        for phase in PHASES
    }
    retained = claimed["retention"]
    return KnowledgeClaim(
        suite=claimed["suite"],
        dtype=claimed["dtype"],
        batch_size=claimed["batch_size"],
        noise_batch_size=retained[0]["noise"]["batch_size"],
        model_before=claimed["model_sha256"]["before"],
        model_after=claimed["model_sha256"]["after"],
        retention=tuple(retained),
        **digests,
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [parse_json(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{path} cannot be read: {error}", hint="a submission needs the answers of every run"
        ) from error


def _manifest_text(submission: Submission) -> str:
    """JSON with a run a line, so that a failure can name its line."""
    values = submission.model_dump(mode="json")
    runs = ",\n".join(f"    {json.dumps(run, allow_nan=False)}" for run in values.pop("runs"))
    head = json.dumps(values, indent=2, allow_nan=False).removesuffix("\n}")
    return f'{head},\n  "runs": [\n{runs}\n  ]\n}}\n'


def begin_card(paths: Sequence[Path], path: Path) -> Path:
    """Write a card to begin with, from what the runs know.

    Raises:
        RecordError: there is no run, or the file exists.
    """
    from flagbench.comparison.finding import find_seeds

    record = find_seeds(paths)[0].record
    git, observed = record.provenance.get("git") or {}, record.observed or {}
    backbone = record.params.get("backbone")
    text = starting_card(
        name=record.agent.rpartition("/")[2].replace(".py:", "."),
        ships=ships(record.agent),
        backbone=None if backbone is None else str(backbone),
        commit=git.get("commit"),
        hardware=observed.get("accelerator") or record.provenance.get("machine"),
    )
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from error
    return path
