from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flagbench.errors import MarketDataError
from flagbench.market.asset import asset_names, load_asset
from flagbench.market.calibration import measured_params
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.market.replica import ReplicaSpec, make_replica


@pytest.mark.parametrize("name", asset_names())
def test_the_params_of_an_asset_are_what_its_price_file_gives(name: str, data_folder: Path) -> None:
    asset = load_asset(name)
    measured = measured_params(load_market(asset, data=str(data_folder)))
    assert asset.replica is not None
    assert asset.replica.model_dump() == pytest.approx(measured.model_dump(), rel=0.011)


def test_only_bars_before_the_training_window_are_measured(data_folder: Path) -> None:
    market = load_market(load_asset("TSLA"), data=str(data_folder))
    begin = market.bar_range(market.asset.windows.train).start
    assert measured_params(market.until(market.asset.windows.train)) == measured_params(market)
    assert str(market.dates[begin - 1]) == "2020-06-30"


def long_replica(bars: int) -> Market:
    """A replica of TSLA, all of which lies before a training window of two bars."""
    drawn = make_replica(load_asset("TSLA"), ReplicaSpec(train=bars, test=2, seed=3))
    windows = drawn.asset.windows.model_copy(update={"train": drawn.asset.windows.test})
    return replace(drawn, asset=drawn.asset.model_copy(update={"windows": windows}))


def test_what_a_long_replica_was_drawn_with_is_found_again() -> None:
    market = long_replica(6000)
    found, given = measured_params(market), market.asset.replica
    assert given is not None
    assert found.volatility == pytest.approx(given.volatility, rel=0.15)
    assert found.overnight_share == pytest.approx(given.overnight_share, abs=0.05)
    assert found.volume == pytest.approx(given.volume, rel=0.25)
    assert found.volume_slope == pytest.approx(given.volume_slope, abs=0.1)
    assert found.volume_spread == pytest.approx(given.volume_spread, abs=0.05)
    assert found.garch_alpha == pytest.approx(given.garch_alpha, abs=0.04)
    assert found.jump_size == pytest.approx(given.jump_size, rel=0.3)
    assert 0.3 < found.jump_rate / given.jump_rate < 3
    assert 1.5 < found.turbulence < 6
    assert 5 <= found.degrees_of_freedom <= 7


def test_too_short_a_history_is_refused() -> None:
    market = make_replica(load_asset("TSLA"), ReplicaSpec())
    with pytest.raises(MarketDataError, match="TSLA: 60 bars lie before 2020-07-01, more than 504 are"):
        measured_params(market)


def test_bars_without_volume_are_left_out() -> None:
    market = long_replica(600)
    bars = market.bars.copy()
    bars[::7, 4] = np.nan
    bars[3::7, 4] = 0
    whole, holed = measured_params(market), measured_params(replace(market, bars=bars))
    assert holed.volume_spread == pytest.approx(whole.volume_spread, abs=0.03)
    assert holed.volume_slope == pytest.approx(whole.volume_slope, abs=0.05)
