"""Figures that look alike on every machine."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_style() -> Iterator[None]:
    """Matplotlib's defaults, whatever a user's `matplotlibrc` or another library has set in this process.

    Around all that draws and saves. Importing quantstats, for one, changes the colours of all later figures.
    """
    import matplotlib.style

    with matplotlib.style.context("default"):
        yield
