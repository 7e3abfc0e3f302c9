"""A market: everything that an asset showed, bar by bar."""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from flagbench.errors import MarketDataError
from flagbench.market.asset import Asset
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.market.text_file import TextItem


@dataclass(frozen=True, kw_only=True, eq=False)
class Market:
    """Dates, bars and text of one asset. Immutable: all arrays are read-only.

    Attributes:
        asset: what is traded.
        dates: (n,) datetime64[D], strictly rising.
        bars: (n, 5) open, high, low, close, volume as traded; volume may be nan.
        adjusted_close: (n,) closes with later splits and dividends taken out.
        investorbench: (n,) InvestorBench's own price of the day, nan where its file has none; or None.
        text: items sorted by date.
        kind: whether the prices are real or generated.
        sha256: content hash; a market cut by `until` keeps the hash of the whole.
        stands_in: whether it is a replica that nobody asked for, drawn because no data was found.
    """

    asset: Asset
    dates: DateArray
    bars: FloatArray
    adjusted_close: FloatArray
    investorbench: FloatArray | None
    text: tuple[TextItem, ...]
    kind: Literal["market", "replica"]
    sha256: str
    stands_in: bool = False

    def __post_init__(self) -> None:
        for array in (self.dates, self.bars, self.adjusted_close, self.investorbench):
            if array is not None:
                array.flags.writeable = False

    @property
    def label(self) -> str:
        """The asset's id, marked where the prices are generated."""
        return f"{self.asset.id} (replica)" if self.kind == "replica" else self.asset.id

    @cached_property
    def adjusted_bars(self) -> FloatArray:
        """(n, 5) bars whose prices are scaled by adjusted close / close of the same day."""
        bars = self.bars.copy()
        bars[:, :4] *= (self.adjusted_close / self.bars[:, 3])[:, None]
        bars[:, 3] = self.adjusted_close  # exact, without the rounding of the product
        bars.flags.writeable = False
        return bars

    @cached_property
    def _text_dates(self) -> list[str]:
        return [item.date for item in self.text]

    def text_of(self, index: int) -> tuple[TextItem, ...]:
        """Items dated after the previous bar's date and up to this bar's, oldest first."""
        after = str(self.dates[index - 1]) if index else str(self.dates[index] - np.timedelta64(1, "D"))
        begin = bisect_right(self._text_dates, after)
        end = bisect_right(self._text_dates, str(self.dates[index]))
        return self.text[begin:end]

    def bar_range(self, period: Period) -> range:
        """Indices of the bars inside a period.

        Raises:
            MarketDataError: the data begins after the period does or ends before it, or the period
                holds fewer than two bars.
        """
        first, last = np.datetime64(period.first, "D"), np.datetime64(period.last, "D")
        begin = int(np.searchsorted(self.dates, first, side="left"))
        end = int(np.searchsorted(self.dates, last, side="right"))
        held = f"{self.asset.id}: bars go from {self.dates[0]} to {self.dates[-1]}"
        # A period may begin or end on days without a session, but never beyond the first or last bar.
        if first < self.dates[0] or last > self.dates[-1]:
            raise MarketDataError(
                f"the window {period} lies outside the data", hint=f"{held}; choose a window inside"
            )
        if end - begin < 2:
            raise MarketDataError(
                f"the window {period} has too few bars ({end - begin}), two are needed", hint=held
            )
        return range(begin, end)

    def until(self, period: Period) -> "Market":
        """The market as it stood at the end of a period: no later bar and no later text."""
        end = self.bar_range(period).stop
        last = str(self.dates[end - 1])
        return replace(
            self,
            dates=self.dates[:end].copy(),
            bars=self.bars[:end].copy(),
            adjusted_close=self.adjusted_close[:end].copy(),
            investorbench=None if self.investorbench is None else self.investorbench[:end].copy(),
            text=self.text[: bisect_right(self._text_dates, last)],
        )


def content_hash(
    dates: DateArray,
    bars: FloatArray,
    adjusted_close: FloatArray,
    investorbench: FloatArray | None,
    text: Sequence[TextItem],
) -> str:
    """The sha256 of what a market shows, independent of file formats and of the machine.

    Dates as days since 1970 (int64), prices as IEEE float64, both little-endian, with lengths before
    them; nan in one bit pattern.
    """
    digest = hashlib.sha256(b"flagbench market 1\n")
    digest.update(struct.pack("<q", dates.size) + dates.astype("datetime64[D]").astype("<i8").tobytes())
    for array in (bars, adjusted_close, investorbench):
        if array is None:
            digest.update(b"none")
            continue
        numbers = np.where(np.isnan(array), np.nan, array).astype("<f8")
        digest.update(struct.pack("<q", numbers.size) + numbers.tobytes())
    for item in text:
        for part in item:
            encoded = part.encode()
            digest.update(struct.pack("<q", len(encoded)) + encoded)
    return digest.hexdigest()
