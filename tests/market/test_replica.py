import csv
import gzip
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from flagbench.errors import ConfigError
from flagbench.market.asset import Asset, Windows, asset_names, load_asset
from flagbench.market.headlines import TONE_CORRELATION, tone_of
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.market.price_file import OHLC, FloatArray, read_price_table
from flagbench.market.replica import (
    HISTORY,
    Replica,
    ReplicaSpec,
    draw_replica,
    make_replica,
    parse_replica,
    realised_signal,
)
from flagbench.market.sessions import sessions_between
from flagbench.market.text_file import TextItem, read_text
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import load_protocol

COLUMNS = (*OHLC, "adj_close", "volume")


def replica(name: str = "TSLA", **spec: float) -> Replica:
    return draw_replica(load_asset(name), ReplicaSpec.model_validate(spec))


def market(name: str = "TSLA", **spec: float) -> Market:
    return replica(name, **spec).market


# Pinned: a change here changes every replica that was ever scored.
def test_the_replica_of_a_seed_never_changes() -> None:
    assert market().sha256 == "b8e744245632d0ce7da15bb17a24b3ab29029d445b58b81f23fe769d78ead94c"
    assert (
        market("BTC", signal=0.9, seed=7).sha256
        == "cc7a88f3d3594f970bdbd0e057effd6c55be5f860d271c27665d82f9961d7b2b"
    )


@pytest.mark.parametrize("name", asset_names())
def test_an_assets_replica_fills_its_windows_after_at_least_60_bars(name: str) -> None:
    drawn, asset = market(name), load_asset(name)
    assert (drawn.kind, drawn.investorbench) == ("replica", None)
    assert drawn.asset == asset
    train, test = drawn.bar_range(asset.windows.train), drawn.bar_range(asset.windows.test)
    assert train.start == HISTORY == 60
    assert train.stop == test.start
    assert test.stop == len(drawn.dates)
    sessions = sessions_between(asset.calendar.exchange, drawn.dates[0], drawn.dates[-1])
    assert drawn.dates.tolist() == sessions.tolist()


@pytest.mark.parametrize("name", ["TSLA", "ETH"])
def test_windows_may_have_as_many_bars_as_one_likes(name: str) -> None:
    asset = load_asset(name)
    drawn = market(name, train=250, test=100)
    windows = drawn.asset.windows
    train, test = drawn.bar_range(windows.train), drawn.bar_range(windows.test)
    assert (train.start, len(train), len(test)) == (HISTORY, 250, 100)
    assert (train.stop, test.stop) == (test.start, len(drawn.dates))
    assert windows.test.first == asset.windows.test.first
    assert windows.train.last < windows.test.first
    assert drawn.asset.model_copy(update={"windows": asset.windows}) == asset


def test_a_window_without_a_number_of_bars_keeps_its_own() -> None:
    longer = market(train=250)
    assert len(longer.bar_range(longer.asset.windows.train)) == 250
    assert longer.asset.windows.test == load_asset("TSLA").windows.test
    shorter = market(test=40)
    assert shorter.asset.windows.train == load_asset("TSLA").windows.train
    assert len(shorter.bar_range(shorter.asset.windows.test)) == 40


def test_a_replica_can_be_drawn_again_from_what_it_says_of_itself() -> None:
    spec = ReplicaSpec(signal=0.5, seed=3, train=100, test=50)
    drawn = make_replica(load_asset("TSLA"), spec)
    assert make_replica(drawn.asset, parse_replica(str(spec))).sha256 == drawn.sha256


def windowed(train: str, test: str, *, exchange: str = "XNYS") -> Asset:
    asset = load_asset("TSLA")
    calendar = asset.calendar.model_copy(update={"exchange": exchange})
    windows = Windows(train=Period.parse(train), test=Period.parse(test))
    return asset.model_copy(update={"windows": windows, "calendar": calendar})


def test_windows_may_begin_and_end_on_days_without_a_session() -> None:
    asset = windowed("2020-07-04:2020-09-06", "2020-10-03:2021-01-17")
    drawn = make_replica(asset, ReplicaSpec())
    train, test = drawn.bar_range(asset.windows.train), drawn.bar_range(asset.windows.test)
    assert (str(drawn.dates[train.start]), train.start) == ("2020-07-06", HISTORY)
    assert str(drawn.dates[test[-1]]) == "2021-01-15"
    numbered = make_replica(asset, ReplicaSpec(test=30)).asset.windows
    assert numbered.test.first == date(2020, 10, 5)


