"""Buy on the first bar and never sell: what every other agent is measured against."""

from flagbench.trading.action import Action
from flagbench.trading.observation import Observation


class BuyAndHold:
    """BUY while flat, HOLD while long."""

    def reset(self, seed: int) -> None:
        """Nothing to forget and nothing left to chance."""

    def act(self, observation: Observation) -> int:
        """BUY until the position is open."""
        return Action.HOLD if observation["account"][0] else Action.BUY
