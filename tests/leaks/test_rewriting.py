from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.leaks.jobs import described, exported
from flagbench.leaks.rewriting import FIRST_MOVE, Future, rewritten
from flagbench.market.headlines import tone_of
from flagbench.market.loading import load_market
from flagbench.market.market import Market, content_hash
from flagbench.market.text_file import TextItem

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

FUTURES: tuple[Future, ...] = ("boom", "crash", "chance")
BARS = 12


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    """Twelve bars with a split of two before the last five, InvestorBench's prices, and text on each day."""
    closes = [(200 if bar < 7 else 100) + (-1.0) ** bar * bar for bar in range(BARS)]
    days = [str(day) for day in np.busday_offset("2020-01-01", np.arange(BARS), roll="forward")]
    text = [TextItem(day, kind, f"{kind} of {day}") for day in days for kind in ("news", "10k")]
    published = [50 + bar if bar != 8 else float("nan") for bar in range(BARS)]
    opens = [close + 0.5 for close in closes]
    made = synthetic_market(closes, opens=opens, text=text, investorbench=published)
    adjusted = made.adjusted_close * np.where(np.arange(BARS) < 7, 0.5, 1)
    digest = content_hash(made.dates, made.bars, adjusted, made.investorbench, made.text)
    return replace(made, adjusted_close=adjusted, sha256=digest)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("future", FUTURES)
@pytest.mark.parametrize("after", [0, 4, 6, 7, BARS - 1])
def test_all_up_to_the_bar_stays_and_all_after_it_changes(
    market: Market, after: int, future: Future, seed: int
) -> None:
    other, kept = rewritten(market, after, future, seed=seed), after + 1
    for name in ("bars", "adjusted_close", "adjusted_bars", "investorbench"):
        own, new = getattr(market, name), getattr(other, name)
        np.testing.assert_array_equal(own[:kept], new[:kept])
        np.testing.assert_array_equal(np.isnan(own), np.isnan(new))
        if future != "chance":
            assert not (own[kept:] == new[kept:]).any(), name
    # Under chance a leg may keep its sign, and with it a price; the rest of its bar changes.
    assert not (market.bars[kept:] == other.bars[kept:]).all(axis=1).any()
    assert (other.sha256 == market.sha256) == (after == BARS - 1)


@pytest.mark.parametrize("future", FUTURES)
def test_all_later_text_says_something_else_under_the_same_date(market: Market, future: Future) -> None:
    other, last = rewritten(market, 4, future, seed=0), str(market.dates[4])
    for own, new in zip(market.text, other.text, strict=True):
        assert (own.date, own.kind) == (new.date, new.kind)
        assert (own.text == new.text) == (own.date <= last)


@pytest.mark.parametrize("future", FUTURES)
def test_a_rewritten_market_keeps_the_rules_of_market_files(market: Market, future: Future) -> None:
    other = rewritten(market, 3, future, seed=5)
    with exported([other]) as (folder,):
        assert sorted(path.name for path in Path(folder).glob("market/SYNTHETIC/*")) == [
            "market.json",
            "prices.csv",
            "prices_investorbench.csv",
            "text.jsonl.gz",
        ]
        read = load_market(described(other.asset), data=folder)
    assert read.sha256 == other.sha256
    assert not Path(folder).exists()


def test_a_crash_is_a_boom_upside_down_and_both_show_at_every_horizon(market: Market) -> None:
    boom, crash = (rewritten(market, 4, future, seed=0).adjusted_close for future in FUTURES[:2])
    anchor = market.adjusted_close[4]
    np.testing.assert_allclose(boom[5:] * crash[5:], anchor**2)
    assert boom[5] > anchor * (1 + FIRST_MOVE)
    assert np.all(np.diff(boom[4:]) > 0)
    assert np.all(np.diff(crash[4:]) < 0)


def test_text_is_good_in_a_boom_and_bad_in_a_crash(market: Market) -> None:
    tones = {
        future: {tone_of(item.text) for item in rewritten(market, 4, future, seed=0).text[10:]}
        for future in FUTURES
    }
    assert tones["boom"] == {5}
    assert tones["crash"] == {1}
    assert len(tones["chance"]) > 1


def test_a_future_of_chance_keeps_the_size_of_each_leg_and_draws_its_sign(market: Market) -> None:
    signs = []
    for seed in range(200):
        bars = rewritten(market, 4, "chance", seed=seed).adjusted_bars
        own, new = (
            np.column_stack([each[5:, 0] / each[4:-1, 3], each[5:, 3] / each[5:, 0]]) - 1
            for each in (market.adjusted_bars, bars)
        )
        np.testing.assert_allclose(np.abs(own), np.abs(new), rtol=1e-9)
        signs.append(np.sign(new))
    means = np.mean(signs, axis=0)
    assert means.shape == (7, 2)
    assert np.abs(means).max() < 4 / np.sqrt(200)
    assert abs(means.mean()) < 4 / np.sqrt(200 * 14)


def test_a_move_of_more_than_a_price_can_fall_is_cut(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market([10, 10, 40, 5, 30])
    for seed in range(8):
        assert rewritten(market, 1, "chance", seed=seed).bars[:, :4].min() > 0


def test_seeds_draw_different_futures_and_one_seed_the_same(market: Market) -> None:
    hashes = {rewritten(market, 4, "chance", seed=seed).sha256 for seed in (0, 1, 2)}
    assert len(hashes) == 3
    assert rewritten(market, 4, "chance", seed=1).sha256 in hashes


def test_missing_volume_stays_missing(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market([10.0] * 6, volume=[1, 2, 3, float("nan"), 5, 6])
    volume = rewritten(market, 2, "boom", seed=0).bars[:, 4]
    assert np.flatnonzero(np.isnan(volume)).tolist() == [3]
    assert np.all(volume[4:] > [5, 6])
