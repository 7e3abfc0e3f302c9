import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flagbench.records.run_directory import read_run

PATIENCE = 120.0
"""Seconds; a busy machine takes its time to load torch."""


@pytest.fixture(autouse=True)
def _heard_signals() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so would every process that a test starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def training(csv_task: tuple[str, ...], tmp_path: Path) -> list[str]:
    """A command that would train for hours, and write below the folder `out`."""
    budget = ("--env-steps", "100000", "--set", "ppo.num_steps=1", "--set", "max_prompt_tokens=220")
    agent = ("--agent", "flag", "--backbone", "random", "--knowledge", "none", *budget)
    return [sys.executable, "-m", "flagbench", "run", *agent, *csv_task, "--out", str(tmp_path / "out")]


def begun(command: list[str], folder: Path) -> "subprocess.Popen[str]":
    """The command's process, once its training has written a first line of its log."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if any(log.stat().st_size for log in folder.glob("*/*/*/*/.seed-*.partial-*/train.jsonl")):
            return process
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"the training did not begin: {process.communicate()}")


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_in_training_leaves_nothing_half_written(
    training: list[str], tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    process = begun(training, tmp_path / "out")
    process.send_signal(sent)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (status, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "interrupted; the seed in progress was not written"
    assert list(tmp_path.rglob("*")) == []


def test_ctrl_c_in_the_second_seed_keeps_the_first(training: list[str], tmp_path: Path) -> None:
    agent = tmp_path / "mine.py"
    agent.write_text(
        "import os, signal\n"
        "class Mine:\n"
        "    def reset(self, seed):\n"
        "        self.seed = seed\n"
        "    def act(self, observation):\n"
        "        if self.seed == 1:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        return 1\n"
    )
    begin = training.index("--asset")
    command = [*training[:4], "--agent", f"{agent}:Mine", *training[begin:], "--seeds", "0-2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (130, "")
    (run,) = (tmp_path / "out").glob("*/*/*/*")
    assert done.stderr.splitlines() == [
        f"note: the seeds that were finished are kept: {run}",
        "interrupted; the seed in progress was not written",
    ]
    assert [path.name for path in run.iterdir()] == ["seed-0"]
    assert [record.seed for record in read_run(run)] == [0]


def test_a_killed_training_leaves_no_folder_that_looks_like_a_run(
    training: list[str], tmp_path: Path
) -> None:
    process = begun(training, tmp_path / "out")
    process.kill()
    process.communicate(timeout=PATIENCE)
    (run,) = (tmp_path / "out").glob("*/*/*/*")
    assert [path.name.startswith(".seed-0.partial-") for path in run.iterdir()] == [True]
    shown = subprocess.run([*training[:3], "show", str(run)], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.startswith(f"error: {run} is no run")
