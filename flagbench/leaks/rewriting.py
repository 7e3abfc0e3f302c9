"""Another future for a market: every bar and all text after one bar rewritten, everything up to it untouched.

A `boom` rises and its news is good, a `crash` is its mirror image: whoever sees what comes answers them
differently. Under `chance` each leg of a bar, overnight and intraday, keeps the size of its simple return and
gets a random sign, and text has a random tone. Given all that came before, every return then has mean 0:
nothing can be foreseen, not even by who knows the true future.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from flagbench.market.draws import stream, uniforms
from flagbench.market.headlines import SUBJECTS, TEMPLATES, TONE_WORDS
from flagbench.market.market import Market, content_hash
from flagbench.market.price_file import FloatArray
from flagbench.market.text_file import TextItem
from flagbench.market.volatility import LARGEST_RETURN

Future = Literal["boom", "crash", "chance"]

# No published source for the next three. The first move turns the sign of most averages over a lookback, the
# drift shows at every horizon, and prices stay within a float's reach over thousands of bars.
FIRST_MOVE = 0.3
DRIFT = 0.002
VOLUME_FACTOR = 3.0

SPREAD = 0.01
"""High and low lie up to so far beyond open and close."""


def rewritten(market: Market, after: int, future: Future, *, seed: int) -> Market:
    """A market that is the same up to a bar and different in every number and text later.

    Args:
        market: any; its dates stay.
        after: index of the last bar that stays.
        future: what comes.
        seed: of what is drawn; two seeds have two futures.
    """
    kept, later = after + 1, len(market.dates) - after - 1
    # The same numbers for every future, so that a crash is the mirror image of a boom.
    numbers = uniforms(stream(seed, market.asset.id, str(after), "leaks"), later, 7)
    adjusted = _path(market, after, _legs(market, after, future, numbers[:, :2]), numbers)
    factor = market.adjusted_close[after] / market.bars[after, 3]
    bars, closes = market.bars.copy(), market.adjusted_close.copy()
    bars[kept:, :4] = adjusted / factor  # no later split and no later dividend
    closes[kept:] = adjusted[:, 3]
    bars[kept:, 4] *= _volume_factor(future, numbers[:, 4])
    published = _published(market, after, closes)
    text = _text(market, after, future, numbers)
    digest = content_hash(market.dates, bars, closes, published, text)
    return replace(
        market, bars=bars, adjusted_close=closes, investorbench=published, text=text, sha256=digest
    )


def _legs(market: Market, after: int, future: Future, numbers: FloatArray) -> FloatArray:
    """Simple returns overnight and intraday of the bars after one: (k, 2)."""
    if future == "chance":
        bars = market.adjusted_bars[after:]
        own = np.column_stack([bars[1:, 0] / bars[:-1, 3], bars[1:, 3] / bars[1:, 0]]) - 1
        sizes = np.minimum(np.abs(own), LARGEST_RETURN)
        signed: FloatArray = np.where(numbers < 0.5, -sizes, sizes)
        return signed
    rises = DRIFT * (0.5 + numbers)
    rises[:1] += FIRST_MOVE
    return rises if future == "boom" else 1 / (1 + rises) - 1


def _path(market: Market, after: int, legs: FloatArray, numbers: FloatArray) -> FloatArray:
    """Adjusted open, high, low and close of the bars after one: (k, 4)."""
    steps = np.cumprod((1 + legs).ravel()) * market.adjusted_close[after]
    open_, close = steps[::2], steps[1::2]
    high = np.maximum(open_, close) * (1 + SPREAD * numbers[:, 2])
    low = np.minimum(open_, close) * (1 - SPREAD * numbers[:, 3])
    return np.column_stack([open_, high, low, close])


def _volume_factor(future: Future, numbers: FloatArray) -> FloatArray:
    middle = {"boom": VOLUME_FACTOR, "crash": 1 / VOLUME_FACTOR, "chance": 1.0}[future]
    factor: FloatArray = middle * (0.5 + numbers)
    return factor


def _published(market: Market, after: int, closes: FloatArray) -> FloatArray | None:
    """InvestorBench's prices, which go the way of the closes from the last one that is known."""
    if market.investorbench is None:
        return None
    published = market.investorbench.copy()
    known = np.flatnonzero(~np.isnan(published[: after + 1]))
    scale = published[known[-1]] / market.adjusted_close[known[-1]] if known.size else 1.0
    later = np.isnan(published[after + 1 :])
    published[after + 1 :] = np.where(later, np.nan, closes[after + 1 :] * scale)
    return published


def _text(market: Market, after: int, future: Future, numbers: FloatArray) -> tuple[TextItem, ...]:
    """Each later item says something else, of its date's tone; their dates and kinds stay."""
    last = str(market.dates[after])
    days = market.dates[after + 1 :].astype(str)
    subject = SUBJECTS[market.asset.asset_class]
    items: list[TextItem] = []
    for item in market.text:
        if item.date <= last:
            items.append(item)
            continue
        # The bar that shows the item; items later than the last bar are shown by none.
        row = numbers[min(int(np.searchsorted(days, item.date)), len(days) - 1)] if len(days) else [0.5] * 7
        tone = {"boom": 5, "crash": 1, "chance": 1 + int(5 * row[5])}[future]
        words = TONE_WORDS[tone - 1]
        form = TEMPLATES[int(len(TEMPLATES) * row[6])]
        word = words[int(len(words) * row[5]) if future != "chance" else 0]
        items.append(TextItem(item.date, item.kind, form.format(subject=subject, word=word)))
    return tuple(items)
