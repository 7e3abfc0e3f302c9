"""One cell in a process of its own: what a worker does, and how it ends."""

import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from multiprocessing import parent_process
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from flagbench.errors import FlagbenchError
from flagbench.market.market import Market
from flagbench.planning import RunSpec, plans

INTERRUPTED = 130
"""The status of a worker that was told to stop, as of a shell's command after Ctrl-C."""


class Task(NamedTuple):
    """What a worker is sent: all that it needs to plan its cell again, in plain pickles."""

    spec: RunSpec
    run_id: str
    market: Market
    log: Path
    """Takes all that it prints."""


def work(task: Task) -> None:
    """Run a cell's windows that are not there yet, then leave with the worker's status.

    0 when done, 1 after a bug or an agent's, 2 after what a user can mend, 130 when told to stop.
    """
    _print_to(task.log)
    _listen()
    try:
        _run(task)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except FlagbenchError as error:
        cause = error.__cause__
        if cause is not None:
            traceback.print_exception(cause)
        print_error(error)
        sys.exit(2)


def _run(task: Task) -> None:
    from flagbench.experiment import SilentRun, pool_seed, run_seed

    (seed,) = task.spec.seeds
    # A market that was sent has forgotten that its arrays are read-only; a copy sees to it.
    planned = plans(task.spec, run_id=task.run_id, market=replace(task.market))
    for plan in planned:
        if not plan.seed_folder(seed).exists():
            run_seed(plan, seed, SilentRun())
    if planned[0].window is not None:
        pool_seed(planned, seed)


def print_error(error: FlagbenchError) -> None:
    """What is wrong and what to do next, where a worker's output goes."""
    hint = f"\nhint: {error.hint}" if error.hint else ""
    sys.stderr.write(f"error: {error.message}{hint}\n")


def _print_to(log: Path) -> None:
    """Send both streams, those of C libraries too, to a file."""
    with log.open("ab") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)


def _listen() -> None:
    """Stop once when told to, and when whoever started this process is gone.

    The first signal interrupts; those after it are not heard, so that cleaning up comes to its end. The
    process was started with SIGINT blocked, so one that came too early is heard now.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    threading.Thread(target=_watch_parent, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _watch_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)
