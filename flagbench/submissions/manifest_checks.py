"""Whether a manifest fits its track, its folder, its files and itself. Nothing is recomputed here."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flagbench.records.ledger import canonical_sha256
from flagbench.registry import ships
from flagbench.submissions.agent_checks import agent_failures
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.submissions.layout import CARD, SUBMISSION, actions_file, samples_file
from flagbench.submissions.reading import Manifest
from flagbench.submissions.submission import Submission
from flagbench.submissions.track import Track

PLACE = ("name of the folder", "folder above it")
"""What is wrong with where a submission lies; nothing else is called so."""


def manifest_failures(
    manifest: Manifest, track: Track, *, folder: Path, files: Sequence[str]
) -> list[Failure]:
    """Everything that is wrong with a manifest by itself.

    Args:
        manifest: as it was read.
        track: that it says it is for.
        folder: it lies in.
        files: of the folder.
    """
    return [
        *_place_failures(manifest, folder),
        *_track_failures(manifest, track),
        *_run_failures(manifest, track),
        *_knowledge_failures(manifest, track),
        *_code_failures(manifest),
        *agent_failures(manifest),
        *_file_failures(manifest.submission, files),
    ]


def _place_failures(manifest: Manifest, folder: Path) -> Iterator[Failure]:
    submission, absolute = manifest.submission, folder.resolve()
    found_there = (absolute.name, absolute.parent.name)
    for what, found, expected in zip(
        PLACE, found_there, (submission.folder_name, submission.track), strict=True
    ):
        if found != expected:
            yield failure(".", what, found=found, expected=expected)
    latest = datetime.now(UTC).date() + timedelta(days=1)  # somebody's clock may go before ours
    if submission.date > latest:
        line, expected = manifest.lines.of("date"), f"no day after {latest}"
        yield failure(SUBMISSION, "date", found=submission.date.isoformat(), expected=expected, line=line)
    last = max(run.created[:10] for run in submission.runs)
    if submission.date.isoformat() != last:
        line = manifest.lines.of("date")
        yield failure(SUBMISSION, "date", found=submission.date.isoformat(), expected=last, line=line)


def _track_failures(manifest: Manifest, track: Track) -> Iterator[Failure]:
    submission, rules = manifest.submission, track.rules
    values = {
        "track": (submission.track, track.id),
        "track_version": (submission.track_version, track.version),
        "protocol": (submission.protocol, rules.id),
        "protocol_version": (submission.protocol_version, rules.version),
        "protocol_sha256": (submission.protocol_sha256, canonical_sha256(rules.model_dump(mode="json"))),
    }
    for name, (found, expected) in values.items():
        if found != expected:
            yield failure(SUBMISSION, name, found=found, expected=expected, line=manifest.lines.of(name))
    setup = submission.agent.setup
    shared = track.shared_setup.model_dump()
    own = {} if setup is None else setup.model_dump()
    for name, value in own.items():
        expected = shared.get(name, "auto")  # how numbers are rounded is the only thing a track leaves open
        if value != expected:
            line = manifest.lines.of("agent", "setup", name)
            yield failure(SUBMISSION, f"agent.setup.{name}", found=value, expected=expected, line=line)


def _run_failures(manifest: Manifest, track: Track) -> list[Failure]:
    """Exactly one run for each asset and seed of the track, in order."""
    submission, expected = manifest.submission, track.cells
    found = [(run.asset, run.seed) for run in submission.runs]
    counted = Counter(found)
    failures = [
        failure(SUBMISSION, "runs", found="nothing", expected=_named(cell), line=manifest.lines.of("runs"))
        for cell in expected
        if cell not in counted
    ]
    for index, cell in enumerate(found):
        if cell not in expected or counted[cell] > 1:
            wanted = "a run once" if cell in expected else f"an asset and a seed of track `{track.id}`"
            line = manifest.lines.of("runs", index)
            failures.append(failure(SUBMISSION, "runs", found=_named(cell), expected=wanted, line=line))
    if not failures and found != expected:
        index = next(index for index, cell in enumerate(found) if cell != expected[index])
        failures.append(
            failure(
                SUBMISSION,
                "order of the runs",
                found=_named(found[index]),
                expected=_named(expected[index]),
                line=manifest.lines.of("runs", index),
            )
        )
    return failures[:MOST]


def _named(cell: tuple[str, int]) -> str:
    return f"{cell[0]} seed {cell[1]}"


def _knowledge_failures(manifest: Manifest, track: Track) -> Iterator[Failure]:
    """All runs were asked, or none was; who trains a language model must have been."""
    submission, lines = manifest.submission, manifest.lines
    asked = [run.knowledge is not None for run in submission.runs]
    trains_one = submission.agent.setup is not None and submission.agent.params.get("backbone") is not None
    for index, run in enumerate(submission.runs):
        line = lines.of("runs", index, "knowledge")
        if run.knowledge is None and (any(asked) or trains_one):
            expected = f"answers to the suite `{track.knowledge}`, before and after training"
            yield failure(
                SUBMISSION, f"runs.{index}.knowledge", found="nothing", expected=expected, line=line
            )
        elif run.knowledge is not None and run.knowledge.suite != track.knowledge:
            found, expected = run.knowledge.suite, track.knowledge
            yield failure(
                SUBMISSION, f"runs.{index}.knowledge.suite", found=found, expected=expected, line=line
            )
    if submission.card.backbone is None and (any(asked) or trains_one):
        expected = "the language model that the runs were made with"
        line = lines.of("card", "backbone")
        yield failure(SUBMISSION, "card.backbone", found=None, expected=expected, line=line)


def _code_failures(manifest: Manifest) -> Iterator[Failure]:
    """Whoever judges an agent must be able to read it."""
    submission = manifest.submission
    if submission.card.code.url is None and not ships(submission.agent.name):
        expected = f"where the code of `{submission.agent.name}` can be read: it does not ship with flagbench"
        line = manifest.lines.of("card", "code", "url")
        yield failure(SUBMISSION, "card.code.url", found=None, expected=expected, line=line)


def _file_failures(submission: Submission, files: Sequence[str]) -> Iterator[Failure]:
    """Every file that the manifest speaks of is there, and no other."""
    spoken_of = {SUBMISSION, CARD}
    spoken_of |= {actions_file(run.asset, run.seed) for run in submission.runs}
    spoken_of |= {ledger.file for ledger in submission.ledgers}
    for run in submission.runs:
        if run.knowledge is not None:
            digests = (run.knowledge.before, run.knowledge.noise, run.knowledge.after)
            spoken_of |= {samples_file(digest) for digest in digests}
    for name in sorted(spoken_of - set(files))[:MOST]:
        yield failure(name, "file", found="nothing", expected=f"a file that {SUBMISSION} speaks of")
    for name in sorted(set(files) - spoken_of)[:MOST]:
        yield failure(name, "file", found="a file", expected=f"nothing: {SUBMISSION} does not speak of it")
