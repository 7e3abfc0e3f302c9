import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.pretraining.items import make_items, write_items
from flagbench.pretraining.recipe import Recipe, Stage

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

PATIENCE = 300.0
"""Seconds; a busy machine takes its time."""

TINY = Recipe(
    width=32,
    layers=1,
    feed_forward=64,
    heads=2,
    key_value_heads=1,
    vocabulary=600,
    tokenizer_texts=300,
    batch_tokens=2048,
    stages=(Stage(length=128, tokens=20_000), Stage(length=1024, tokens=4_096)),
)
"""In place of the short form; trains in seconds and knows nothing."""

SCRIPT = """\
import sys
from flagbench.pretraining import recipe
recipe.SHORT = recipe.Recipe.model_validate_json(sys.argv[1])
from flagbench.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone")


@pytest.fixture(autouse=True)
def _heard_signals() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so would every process that a test starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The command line, with the short form as its first argument says."""
    path: Path = tmp_path_factory.mktemp("script") / "short.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return str(path)


def started(*command: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_two_processes_train_together_and_write_one_folder(script: str, tmp_path: Path) -> None:
    out = tmp_path / "backbone"
    build = ("backbone", "build", "--short", "--seed", "4", "--out", str(out))
    process = started(*TORCHRUN, script, TINY.model_dump_json(), *build)
    printed, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert [path.name for path in tmp_path.iterdir()] == ["backbone"]
    stored = Recipe.model_validate_json((out / "recipe.json").read_text(encoding="utf-8"))
    assert stored == TINY.model_copy(update={"seed": 4})
    lines = printed.splitlines()
    # 20,000 // 2,048 = 9 batches of 2,048 tokens, then 2: half of each batch was read by each process.
    assert lines[1].startswith("22,528 tokens in 0.")
    assert lines[2].startswith("perplexity on held-out rows ")
    assert [line.split(":")[0] for line in lines[3:5]] == ["finance_basics", "general_basics"]
    assert lines[5:] == [str(out)]
    assert lines[0].endswith(f"sha256 {digest(out)[:12]}")
    assert "Warning" not in err


def digest(folder: Path) -> str:
    return sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_more_processes_than_rows_are_refused_before_the_training(script: str, tmp_path: Path) -> None:
    recipe = TINY.model_copy(update={"batch_tokens": 1024})
    build = ("backbone", "build", "--short", "--out", str(tmp_path / "backbone"))
    process = started(*TORCHRUN, script, recipe.model_dump_json(), *build)
    printed, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode == 0, printed) == (False, "")
    assert "error: the smallest batch has 1 rows, too few for 2 processes" in err
    assert "hint: start 1 processes at most" in err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_with_130_and_nothing_half_written(script: str, tmp_path: Path) -> None:
    endless = TINY.model_copy(update={"stages": (Stage(length=128, tokens=10**9),)})
    out = tmp_path / "deep" / "backbone"
    process = started(script, endless.model_dump_json(), "backbone", "build", "--short", "--out", str(out))
    deadline = time.monotonic() + PATIENCE
    while not list(tmp_path.glob("deep/.backbone.partial-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    printed, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed) == (130, "")
    assert err == "interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(flagbench: "CommandLine", tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    outcome = flagbench("backbone", "build", "--short", "--out", tmp_path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        f"error: {tmp_path} is there already\nhint: choose a new folder, or remove it first\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
def test_a_seed_out_of_range_is_refused(seed: str, flagbench: "CommandLine", tmp_path: Path) -> None:
    outcome = flagbench("backbone", "build", "--short", f"--seed={seed}", "--out", tmp_path / "new")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: `--seed {seed}`: seeds lie between 0 and 4294967295\n")


def test_items_are_written_as_they_ship(flagbench: "CommandLine", tmp_path: Path) -> None:
    out = tmp_path / "new" / "items"
    outcome = flagbench("backbone", "items", "--out", out)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        f"finance_basics.jsonl: {len(make_items('finance'))} items",
        f"general_basics.jsonl: {len(make_items('general'))} items",
        str(out),
    ]
    write_items(make_items("general"), tmp_path / "general")
    assert (out / "general_basics.jsonl").read_bytes() == (tmp_path / "general").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["finance_basics.jsonl", "general_basics.jsonl"]


def test_a_place_where_no_items_can_be_written_is_named(flagbench: "CommandLine", tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = flagbench("backbone", "items", "--out", tmp_path / "file")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {tmp_path / 'file'} cannot be written: ")
    assert outcome.err.endswith("hint: choose another --out\n")


def test_what_to_make_must_be_said(flagbench: "CommandLine") -> None:
    outcome = flagbench("backbone")
    assert outcome.status == 2
    assert "the following arguments are required: COMMAND" in outcome.err
