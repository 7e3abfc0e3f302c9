"""Replicas: drawn markets that look like an asset, with headlines that tell what is to come, or do not.

The signal is planted in the text, never in the prices: with one seed all signals have the same bars, and
the same headlines but for their words of tone. Whoever does not read sees a martingale, in simple returns,
overnight and intraday (up to the rounding of quotes): the mean is zero under every signal, since one that
a signal brought along would tell a placebo's prices from another's.

`signal` is the correlation between the tone of day t's headlines (1 to 5) and the normal behind the return
that an order decided on them earns under the protocol `standard`: of an equity from the next open to the
open after, of a coin from the next close to the close after. The normal is that of both legs together,
weighted by the roots of their shares of the variance. Tone and normal are joined by a Gaussian copula. The
correlation with the return itself is smaller, since volatility changes and jumps are not foretold.
"""

import math
from datetime import date
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from flagbench.errors import ConfigError
from flagbench.market.asset import Asset, Windows
from flagbench.market.draws import stream, to_normals, uniforms
from flagbench.market.headlines import TONE_CORRELATION, IntArray, tones_of, write_headlines
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.market.replica_params import ReplicaParams
from flagbench.market.sessions import sessions_between
from flagbench.market.volatility import ReturnPath, draw_returns
from flagbench.settings import Settings, parse

# Bars before the training window; a protocol's lookback must find room in them.
HISTORY = 60
# The order of the last bar's headlines earns what happens two bars later.
AHEAD = 2
# Prices have as many significant digits as a quote, so that machines that compute the last bits
# differently still show the same market.
DIGITS = 6
# |return| of a normal in standard deviations, its median: there volume is at its own.
MEDIAN_MOVE = 0.6745

Bars = Annotated[int, Field(ge=2, le=10_000)]


class ReplicaSpec(Settings):
    """Which replica of an asset."""

    signal: Annotated[float, Field(allow_inf_nan=False)] = 0.2
    """Correlation of tone and return; 0 is a placebo, in which nothing can be foreseen."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of everything that is drawn, together with the asset's id."""
    train: Bars | None = None
    """Bars of the training window, which then ends where the asset's test window begins; null: its own."""
    test: Bars | None = None
    """Bars of the test window, from the first date of the asset's own; null: its own."""

    @field_validator("signal")
    @classmethod
    def _five_tones_can_carry_it(cls, value: float) -> float:
        if abs(value) > TONE_CORRELATION:
            limit = math.floor(1000 * TONE_CORRELATION) / 1000
            raise ValueError(f"five tones can carry a correlation of {limit} at most, up or down")
        return value

    def __str__(self) -> str:
        values = self.model_dump(exclude_none=True)
        return "replica:" + ",".join(f"{name}={value}" for name, value in values.items())


class Replica(NamedTuple):
    """A drawn market of n bars and what is behind it."""

    market: Market
    path: ReturnPath  # of n + 2 bars: the last two are not shown, but the last headlines speak of them
    innovations: FloatArray  # (n,) the normal behind the return that the order decided on each bar earns
    tones: IntArray  # (n,) of each bar's headlines


class RealisedSignal(NamedTuple):
    """What correlation a replica came to have; its standard error is about 1/√decisions at signal 0."""

    planted: float  # of tone and innovation, what `signal` asks for
    raw: float  # of tone and the simple return earned
    decisions: int


def parse_replica(text: str) -> ReplicaSpec:
    """Read `replica` or `replica:signal=0.2,seed=7,train=250,test=150`.

    Raises:
        ConfigError: no such form, a name that is unknown or there twice, or a value that is not allowed.
    """
    head, colon, tail = text.strip().partition(":")
    example = "write it as replica:signal=0.2,seed=7,train=250,test=150"
    if head != "replica" or (colon and not tail):
        raise ConfigError(f"`{text}` names no replica", hint=example)
    values: dict[str, str] = {}
    for part in tail.split(",") if tail else ():
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name:
            raise ConfigError(f"`{text}`: `{part.strip()}` is not of the form name=value", hint=example)
        if name in values:
            raise ConfigError(f"`{text}`: `{name}` is given twice")
        values[name] = value
    return parse(ReplicaSpec, values, origin=text)


def make_replica(asset: Asset, spec: ReplicaSpec) -> Market:
    """The drawn market of an asset, of kind `replica`; see `draw_replica`."""
    return draw_replica(asset, spec).market


def draw_replica(asset: Asset, spec: ReplicaSpec) -> Replica:
    """Draw a replica: the same asset id, params, windows and spec give the same content hash.

    Raises:
        ConfigError: the asset's file has no `replica` params.
    """
    params = asset.replica
    if params is None:
        raise ConfigError(
            f"asset {asset.id} has no `replica` params, so no replica of it can be drawn",
            hint="add a block `replica:` to its YAML file, as in the files of the installed assets",
        )
    dates, windows = _calendar(asset, spec)
    seed, periods = spec.seed, asset.calendar.periods_per_year
    bars = len(dates)
    path = draw_returns(params, bars + AHEAD, periods_per_year=periods, seed=seed, name=asset.id)
    innovations = _earned_innovations(asset, params, path)
    noise = to_normals(uniforms(stream(seed, asset.id, "tones"), bars))
    weight = spec.signal / TONE_CORRELATION
    tones = tones_of(weight * innovations + math.sqrt(max(0.0, 1 - weight**2)) * noise)
    wording = stream(seed, asset.id, "headlines")
    text = write_headlines(dates, tones.tolist(), asset_class=asset.asset_class, source=wording)
    table = _bars(params, path, bars, stream(seed, asset.id, "bars"))
    closes = table[:, 3].copy()
    market = Market(
        asset=asset.model_copy(update={"windows": windows}),
        dates=dates,
        bars=table,
        adjusted_close=closes,
        investorbench=None,
        text=text,
        kind="replica",
        sha256=content_hash(dates, table, closes, None, text),
    )
    return Replica(market, path, innovations, tones)


