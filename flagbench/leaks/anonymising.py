"""The same market under another name and on other dates, for agents that remember instead of deciding."""

import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from flagbench.market.asset import Asset, Windows
from flagbench.market.headlines import SUBJECTS
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.market.text_file import TextItem

TICKER = "ASSET"

YEARS = 28
"""After so many years the Gregorian calendar has the same weekdays and leap days again, up to 2099."""

DAYS = 28 * 365 + 7

LEGAL = re.compile(
    r"[,.]|\b(inc|corp|corporation|company|co|ltd|plc|group|holdings|trust|etf|international|the)\b",
    re.IGNORECASE,
)
"""What stands in a company's full name and seldom in the news."""

SHORTEST_NAME = 3
"""Letters; shorter ones would be found in the middle of other things."""


def anonymised(market: Market) -> Market:
    """The market with ticker and names replaced, and all dates 28 years later, years inside texts too.

    Prices, and the order and weekday of bars, stay. Names of people and products are not known here and stay.
    """
    dates = market.dates + np.timedelta64(DAYS, "D")
    names = names_of(market.asset)
    subject = SUBJECTS[market.asset.asset_class]
    text = tuple(
        TextItem(_later(item.date), item.kind, nameless(item.text, names, subject=subject))
        for item in market.text
    )
    windows = market.asset.windows
    asset = market.asset.model_copy(
        update={
            "id": TICKER,
            "name": subject,
            "windows": Windows(train=_shifted(windows.train), test=_shifted(windows.test)),
        }
    )
    digest = content_hash(dates, market.bars, market.adjusted_close, market.investorbench, text)
    return replace(market, asset=asset, dates=dates, text=text, sha256=digest)


def names_of(asset: Asset) -> tuple[str, ...]:
    """What news may call an asset: its ticker, its full name, and that name without its legal form."""
    plain = " ".join(LEGAL.sub(" ", asset.name).split())
    found = {asset.id, asset.name, plain, plain.split(" ")[0] if plain else ""}
    return tuple(sorted((name for name in found if len(name) >= SHORTEST_NAME), key=len, reverse=True))


def nameless(text: str, names: tuple[str, ...], *, subject: str) -> str:
    """A text with names replaced by `subject`, whole words in any case, and years moved on."""
    for name in names:
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", subject, text, flags=re.IGNORECASE)
    return re.sub(r"\b(?:19|20)\d\d\b", lambda year: str(int(year[0]) + YEARS), text)


def _later(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=DAYS)).isoformat()


def _shifted(period: Period) -> Period:
    return Period(period.first + timedelta(days=DAYS), period.last + timedelta(days=DAYS))
