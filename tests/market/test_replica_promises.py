"""What replicas promise, over many seeds: 20 in every run of the tests, 200 among the slow ones.

A mean over seeds is compared with its promise by its own standard error over those seeds.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from flagbench.market.asset import asset_names, load_asset
from flagbench.market.draws import student_table
from flagbench.market.price_file import FloatArray
from flagbench.market.replica import Replica, ReplicaSpec, draw_replica, realised_signal
from flagbench.market.replica_params import ReplicaParams
from flagbench.market.volatility import ReturnPath, draw_returns

BARS = 1000
# In standard errors. Seeds are fixed, so what passes once passes always.
LIMIT = 4.0

many_seeds = pytest.mark.parametrize("seeds", [20, pytest.param(200, marks=pytest.mark.slow)])
every_asset = pytest.mark.parametrize("name", asset_names())


class Estimate(NamedTuple):
    mean: float
    error: float

    def is_near(self, promise: float) -> bool:
        return abs(self.mean - promise) <= LIMIT * self.error


def estimate(values: list[float]) -> Estimate:
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5))


def params_of(name: str) -> ReplicaParams:
    params = load_asset(name).replica
    assert params is not None
    return params


@cache
def paths(name: str, seeds: int, *, calmed: float = 1) -> list[ReturnPath]:
    """Paths of an asset; its volatility may be divided, which changes nothing but how much is cut."""
    periods = load_asset(name).calendar.periods_per_year
    params = params_of(name)
    params = params.model_copy(update={"volatility": params.volatility / calmed})
    return [
        draw_returns(params, BARS, periods_per_year=periods, seed=seed, name=name) for seed in range(seeds)
    ]


def returns_of(path: ReturnPath) -> FloatArray:
    """Simple returns from close to close."""
    return (1 + path.overnight) * (1 + path.intraday) - 1


def replicas(name: str, seeds: int, *, signal: float) -> Iterator[Replica]:
    for seed in range(seeds):
        yield draw_replica(load_asset(name), ReplicaSpec(signal=signal, seed=seed, train=250, test=150))


def correlation(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@every_asset
@many_seeds
def test_volatility_is_what_the_params_say(name: str, seeds: int) -> None:
    periods = load_asset(name).calendar.periods_per_year
    variance = estimate([float((returns_of(path) ** 2).mean()) * periods for path in paths(name, seeds)])
    assert variance.is_near(params_of(name).volatility ** 2)


@every_asset
@many_seeds
def test_the_overnight_leg_has_its_share_of_the_variance(name: str, seeds: int) -> None:
    shares = [float((path.overnight**2 / path.variance).mean()) for path in paths(name, seeds)]
    expected, found = params_of(name).overnight_share, estimate(shares)
    # Of a share as small as a coin's a third may lie in jumps too rare to have come.
    assert abs(found.mean - expected) < LIMIT * found.error + 0.001


@every_asset
@many_seeds
def test_innovations_have_the_kurtosis_that_the_params_imply(name: str, seeds: int) -> None:
    innovations = [
        (path.overnight + path.intraday) / np.sqrt(path.variance) for path in paths(name, seeds, calmed=20)
    ]
    student = student_table(params_of(name).degrees_of_freedom).kurtosis
    fourth = estimate([float((values**4).mean()) for values in innovations])
    assert fourth.is_near(params_of(name).innovation_kurtosis(student))
    assert estimate([float((values**2).mean()) for values in innovations]).is_near(1)


# The kurtosis of a sample is a biased estimate: of a thousand bars with GARCH it lies below the long run's.
@every_asset
@many_seeds
def test_kurtosis_of_returns_lies_between_a_normals_and_the_long_runs(name: str, seeds: int) -> None:
    samples = [returns_of(path) for path in paths(name, seeds)]
    kurtosis = [float((sample**4).mean() / (sample**2).mean() ** 2) for sample in samples]
    student = student_table(params_of(name).degrees_of_freedom).kurtosis
    assert min(kurtosis) > 3
    assert params_of(name).innovation_kurtosis(student) / 2 < np.median(kurtosis)
    assert np.median(kurtosis) < params_of(name).return_kurtosis(student)


@every_asset
@many_seeds
def test_large_moves_follow_large_moves(name: str, seeds: int) -> None:
    sizes = [np.abs(returns_of(path)) for path in paths(name, seeds)]
    for lag in (1, 5):
        clustering = estimate([correlation(size[lag:], size[:-lag]) for size in sizes])
        assert clustering.mean > LIMIT * clustering.error


@pytest.mark.parametrize("name", ["TSLA", "BTC"])
@pytest.mark.parametrize("signal", [0.0, 0.2, 0.5, 0.9])
@many_seeds
def test_the_planted_correlation_is_the_signal(name: str, signal: float, seeds: int) -> None:
    realised = [realised_signal(replica) for replica in replicas(name, seeds, signal=signal)]
    planted = estimate([figures.planted for figures in realised])
    assert planted.is_near(signal)
    # A sample correlation's standard error, of 458 decisions, is near (1 − signal²) / √458.
    expected = (1 - signal**2) / (realised[0].decisions * seeds) ** 0.5
    assert 0.4 * expected < planted.error < 1.6 * expected
    raw = estimate([figures.raw for figures in realised])
    assert abs(raw.mean) < abs(signal) + LIMIT * raw.error
    assert abs(raw.mean) > 0.7 * abs(signal) - LIMIT * raw.error


@pytest.mark.parametrize("name", ["TSLA", "BTC"])
@many_seeds
def test_in_a_placebo_no_tone_tells_of_any_later_leg(name: str, seeds: int) -> None:
    found: dict[tuple[str, int], list[float]] = {}
    for replica in replicas(name, seeds, signal=0):
        tones = replica.tones.astype(np.float64)
        for leg in ("overnight", "intraday"):
            returns = getattr(replica.path, leg)[: tones.size]
            for ahead in (1, 2, 3):
                found.setdefault((leg, ahead), []).append(correlation(tones[:-ahead], returns[ahead:]))
    assert all(estimate(values).is_near(0) for values in found.values()), found


@pytest.mark.parametrize("name", asset_names())
@many_seeds
def test_prices_are_a_martingale(name: str, seeds: int) -> None:
    """No mean in either leg, and nothing known before a leg tells its direction."""
    found: dict[str, list[float]] = {}
    for path in paths(name, seeds):
        before = returns_of(path)[:-1]
        for leg, returns in (("overnight", path.overnight[1:]), ("intraday", path.intraday[1:])):
            scaled = returns / returns.std()
            found.setdefault(f"mean {leg}", []).append(float(scaled.mean()))
            known = {
                "yesterday's return": before,
                "yesterday's direction": np.sign(before),
                "regime": path.turbulent[1:].astype(np.float64),
                "variance": path.variance[1:],
            }
            for what, values in known.items():
                # The covariance in standard deviations; a regime may last for the whole path.
                centred = values - values.mean()
                product = float((centred * scaled).mean()) / (values.std() or 1.0)
                found.setdefault(f"{what}, {leg}", []).append(product)
        overnight, intraday = path.overnight / path.overnight.std(), path.intraday / path.intraday.std()
        found.setdefault("overnight, intraday", []).append(float((overnight * intraday).mean()))
    assert all(estimate(values).is_near(0) for values in found.values()), {
        what: estimate(values) for what, values in found.items() if not estimate(values).is_near(0)
    }


@pytest.mark.parametrize("name", ["TSLA", "BTC"])
@many_seeds
def test_prices_themselves_neither_rise_nor_fall_on_average(name: str, seeds: int) -> None:
    growth = [
        float(replica.market.bars[-1, 3]) / params_of(name).first_price - 1
        for replica in replicas(name, seeds, signal=0.9)
    ]
    assert estimate(growth).is_near(0)
