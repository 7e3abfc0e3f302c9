"""A forest plot: the primary endpoint of each entry with its interval, as a table with drawn cells."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from flagbench.board.columns import interval_text, number_text
from flagbench.board.entry import Entry
from flagbench.board.shell import entry_address, name_html
from flagbench.board.standing import Standing
from flagbench.reports.page import paragraph

MOST = 60
"""Lines: more are no picture any more; the table has all."""


class Scale(NamedTuple):
    """From figures to percent of the width."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a figure stands; at an end if it lies beyond."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 1)


def forest(standing: Standing) -> Markup:
    """A full mark for a ranked entry, an empty one for another; the line at 0 is buy-and-hold."""
    chosen = [entry for entry in first_entries(standing) if entry.results.ranked]
    scale = scale_of(chosen)
    ticks = _ticks(scale)
    rows = Markup("").join(_row(standing, entry, scale) for entry in chosen)
    marks = Markup("").join(
        Markup('<text x="{}%" y="1em">{}</text>').format(
            scale.at(tick), number_text(tick).removesuffix(".00")
        )
        for tick in ticks
    )
    return Markup(
        '{words}<table class="forest">\n<caption>Differences with their intervals</caption>\n'
        '<thead><tr><th scope="col" class="who">Agent</th>'
        '<td aria-hidden="true"></td><th scope="col" class="figure">Difference [95 %]</th></tr></thead>\n'
        '<tbody>\n{rows}</tbody>\n<tfoot aria-hidden="true"><tr><td class="who"></td>'
        "<td><svg>{marks}</svg></td>"
        '<td class="figure"></td></tr></tfoot>\n</table>\n'
    ).format(words=paragraph(_words(standing)), rows=rows, marks=marks)


def first_entries(standing: Standing) -> list[Entry]:
    """As many as are drawn."""
    return standing.compared[:MOST]


def cut_note(standing: Standing) -> str:
    """A sentence where not all entries are drawn, or nothing."""
    every = len(standing.compared)
    return "" if every <= MOST else f" The first {MOST} of {every} entries."


def _words(standing: Standing) -> str:
    return (
        "Sharpe ratio less buy-and-hold's, interquartile mean over assets and seeds, with its 95 % "
        "interval. The dotted line at 0 is buy-and-hold. A full mark is a ranked entry, an empty one "
        "with a broken line is not ranked. Agents that were given the future are not "
        f"drawn.{cut_note(standing)}"
    )


def scale_of(entries: Sequence[Entry]) -> Scale:
    """All ends of intervals, and 0; a twentieth of room at both sides.

    Ends farther out than three times the middle half of all ends are cut, so that one wide interval does not
    squeeze all others into a point.
    """
    found = [entry.results.endpoint for entry in entries]
    ends = sorted(end for each in found for end in (each.value, each.low, each.high) if end is not None)
    if not ends:
        return Scale(-1.0, 1.0)
    lower, upper = ends[len(ends) // 4], ends[-1 - len(ends) // 4]
    reach = 3 * max(upper - lower, 0.1)
    low, high = min(max(ends[0], lower - reach), 0.0), max(min(ends[-1], upper + reach), 0.0)
    room = max((high - low) / 20, 0.05)
    return Scale(low - room, high + room)


def _ticks(scale: Scale) -> list[float]:
    wanted = (scale.high - scale.low) / 4
    step = next(
        size for size in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1e9) if size >= wanted
    )
    first = int(scale.low / step)
    places = range(first, int(scale.high / step) + 1)
    return [place * step for place in places if scale.low <= place * step <= scale.high]


def _row(standing: Standing, entry: Entry, scale: Scale) -> Markup:
    found = entry.results.endpoint
    return Markup(
        '<tr{kind}><th scope="row" class="who"><a href="{address}">{name}</a></th>'
        '<td aria-hidden="true"><svg>'
        '<line class="axis" x1="{zero}%" x2="{zero}%" y1="0" y2="100%"/>{drawn}</svg></td>'
        '<td class="figure">{value} <small>{interval}</small></td></tr>\n'
    ).format(
        kind="" if entry.is_ranked else Markup(' class="off"'),
        address=entry_address(standing.id, entry.name),
        name=name_html(entry.label),
        zero=scale.at(0),
        drawn=_drawn(entry, scale),
        value=number_text(found.value),
        interval=interval_text(found.low, found.high),
    )


def _drawn(entry: Entry, scale: Scale) -> Markup:
    found = entry.results.endpoint
    line = Markup("")
    if found.low is not None and found.high is not None:
        line = Markup('<line x1="{}%" x2="{}%" y1="50%" y2="50%"/>').format(
            scale.at(found.low), scale.at(found.high)
        )
    if found.value is None:
        return line
    return Markup('{}<circle cx="{}%" cy="50%" r="4.5"/>').format(line, scale.at(found.value))
