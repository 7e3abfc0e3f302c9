"""One track of the board: its entries read, held to one set of rules, and brought into their order."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flagbench.board.entry import Bars, Entry, Read, middle, read_entry
from flagbench.board.joint import HELD, Joint, joint_text, read_joint, update_joint
from flagbench.board.level import Seeds
from flagbench.board.standing import Reference, Standing, by_endpoint
from flagbench.comparison.comparison import RESAMPLES
from flagbench.errors import ComparabilityError
from flagbench.scoring.multiple import holm
from flagbench.scoring.sharpe import probabilistic_sharpe_ratio
from flagbench.submissions.track import load_track, track_names


class TrackBoard(NamedTuple):
    """A track and what its pages need."""

    standing: Standing
    bars: Mapping[str, Bars]
    """Of each asset."""
    holm: Mapping[tuple[str, str], float]
    """Adjusted p-values of the paired tests of all ranked entries, by entry and asset."""
    joint_path: Path
    joint_text: str


def read_track(board: Path, name: str, folders: Sequence[Path], *, resamples: int = RESAMPLES) -> TrackBoard:
    """Read all submissions of a track.

    Args:
        board: that they lie on.
        name: of the track.
        folders: at least one, with results that are up to date.
        resamples: of intervals that are not kept yet.

    Raises:
        ComparabilityError: two entries differ in what a track has in common.
        FlagbenchError: a file is missing or broken.
    """
    read = [read_entry(folder) for folder in folders]
    entries = [each.entry for each in read]
    _check_one_track(entries)
    agents = by_endpoint([entry for entry in entries if not entry.is_buy_and_hold])
    ranked = [entry for entry in agents if entry.is_ranked]
    path = board / "joint" / f"{name}.json"
    series = {each.entry.name: each.series for each in read} | {HELD: read[0].held}
    joint = update_joint(
        read_joint(path), series, ranked=[entry.name for entry in ranked], resamples=resamples
    )
    title, description = _named(name)
    standing = Standing(
        id=name,
        title=title,
        description=description,
        ranked=ranked,
        listed=[entry for entry in agents if entry.results.ranked and not entry.is_ranked],
        calibration=[entry for entry in agents if not entry.results.ranked],
        reference=_reference(read[0], entries, joint),
        joint=joint,
    )
    return TrackBoard(standing, read[0].bars, _holm(ranked), path, joint_text(joint))


def _named(name: str) -> tuple[str, str]:
    """Title and description; a track that is not installed here is called by its name."""
    if name not in track_names():
        return name, ""
    track = load_track(name)
    return track.title, track.description


def _check_one_track(entries: Sequence[Entry]) -> None:
    first = entries[0]
    for other in entries[1:]:
        for (what, mine), (_, theirs) in zip(_shared(first), _shared(other), strict=False):
            if mine != theirs:
                raise ComparabilityError(
                    f"one track has one {what}: {first.name} has {mine}, {other.name} has {theirs}",
                    hint="one of the two is of another version of the track, and leaves the board",
                )


def _shared(entry: Entry) -> Iterator[tuple[str, object]]:
    """What all entries of a track have in common."""
    results = entry.results
    yield "version", results.track_version
    yield "protocol", results.protocol
    yield "list of assets", [asset.asset for asset in results.assets]
    for asset in results.assets:
        yield f"market of {asset.asset}", asset.market_sha256
        yield f"test window of {asset.asset}", asset.period


def _reference(read: Read, entries: Sequence[Entry], joint: Joint) -> Reference:
    assets = read.entry.results.assets
    names = assets[0].held.metrics
    return Reference(
        level=joint.levels[HELD],
        metrics={name: middle(asset.held.metrics[name] for asset in assets) for name in names},
        psr=middle(_psr(seeds) for seeds in read.held.values()),
        in_set=joint.in_set(HELD),
        entries=[entry for entry in entries if entry.is_buy_and_hold],
    )


def _psr(seeds: Seeds) -> float:
    return probabilistic_sharpe_ratio(seeds.returns[0])


def _holm(ranked: Sequence[Entry]) -> dict[tuple[str, str], float]:
    tests = {
        (entry.name, asset.asset): asset.paired.p_value for entry in ranked for asset in entry.results.assets
    }
    adjusted = zip(tests, holm(list(tests.values())), strict=True)
    return {key: value for key, value in adjusted if value is not None}
