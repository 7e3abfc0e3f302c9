import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.cli.progress import RunProgress

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, OnTerminal

AGENT = """
import time

class Learner:
    def reset(self, seed): pass
    def act(self, observation): return 1
    def train(self, make_envs, *, setup, seed, accelerator, monitor):
        figures = {"return_so_far": 0.125, "entropy": 0.5, "value_loss": 0.0625}
        for step in range(setup.env_steps):
            monitor.advance(1)
            monitor.log({"env_steps": step + 1, **(figures if step else {})})
            time.sleep(0.15)
        return {"env_steps": setup.env_steps}
    def save(self, folder): pass
    def load(self, folder): pass
"""
"""Logs of its own accord, and on its first step none of the figures that the bar can show."""


@pytest.fixture
def learner(csv_task: tuple[str, ...], tmp_path: Path) -> tuple[str, ...]:
    """Arguments of a run that trains for a second without any network."""
    path = tmp_path / "learner.py"
    path.write_text(AGENT)
    budget = ("--env-steps", "6", "--out", str(tmp_path / "out"))
    return ("run", "--agent", f"{path}:Learner", *csv_task, *budget)


@pytest.mark.parametrize("variable", [None, "FORCE_COLOR", "TTY_COMPATIBLE"])
def test_it_is_quiet_where_stderr_is_no_terminal(
    learner: tuple[str, ...],
    flagbench: "CommandLine",
    monkeypatch: pytest.MonkeyPatch,
    variable: str | None,
) -> None:
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    outcome = flagbench(*learner, "--json")
    assert (outcome.status, outcome.err) == (0, "")


def test_a_narrow_terminal_has_room_for_bar_and_figures(on_terminal: "OnTerminal") -> None:
    script = (
        "from flagbench.cli.progress import RunProgress\n"
        "with RunProgress('flag TSLA seed 0', 6400) as progress:\n"
        "    progress.log({'return_so_far': 0.1, 'entropy': 0.5, 'value_loss': 0.1})\n"
        "    progress.advance(3200)\n"
    )
    status, shown, _ = on_terminal(["-c", script], columns=80)
    assert status == 0
    assert "━━━━━━━━" in shown
    assert "3200/6400" in shown
    assert "steps/s" in shown
    assert "return +10.0 %  entropy 0.50  value loss 0.1" in shown
    assert "…" not in shown


def test_on_a_terminal_a_bar_shows_steps_rate_and_figures(
    learner: tuple[str, ...], on_terminal: "OnTerminal"
) -> None:
    status, shown, printed = on_terminal(["-m", "flagbench", *learner])
    assert status == 0
    assert "learner.py:Learner TOY seed 0" in shown
    assert "━" in shown
    assert "6/6" in shown
    assert "steps/s" in shown
    assert "return +12.5 %  entropy 0.50  value loss 0.0625" in shown
    assert shown.endswith("\x1b[2K")  # it wipes itself off, so that only the result stays
    assert "━" not in printed
    assert printed.splitlines()[-1].startswith(str(Path(learner[-1])))


def test_the_rate_counts_from_the_first_step_and_not_from_loading(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with RunProgress("flag TSLA seed 0", 100) as progress:
        now = 1000.0
        progress.advance(10)
        now = 1002.0
        progress.advance(10)
        assert progress._text() == "10 steps/s"
