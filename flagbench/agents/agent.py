"""What an agent must be: three interfaces, none of which needs a base class.

An agent is built from keyword arguments (its params), sees observations, and answers actions. It never
holds the market. One kind is shown the future on purpose, to calibrate; it says so and is not ranked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from flagbench.agents.training import MakeEnvs, Setup, TrainingMonitor
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import Protocol as TradingProtocol

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """What is known of a task before it begins, and all that defaults may depend on.

    Attributes:
        preset: the protocol's, such as `standard` or `paper`.
        train_text_kinds: kinds of text that occur in the training window.
    """

    preset: str
    train_text_kinds: frozenset[str]


class Agent(Protocol):
    """Whoever decides."""

    def reset(self, seed: int) -> None:
        """Begin an episode: forget the last one; all chance must come from `seed`."""

    def act(self, observation: Observation) -> int:
        """Answer an `Action` after the close of a bar; any other answer keeps the position and is counted."""


@runtime_checkable
class TrainableAgent(Protocol):
    """An agent that learns on the training window before it is scored."""

    def train(
        self,
        make_envs: MakeEnvs,
        *,
        setup: Setup,
        seed: int,
        accelerator: "Accelerator",
        monitor: TrainingMonitor,
    ) -> Mapping[str, Any]:
        """Learn; the environments hold no bar after the training window.

        Returns:
            what it cost and came to, as plain values for the record.
        """

    def save(self, folder: Path) -> None:
        """Write what was learnt; tensors as safetensors."""

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote."""


@runtime_checkable
class LanguageAgent(Protocol):
    """An agent with a language model inside."""

    def language_model(self) -> tuple[Any, Any]:
        """The causal language model as it now is, without value head, and its tokenizer."""


@runtime_checkable
class ServedAgent(Protocol):
    """An agent whose language model may stand behind somebody's server, as its params have it."""

    @property
    def is_served(self) -> bool:
        """Whether it does; then the agent has no language model at hand, and none is asked for."""


@runtime_checkable
class MeteredAgent(Protocol):
    """An agent that counts what its answers cost."""

    @property
    def usage(self) -> Mapping[str, Any]:
        """Plain values for the record, counted since the agent was built."""


@runtime_checkable
class DefaultingAgent(Protocol):
    """An agent class whose defaults depend on the task."""

    @classmethod
    def defaults(cls, briefing: Briefing) -> Mapping[str, Any]:
        """Params to use where the user gave none."""


@runtime_checkable
class DescribedAgent(Protocol):
    """An agent that can state more than the arguments it was built with."""

    @property
    def params(self) -> Mapping[str, Any]:
        """All params with every default filled in, as plain values."""


class CalibrationAgent(Protocol):
    """An agent class that is given the future through its constructor, and for that is never ranked."""

    ranked: ClassVar[bool]
    """False; whoever has `foresight` must say so, and nobody else may."""

    @classmethod
    def foresight(
        cls, market: Market, protocol: TradingProtocol, periods: Iterable[Period]
    ) -> Mapping[str, Any]:
        """Params that hold what the agent is to know of these windows."""


def is_ranked(agent_class: type[Any]) -> bool:
    """Whether an agent's results may stand in a ranking: False for what knows the future."""
    return getattr(agent_class, "ranked", True) is not False


def is_served(agent: object) -> bool:
    """Whether an agent's language model stands behind a server, where it cannot be asked what it knows."""
    return isinstance(agent, ServedAgent) and agent.is_served
