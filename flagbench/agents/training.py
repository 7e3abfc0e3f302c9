"""What training is given: the set-up that all agents of a comparison share, environments, a monitor."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.settings import Settings
from flagbench.trading.protocol import Protocol as TradingProtocol
from flagbench.trading.vector_environment import VectorTradingEnv


class Setup(Settings):
    """The same object for every agent of a comparison."""

    env_steps: Annotated[int, Field(gt=0)]
    """Total over environments and processes."""
    num_envs: Annotated[int, Field(gt=0)]
    """Environments that run in step, in each process."""
    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """`auto` is bf16 on a GPU and plain float32 on a CPU."""
    gradient_accumulation_steps: Annotated[int, Field(gt=0)] = 1
    """Parts into which a minibatch is split; more where memory asks for it, no more than it has samples."""


class MakeEnvs(Protocol):
    """Builds environments over the training window."""

    def __call__(self, num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        """`num_envs` accounts in step."""


class TrainingMonitor(Protocol):
    """Where training tells how it goes."""

    def advance(self, steps: int) -> None:
        """So many more environment steps were taken."""

    def log(self, figures: Mapping[str, Any]) -> None:
        """Figures of one iteration, plain values; `env_steps` says when."""


def training_envs(known: Market, protocol: TradingProtocol, period: Period) -> MakeEnvs:
    """The factory that an agent trains with. It closes over what is given here and nothing else.

    Args:
        known: the market as it stood at the end of the training window.
        protocol: fills, costs, reward, lookback.
        period: the training window.
    """

    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        return VectorTradingEnv(
            known, protocol, period, num_envs=num_envs, max_episode_steps=max_episode_steps
        )

    return make_envs
