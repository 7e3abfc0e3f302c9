"""What was printed: figures as exact as their digits, and the window that they are said to cover."""

import csv
import math
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple, cast

from flagbench.audit.interval import Interval
from flagbench.errors import ConfigError
from flagbench.market.period import Period

PositionKind = Literal["long-flat", "long-short"]

OPTIONS: Mapping[PositionKind, tuple[float, ...]] = {"long-flat": (1.0,), "long-short": (1.0, -1.0)}
"""The positions besides flat that a path may take."""

FLAGS = {
    "cr": "cumulative_return",
    "sr": "sharpe_ratio",
    "av": "annualized_volatility",
    "mdd": "max_drawdown",
}
"""The short name of each figure, as papers and the command line have it."""

COLUMNS = ("name", "asset", "start", "end", *FLAGS)
"""Of a table of claims; `positions` may stand beside them."""

LARGEST = 1e9
"""Of a figure; ours, so that it can be squared. Printed ones have nine digits before the point at most."""

EXACT = 1e-9
"""What a figure that was not rounded may differ by: what a submission's figures must agree to."""

ROUNDING = 1e-12
"""Of a fraction; what two orders of summing a window's returns may differ by, far below any printed digit."""


class Printed(NamedTuple):
    """A figure as it was printed, and the fractions that are rounded to it."""

    text: str
    interval: Interval
    """nan at both ends for a figure that was printed as undefined."""

    @property
    def is_undefined(self) -> bool:
        """Whether it was printed as undefined."""
        return math.isnan(self.interval.low)

    def is_rounded_from(self, value: float) -> bool:
        """Whether a fraction, printed with as many digits, could give this text."""
        if self.is_undefined or math.isnan(value):
            return self.is_undefined and math.isnan(value)
        return self.interval.widened(ROUNDING).contains(value)


class Claim(NamedTuple):
    """One printed row.

    Attributes:
        name: what the row is called.
        asset: a name, or whatever the reader of the row can turn into a market.
        period: first and last date, as far as they were stated; None for the asset's own test window.
        cumulative_return, sharpe_ratio, annualized_volatility, max_drawdown: what was printed.
        positions: what the row's author could hold.
    """

    name: str
    asset: str
    period: Period | None
    cumulative_return: Printed
    sharpe_ratio: Printed
    annualized_volatility: Printed
    max_drawdown: Printed
    positions: PositionKind = "long-flat"

    @property
    def options(self) -> tuple[float, ...]:
        """Positions besides flat."""
        return OPTIONS[self.positions]


def make_claim(
    figures: Mapping[str, str],
    *,
    asset: str,
    period: Period | None = None,
    name: str = "",
    positions: str = "long-flat",
) -> Claim:
    """A checked claim.

    Args:
        figures: text by `cr`, `sr`, `av` and `mdd`; percent, but for the Sharpe ratio, with the digits
            that were printed.
        asset: what it was printed for.
        period: its window.
        name: of the row.
        positions: a key of `OPTIONS`.

    Raises:
        ConfigError: a figure is missing, no number, or one that it cannot be.
    """
    missing = [flag for flag in FLAGS if not figures.get(flag, "").strip()]
    if missing:
        raise ConfigError(
            f"an audit needs all four figures; missing: {', '.join(missing)}",
            hint="give cr, sr, av and mdd as they were printed, in percent but for sr",
        )
    if positions not in OPTIONS:
        raise ConfigError(f"unknown positions `{positions}`", hint=f"known: {', '.join(OPTIONS)}")
    printed = {metric: read_printed(figures[flag], flag=flag) for flag, metric in FLAGS.items()}
    return Claim(
        name=name or asset,
        asset=asset,
        period=period,
        cumulative_return=printed["cumulative_return"],
        sharpe_ratio=printed["sharpe_ratio"],
        annualized_volatility=printed["annualized_volatility"],
        max_drawdown=printed["max_drawdown"],
        positions=cast(PositionKind, positions),
    )


