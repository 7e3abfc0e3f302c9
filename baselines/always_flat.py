"""Never hold anything: what not trading is worth."""

from flagbench.trading.action import Action
from flagbench.trading.observation import Observation


class AlwaysFlat:
    """HOLD, from flat."""

    def reset(self, seed: int) -> None:
        """Nothing to forget and nothing left to chance."""

    def act(self, observation: Observation) -> int:  # noqa: ARG002
        """Keep the position, which is none."""
        return Action.HOLD
