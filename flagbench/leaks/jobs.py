"""Work for an agent in a process of its own, which holds one version of the market and no other.

In the process `FLAGBENCH_DATA` names a folder that holds that version, in the layout that `--data` reads; the
market in its memory is read from there. The agent's file is imported and the agent built after that.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from flagbench.agents.training import Setup
from flagbench.errors import SEE_WHERE, AgentError
from flagbench.market.asset import Asset, Files
from flagbench.market.exporting import export_market
from flagbench.market.market import Market
from flagbench.settings import Settings
from flagbench.trading.protocol import Protocol

Window = Literal["train", "test"]


class Job(Settings):
    """What the agent is to do on one version of a market."""

    agent: str
    settings: tuple[str, ...] = ()
    """As given to `--set`."""
    backbone: str | None = None
    asset: Asset
    data: str
    """The data folder that holds the version."""
    protocol: Protocol
    seed: int
    setup: Setup | None = None
    """Of a training that comes first; null for none."""
    checkpoint: str | None = None
    """Where a training writes what was learnt; without a training, from where it is read."""
    windows: tuple[Window, ...] = ("test",)


class Batch(Settings):
    """Jobs that are done one after the other."""

    jobs: tuple[Job, ...]
    watched: tuple[str, ...] = ()
    """Where the true market's files lie."""


class Outcome(Settings):
    """What came of a job."""

    actions: dict[Window, tuple[int, ...]]
    """The m decisions of each window."""
    opened: tuple[str, ...] = ()
    """Files of the true market that the process opened."""


class Answer(Settings):
    """What is written when jobs are done."""

    outcomes: tuple[Outcome, ...] = ()
    failed: str = ""
    """Why it could not be done; the agent's fault."""
    hint: str = ""


def run_jobs(jobs: Sequence[Job], *, watched: Sequence[str] = ()) -> tuple[Outcome, ...]:
    """Do jobs in order, each in a process that has held no other market and no agent.

    Args:
        jobs: whose data folders exist.
        watched: files and folders whose opening is noted.

    Raises:
        AgentError: the agent failed, or its process ended without an answer.
    """
    with TemporaryDirectory(prefix="flagbench-") as folder:
        batch, answer = Path(folder) / "batch.json", Path(folder) / "answer.json"
        batch.write_text(Batch(jobs=tuple(jobs), watched=tuple(watched)).model_dump_json(), encoding="utf-8")
        # -P: a file in the working directory must not stand in for a module.
        command = [sys.executable, "-P", "-m", "flagbench.leaks.child", str(batch), str(answer)]
        done = subprocess.run(
            command,
            env={**os.environ, "FLAGBENCH_DATA": jobs[0].data},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("FLAGBENCH_TRACEBACK") else subprocess.PIPE,
            check=False,
        )
        if not answer.is_file():
            said = (done.stderr or b"").decode(errors="replace").strip().splitlines()
            last = f": {said[-1]}" if said else ""
            raise AgentError(
                f"the process of agent `{jobs[0].agent}` ended with {done.returncode}{last}", hint=SEE_WHERE
            )
        found = Answer.model_validate(json.loads(answer.read_text(encoding="utf-8")))
    if found.failed:
        raise AgentError(found.failed, hint=found.hint)
    return found.outcomes


@contextmanager
def exported(markets: Sequence[Market]) -> Iterator[list[str]]:
    """Data folders with one market each, gone with the block."""
    with ExitStack() as stack:
        folders = []
        for market in markets:
            folder = stack.enter_context(TemporaryDirectory(prefix="flagbench-"))
            export_market(market, Path(folder))
            folders.append(folder)
        yield folders


def described(asset: Asset) -> Asset:
    """An asset as a job needs it, without the places of its true files.

    Its sessions were checked when it was read, so the holidays of its exchange need not be known again.
    """
    exchange = "24/7" if asset.calendar.exchange == "24/7" else "weekdays"
    changes: dict[str, Any] = {
        "calendar": asset.calendar.model_copy(update={"exchange": exchange}),
        "files": Files(prices=f"{asset.id}/prices.csv"),
        "sources": (),
        "content_sha256": None,
        "replica": None,
        "notes": "",
    }
    return asset.model_copy(update=changes)