def test_where_the_holidays_are_not_known_every_weekday_has_a_bar() -> None:
    asset = windowed("2020-07-01:2020-09-30", "2020-10-01:2021-05-06", exchange="weekdays")
    dates = make_replica(asset, ReplicaSpec()).dates
    assert np.is_busday(dates).all()
    assert len(dates) == np.busday_count(dates[0], dates[-1]) + 1


def test_an_asset_without_params_has_no_replica() -> None:
    asset = load_asset("TSLA").model_copy(update={"replica": None})
    with pytest.raises(ConfigError, match="asset TSLA has no `replica` params") as caught:
        make_replica(asset, ReplicaSpec())
    assert "add a block `replica:` to its YAML file" in caught.value.hint


@pytest.mark.parametrize("name", ["TSLA", "BTC"])
def test_a_replica_passes_the_checks_of_a_price_file_and_is_read_back_to_its_hash(
    name: str, tmp_path: Path
) -> None:
    drawn = market(name, signal=0.9)
    prices, text = tmp_path / "prices.csv", tmp_path / "text.jsonl.gz"
    with prices.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["date", *COLUMNS])
        rows = np.column_stack([drawn.bars[:, :4], drawn.adjusted_close, drawn.bars[:, 4]]).tolist()
        writer.writerows([day, *row] for day, row in zip(drawn.dates, rows, strict=True))
    text.write_bytes(gzip.compress("".join(json.dumps(i._asdict()) + "\n" for i in drawn.text).encode()))
    table, items = read_price_table(prices, required=COLUMNS), read_text(text)
    bars = np.column_stack([table.columns[column] for column in (*OHLC, "volume")])
    assert content_hash(table.dates, bars, table.columns["adj_close"], None, items) == drawn.sha256


@pytest.mark.parametrize("name", asset_names())
def test_bars_hang_together(name: str) -> None:
    drawn, params = market(name, train=250, test=150), load_asset(name).replica
    open_, high, low, close, volume = drawn.bars.T
    assert params is not None
    assert (high >= np.maximum(open_, close)).all()
    assert (low <= np.minimum(open_, close)).all()
    assert ((high > np.maximum(open_, close)) & (low < np.minimum(open_, close))).mean() > 0.95
    # Parkinson 1980: the range of a driftless walk has mean square 4 ln 2 times its variance.
    intraday = np.log(close / open_)
    ranges = np.log(high / low)
    assert (ranges**2).mean() / (intraday**2).mean() == pytest.approx(4 * np.log(2), rel=0.4)
    assert drawn.adjusted_close.tolist() == close.tolist()
    assert abs(np.log(open_[0] / params.first_price)) < 0.3
    assert abs(np.log(np.median(volume) / params.volume)) < 0.2
    assert np.corrcoef(np.log(volume), np.abs(intraday))[0, 1] > 0.1
    assert (volume == volume.round()).all()


def test_prices_show_six_digits_and_are_the_path_of_returns() -> None:
    drawn = replica()
    prices = drawn.market.bars[:, :4]
    assert [float(f"{price:.6g}") for price in prices.flat] == prices.ravel().tolist()
    open_, close = prices[:, 0], prices[:, 3]
    bars = len(close)
    assert close / open_ - 1 == pytest.approx(drawn.path.intraday[:bars], abs=2e-5)
    assert open_[1:] / close[:-1] - 1 == pytest.approx(drawn.path.overnight[1:bars], abs=2e-5)


def test_signals_share_their_prices_and_their_wording_but_for_words_of_tone() -> None:
    placebo, clear = replica(signal=0), replica(signal=0.9)
    assert placebo.market.bars.tolist() == clear.market.bars.tolist()
    assert placebo.market.sha256 != clear.market.sha256

    def shape(item: TextItem) -> tuple[str, int, bool]:
        return item.date, len(item.text.split()), tone_of(item.text) is None

    assert [shape(i) for i in placebo.market.text] == [shape(i) for i in clear.market.text]


def numbers_of(drawn: Replica) -> dict[str, FloatArray]:
    bars = drawn.market.bars
    return {
        "innovations": drawn.innovations,
        "tones": drawn.tones.astype(np.float64),
        "returns": np.diff(np.log(bars[:, 3])),
        "volumes": np.log(bars[:, 4]),
        "headlines": np.array([len(drawn.market.text_of(bar)) for bar in range(len(bars))], dtype=float),
    }


def test_another_seed_or_asset_has_other_prices_tones_and_wording() -> None:
    first = numbers_of(replica(signal=0, train=250, test=1000))
    for other in (
        replica(signal=0, seed=1, train=250, test=1000),
        replica("UVV", signal=0, train=250, test=1000),
    ):
        for what, numbers in numbers_of(other).items():
            assert abs(np.corrcoef(first[what], numbers)[0, 1]) < 0.15, what


