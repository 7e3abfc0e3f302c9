"""Many tests in one table."""

import math
from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values: the k-th smallest of n times n − k + 1, never below one before it, at most 1.

    Rejecting those at most α keeps the chance of any false rejection at α, however the tests depend on
    each other.

    Source: Holm (1979).

    Args:
        p_values: None or nan for a test that could not be made; it stays and is not counted.
    """
    adjusted = list(p_values)
    made = [
        (value, index) for index, value in enumerate(p_values) if value is not None and not math.isnan(value)
    ]
    largest = 0.0
    for rank, (value, at) in enumerate(sorted(made)):
        largest = max(largest, min((len(made) - rank) * value, 1.0))
        adjusted[at] = largest
    return adjusted
