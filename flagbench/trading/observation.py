"""What an agent sees: the observation, its gymnasium spaces, and how it is cut from a market."""

from typing import Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from flagbench.market.market import Market
from flagbench.market.text_file import KINDS, TextItem
from flagbench.trading.accounts import HISTORY_LENGTH, Accounts

Float32Array = npt.NDArray[np.float32]

# Finite, so that gymnasium's checker accepts the Box; far above any price or volume.
LARGEST = 1e18


class Observation(TypedDict):
    """All that an agent may base its decision after the close of a bar on.

    Nothing in it is dated later than that bar. Money of the account is in units of the initial equity.
    """

    window: Float32Array
    """(lookback, 5) open, high, low, close, volume, prices adjusted, oldest first; missing volume is 0."""
    date: str
    """ISO date of the last bar in the window."""
    text: tuple[TextItem, ...]
    """Items dated after the bar before and up to this bar, oldest first."""
    mask: npt.NDArray[np.int8]
    """(3,) 1 where an action is no redundant one."""
    account: Float32Array
    """(6,) position 0 or 1, cash, equity, bars since the window began, mean and sd of daily PnL so far."""
    history: Float32Array
    """(10, 3) action, reward, equity after it, oldest first; action −1 where there was none yet."""


class TextItems(spaces.Space[tuple[TextItem, ...]]):
    """Tuples of dated text; gymnasium's own Text refuses the empty string and most characters."""

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(shape=None, dtype=None, seed=seed)

    @property
    def is_np_flattenable(self) -> bool:
        """Text cannot be flattened into an array."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> tuple[TextItem, ...]:  # noqa: ARG002
        """Up to three short items."""
        count = int(self.np_random.integers(0, 4))
        return tuple(
            TextItem("2000-01-03", str(self.np_random.choice(KINDS)), "sample") for _ in range(count)
        )

    def contains(self, x: Any) -> bool:
        """Whether `x` is a tuple of dated items."""
        return isinstance(x, tuple) and all(isinstance(item, TextItem) for item in x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextItems)

    def __hash__(self) -> int:
        return hash(TextItems)

    def __repr__(self) -> str:
        return "TextItems()"


def observation_space(lookback: int) -> spaces.Dict:
    """The space of `Observation`."""
    low_account = np.array([0, 0, 0, 0, -LARGEST, 0], dtype=np.float32)
    high_account = np.array([1, *[LARGEST] * 5], dtype=np.float32)
    low_history = np.tile(np.array([-1, -LARGEST, 0], dtype=np.float32), (HISTORY_LENGTH, 1))
    high_history = np.tile(np.array([2, LARGEST, LARGEST], dtype=np.float32), (HISTORY_LENGTH, 1))
    return spaces.Dict(
        {
            "window": spaces.Box(0, np.float32(LARGEST), (lookback, 5), np.float32),
            "date": spaces.Text(min_length=10, max_length=10, charset="0123456789-"),
            "text": TextItems(),
            "mask": spaces.MultiBinary(3),
            "account": spaces.Box(low_account, high_account, dtype=np.float32),
            "history": spaces.Box(low_history, high_history, dtype=np.float32),
        }
    )


class BarView(NamedTuple):
    """The part of an observation that is the same for all accounts."""

    window: Float32Array
    date: str
    text: tuple[TextItem, ...]


def bar_view(market: Market, index: int, *, lookback: int) -> BarView:
    """What the market shows after the close of bar `index`, and nothing later."""
    window = market.adjusted_bars[index + 1 - lookback : index + 1].astype(np.float32)
    window[np.isnan(window)] = 0
    return BarView(window, str(market.dates[index]), market.text_of(index))


class Books(NamedTuple):
    """The part of an observation that is each account's own, of all N; as `Observation` has it of one."""

    mask: npt.NDArray[np.int8]  # (N, 3)
    account: Float32Array  # (N, 6)
    history: Float32Array  # (N, 10, 3)


def books_of(accounts: Accounts) -> Books:
    """What all accounts show of themselves, in arrays of their own."""
    return Books(
        accounts.masks().view(np.int8),
        accounts.account(np.float32),
        accounts.history(),
    )


def observe(view: BarView, accounts: Accounts) -> list[Observation]:
    """One observation an account."""
    return [
        Observation(
            window=view.window.copy(),
            date=view.date,
            text=view.text,
            mask=mask,
            account=account,
            history=history,
        )
        for mask, account, history in zip(*books_of(accounts), strict=True)
    ]