def test_every_bar_has_text_that_shows_its_tone() -> None:
    drawn = replica("BTC", signal=0.5)
    for bar, tone in enumerate(drawn.tones.tolist()):
        tones = {tone_of(item.text) for item in drawn.market.text_of(bar)} - {None}
        assert tones == {tone}


@pytest.mark.parametrize("name", ["TSLA", "BTC"])
def test_the_signal_is_of_what_an_order_earns_under_the_protocol_standard(name: str) -> None:
    drawn = replica(name, train=250, test=1000)
    protocol, windows = load_protocol("standard"), drawn.market.asset.windows
    prices = window_prices(drawn.market, protocol, windows.test)
    earned = prices.fills[1:] / prices.fills[:-1] - 1  # from the fill of an order to that of the next one
    decided = drawn.innovations[prices.first_bar :][: earned.size]

    def correlation(shift: int) -> float:
        return float(np.corrcoef(np.roll(decided, shift)[2:-2], earned[2:-2])[0, 1])

    assert correlation(0) > 0.75
    assert max(abs(correlation(shift)) for shift in (-2, -1, 1, 2)) < 0.12


def test_the_realised_signal_is_that_of_orders_that_are_filled_and_earn_in_the_market() -> None:
    drawn = replica(signal=0.9, train=250, test=150)
    planted, raw, decisions = realised_signal(drawn)
    assert decisions == 460 - 2
    opens = drawn.market.bars[:, 0]
    tones = [
        next(tone for item in drawn.market.text_of(bar) if (tone := tone_of(item.text)) is not None)
        for bar in range(decisions)
    ]
    assert raw == pytest.approx(np.corrcoef(tones, opens[2:] / opens[1:-1])[0, 1])
    assert planted == pytest.approx(np.corrcoef(tones, drawn.innovations[:-2])[0, 1])
    assert 0.6 < raw < planted < 0.93


def test_the_largest_signal_orders_days_by_their_innovation() -> None:
    drawn = replica(signal=TONE_CORRELATION)
    assert (np.diff(drawn.tones[np.argsort(drawn.innovations)]) >= 0).all()
    against = replica(signal=-TONE_CORRELATION)
    assert (np.diff(against.tones[np.argsort(against.innovations)]) <= 0).all()


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("replica", ReplicaSpec()),
        ("replica:seed=7", ReplicaSpec(seed=7)),
        (
            "replica:signal=-0.5,seed=7,train=250,test=150",
            ReplicaSpec(signal=-0.5, seed=7, train=250, test=150),
        ),
        (" replica: test = 150 , signal = 0 ", ReplicaSpec(signal=0, test=150)),
    ],
)
def test_a_spec_is_read_from_text_and_written_so_that_it_is_read_again(text: str, spec: ReplicaSpec) -> None:
    assert parse_replica(text) == spec
    assert parse_replica(str(spec)) == spec


def test_a_spec_says_what_it_is_by_default() -> None:
    assert str(ReplicaSpec()) == "replica:signal=0.2,seed=0"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("replicas", "`replicas` names no replica", "write it as replica:signal=0.2,seed=7"),
        ("replica:", "`replica:` names no replica", "write it as replica:signal=0.2,seed=7"),
        ("replica:seed", "`seed` is not of the form name=value", "write it as"),
        ("replica:seed=1,,test=5", "`` is not of the form name=value", "write it as"),
        ("replica:seed=1,seed=2", "`seed` is given twice", ""),
        ("replica:signl=0.2", "unknown setting `signl`", "did you mean `signal`?"),
        ("replica:days=9", "unknown setting `days`", "known: signal, seed, train, test"),
        ("replica:signal=much", "`signal`: Input should be a valid number", ""),
        ("replica:signal=nan", "`signal`: Input should be a finite number", ""),
        ("replica:signal=0.95", "five tones can carry a correlation of 0.942 at most, up or down", ""),
        ("replica:signal=-1", "five tones can carry a correlation of 0.942 at most, up or down", ""),
        ("replica:seed=-1", "`seed`: Input should be greater than or equal to 0, given '-1'", ""),
        ("replica:train=1", "`train`: Input should be greater than or equal to 2, given '1'", ""),
        ("replica:test=1.5", "`test`: Input should be a valid integer", ""),
        ("replica:test=99999", "`test`: Input should be less than or equal to 10000", ""),
    ],
)
def test_a_broken_spec_is_refused_with_what_is_wrong(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_replica(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
