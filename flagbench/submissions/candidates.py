"""Finished runs that are to become a submission: which fit the track, and every reason why they do not."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.comparison.entrants import identity
from flagbench.comparison.finding import SeedRun, find_seeds
from flagbench.comparison.replaying import ReplayedSeed, replay_seed
from flagbench.comparison.trials import find_ledger
from flagbench.errors import RecordError
from flagbench.market.loading import fetch_command
from flagbench.market.market import Market
from flagbench.submissions.track import MAX_UNPARSED, Track, TrackMarkets, load_track, track_names

Cell = tuple[str, int]

RULES = "see docs/submitting.md for what a submission must have"


class Candidate(NamedTuple):
    """A run that fits the track."""

    seed: ReplayedSeed
    ledger: Path

    @property
    def run(self) -> SeedRun:
        """The run on disk."""
        return self.seed.run


class CandidateSet(NamedTuple):
    """All runs of a submission, sorted by asset and seed."""

    track: Track
    candidates: tuple[Candidate, ...]


def gather(
    paths: Sequence[Path], *, track: Track | None = None, data: str | None = None, calibration: bool = False
) -> CandidateSet:
    """Find the runs and hold them against the track.

    Args:
        paths: runs' folders, seeds' folders, or folders above them.
        track: what they are for; None for the installed one of their protocol and kind of market.
        data: a data folder; None for FLAGBENCH_DATA or the user's cache folder.
        calibration: whether an agent that knows the future is meant.

    Raises:
        RecordError: the runs are no complete set; every reason is named.
        FlagbenchError: the track's data is not here.
    """
    runs = find_seeds(paths)
    found = track or track_of(runs)
    _refuse(list(_one_agent_reasons(runs)), found)
    reasons = [*_whole_reasons(runs, found, calibration=calibration), *_cell_reasons(runs, found)]
    markets = TrackMarkets(found, data)
    kept: dict[Cell, SeedRun] = {}
    for run in runs:
        cell = _cell(run)
        if cell[0] in found.assets:
            reasons += _run_reasons(run, found, markets.of(cell[0]))
            reasons += _twice_reasons(kept.setdefault(cell, run), run)
    _refuse(reasons, found)
    replayed = {cell: _replayed(run, markets.of(cell[0])) for cell, run in sorted(kept.items())}
    reasons = [error for _, error in replayed.values() if error is not None]
    seeds = [seed for seed, _ in replayed.values() if seed is not None]
    ledgers = {seed.run.name: find_ledger(seed.run) for seed in seeds}
    reasons += [f"{name} has no ledger.jsonl above it" for name, path in ledgers.items() if path is None]
    reasons += _unparsed_reasons(seeds)
    _refuse(reasons, found)
    candidates = [Candidate(seed, path) for seed in seeds if (path := ledgers[seed.run.name]) is not None]
    return CandidateSet(found, tuple(candidates))


def track_of(runs: Sequence[SeedRun]) -> Track:
    """The installed track of the first run's protocol and kind of market.

    Raises:
        RecordError: there is none, or there are several.
    """
    record = runs[0].record
    tracks = [load_track(name) for name in track_names()]
    fits = [
        track
        for track in tracks
        if track.rules.id == record.protocol.get("id") and track.kind == record.market.kind
    ]
    if len(fits) != 1:
        what = f"protocol {record.protocol.get('id')} on a {record.market.kind}"
        raise RecordError(
            f"{runs[0].name}: no one track is for {what}",
            hint=f"name it: --track {'|'.join(track.id for track in fits or tracks)}",
        )
    return fits[0]


def _refuse(reasons: Sequence[str], track: Track) -> None:
    distinct = list(dict.fromkeys(reasons))
    if len(distinct) == 1:
        raise RecordError(f"no submission to track `{track.id}`: {distinct[0]}", hint=RULES)
    if distinct:
        listed = "\n".join(f"  {reason}" for reason in distinct)
        raise RecordError(
            f"no submission to track `{track.id}`, for {len(distinct)} reasons:\n{listed}", hint=RULES
        )


def _cell(run: SeedRun) -> Cell:
    return str(run.record.asset.get("id")), run.record.seed


def _one_agent_reasons(runs: Sequence[SeedRun]) -> Iterator[str]:
    """What the runs' agents differ in, once for each other agent."""
    agents = {identity(run): run for run in reversed(runs)}
    first = runs[0]
    who = identity(first)
    for other, run in agents.items():
        for what, mine, others in zip(("agent", "source", "params given"), who, other, strict=True):
            if mine != others:
                apart = f"{first.name} has {mine[:40]}, {run.name} {others[:40]}"
                yield f"one agent is submitted; {what}: {apart}"
                break


