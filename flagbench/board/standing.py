"""Who stands where on a track, and what that comes to in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from flagbench.board.entry import Entry
from flagbench.board.joint import Joint, Level


class Reference(NamedTuple):
    """Buy-and-hold on the bars of a track; computed, whether somebody handed it in or not."""

    level: Level
    """Of its yearly Sharpe ratio."""
    metrics: dict[str, float | None]
    """Each metric's interquartile mean over assets."""
    psr: float | None
    in_set: tuple[int, int]
    """On how many assets it is in the confidence set, and on how many there is one."""
    entries: Sequence[Entry]
    """Submissions that are buy-and-hold itself; they have pages, and no rows of their own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """A track.

    Attributes:
        id: of the track.
        title: of its page.
        description: a sentence or two.
        ranked: best first by the primary endpoint, undefined last.
        listed: entries that are not ranked since nobody trained them again; in the same order.
        calibration: agents that were given the future.
        reference: buy-and-hold.
        joint: what takes all entries to compute.
    """

    id: str
    title: str
    description: str
    ranked: Sequence[Entry]
    listed: Sequence[Entry]
    calibration: Sequence[Entry]
    reference: Reference
    joint: Joint

    @property
    def entries(self) -> list[Entry]:
        """All."""
        return [*self.compared, *self.reference.entries]

    @property
    def placed(self) -> "list[Entry | Reference]":
        """The same with buy-and-hold where its 0 places it among the ranked."""
        better = [entry for entry in self.ranked if (entry.results.endpoint.value or 0.0) > 0]
        return [*better, self.reference, *self.compared[len(better) :]]

    def place(self, entry: Entry) -> int | None:
        """From 1, among the ranked; None if it is not ranked or its primary endpoint is undefined."""
        return self._places.get(entry.name)

    @cached_property
    def _places(self) -> dict[str, int]:
        defined = [entry for entry in self.ranked if entry.results.endpoint.value is not None]
        return {entry.name: place for place, entry in enumerate(defined, start=1)}

    @property
    def compared(self) -> list[Entry]:
        """All that are held against buy-and-hold, in the order of the page."""
        return [*self.ranked, *self.listed, *self.calibration]


def by_endpoint(entries: Sequence[Entry]) -> list[Entry]:
    """Best first; undefined last; equal ones by name."""

    def place(entry: Entry) -> tuple[bool, float, str]:
        value = entry.results.endpoint.value
        return value is None, 0.0 if value is None else -value, entry.name

    return sorted(entries, key=place)


def verdict(standing: Standing) -> str:
    """Who leads, in plain words, buy-and-hold among them."""
    if standing.ranked:
        return _leader(standing.ranked, "ranked agent")
    if standing.listed:
        return f"Nobody is ranked yet: no entry was trained again. {_leader(standing.listed, 'listed agent')}"
    return "Nobody but buy-and-hold has entered this track."


def _leader(entries: Sequence[Entry], what: str) -> str:
    first = entries[0]
    found, many = first.results.endpoint, f"{len(entries)} {what}{'' if len(entries) == 1 else 's'}"
    if found.value is None:
        return f"Of {many} none has a defined primary endpoint, so buy-and-hold leads."
    difference = f"{found.value:+.2f}".replace("-", "−")
    if found.value <= 0:
        return (
            f"Buy-and-hold leads: of {many} none has a higher Sharpe ratio by the primary endpoint; the "
            f"nearest, {first.label}, has {difference} against it."
        )
    ends = "it has no interval"
    if found.low is not None and found.high is not None:
        ends = f"95 % interval {found.low:.2f} to {found.high:.2f}".replace("-", "−")
        if found.low > 0:
            return (
                f"{first.label} leads {many}: its Sharpe ratio is {difference} against buy-and-hold's "
                f"({ends}, not adjusted for the number of agents)."
            )
    return (
        f"{first.label} has the highest primary endpoint of {many}, {difference} against buy-and-hold "
        f"({ends}); that does not tell it from buy-and-hold."
    )
