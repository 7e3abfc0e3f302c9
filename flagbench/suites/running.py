"""All cells of a suite that are to do, several at once, each in a process of its own."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from flagbench.errors import RecordError
from flagbench.suites.cells import Cell, CellState, last_words, state_of
from flagbench.suites.working import Task, work

PATIENCE = 60.0
"""Seconds that workers have to clean up after an interrupt before they are killed."""


class Running(NamedTuple):
    """A cell and the process that works on it."""

    cell: Cell
    process: SpawnProcess
    log: Path


@contextmanager
def claimed(out: Path, suite: str) -> Iterator[None]:
    """Keep a suite in a folder to oneself: two that run the same cells would write the same folders.

    Raises:
        RecordError: it is being run there, or nothing can be written there.
    """
    lock = out / f".{suite}.lock"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{out} cannot be written: {error}", hint="choose another --out") from error
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise RecordError(
            f"`flagbench suite {suite}` is already at work in {out}",
            hint="wait for it or choose another --out",
        ) from None
    finally:
        with suppress(OSError):  # it holds something
            out.rmdir()


def run_cells(
    cells: Sequence[Cell], *, jobs: int, told: Callable[[Cell, CellState], None]
) -> dict[Cell, CellState]:
    """Run cells until none is left; one that fails does not stop the others.

    What a cell prints is kept only if it fails, in its `error_file`. On Ctrl-C every worker is interrupted
    and waited for, so that no half-written run stays.

    Args:
        cells: to do, first come first served.
        jobs: how many at once; with more than one, each has its share of the processors.
        told: after each cell, with what is there of it now.

    Returns:
        what is there of every cell.

    Raises:
        KeyboardInterrupt: after all workers have ended.
    """
    waiting, running = list(cells), list[Running]()
    states: dict[Cell, CellState] = {}
    with _threads(jobs):
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    with _undisturbed():
                        running.append(_start(waiting.pop(0)))
                connection.wait([each.process.sentinel for each in running])
                for each in [each for each in running if not each.process.is_alive()]:
                    running.remove(each)
                    states[each.cell] = _settle(each)
                    told(each.cell, states[each.cell])
        except BaseException:
            _stop(running)
            raise
        finally:
            for cell in cells:
                _remove_empty_folders(cell)
    return states


@contextmanager
def _threads(jobs: int) -> Iterator[None]:
    """Give every worker its share of the processors, unless the user has said how many threads to use."""
    name = "OMP_NUM_THREADS"
    if jobs == 1 or name in os.environ:
        yield
        return
    os.environ[name] = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    try:
        yield
    finally:
        del os.environ[name]


def _start(cell: Cell) -> Running:
    first = cell.plans[0]
    log = cell.error_file.with_name(f".{cell.error_file.name}")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    task = Task(first.spec, first.run_id, first.market, log)
    process = get_context("spawn").Process(target=work, args=(task,), name=str(cell))
    process.start()
    return Running(cell, process, log)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Put Ctrl-C off while a worker is started.

    Here it would leave a process that nobody knows of. The worker inherits the blocked signal: Ctrl-C in a
    terminal reaches it too, and until it listens it could only answer with a traceback.
    """
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


def _settle(ended: Running) -> CellState:
    """Keep what a failed worker said; forget the rest."""
    status = ended.process.exitcode or 0
    ended.process.close()
    kept = ended.cell.error_file
    kept.unlink(missing_ok=True)
    if status == 0:
        ended.log.unlink()
        return state_of(ended.cell)
    if status < 0:
        with ended.log.open("a", encoding="utf-8") as stream:
            stream.write(f"error: the worker was ended by {signal.Signals(-status).name}\n")
    elif not ended.log.read_bytes().strip():
        ended.log.write_text(f"error: the worker left with status {status} and said nothing\n")
    ended.log.rename(kept)
    state = state_of(ended.cell)
    return state._replace(state="failed", reason=last_words(kept)) if state.state == "done" else state


def _stop(running: Sequence[Running]) -> None:
    """Interrupt all workers and wait; what they said and did not finish is not kept."""
    # A second Ctrl-C must not cut this short and leave workers behind.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for each in running:
            if each.process.pid is not None and each.process.is_alive():
                os.kill(each.process.pid, signal.SIGINT)
        for each in running:
            each.process.join(PATIENCE)
            if each.process.is_alive():
                each.process.kill()
                each.process.join()
            each.log.unlink(missing_ok=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _remove_empty_folders(cell: Cell) -> None:
    """Remove what a cell's workers left of folders with nothing in them, when all have ended.

    Each removes those that it made, but two that end at once may each leave the other's.
    """
    inner = [plan.seed_folder(cell.seed).parent for plan in cell.plans]
    for folder in (cell.error_file.parent, *inner, cell.run, *list(cell.run.parents)[:3]):
        with suppress(OSError):  # it is not empty, or not there
            folder.rmdir()
