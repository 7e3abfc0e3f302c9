"""One submission as the board shows it: what its submitter said, and what was recomputed of it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flagbench.board.level import Seeds
from flagbench.board.series import Curves, curve_steps, day_steps, equity, seed_curves
from flagbench.comparison.entrants import BUY_AND_HOLD
from flagbench.market.price_file import DateArray
from flagbench.scoring.across_seeds import interquartile_mean
from flagbench.submissions.badge import Badge, Status, read_badge
from flagbench.submissions.card import read_card
from flagbench.submissions.layout import CARD, results_path
from flagbench.submissions.reading import read_submission
from flagbench.submissions.results import AssetResults, Results, Spread, read_results
from flagbench.submissions.submission import Submission


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """One submission.

    Attributes:
        name: of its folder, `<name>__<date>`; no other of the track has it.
        submission: what was handed in.
        card: Markdown of the submitter.
        results: what was recomputed; its series are left out, `curves` has what of them is drawn.
        badge: of who trained a seed again; None where nobody did.
        curves: by asset.
    """

    name: str
    submission: Submission
    card: str
    results: Results
    badge: Badge | None
    curves: Mapping[str, Curves]

    @property
    def label(self) -> str:
        """What it is called; submitted by a stranger."""
        return self.submission.card.name

    @property
    def status(self) -> Status:
        """What its badge says."""
        return "replayed" if self.badge is None else self.badge.status

    @property
    def is_ranked(self) -> bool:
        """Whether it stands in the ranking: trained again by a maintainer, and without the future."""
        return self.status == "reproduced" and self.results.ranked

    @property
    def is_buy_and_hold(self) -> bool:
        """Whether it is the reference itself, handed in as an agent: by its name and by every action."""
        return self.submission.agent.name == BUY_AND_HOLD and all(
            asset.collapsed.get(BUY_AND_HOLD) == len(asset.seeds) for asset in self.results.assets
        )

    def over_assets(self, figures: Callable[[AssetResults], Spread | None]) -> float | None:
        """The interquartile mean over assets and seeds; None where one seed has no figure.

        Args:
            figures: of one asset.
        """
        found = [figures(asset) for asset in self.results.assets]
        return middle(value for each in found if each is not None for value in each.values)

    def metric(self, name: str) -> float | None:
        """The interquartile mean of a metric over assets and seeds."""
        return self.over_assets(lambda asset: asset.summary[name])


class Bars(NamedTuple):
    """What all entries of a track share on one asset, for the script to draw."""

    days: tuple[int, ...]
    held: tuple[int, ...]
    """Buy-and-hold's curve, as `curve_steps`."""


class Read(NamedTuple):
    """An entry with the series that its track's tests are made from."""

    entry: Entry
    series: dict[str, Seeds]
    """By asset."""
    held: dict[str, Seeds]
    """Buy-and-hold's on the same bars."""
    bars: dict[str, Bars]


def middle(values: Iterable[float | None]) -> float | None:
    """The interquartile mean; None if one value is undefined, since leaving it out would flatter."""
    found = list(values)
    known = [value for value in found if value is not None]
    return interquartile_mean(known) if known and len(known) == len(found) else None


def read_entry(folder: Path) -> Read:
    """One submission with its results and its badge.

    Args:
        folder: a submission of a board, with results that are up to date.

    Raises:
        FlagbenchError: a file of it is missing or broken.
    """
    results = read_results(results_path(folder))
    curves, series, held, bars = {}, {}, {}, {}
    for asset in results.assets:
        series[asset.asset], held[asset.asset] = _seeds(asset)
        curves[asset.asset] = seed_curves(
            [seed.seed for seed in asset.seeds], series[asset.asset].returns, log_returns=asset.log_returns
        )
        bars[asset.asset] = _bars(asset, held[asset.asset])
    entry = Entry(
        name=folder.name,
        submission=read_submission(folder),
        card=read_card(folder / CARD).body,
        results=_without_series(results),
        badge=read_badge(folder),
        curves=curves,
    )
    return Read(entry, series, held, bars)


def _seeds(asset: AssetResults) -> tuple[Seeds, Seeds]:
    """The entry's and buy-and-hold's; the paper's Sharpe ratio is m / (m + 1) of the plain one."""
    bars = len(asset.dates)
    factor = bars / (bars + 1) if asset.log_returns else 1.0
    unit = math.sqrt(asset.periods_per_year) * factor
    days = _dates(asset).tobytes()
    own = np.array([seed.returns for seed in asset.seeds], dtype=np.float64)
    return Seeds(own, unit, days), Seeds(np.array([asset.held.returns], dtype=np.float64), unit, days)


def _bars(asset: AssetResults, held: Seeds) -> Bars:
    first = np.array([asset.period[0]], dtype="datetime64[D]")
    curve = equity(held.returns[0], log_returns=asset.log_returns)
    return Bars(day_steps(np.concatenate([first, _dates(asset)])), curve_steps(curve))


def _dates(asset: AssetResults) -> DateArray:
    return np.array(asset.dates, dtype="datetime64[D]")


def _without_series(results: Results) -> Results:
    """The same without what a page shows as a curve; of 1,000 entries the series alone fill the memory."""
    assets = tuple(
        asset.model_copy(
            update={
                "dates": (),
                "held": asset.held.model_copy(update={"returns": ()}),
                "seeds": tuple(seed.model_copy(update={"returns": ()}) for seed in asset.seeds),
            }
        )
        for asset in results.assets
    )
    return results.model_copy(update={"assets": assets})
