"""What training is given: the set-up that all agents of a comparison share, environments, a monitor."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from flagbench.settings import Settings

if TYPE_CHECKING:
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
    """Parts into which a minibatch is split, at most."""


class MakeEnvs(Protocol):
    """Builds environments over the training window."""

    def __call__(self, num_envs: int, *, max_episode_steps: int | None = None) -> "VectorTradingEnv":
        """`num_envs` accounts in step."""


class TrainingMonitor(Protocol):
    """Where training tells how it goes."""

    def advance(self, steps: int) -> None:
        """So many more environment steps were taken."""

    def log(self, figures: Mapping[str, Any]) -> None:
        """Figures of one iteration, plain values; `env_steps` says when."""
