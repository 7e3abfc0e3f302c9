import pytest

from flagbench.errors import ConfigError
from flagbench.market.asset import asset_names, load_asset
from flagbench.market.replica_params import ReplicaParams
from flagbench.settings import parse

PLAIN = {
    "volatility": 0.3,
    "overnight_share": 0.25,
    "degrees_of_freedom": 10,
    "garch_alpha": 0.1,
    "garch_beta": 0.8,
    "turbulence": 4,
    "calm_bars": 300,
    "turbulent_bars": 100,
    "jump_rate": 0.01,
    "jump_size": 5,
    "first_price": 50,
    "volume": 1e6,
    "volume_spread": 0.3,
    "volume_slope": 0.2,
}


def params(**changes: float) -> ReplicaParams:
    return ReplicaParams.model_validate({**PLAIN, **changes})


@pytest.mark.parametrize("name", asset_names())
def test_every_installed_asset_has_params(name: str) -> None:
    assert load_asset(name).replica is not None


def test_an_asset_may_have_none() -> None:
    asset = load_asset("TSLA")
    without = {key: value for key, value in asset.model_dump().items() if key != "replica"}
    assert type(asset).model_validate(without).replica is None


def test_regimes_have_mean_one_and_the_ratio_that_is_asked_for() -> None:
    calm, turbulent = params().multipliers
    assert params().turbulent_share == 0.25
    assert turbulent / calm == pytest.approx(4)
    assert 0.75 * calm + 0.25 * turbulent == pytest.approx(1)


def test_kurtosis_of_normal_returns_is_three() -> None:
    normal = params(degrees_of_freedom=1000, garch_alpha=0, garch_beta=0, turbulence=1, jump_rate=0)
    assert normal.return_kurtosis() == pytest.approx(3, abs=0.01)


# By hand. Legs of 1/4 and 3/4 of the variance: 3 + (4 − 3)·(1/16 + 9/16) with t(10), whose kurtosis is 4.
# Jumps of 5 in 1 % of bars: (3.625 + 6·0.01·25 + 0.01·625) / (1 + 0.01·25)² = 11.375 / 1.5625.
# GARCH of 0.1 and 0.8 with kurtosis 7.28: (1 − 0.81) / (1 − 0.64 − 0.16 − 0.0728).
# Regimes: calm 4/7, turbulent 16/7: 0.75·16/49 + 0.25·256/49.
def test_kurtosis_is_that_of_tails_jumps_garch_and_regimes() -> None:
    assert params(jump_rate=0).innovation_kurtosis() == pytest.approx(3.625)
    assert params().innovation_kurtosis() == pytest.approx(7.28)
    assert params().garch_kurtosis_decay == pytest.approx(0.8728)
    assert params().return_kurtosis() == pytest.approx(7.28 * (0.19 / 0.1272) * (76 / 49))
    assert params(jump_rate=0, garch_alpha=0, turbulence=1).return_kurtosis(3.0) == pytest.approx(3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("volatility", 0, "`volatility`: Input should be greater than 0, given 0"),
        ("volatility", float("inf"), "`volatility`: Input should be a finite number, given inf"),
        ("overnight_share", 1, "`overnight_share`: Input should be less than 1, given 1"),
        ("degrees_of_freedom", 4, "`degrees_of_freedom`: Input should be greater than 4, given 4"),
        ("turbulence", 0.5, "`turbulence`: Input should be greater than or equal to 1, given 0.5"),
        ("jump_rate", 0.6, "`jump_rate`: Input should be less than or equal to 0.5, given 0.6"),
        ("first_price", -1, "`first_price`: Input should be greater than 0, given -1"),
        (
            "garch_beta",
            0.95,
            "returns have no finite kurtosis: kurtosis·α² + 2αβ + β² is 1.165, it must be below 1",
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_named(name: str, value: float, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ReplicaParams, {**PLAIN, name: value}, origin="GOLD.yaml")
    assert message in caught.value.message


def test_an_unknown_param_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="unknown setting `volatilty`") as caught:
        parse(ReplicaParams, {**PLAIN, "volatilty": 1}, origin="GOLD.yaml")
    assert caught.value.hint == "did you mean `volatility`?"
