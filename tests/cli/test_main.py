import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.cli import main as command_line
from flagbench.errors import ConfigError, UnknownNameError
from flagbench.version import __version__

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

HEAVY = ("torch", "transformers", "numpy", "pandas", "scipy", "matplotlib", "rich", "yaml", "pydantic")

LOADED = """
import sys
from flagbench.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("loaded:", *sorted(name for name in sys.modules if "." not in name))
"""


def modules_loaded_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help"), ("rnu",)])
def test_nothing_heavy_is_loaded_to_print_help_or_a_wrong_command(arguments: tuple[str, ...]) -> None:
    assert not modules_loaded_by(*arguments) & set(HEAVY)


def test_a_list_of_assets_loads_no_torch() -> None:
    loaded = modules_loaded_by("list", "assets")
    assert "yaml" in loaded
    assert not loaded & {"torch", "transformers", "matplotlib"}


def test_a_run_of_a_simple_agent_loads_no_torch(csv_task: tuple[str, ...], tmp_path: Path) -> None:
    loaded = modules_loaded_by("run", "--agent", "random", *csv_task, "--json", "--out", str(tmp_path))
    assert not loaded & {"torch", "transformers", "rich"}


def test_help_names_every_command(flagbench: "CommandLine") -> None:
    outcome = flagbench("--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("usage: flagbench ")
    for command in ("run", "score", "list", "show"):
        assert f"\n    {command} " in outcome.out


def test_the_version_is_printed(flagbench: "CommandLine") -> None:
    assert flagbench("--version") == (0, f"flagbench {__version__}\n", "")


def test_it_runs_as_a_module_too() -> None:
    command = [sys.executable, "-m", "flagbench", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"flagbench {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        ((), "the following arguments are required: COMMAND", "flagbench --help"),
        (("rnu",), "argument COMMAND: invalid choice: 'rnu'", "flagbench --help"),
        (("list", "agent"), "argument kind: invalid choice: 'agent'", "flagbench list --help"),
        (("run", "--agent", "flag"), "the following arguments are required: --asset", "flagbench run --help"),
        (("show", "a", "--jsno"), "unrecognized arguments: --jsno", "flagbench --help"),
        (("run", "--env-steps", "many"), "argument --env-steps: invalid int value", "flagbench run --help"),
    ],
)
def test_a_wrong_command_line_is_an_error_with_a_hint(
    flagbench: "CommandLine", arguments: tuple[str, ...], error: str, hint: str
) -> None:
    outcome = flagbench(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first.startswith(f"error: {error}")
    assert second == f"hint: {hint}"


@pytest.mark.parametrize(("hint", "lines"), [("mend it", ["hint: mend it"]), ("", [])])
def test_an_error_is_told_on_stderr_and_leaves_with_2(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch, hint: str, lines: list[str]
) -> None:
    def fail(arguments: Namespace) -> None:
        raise ConfigError("it is broken", hint=hint)

    monkeypatch.setattr(command_line, "_call", fail)
    outcome = flagbench("list", "agents")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines() == ["error: it is broken", *lines]


def test_who_asks_for_a_traceback_of_an_error_gets_one(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAGBENCH_TRACEBACK", "1")
    with pytest.raises(UnknownNameError, match="unknown protocol `papr`"):
        flagbench("run", "--agent", "flag", "--asset", "TSLA", "--protocol", "papr")


def test_an_interrupt_leaves_with_130(flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arguments: Namespace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "_call", interrupt)
    outcome = flagbench("list", "agents")
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err == "interrupted; the seed in progress was not written\n"


def test_a_bug_is_not_hidden_as_an_error_of_the_user(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(arguments: Namespace) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command_line, "_call", crash)
    with pytest.raises(ZeroDivisionError):
        flagbench("list", "agents")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = [sys.executable, "-m", "flagbench", "list", "metrics"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaints = process.stderr.read()
    assert (process.returncode, complaints) == (0, "")
