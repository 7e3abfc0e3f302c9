"""SIGTERM, which batch systems and launchers send before they kill, ends a command as Ctrl-C does."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heard_terminations() -> Iterator[list[int]]:
    """Until the end of the block SIGTERM interrupts; the list says whether it came.

    It is passed on as SIGINT, so that whatever puts Ctrl-C off for a moment puts this off too. Where SIGINT
    is ignored, as in a job that a shell has put in the background, it interrupts by itself. Nothing is
    changed in a thread, which hears no signals, nor where somebody has chosen already what SIGTERM does.
    """
    heard: list[int] = []
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    ):
        yield heard
        return
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN

    def interrupt(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if ignored:
            signal.default_int_handler(number, frame)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
