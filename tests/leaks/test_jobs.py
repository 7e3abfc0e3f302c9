import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.errors import AgentError
from flagbench.leaks.jobs import Job, described, exported, run_jobs
from flagbench.leaks.subject import Version
from flagbench.market.market import Market

if TYPE_CHECKING:
    from tests.leaks.conftest import SubjectFactory

AGENTS = """
import os, sys
import numpy

class Counts:
    def __init__(self):
        numpy.calls = getattr(numpy, "calls", 0) + 1
        print("to stdout", flush=True)
        os.system("echo loudly")
    def reset(self, seed): pass
    def act(self, observation): return 1 if numpy.calls == 1 else 0

class Fails(Counts):
    def act(self, observation): raise ValueError("no idea")

class Leaves(Counts):
    def act(self, observation): os._exit(7)

class LeavesQuietly(Counts):
    def act(self, observation): os._exit(0)
"""


def jobs_of(
    name: str, market: Market, folders: list[str], subject: "SubjectFactory", path: Path
) -> list[Job]:
    file = path / "mine.py"
    file.write_text(AGENTS)
    protocol = subject("Momentum").protocol
    asset = described(market.asset)
    return [
        Job(agent=f"{file}:{name}", asset=asset, data=folder, protocol=protocol, seed=0) for folder in folders
    ]


def test_each_job_has_a_process_in_which_no_agent_was_before(
    drawn: Market, subject: "SubjectFactory", tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with exported([drawn, drawn]) as folders:
        outcomes = run_jobs(jobs_of("Counts", drawn, folders, subject, tmp_path))
    assert [set(outcome.actions["test"]) for outcome in outcomes] == [{1}, {1}]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Fails", "the agent failed after the bar of 2020-10-01: ValueError('no idea')"),
        ("Leaves", "ended with 7"),
        ("LeavesQuietly", "ended with 0"),
    ],
)
def test_an_agent_that_fails_is_an_error(
    name: str, message: str, drawn: Market, subject: "SubjectFactory", tmp_path: Path
) -> None:
    with exported([drawn]) as folders, pytest.raises(AgentError) as caught:
        run_jobs(jobs_of(name, drawn, folders, subject, tmp_path))
    assert message in caught.value.message


def test_the_data_folder_is_the_job_s_and_this_process_keeps_its_own(
    drawn: Market, subject: "SubjectFactory", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", "/nowhere")
    (outcome,) = subject("ReadsFolder").play_all([Version(drawn, 0)])
    assert len(outcome.actions["test"]) == 120
    assert os.environ["FLAGBENCH_DATA"] == "/nowhere"


def test_an_asset_is_described_without_the_places_of_its_files(drawn: Market) -> None:
    shown = described(drawn.asset)
    assert (shown.files.prices, shown.files.text, shown.sources) == ("TSLA/prices.csv", None, ())
    assert (shown.replica, shown.windows) == (None, drawn.asset.windows)
