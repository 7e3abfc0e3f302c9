"""The columns of the board: what stands in each, what it is sorted by, and what it means in two sentences."""

from collections.abc import Callable
from operator import attrgetter
from typing import Literal, NamedTuple

from flagbench.board.entry import Entry, middle
from flagbench.board.standing import Reference, Standing
from flagbench.comparison.comparison import LEVEL, SET_LEVEL
from flagbench.reports.comparison_tables import figure
from flagbench.scoring.metric import Unit


class Cell(NamedTuple):
    """What stands in one cell."""

    text: str
    below: str = ""
    """In small letters below it: an interval, or a count."""
    value: float | None = None
    """What the column is sorted by; None stands last."""


class Column(NamedTuple):
    """One column."""

    key: str
    heading: str
    explanation: tuple[str, str]
    """Two sentences."""
    cell: Callable[[Entry, Standing], Cell]
    held: Callable[[Reference], Cell]
    """Buy-and-hold's."""
    first: Literal["ascending", "descending"] = "descending"
    """How it is sorted when it is first asked for: the better end above."""
    scale: float | None = 1.0
    """What a value is multiplied with where two are held against each other; None where they are not."""
    digits: int = 2


def number_text(value: float | None, unit: Unit = "ratio") -> str:
    """A figure without its unit, fractions in percent, with a minus sign; a dash for undefined."""
    return "–" if value is None else figure(value, unit).replace("-", "−")


def interval_text(low: float | None, high: float | None, unit: Unit = "ratio") -> str:
    """Two ends in brackets; nothing without them."""
    return "" if low is None or high is None else f"[{number_text(low, unit)}, {number_text(high, unit)}]"


NOTHING = Cell("–")

SIDES = attrgetter("before"), attrgetter("after")


def _endpoint(entry: Entry, _: Standing) -> Cell:
    found = entry.results.endpoint
    if found.value is None:
        return Cell(number_text(None), undefined_words(entry), None)
    return Cell(number_text(found.value), interval_text(found.low, found.high), found.value)


def undefined_words(entry: Entry) -> str:
    """In how many runs the Sharpe ratio is undefined; one is enough for the primary endpoint to be so."""
    sharpes = [seed.metrics["sharpe_ratio"] for asset in entry.results.assets for seed in asset.seeds]
    return f"undefined in {sharpes.count(None)} of {len(sharpes)} runs" if None in sharpes else "undefined"


def _sharpe(entry: Entry, standing: Standing) -> Cell:
    found = standing.joint.levels[entry.name]
    return Cell(number_text(found.iqm), interval_text(found.low, found.high), found.iqm)


def _held_sharpe(reference: Reference) -> Cell:
    found = reference.level
    return Cell(number_text(found.iqm), interval_text(found.low, found.high), found.iqm)


def _probability(value: float | None, below: str = "") -> Cell:
    return Cell("–" if value is None else f"{value:.3f}", below, value)


def _psr(entry: Entry, _: Standing) -> Cell:
    return _probability(entry.over_assets(lambda asset: asset.psr))


def _dsr(entry: Entry, _: Standing) -> Cell:
    return _probability(entry.over_assets(lambda asset: asset.dsr), f"N = {trials_text(entry)}")


def trials_text(entry: Entry) -> str:
    """N of each asset: one number, or the least and the largest."""
    counts = {asset.n_trials for asset in entry.results.assets}
    return "…".join(str(count) for count in sorted({min(counts), max(counts)}))


def _metric(name: str, unit: Unit) -> Callable[[Entry, Standing], Cell]:
    def cell(entry: Entry, _: Standing) -> Cell:
        value = entry.metric(name)
        return Cell(number_text(value, unit), "", value)

    return cell


def _held_metric(name: str, unit: Unit) -> Callable[[Reference], Cell]:
    def cell(reference: Reference) -> Cell:
        value = reference.metrics[name]
        return Cell(number_text(value, unit), "", value)

    return cell


def _knowledge(entry: Entry, _: Standing) -> Cell:
    """Sorted by the change."""
    asked = [asset.knowledge for asset in entry.results.assets if asset.knowledge is not None]
    if not asked:
        return NOTHING
    before, after = (middle(value for each in asked for value in side(each).values) for side in SIDES)
    change = None if before is None or after is None else after - before
    sides = " → ".join(number_text(side, "fraction") for side in (before, after))
    signed = "" if change is None else f"{100 * change:+.2f} points".replace("-", "−")
    return Cell(sides, signed, change)


def _set(entry: Entry, standing: Standing) -> Cell:
    inside, tested = standing.joint.in_set(entry.name)
    return Cell(f"{inside} of {tested}", "", inside / tested) if tested else NOTHING


def _held_set(reference: Reference) -> Cell:
    inside, tested = reference.in_set
    return Cell(f"{inside} of {tested}", "", inside / tested) if tested else NOTHING


def _level(level: float) -> str:
    return f"{100 * level:.0f} %"


