from pathlib import Path

import pytest

from flagbench.errors import ConfigError, MarketDataError, UnknownNameError
from flagbench.market.asset import asset_names, load_asset
from flagbench.market.exporting import export_market
from flagbench.market.loading import load_market, resolve_market
from flagbench.submissions.track import Track, TrackMarkets, load_track, track_names


def test_the_three_tracks_of_the_leaderboard_are_installed() -> None:
    assert track_names() == ["market-paper", "market-standard", "replica"]
    for name in track_names():
        track = load_track(name)
        assert track.id == name
        assert track.seeds == (0, 1, 2, 3, 4)
        assert track.rules.id == track.protocol
        assert all(track.market_sha256(asset) for asset in track.assets)
    with pytest.raises(UnknownNameError, match="unknown track"):
        load_track("market")


def test_market_standard_has_every_asset() -> None:
    assert load_track("market-standard").assets == tuple(asset_names())


@pytest.mark.parametrize("asset", load_track("replica").assets)
def test_the_replica_tracks_markets_are_drawn_as_they_are_pinned(asset: str) -> None:
    market = TrackMarkets(load_track("replica")).of(asset)
    assert market.sha256 == load_track("replica").market_sha256(asset)
    assert len(market.bar_range(market.asset.windows.test)) == 250


@pytest.mark.parametrize("name", ["market-standard", "market-paper"])
def test_the_market_tracks_markets_are_those_that_public_files_make(name: str, data_folder: Path) -> None:
    track = load_track(name)
    markets = TrackMarkets(track, str(data_folder))
    for asset in track.assets:
        assert markets.of(asset).sha256 == load_asset(asset).content_sha256


def test_text_that_no_public_file_makes_is_left_out(data_folder: Path) -> None:
    assert len(load_market(load_asset("TSLA"), data=str(data_folder)).text) > 0
    assert TrackMarkets(load_track("market-paper"), str(data_folder)).of("TSLA").text == ()


def test_a_market_of_another_content_is_refused(tmp_path: Path, track: Track) -> None:
    other = track.model_copy(update={"markets": {"TSLA": "0" * 64, "BTC": "0" * 64}})
    with pytest.raises(
        MarketDataError, match=r"TSLA \(replica\): its content is [0-9a-f]{12}, track `small`"
    ):
        TrackMarkets(other).of("TSLA")
    export_market(resolve_market("JNJ", data="replica:train=30,test=40"), tmp_path)
    with pytest.raises(MarketDataError) as refused:
        TrackMarkets(load_track("market-paper"), str(tmp_path)).of("JNJ")
    assert refused.value.hint.startswith("get the public one: flagbench data fetch JNJ")


def test_runs_are_listed_by_asset_and_seed(track: Track) -> None:
    assert track.cells == [("BTC", 0), ("BTC", 1), ("TSLA", 0), ("TSLA", 1)]


def test_a_track_may_have_a_budget_of_its_own(track: Track) -> None:
    assert track.shared_setup.env_steps == 32
    assert track.shared_setup.num_envs == 2
    plain = track.model_copy(update={"env_steps": None, "num_envs": None})
    assert plain.shared_setup == track.rules.setup


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("data: replica:train=30,test=60\n", "", "a replica track names its `data`"),
        ("kind: replica", "kind: market", "a replica track names its `data`"),
        ("data: replica:", "data: folder:", "names no replica"),
        ("knowledge: toy_addition", "knowledge: x\nmarkets: {TSLA: " + "a" * 64 + "}", "pins every asset"),
        ("assets: [TSLA, BTC]", "assets: [../TSLA]", "should match pattern"),
        ("seeds: [0, 1]", "seeds: [-1]", "greater than or equal to 0"),
    ],
)
def test_a_track_file_that_will_not_do(
    before: str, after: str, message: str, tmp_path: Path, track_file: Path
) -> None:
    text = track_file.read_text()
    assert before in text
    path = tmp_path / "track.yaml"
    path.write_text(text.replace(before, after))
    with pytest.raises(ConfigError, match=message):
        load_track(str(path))


def test_a_track_has_one_test_window(tmp_path: Path, track_file: Path) -> None:
    path = tmp_path / "track.yaml"
    path.write_text(track_file.read_text().replace("protocol: standard", "protocol: walk-forward"))
    with pytest.raises(ConfigError, match="has several test windows"):
        load_track(str(path)).rules  # noqa: B018 (reading it is what fails)
