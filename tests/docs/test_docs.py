"""Every command of README.md and docs/**/*.md runs, and prints what the page says that it prints.

A fenced `console` block holds commands, `$ ` before each, and what they print below, with `…` for what is
left out. Comments above a fence: `<!-- not run: reason -->`, `<!-- needs data -->`, and `<!-- file: NAME -->`
for a block that is a file of that name in the folder where the page's commands run.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
README = ROOT / "README.md"
FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<kind>\w*)\n(?P<body>.*?)^(?P=ticks)$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (?P<name>not run|needs data|file)(?:: (?P<value>.+?))? -->\s*\Z")
SEPARATOR = "@@docs@@"


class Command(NamedTuple):
    """One command of a page."""

    text: str
    status: int
    output: list[str]


class Block(NamedTuple):
    """A `console` block that is run."""

    commands: list[Command]
    needs_data: bool


class Page(NamedTuple):
    """What a page has to be run."""

    blocks: list[Block]
    files: dict[str, str]


def commands_of(body: str) -> list[Command]:
    """Commands with what stands below them; a line that ends in a backslash goes on in the next."""
    commands: list[Command] = []
    for line in re.sub(r" *\\\n(?:> )? *", " ", body).splitlines():
        if line.startswith("$ "):
            status = re.search(r"  # exit (\d+)$", line)
            commands.append(Command(line.removeprefix("$ "), int(status[1]) if status else 0, []))
        else:
            assert commands, f"a console block begins with `{line}`, not with a command"
            commands[-1].output.append(line)
    return commands


def read_page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    blocks: list[Block] = []
    files: dict[str, str] = {}
    for fence in FENCE.finditer(text):
        mark = MARK.search(text[: fence.start()])
        name = mark["name"] if mark else None
        if mark and name == "file":
            assert mark["value"] not in files, f"{path.name} has two files {mark['value']}"
            files[mark["value"]] = fence["body"]
        elif mark and name == "not run":
            assert mark["value"], f"{path.name}: a block is not run for no reason"
        elif fence["kind"] == "console":
            blocks.append(Block(commands_of(fence["body"]), name == "needs data"))
    return Page(blocks, files)


def script_of(commands: list[Command]) -> str:
    """One bash script, so that a variable lives on to the next command."""
    lines = ["exec 2>&1 </dev/null", "set -o pipefail"]
    for command in commands:
        lines += [command.text, f"printf '\\n{SEPARATOR} %s\\n' $?"]
    return "\n".join(lines)


def environment() -> dict[str, str]:
    """The commands of the interpreter that runs the tests come first."""
    own = {"COLUMNS": "100", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, **own, "PATH": path}


def run_commands(commands: list[Command], folder: Path) -> Iterator[tuple[Command, str, int | None]]:
    """Each command with what it printed and its status, None if the script was over before."""
    done = subprocess.run(
        ["bash", "-c", script_of(commands)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    parts = re.split(rf"\n{SEPARATOR} (\d+)\n", done.stdout)
    printed, statuses = parts[::2], [int(status) for status in parts[1::2]]
    for index, command in enumerate(commands):
        is_there = index < len(statuses)
        text = printed[index] if index < len(printed) else ""
        yield command, text, statuses[index] if is_there else None


def expected_output(lines: list[str]) -> re.Pattern[str]:
    """A line `…` stands for any lines, `…` inside a line for any letters; the ends of lines are free."""
    pattern = ""
    for line in lines:
        inside = ".*".join(re.escape(part) for part in line.rstrip().split("…"))
        pattern += r"(?:.*\n)*?" if line.strip() == "…" else rf"{inside}[ \t]*\n"
    return re.compile(pattern)


def page_params() -> Iterator[object]:
    has_data = bool(os.environ.get("FLAGBENCH_DATA"))
    for path in [README, *PAGES] if README.exists() else PAGES:
        blocks = read_page(path).blocks
        if any(has_data or not block.needs_data for block in blocks):
            yield pytest.param(path, id=path.name)
        if any(block.needs_data and not has_data for block in blocks):
            reason = "FLAGBENCH_DATA is not set: these commands need the real market data"
            yield pytest.param(path, id=f"{path.name}-data", marks=pytest.mark.skip(reason=reason))


@pytest.mark.parametrize("path", list(page_params()))
def test_the_commands_of_a_page_run_and_print_what_it_says(path: Path, tmp_path: Path) -> None:
    page = read_page(path)
    for file in (ROOT / "docs").iterdir():
        if file.is_file() and file.suffix != ".md":
            shutil.copy(file, tmp_path)
    for name, text in page.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    has_data = bool(os.environ.get("FLAGBENCH_DATA"))
    commands = [c for block in page.blocks if has_data or not block.needs_data for c in block.commands]
    failures = []
    for command, printed, status in run_commands(commands, tmp_path):
        if status != command.status:
            failures.append(f"$ {command.text}\nleft with {status}, not {command.status}:\n{printed}")
        elif command.output and path != README:
            wanted = expected_output(command.output)
            if not wanted.fullmatch(printed.rstrip("\n") + "\n"):
                shown = "\n".join(command.output)
                failures.append(f"$ {command.text}\nprinted\n{printed}\nthe page shows\n{shown}")
    assert not failures, "\n\n".join(failures)


def test_every_block_of_commands_is_a_console_block() -> None:
    for path in PAGES:
        for fence in FENCE.finditer(path.read_text(encoding="utf-8")):
            is_console = fence["kind"] == "console"
            assert is_console == fence["body"].startswith("$ "), f"{path.name}: {fence['body'][:60]}"


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        (["a", "…", "z"], "a\nb\nc\nz\n", True),
        (["a", "…", "z"], "a\nz\n", True),
        (["run/…/seed-0"], "run/1a2b/seed-0\n", True),
        (["a"], "a\nb\n", False),
        (["a.c"], "abc\n", False),
        (["…"], "anything\nat all\n", True),
    ],
)
def test_what_is_left_out_of_an_output_may_be_anything(shown: list[str], printed: str, fits: bool) -> None:
    assert bool(expected_output(shown).fullmatch(printed)) == fits


def test_statuses_and_continued_lines_are_read() -> None:
    commands = commands_of("$ one \\\n>   --two\nout\n$ three  # exit 2\n")
    assert commands == [Command("one --two", 0, ["out"]), Command("three  # exit 2", 2, [])]