COLUMNS = (
    Column(
        "endpoint",
        "Sharpe less buy-and-hold's",
        (
            "The primary endpoint, by which agents are ranked: the interquartile mean over assets and "
            "seeds of the yearly Sharpe ratio less buy-and-hold's on the same days.",
            f"In brackets its {_level(LEVEL)} interval from a studentised bootstrap of blocks of days; it "
            "is not adjusted for the number of agents, and where it holds 0 the agent cannot be told "
            "from buy-and-hold.",
        ),
        _endpoint,
        lambda _: Cell("0", "the reference", 0.0),
    ),
    Column(
        "sharpe",
        "Sharpe ratio",
        (
            "The interquartile mean over assets and seeds of the yearly Sharpe ratio: mean over standard "
            "deviation of the daily returns, times √P.",
            f"In brackets the {_level(LEVEL)} interval that the days leave it; how seeds differ stands on "
            "an entry's own page.",
        ),
        _sharpe,
        _held_sharpe,
    ),
    Column(
        "psr",
        "PSR",
        (
            "The probabilistic Sharpe ratio: the probability that the Sharpe ratio is above 0, given the "
            "length, the skewness and the kurtosis of the returns.",
            "It is the interquartile mean over assets and seeds, and knows nothing of how many agents "
            "were tried.",
        ),
        _psr,
        lambda reference: _probability(reference.psr),
        digits=3,
    ),
    Column(
        "dsr",
        "DSR",
        (
            "The deflated Sharpe ratio: the same probability for the best of N tries, since with enough "
            "tries one looks good by luck.",
            "N is the number of distinct trials on an asset and window in the submitter's ledger, and 1 "
            "leaves the PSR; trials that no ledger recorded cannot be counted.",
        ),
        _dsr,
        lambda _: NOTHING,
        digits=3,
    ),
    Column(
        "return",
        "Return, %",
        (
            "The cumulative return over the test window after costs, in percent: the interquartile mean "
            "over assets and seeds.",
            "On an entry's own page a bold return means that the entry is in the confidence set on that "
            "asset, and nothing else.",
        ),
        _metric("cumulative_return", "fraction"),
        _held_metric("cumulative_return", "fraction"),
        scale=100,
    ),
    Column(
        "drawdown",
        "Max drawdown, %",
        (
            "The largest fall of equity from its highest so far, in percent: the interquartile mean over "
            "assets and seeds.",
            "Less is better, and an agent that never trades has 0.",
        ),
        _metric("max_drawdown", "fraction"),
        _held_metric("max_drawdown", "fraction"),
        first="ascending",
        scale=100,
    ),
    Column(
        "turnover",
        "Turnover a year",
        (
            "The value of all trades, bought and sold, over the mean equity, a year.",
            "It says how much an agent trades, and so how far its figures depend on the cost of a trade.",
        ),
        _metric("turnover", "ratio"),
        _held_metric("turnover", "ratio"),
        first="ascending",
    ),
    Column(
        "cost",
        "Cost paid, %",
        (
            "What the trades cost, in percent of the initial equity, by the protocol's cost a side.",
            "It is already taken from the return, and is 0 under a protocol without costs.",
        ),
        _metric("cost_paid", "fraction"),
        _held_metric("cost_paid", "fraction"),
        first="ascending",
        scale=100,
    ),
    Column(
        "knowledge",
        "Knowledge, %",
        (
            "The share of right answers that the agent's language model gave to the track's questions "
            "before and after it was trained to trade, marked anew from its recorded answers.",
            "The change in points stands below and is what the column is sorted by; an agent without a "
            "language model has a dash, since it had no knowledge to lose.",
        ),
        _knowledge,
        lambda _: NOTHING,
        scale=100,
    ),
    Column(
        "set",
        "In confidence set",
        (
            f"On how many assets the entry is in the {_level(SET_LEVEL)} model confidence set of mean "
            "daily return: the agents among which the best one is, with that probability.",
            "Only ranked entries and buy-and-hold are tested, and a large set means that the window "
            "cannot tell them apart.",
        ),
        _set,
        _held_set,
        scale=None,
    ),
)
"""In the order of the table, the primary endpoint first; badge and marks stand behind them."""

MORE: dict[str, tuple[str, tuple[str, str]]] = {
    "rank": (
        "Rank",
        (
            "The place by the primary endpoint among ranked entries; buy-and-hold, which stands where its 0 "
            "places it, and entries whose endpoint is undefined, which stand last, have no number.",
            "Neighbours whose intervals overlap much may well stand the other way round on other days.",
        ),
    ),
    "badge": (
        "Badge",
        (
            "“replayed” means that all figures were recomputed from the recorded actions, which proves "
            "the arithmetic and no more: anyone can hand in a path that was chosen in hindsight, so such "
            "an entry is listed and not ranked.",
            "“reproduced” means that a maintainer trained a seed again and it did the same, or as well "
            "as the claimed seeds; only these are ranked.",
        ),
    ),
    "collapsed": (
        "Mark: = buy-and-hold, = always-flat",
        (
            "The actions of so many of the entry's seeds and assets are exactly those of a policy that "
            "needs no agent.",
            "Such figures say nothing of what the agent learned.",
        ),
    ),
    "pretraining": (
        "Mark: inside pre-training",
        (
            "On so many assets the test window begins before the reading of the agent's language model "
            "ended, so that it may have read what happens.",
            "The date is the submitter's word; “cut-off unknown” means that nobody knows it.",
        ),
    ),
    "calibration": (
        "Mark: calibration",
        (
            "The agent was given the future and shows the most that could have been earned.",
            "It is in no ranking and in no test.",
        ),
    ),
}
"""What stands in the other columns, and what the marks say: heading and two sentences."""
