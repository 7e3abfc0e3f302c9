"""Live lines on stderr while an agent is asked and trained; nothing where stderr is no terminal."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

FIGURES: Mapping[str, Callable[[float], str]] = {
    "return_so_far": lambda value: f"return {100 * value:+.1f} %",
    "entropy": lambda value: f"entropy {value:.2f}",
    "value_loss": lambda value: f"value loss {value:.3g}",
}
"""What is shown of an iteration's figures; an agent may log others, or none of these."""


class _TwoLines(Progress):
    """A bar with a line of figures below it, so that neither is cut in a narrow terminal."""

    figures = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bar, then the figures."""
        yield from super().get_renderables()
        yield Text(self.figures)


class RunProgress:
    """Questions asked; steps done, steps a second, return so far, entropy, value loss and time left.

    Args:
        title: before the bars, such as `flag TSLA seed 0`.
        steps: of the whole training; None for an agent that does not train.
    """

    def __init__(self, title: str, steps: int | None) -> None:
        console = Console(stderr=True)
        self._bar = _TwoLines(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}, left"),
            TimeRemainingColumn(),
            console=console,
            disable=not sys.stderr.isatty(),  # rich would also believe FORCE_COLOR
            transient=True,
        )
        self._title = title
        self._training = None if steps is None else self._bar.add_task(title, total=steps, unit="steps")
        self._asking: dict[str, TaskID] = {}
        self._figures: dict[str, float] = {}
        self._steps = 0
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, steps: int) -> None:
        """Move the bar."""
        if self._steps == 0:
            self._started = time.monotonic()  # loading the backbone is no training
        self._steps += steps
        self._bar.figures = self._text()
        if self._training is not None:
            self._bar.update(self._training, advance=steps)

    def asked(self, what: str, done: int, total: int) -> None:
        """Move the bar of a knowledge suite, which is there while it is asked."""
        if what not in self._asking:
            self._asking[what] = self._bar.add_task(f"{self._title}: {what}", unit="requests", total=total)
        self._bar.update(self._asking[what], completed=done, visible=done < total)

    def log(self, figures: Mapping[str, Any]) -> None:
        """Show an iteration's figures."""
        self._figures = {
            name: figures[name] for name in FIGURES if isinstance(figures.get(name), (int, float))
        }

    def _text(self) -> str:
        elapsed = time.monotonic() - self._started
        rate = f"{self._steps / elapsed:.0f} steps/s" if elapsed > 0 else ""
        return "  ".join([rate, *(FIGURES[name](value) for name, value in self._figures.items())])
