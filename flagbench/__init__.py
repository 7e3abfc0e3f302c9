"""A benchmark for FLAG-Trader and other trading agents: every score is recomputed from actions.

The names below are the ones to build on; each is loaded when it is first used, so that importing
flagbench costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flagbench.version import __version__

if TYPE_CHECKING:
    from flagbench.errors import FlagbenchError as FlagbenchError
    from flagbench.market.loading import resolve_market as resolve_market
    from flagbench.market.market import Market as Market
    from flagbench.market.period import Period as Period
    from flagbench.scoring.score import Score as Score
    from flagbench.scoring.score import score as score
    from flagbench.trading.action import Action as Action
    from flagbench.trading.environment import TradingEnv as TradingEnv
    from flagbench.trading.observation import Observation as Observation
    from flagbench.trading.protocol import Protocol as Protocol
    from flagbench.trading.protocol import load_protocol as load_protocol
    from flagbench.trading.replay import replay as replay
    from flagbench.trading.rollout import rollout as rollout

_HOMES = {
    "Action": "trading.action",
    "FlagbenchError": "errors",
    "Market": "market.market",
    "Observation": "trading.observation",
    "Period": "market.period",
    "Protocol": "trading.protocol",
    "Score": "scoring.score",
    "TradingEnv": "trading.environment",
    "load_protocol": "trading.protocol",
    "replay": "trading.replay",
    "resolve_market": "market.loading",
    "rollout": "trading.rollout",
    "score": "scoring.score",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 (all of them are strings)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `flagbench` has no attribute `{name}`")
    return getattr(import_module(f"flagbench.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
