"""A protocol: the rules under which every agent of a comparison trades and is scored."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from flagbench.market.walk_forward import WalkForward
from flagbench.registry import task_files
from flagbench.settings import Settings, read_installed

FillPrice = Literal["next_open", "next_close"]
Scoring = Literal["standard", "paper", "investorbench"]


class Fill(Settings):
    """At which price an order decided after the close of bar t is filled, by asset class."""

    equity: FillPrice
    crypto: FillPrice


class SetupDefaults(Settings):
    """What all agents that learn share under this protocol, unless the command line says otherwise."""

    env_steps: Annotated[int, Field(gt=0)]
    num_envs: Annotated[int, Field(gt=0)]
    gradient_accumulation_steps: Annotated[int, Field(gt=0)]


class Protocol(Settings):
    """Fills, costs, training reward and scoring conventions; a change that moves scores bumps `version`."""

    id: str
    version: Annotated[int, Field(gt=0)]
    description: str
    fill: Fill
    cost_bps: Annotated[float, Field(ge=0, lt=10_000)]
    """Cost of a trade in basis points of the traded value, a side."""
    reward: Literal["sharpe_delta", "log_return", "pnl"]
    reward_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    reward_min_observations: Annotated[int, Field(ge=2)]
    """Days of profit and loss before `sharpe_delta` has a Sharpe ratio; before, it counts as 0."""
    scoring: Literal["standard", "paper"]
    lookback: Annotated[int, Field(ge=1)]
    """Bars in an observation."""
    initial_cash: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    preset: str
    """Which set of hyper-parameters an agent that has several begins with."""
    setup: SetupDefaults
    walk_forward: WalkForward | None = None
    """Windows computed from the market's bars; None for the asset's own two."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A protocol of two windows is written as before there were others, so that its hash stays."""
        values: dict[str, Any] = plain(self)
        if self.walk_forward is None:
            values.pop("walk_forward", None)
        return values

    @property
    def cost(self) -> float:
        """Cost of a trade as a fraction of the traded value, a side."""
        return self.cost_bps / 10_000

    def fill_for(self, asset_class: Literal["equity", "crypto"]) -> FillPrice:
        """The fill price for an asset class."""
        return self.fill.equity if asset_class == "equity" else self.fill.crypto


def protocol_names() -> list[str]:
    """Ids of all installed protocols, sorted."""
    return sorted(task_files("protocols"))


def load_protocol(name: str) -> Protocol:
    """The installed protocol of that id, or one described by a YAML file of the user's.

    Raises:
        UnknownNameError: no such protocol.
        ConfigError: the YAML file is broken.
    """
    return read_installed(Protocol, name, kind="protocol", installed=task_files("protocols"))
