from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest

from flagbench.market.price_file import FloatArray
from flagbench.market.replica_params import ReplicaParams
from flagbench.market.volatility import LARGEST_RETURN, ReturnPath, draw_returns

PLAIN = {
    "volatility": 0.3,
    "overnight_share": 0.25,
    "degrees_of_freedom": 8,
    "garch_alpha": 0.1,
    "garch_beta": 0.8,
    "turbulence": 4,
    "calm_bars": 60,
    "turbulent_bars": 20,
    "jump_rate": 0.01,
    "jump_size": 5,
    "first_price": 50,
    "volume": 1e6,
    "volume_spread": 0.3,
    "volume_slope": 0.2,
}
QUIET = {"garch_alpha": 0, "garch_beta": 0, "turbulence": 1, "jump_rate": 0}


def params(changes: Mapping[str, float]) -> ReplicaParams:
    return ReplicaParams.model_validate({**PLAIN, **changes})


def drawn(
    changes: Mapping[str, float] = MappingProxyType({}),
    *,
    bars: int = 20_000,
    seed: int = 0,
    name: str = "TOY",
) -> ReturnPath:
    return draw_returns(params(changes), bars, periods_per_year=250, seed=seed, name=name)


def correlation(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_a_seed_gives_one_path_and_more_bars_only_add_to_its_end() -> None:
    short, long = drawn(bars=50), drawn(bars=80)
    for one, other in zip(short, long, strict=True):
        assert one.shape == (50,)
        assert one.tolist() == other[:50].tolist()


def test_another_seed_or_asset_gives_independent_returns() -> None:
    returns = drawn().intraday
    for other in (drawn(seed=1), drawn(name="TOY2")):
        assert abs(correlation(returns, other.intraday)) < 0.03


def test_without_regimes_garch_and_jumps_the_variance_is_constant() -> None:
    path = drawn(QUIET)
    assert path.variance == pytest.approx(np.full(20_000, 0.3**2 / 250))
    assert path.overnight.std() == pytest.approx(0.3 * (0.25 / 250) ** 0.5, rel=0.02)
    assert path.intraday.std() == pytest.approx(0.3 * (0.75 / 250) ** 0.5, rel=0.02)


def test_the_legs_rise_with_the_normals_behind_them() -> None:
    path = drawn(QUIET)
    for returns, normals in (
        (path.overnight, path.overnight_normals),
        (path.intraday, path.intraday_normals),
    ):
        order = np.argsort(normals)
        assert (np.diff(returns[order]) >= 0).all()
        assert (np.sign(returns) == np.sign(normals)).all()


def test_an_asset_that_never_closes_may_have_no_overnight_leg() -> None:
    path = drawn({"overnight_share": 0}, bars=500)
    assert (path.overnight == 0).all()
    assert path.intraday.std() > 0


def test_regimes_last_as_long_as_asked_and_move_the_variance() -> None:
    path = drawn({**QUIET, "turbulence": 4}, bars=200_000)
    changes = np.diff(path.turbulent.astype(int))
    assert path.turbulent.mean() == pytest.approx(0.25, abs=0.02)
    assert path.turbulent.sum() / (changes == 1).sum() == pytest.approx(20, rel=0.1)
    calm, turbulent = params({}).multipliers
    expected = np.where(path.turbulent, turbulent, calm) * 0.3**2 / 250
    assert path.variance == pytest.approx(expected)


def test_the_variance_follows_the_recursion_of_garch() -> None:
    path = drawn({"turbulence": 1}, bars=300)
    factor = path.variance / (0.3**2 / 250)
    square = (path.overnight + path.intraday) ** 2 / path.variance
    assert factor[1:] == pytest.approx(0.1 + factor[:-1] * (0.1 * square[:-1] + 0.8))
    assert factor.max() > 1.5


def test_jumps_come_as_often_and_as_large_as_asked_and_on_both_sides() -> None:
    path = drawn({**QUIET, "jump_rate": 0.01, "jump_size": 50, "volatility": 0.02}, bars=100_000)
    sizes = (path.overnight + path.intraday) / np.sqrt(path.variance) * (1 + 0.01 * 50**2) ** 0.5
    jumps = np.abs(sizes) > 35
    assert jumps.mean() == pytest.approx(0.01, rel=0.1)
    assert np.abs(sizes[jumps]).mean() == pytest.approx(50, rel=0.01)
    assert (sizes[jumps] > 0).mean() == pytest.approx(0.5, abs=0.05)
    at_night = np.abs(path.overnight[jumps]) > np.abs(path.intraday[jumps])
    assert at_night.mean() == pytest.approx(0.25, abs=0.05)
    share = (path.overnight**2).mean() / (path.overnight**2 + path.intraday**2).mean()
    assert share == pytest.approx(0.25, abs=0.03)


def test_returns_are_cut_on_both_sides_so_that_prices_stay_positive() -> None:
    path = drawn({"volatility": 6})
    for leg in (path.overnight, path.intraday):
        assert leg.min() == -LARGEST_RETURN
        assert leg.max() == LARGEST_RETURN
