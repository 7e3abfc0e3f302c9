"""What a metric is: a name, a figure of a performance, and when it is undefined."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flagbench.scoring.performance import Performance

Unit = Literal["fraction", "ratio", "count"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of a performance.

    Attributes:
        name: snake_case, the key in records and JSON.
        description: the formula in one line.
        unit: how it is written: a fraction as percent, a ratio as a number, a count whole.
        compute: the figure; called only where it is defined.
        undefined: the reason why there is no figure, or None.
    """

    name: str
    description: str
    unit: Unit
    compute: Callable[[Performance], float]
    undefined: Callable[[Performance], str | None]