def _whole_reasons(runs: Sequence[SeedRun], track: Track, *, calibration: bool) -> Iterator[str]:
    """What all runs must have in common, whatever the asset and the seed."""
    first = runs[0]
    setup = first.record.setup
    other = next((run for run in runs if run.record.setup != setup), None)
    if other is not None:
        yield f"one set-up is submitted: {first.name} has {setup}, {other.name} {other.record.setup}"
    if calibration and first.record.ranked:
        yield f"{first.record.agent} does not know the future: leave out --calibration"
    if not calibration and not first.record.ranked:
        yield (
            f"{first.record.agent} knows the future and stands in no ranking: add --calibration to submit it "
            "as what others are measured by"
        )
    shared = track.shared_setup.model_dump()
    for name, value in {} if setup is None else setup.model_dump().items():
        expected = shared.get(name, "auto")
        if value != expected:
            yield f"`setup.{name}` is {value}; agents of this track share {expected}"


def _cell_reasons(runs: Sequence[SeedRun], track: Track) -> Iterator[str]:
    """Assets and seeds that are missing, or are none of the track's."""
    found = {_cell(run) for run in runs}
    assets = {asset for asset, _ in found}
    for asset in sorted(set(track.assets) - assets):
        yield f"no run on {asset}"
    for asset in sorted(assets - set(track.assets)):
        yield f"{asset} is no asset of the track: {', '.join(track.assets)}"
    public = set(track.seeds)
    for asset in sorted(assets & set(track.assets)):
        own = {seed for name, seed in found if name == asset}
        if missing := sorted(public - own):
            yield f"{asset}: no run of the public seed {', '.join(map(str, missing))}"
        if strange := sorted(own - public):
            yield f"{asset}: seed {', '.join(map(str, strange))} is none of the public ones"


def _run_reasons(run: SeedRun, track: Track, market: Market) -> Iterator[str]:
    """What one run has that the track has not."""
    record, rules = run.record, track.rules
    windows: Mapping[str, Any] = record.asset.get("windows") or {}
    expected = market.asset.model_dump(mode="json")
    pairs = {
        "protocol": (
            f"{record.protocol.get('id')} v{record.protocol.get('version')}",
            f"{rules.id} v{rules.version}",
        ),
        "protocol's fields": (record.protocol, rules.model_dump(mode="json")),
        "market.kind": (record.market.kind, market.kind),
        "market.sha256": (record.market.sha256, market.sha256),
        "window": (record.window, None),
        "asset.windows.test": (windows.get("test"), expected["windows"]["test"]),
        "asset.calendar": (record.asset.get("calendar"), expected["calendar"]),
    }
    if record.setup is not None:
        pairs["asset.windows.train"] = (windows.get("train"), expected["windows"]["train"])
    for field, (found, wanted) in pairs.items():
        if found != wanted:
            public = fetch_command(market.asset) if field == "market.sha256" else None
            get = f"; run it on what `{public}` gets" if public and track.kind == "market" else ""
            yield f"{run.name}: `{field}` is {str(found)[:64]}, the track's is {str(wanted)[:64]}{get}"
    yield from _knowledge_reasons(run, track)


def _knowledge_reasons(run: SeedRun, track: Track) -> Iterator[str]:
    knowledge = run.record.knowledge
    if knowledge is None:
        if run.record.setup is not None and run.record.params.get("backbone") is not None:
            yield (
                f"{run.name}: a language model was trained and not asked what it knows: "
                f"run it with --knowledge {track.knowledge}"
            )
    elif knowledge.get("suite") != track.knowledge:
        yield f"{run.name}: `knowledge.suite` is {knowledge.get('suite')}, the track's is {track.knowledge}"


def _twice_reasons(one: SeedRun, other: SeedRun) -> Iterator[str]:
    """A seed that was run again counts once if it did the same; choosing would be a selection."""
    if one is not other and one.record.actions_sha256 != other.record.actions_sha256:
        asset, seed = _cell(one)
        yield f"{asset} seed {seed} is there twice, with other actions: {one.name} and {other.name}"


def _replayed(run: SeedRun, market: Market) -> tuple[ReplayedSeed | None, str | None]:
    try:
        return replay_seed(run, market), None
    except RecordError as error:
        return None, error.message


def _unparsed_reasons(seeds: Sequence[ReplayedSeed]) -> Iterator[str]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for seed in seeds:
        count = counts[seed.market.asset.id]
        count[0] += seed.play.unparsed
        count[1] += len(seed.actions)
    for asset, (unparsed, answers) in counts.items():
        if unparsed >= MAX_UNPARSED * answers:
            yield (
                f"{asset}: {unparsed} of {answers} answers were no action, {unparsed / answers:.2%}; "
                f"less than {MAX_UNPARSED:.0%} is asked for"
            )
