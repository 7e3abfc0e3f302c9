import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pytest

from flagbench.cli.main import main


class Outcome(NamedTuple):
    """What one command came to."""

    status: object
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.splitlines()[-1]


@pytest.fixture(scope="session", autouse=True)
def no_wishes() -> Iterator[None]:
    """Whoever runs the tests may have asked for colours or tracebacks."""
    with pytest.MonkeyPatch.context() as environment:
        for wish in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FLAGBENCH_TRACEBACK"):
            environment.delenv(wish, raising=False)
        yield


class CommandLine(Protocol):
    """The type of `flagbench`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, *arguments: object) -> Outcome: ...


@pytest.fixture(scope="session")
def flagbench() -> CommandLine:
    """Runs one command in this process; neither stdout nor stderr is a terminal, and a bug raises."""

    def run(*arguments: object) -> Outcome:
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                status: object = main([str(argument) for argument in arguments])
            except SystemExit as leaving:
                status = leaving.code
        return Outcome(status, out.getvalue(), err.getvalue())

    return run


class Watched(NamedTuple):
    """What a process left with, wrote to the terminal that its stderr was, and printed."""

    status: int
    shown: str
    out: str


class OnTerminal(Protocol):
    """The type of `on_terminal`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, arguments: Sequence[str], *, columns: int = 160) -> Watched: ...


@pytest.fixture(scope="session")
def on_terminal() -> OnTerminal:
    """Runs Python in a process of its own, whose stderr is a terminal and whose stdout is a pipe."""

    def run(arguments: Sequence[str], *, columns: int = 160) -> Watched:
        terminal, stderr = os.openpty()
        environment = os.environ | {"TERM": "xterm", "COLUMNS": str(columns)}
        with subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        ) as process:
            os.close(stderr)
            shown = _read_terminal(terminal)
            assert process.stdout is not None
            out = process.stdout.read()
        os.close(terminal)
        return Watched(process.returncode, shown, out)

    return run


def _read_terminal(terminal: int) -> str:
    """All that is written to a terminal until its last writer is gone."""
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end was closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks).decode()


@pytest.fixture(scope="session")
def csv_task(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Arguments for a small market of 70 weekday bars: 20 of history, 25 to train on, 25 to test on."""
    path = tmp_path_factory.mktemp("market") / "TOY.csv"
    dates = np.busday_offset("2020-01-01", np.arange(70), roll="forward").astype("datetime64[D]")
    closes = 100 * np.cumprod(1 + np.random.default_rng(0).normal(0, 0.02, 70))
    opens = np.concatenate([closes[:1], closes[:-1] * 1.001])
    rows = ["date,open,high,low,close,volume"]
    for day, open_, close in zip(dates, opens, closes, strict=True):
        rows.append(f"{day},{open_:.4f},{max(open_, close):.4f},{min(open_, close):.4f},{close:.4f},1000")
    path.write_text("\n".join(rows) + "\n")
    windows = [f"{dates[first]}:{dates[last]}" for first, last in ((20, 44), (45, 69))]
    return ("--asset", str(path), "--train", windows[0], "--test", windows[1])


@pytest.fixture(scope="session")
def tiny_training() -> Iterator[tuple[str, ...]]:
    """Arguments that train FLAG for 16 steps on random weights, in one thread, and ask it nothing.

    A `--knowledge` behind them wins.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    budget = ("--env-steps", "16", "--num-envs", "2", "--set", "ppo.num_steps=4", "--knowledge", "none")
    yield ("--agent", "flag", "--backbone", "random", "--set", "max_prompt_tokens=220", *budget)
    torch.set_num_threads(threads)


class Ran(NamedTuple):
    """A run, what it printed, and where it lies."""

    outcome: Outcome
    folder: Path


@pytest.fixture(scope="session")
def trained_run(
    flagbench: CommandLine,
    csv_task: tuple[str, ...],
    tiny_training: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Ran:
    """FLAG, trained on seed 3; tests must not change its folder."""
    out = tmp_path_factory.mktemp("trained")
    outcome = flagbench("run", *tiny_training, *csv_task, "--seeds", "3", "--out", out)
    assert outcome.status == 0, outcome.err
    return Ran(outcome, Path(outcome.last_line))


@pytest.fixture(scope="session")
def random_run(
    flagbench: CommandLine, csv_task: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """The random agent on seeds 0, 1 and 12; tests must not change its folder."""
    out = tmp_path_factory.mktemp("random")
    outcome = flagbench("run", "--agent", "random", *csv_task, "--seeds", "0,1,12", "--out", out)
    assert outcome.status == 0, outcome.err
    return Ran(outcome, Path(outcome.last_line))
