from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.leaks.anonymising import anonymised, nameless, names_of
from flagbench.leaks.jobs import described, exported
from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.market.text_file import TextItem

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    text = [TextItem("2020-01-07", "news", "Synthetic rose in 2020, said 20201 people; SYNTHETICS did not.")]
    return synthetic_market([10.0 + day for day in range(40)], text=text)


def test_bars_and_weekdays_stay_and_every_date_is_28_years_later(market: Market) -> None:
    hidden = anonymised(market)
    assert str(hidden.dates[0]) == "2048-01-01"
    np.testing.assert_array_equal(hidden.bars, market.bars)
    np.testing.assert_array_equal(np.is_busday(hidden.dates), np.is_busday(market.dates))
    for window in ("train", "test"):
        own, later = (getattr(each.asset.windows, window) for each in (market, hidden))
        assert hidden.bar_range(later) == market.bar_range(own)


def test_neither_ticker_nor_name_is_left(market: Market) -> None:
    hidden = anonymised(market)
    assert (hidden.asset.id, hidden.asset.name) == ("ASSET", "the company")
    (item,) = hidden.text
    assert item.date == "2048-01-07"
    assert item.text == "the company rose in 2048, said 20201 people; SYNTHETICS did not."
    assert hidden.sha256 != market.sha256


def test_it_can_be_written_and_read(market: Market) -> None:
    hidden = anonymised(market)
    with exported([hidden]) as (folder,):
        assert load_market(described(hidden.asset), data=folder).sha256 == hidden.sha256


@pytest.mark.parametrize(
    ("asset", "text", "expected"),
    [
        ("TSLA", "Tesla, Inc. (TSLA) and tesla's cars", "the company (the company) and the company's cars"),
        ("JNJ", "Johnson & Johnson beats; J&J stays", "the company beats; J&J stays"),
        ("MSFT", "Microsoft and Microsofties", "the company and Microsofties"),
        ("HON", "Honeywell International said", "the company International said"),
        ("BTC", "Bitcoin hits 1,999 in 1999", "the coin hits 1,999 in 2027"),
    ],
)
def test_the_installed_assets_lose_their_names(asset: str, text: str, expected: str) -> None:
    found = load_asset(asset)
    subject = "the coin" if found.asset_class == "crypto" else "the company"
    assert nameless(text, names_of(found), subject=subject) == expected
