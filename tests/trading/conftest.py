from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import settings

from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading import protocol as rules

# How long an example takes depends on how busy the machine is.
settings.register_profile("trading", deadline=None)
settings.load_profile("trading")


class ProtocolFactory(Protocol):
    """The type of `protocol_with`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, fill: rules.FillPrice = "next_open", **changes: object) -> rules.Protocol: ...


class PeriodFactory(Protocol):
    """The type of `bars_of`."""

    def __call__(self, market: Market, first: int = 2, last: int = -1) -> Period: ...


@pytest.fixture(scope="session")
def protocol_with() -> ProtocolFactory:
    """Makes a protocol that fills all assets alike: 10 basis points, 1,000 of cash, a lookback of 3."""

    def make_protocol(fill: rules.FillPrice = "next_open", **changes: object) -> rules.Protocol:
        values: dict[str, object] = {
            "id": "test",
            "version": 1,
            "description": "for tests",
            "fill": {"equity": fill, "crypto": fill},
            "cost_bps": 10,
            "reward": "sharpe_delta",
            "reward_scale": 1,
            "reward_min_observations": 2,
            "scoring": "standard",
            "lookback": 3,
            "initial_cash": 1000,
            "preset": "standard",
            "setup": {"env_steps": 1, "num_envs": 1, "gradient_accumulation_steps": 1},
        }
        return rules.Protocol.model_validate(values | changes)

    return make_protocol


@pytest.fixture(scope="session")
def bars_of() -> PeriodFactory:
    """The period from one bar of a market to another; by default all that have a lookback of 3."""

    def make_period(market: Market, first: int = 2, last: int = -1) -> Period:
        return Period.of(market.dates[first].item(), market.dates[last].item())

    return make_period


@pytest.fixture(scope="session")
def tsla(data_folder: Path) -> Market:
    """The real market of TSLA."""
    return load_market(load_asset("TSLA"), data=str(data_folder))