def realised_signal(replica: Replica) -> RealisedSignal:
    """The correlations that a replica came to have, over all orders that are filled and earn inside it."""
    market = replica.market
    decisions = len(market.dates) - AHEAD
    prices = market.bars[:, 0 if market.asset.asset_class == "equity" else 3]
    earned = prices[AHEAD:] / prices[1:-1] - 1
    tones = replica.tones[:decisions].astype(np.float64)
    planted = np.corrcoef(tones, replica.innovations[:decisions])[0, 1]
    return RealisedSignal(float(planted), float(np.corrcoef(tones, earned)[0, 1]), decisions)


def _earned_innovations(asset: Asset, params: ReplicaParams, path: ReturnPath) -> FloatArray:
    """The standard normal behind what the order decided on each bar earns: (n,), from a path of n + 2."""
    night, day = math.sqrt(params.overnight_share), math.sqrt(1 - params.overnight_share)
    filled = path.intraday_normals[1:-1] if asset.asset_class == "equity" else path.intraday_normals[2:]
    innovations: FloatArray = night * path.overnight_normals[2:] + day * filled
    return innovations


def _bars(params: ReplicaParams, path: ReturnPath, bars: int, source: np.random.PCG64) -> FloatArray:
    """Open, high, low, close and volume of each bar: (n, 5).

    High and low are those of a Brownian bridge from open to close (in logarithms, each by its own exact
    distribution), so they lie beyond both. Volume is log-normal and rises with the absolute return.
    """
    numbers = uniforms(source, bars, 3)
    volume_noise = params.volume_spread * to_normals(numbers[:, 2])
    table = np.empty((bars, 5))
    close = params.first_price
    for bar in range(bars):
        night, day, variance = (array[bar].item() for array in (path.overnight, path.intraday, path.variance))
        open_ = _quote(close * (1 + night))
        close = _quote(open_ * (1 + day))
        move, width = math.log(close / open_), 2 * variance * (1 - params.overnight_share)
        up, down = (math.sqrt(move**2 - width * math.log(number)) for number in numbers[bar, :2].tolist())
        high, low = _quote(open_ * math.exp((move + up) / 2)), _quote(open_ * math.exp((move - down) / 2))
        excess = params.volume_slope * (abs(night + day) / math.sqrt(variance) - MEDIAN_MOVE)
        volume = params.volume * math.exp(excess + volume_noise[bar].item())
        table[bar] = open_, high, low, close, _quote(round(volume))
    return table


def _quote(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _calendar(asset: Asset, spec: ReplicaSpec) -> tuple[DateArray, Windows]:
    """Dates of all bars and the two windows: 60 bars, the training window, the test window."""
    train, test = asset.windows.train, asset.windows.test
    first, last = min(train.first, test.first), max(train.last, test.last)
    before, after = _days_for(HISTORY + (spec.train or 0)), _days_for(spec.test or 0)
    days = _sessions(asset.calendar.exchange, np.datetime64(first) - before, np.datetime64(last) + after)
    if spec.train is None and spec.test is None:
        # Up to the first bar on or after the last date: a window may end on a day without one.
        begin, end = _index(days, first), _index(days, last) + 1
        return days[begin - HISTORY : end].copy(), asset.windows
    middle = _index(days, test.first)
    begin = middle - (spec.train or _bars_in(days, train))
    end = middle + (spec.test or _bars_in(days, test))
    shown = days[begin:end].tolist()
    cut = middle - begin
    windows = Windows(train=Period(shown[0], shown[cut - 1]), test=Period(shown[cut], shown[-1]))
    return days[begin - HISTORY : end].copy(), windows


def _days_for(bars: int) -> np.timedelta64:
    """So many calendar days that they hold that many bars on any calendar, and a fortnight more."""
    return np.timedelta64(3 * bars // 2 + 30, "D")


def _index(days: DateArray, day: date) -> int:
    """Index of the first session on or after a day."""
    return int(np.searchsorted(days, np.datetime64(day)))


def _bars_in(days: DateArray, period: Period) -> int:
    inside = (days >= np.datetime64(period.first)) & (days <= np.datetime64(period.last))
    return max(1, int(inside.sum()))


@lru_cache(maxsize=32)
def _sessions(exchange: str, first: np.datetime64, last: np.datetime64) -> DateArray:
    """All sessions from first to last; every weekday where the holidays are not known."""
    if exchange == "weekdays":
        days = np.arange(first, last + np.timedelta64(1, "D"), dtype="datetime64[D]")
        return days[np.is_busday(days)]
    return sessions_between(exchange, first, last)