def read_printed(text: str, *, flag: str) -> Printed:
    """A figure and the fractions that are rounded to it: half a unit of its last digit to both sides.

    Args:
        text: such as `46.799`; a Sharpe ratio may be `nan`.
        flag: a key of `FLAGS`; all but `sr` are percent.

    Raises:
        ConfigError: it is no decimal number, or a volatility or drawdown that cannot be.
    """
    plain = text.strip().replace("−", "-").removesuffix("%").strip()
    if flag == "sr" and plain.lower() == "nan":
        return Printed("nan", Interval(math.nan, math.nan))
    if not re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,15})?", plain):
        raise ConfigError(
            f"`{text}` is no figure for {flag}",
            hint="write it as it was printed, with all its digits: 46.799",
        )
    number = Decimal(plain)
    if flag in ("av", "mdd") and number < 0:
        raise ConfigError(f"{flag} cannot be negative, given {text}", hint="give it as a positive number")
    if flag == "mdd" and number > 100:
        raise ConfigError(f"a drawdown is at most 100 %, given {text}")
    exponent = number.as_tuple().exponent
    half = Decimal(1).scaleb(int(exponent)) / 2
    unit = Decimal(1) if flag == "sr" else Decimal(100)
    low, high = float((number - half) / unit), float((number + half) / unit)
    if flag in ("av", "mdd"):
        low = max(low, 0.0)
    return Printed(plain, Interval(low, high))


def exact_claim(
    figures: Mapping[str, float], *, asset: str, period: Period | None = None, name: str = ""
) -> Claim:
    """A claim of figures that were not rounded, such as a score's.

    Args:
        figures: by the names that `FLAGS` has; fractions, nan for undefined.
        asset: what they are of.
        period: their window.
        name: of the row.

    Raises:
        ConfigError: a figure is missing, or one that it cannot be: only a Sharpe ratio may be undefined.
    """
    missing = [metric for metric in FLAGS.values() if metric not in figures]
    if missing:
        raise ConfigError(f"an audit needs all four figures; missing: {', '.join(missing)}")
    cr, sr, av, mdd = (_exact(metric, float(figures[metric])) for metric in FLAGS.values())
    return Claim(name or asset, asset, period, cr, sr, av, mdd)


def _exact(metric: str, value: float) -> Printed:
    may_be_undefined = metric == "sharpe_ratio" and math.isnan(value)
    if not may_be_undefined and not abs(value) <= LARGEST:
        raise ConfigError(
            f"`{metric}` is {value}, a figure between -{LARGEST:.0e} and {LARGEST:.0e} is needed"
        )
    shown = value if metric == "sharpe_ratio" else 100 * value
    return Printed("nan" if math.isnan(value) else f"{shown:.4f}", Interval(value, value).widened(EXACT))


def read_claims(path: Path) -> list[Claim]:
    """The rows of a CSV file with the columns `COLUMNS`, and perhaps `positions`.

    Raises:
        ConfigError: no such file, a column is missing or unknown, or a row has a value that cannot be.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            header = [name.strip().lower() for name in reader.fieldnames or []]
            reader.fieldnames = header
            _check_header(path, header)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as CSV: {error}") from error
    if not rows:
        raise ConfigError(f"{path} holds no row", hint=f"below the header `{','.join(COLUMNS)}` one a claim")
    return [_claim_of(row, where=f"{path}, line {line}") for line, row in rows]


def _check_header(path: Path, header: list[str]) -> None:
    if set(header) - {"positions"} != set(COLUMNS) or len(set(header)) < len(header):
        raise ConfigError(
            f"{path}: the header is `{','.join(header)}`",
            hint=f"needed: {','.join(COLUMNS)}, and perhaps positions",
        )


def _claim_of(row: Mapping[str | None, str | list[str] | None], *, where: str) -> Claim:
    if None in row or None in row.values():
        raise ConfigError(f"{where}: another number of cells than the header has")
    cells = {str(name): str(cell).strip() for name, cell in row.items()}
    try:
        return make_claim(
            cells,
            asset=cells["asset"],
            period=read_period(cells["start"], cells["end"]),
            name=cells["name"],
            positions=cells.get("positions") or "long-flat",
        )
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error


def read_period(start: str | None, end: str | None) -> Period | None:
    """A window from two ISO dates; None where neither is given.

    Raises:
        ConfigError: only one is given, one is no date, or they are in the wrong order.
    """
    if not start and not end:
        return None
    if not start or not end:
        raise ConfigError(
            "start and end go together", hint="give both, or neither for the asset's test window"
        )
    days = []
    for text in (start, end):
        try:
            days.append(date.fromisoformat(text))
        except ValueError:
            raise ConfigError(f"`{text}` is no ISO date", hint="write 2020-10-01") from None
    return Period.of(days[0], days[1])
