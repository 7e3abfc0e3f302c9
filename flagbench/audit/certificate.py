"""A path that has the claimed figures, as a file that `flagbench score` plays."""

import csv
import math
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.audit.claim import FLAGS, Claim
from flagbench.audit.convention import Convention, Figures, agrees
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.records.action_file import write_actions
from flagbench.scoring.score import score_positions
from flagbench.trading.action import Action


class Certificate(NamedTuple):
    """Positions over a window, and the convention under which they have the claimed figures."""

    convention: Convention
    positions: FloatArray  # (m,) −1, 0 or 1


def sharpe_factor(convention: Convention) -> float:
    """What the Sharpe ratio of `flagbench score --scoring investorbench` is to be multiplied by.

    That scoring has one year for return and volatility, and divides by the number of prices; 1 where the
    convention does too. Other figures are the same where `--periods` is the convention's year of volatility.
    """
    years = convention.return_periods / convention.volatility_periods
    return years * len(convention.window.closes) / convention.day_count


def replayed(market: Market, certificate: Certificate) -> Figures:
    """The four figures of a certificate, by the code that scores files of actions."""
    convention = certificate.convention
    values = score_positions(market, convention.window.period, certificate.positions).values
    years = math.sqrt(convention.volatility_periods / market.asset.calendar.periods_per_year)
    return Figures(
        cumulative_return=np.array(values["cumulative_return"]),
        sharpe_ratio=np.array(values["sharpe_ratio"] * years * sharpe_factor(convention)),
        annualized_volatility=np.array(values["annualized_volatility"] * years),
        max_drawdown=np.array(values["max_drawdown"]),
    )


def is_confirmed(market: Market, claim: Claim, certificate: Certificate) -> bool:
    """Whether a certificate's replay prints as the claim does."""
    return agrees(claim, replayed(market, certificate), tuple(FLAGS.values()))


def replay_command(path: Path, claim: Claim, certificate: Certificate, *, data: str | None = None) -> str:
    """What to type to score a certificate that was written.

    Args:
        path: where it was written to.
        claim: what it has the figures of.
        certificate: the path of positions.
        data: the data folder that was named.
    """
    way = certificate.convention
    return shlex.join(
        [
            *("flagbench", "score", str(path), "--asset", claim.asset),
            *("--start", str(way.window.period.first), "--end", str(way.window.period.last)),
            *("--scoring", "investorbench", "--periods", str(way.volatility_periods)),
            *(() if data is None else ("--data", data)),
        ]
    )


def file_name(claim: Claim, period: Period) -> str:
    """One name a claim on a window, made of what was claimed."""
    figures = [getattr(claim, name).text for name in FLAGS.values()]
    words = [claim.name, claim.asset] if claim.name != claim.asset else [claim.asset]
    parts = [*words, str(period.first), str(period.last), *figures, claim.positions]
    return re.sub(r"[^\w.+-]+", "-", "_".join(parts)).strip("-.") + ".csv"


def write_certificate(path: Path, market: Market, claim: Claim, certificate: Certificate) -> None:
    """Write actions of a long or flat path, or the positions of one that may be short."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bars = market.bar_range(certificate.convention.window.period)
    days = market.dates[bars.start : bars.stop - 1]
    if claim.positions == "long-flat":
        write_actions(path, days, actions_of(certificate.positions))
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["date", "position"])
        writer.writerows(
            (str(day), int(position)) for day, position in zip(days, certificate.positions, strict=True)
        )


def actions_of(positions: FloatArray) -> npt.NDArray[np.int8]:
    """(m,) the actions that lead from flat to positions 0 or 1: an order only where the position changes."""
    changes = np.diff(positions, prepend=0.0)
    orders = [int(Action.BUY), int(Action.SELL)]
    return np.select([changes > 0, changes < 0], orders, int(Action.HOLD)).astype(np.int8)
