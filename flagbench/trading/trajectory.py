"""What an agent did over a window."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flagbench.market.price_file import DateArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """The n − 1 decisions of a window of n bars.

    Attributes:
        dates: (n − 1,) datetime64[D], the bar after whose close each decision was made.
        actions: (n − 1,) of `Action`, −1 where the answer could not be read as one.
        redundant: how many were a BUY while long or a SELL while flat.
        unparsed: how many were −1.
    """

    dates: DateArray
    actions: npt.NDArray[np.int8]
    redundant: int
    unparsed: int
