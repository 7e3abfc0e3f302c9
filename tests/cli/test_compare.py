import csv
import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.registry import load_metrics

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome, Ran


@pytest.fixture(scope="module")
def compared(flagbench: "CommandLine", trained_run: "Ran", random_run: "Ran") -> "Outcome":
    """FLAG, trained, beside three seeds of the random agent on the same prices."""
    return flagbench("compare", trained_run.folder, random_run.folder)


def test_a_learner_and_a_coin_stand_in_one_table_beside_buy_and_hold(compared: "Outcome") -> None:
    assert (compared.status, compared.err) == (0, "")
    lines = compared.out.splitlines()
    assert lines[0] == "Primary endpoint: Sharpe ratio less buy-and-hold's"
    results = lines[lines.index("TOY: results") :]
    names = [line.split()[0] for line in results[4:7]]
    assert names[0] == "buy-and-hold"
    assert sorted(names[1:]) == ["flag", "random"]
    assert "set-up: env_steps 16, num_envs 2" in " ".join(lines)
    assert "has random weights: its figures say nothing of a trained model" in compared.out


def test_no_sharpe_ratio_stands_alone(compared: "Outcome") -> None:
    for title, mark, columns in (("results", "[", 2), ("the same actions at other costs", "±", 4)):
        table = compared.out.partition(f"TOY: {title}\n")[2].split("\n\n")[0]
        (row,) = [line for line in table.splitlines() if line.startswith(" random")]
        assert row.count(mark) == columns


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("markdown", "## Primary endpoint"),
        ("latex", "% needs"),
        ("csv", "asset,agent,metric,statistic,value\n"),
        ("html", '<section class="comparison">'),
        ("json", "{\n"),
        ("terminal", "Primary endpoint"),
    ],
)
def test_every_format_can_be_written_to_a_file(
    name: str, begins: str, flagbench: "CommandLine", random_run: "Ran", tmp_path: Path
) -> None:
    path = tmp_path / "table"
    written = flagbench("compare", random_run.folder, "--format", name, "--out", path)
    assert (written.status, written.out, written.err) == (0, f"{path}\n", "")
    assert path.read_text(encoding="utf-8").startswith(begins)


def test_json_and_csv_hold_the_figures_of_the_records(flagbench: "CommandLine", random_run: "Ran") -> None:
    recorded = [
        json.loads((random_run.folder / f"seed-{seed}" / "record.json").read_text())["scores"]["test"]
        for seed in (0, 1, 12)
    ]
    found = json.loads(flagbench("compare", random_run.folder, "--format", "json").out)
    (asset,) = found["assets"]
    metrics = asset["agents"][1]["metrics"]
    rows = csv.DictReader(StringIO(flagbench("compare", random_run.folder, "--format", "csv").out))
    long = {(row["agent"], row["metric"], row["statistic"]): row["value"] for row in rows}
    for name in load_metrics():
        values = [score[name] for score in recorded]
        assert metrics[name]["values"] == pytest.approx(values)
        assert float(long["random", name, "seed_12"]) == pytest.approx(values[2])


def test_the_papers_layout_has_its_columns(flagbench: "CommandLine", random_run: "Ran") -> None:
    shown = flagbench("compare", random_run.folder, "--layout", "paper")
    assert shown.status == 0
    assert "CR, % [95 %]" in shown.out
    assert "No printed row of this asset is kept." in shown.out


@pytest.mark.parametrize("name", ["csv", "json"])
def test_data_has_no_layout(name: str, flagbench: "CommandLine", random_run: "Ran") -> None:
    refused = flagbench("compare", random_run.folder, "--layout", "paper", "--format", name)
    assert refused.status == 2
    assert refused.err == (
        f"error: --format {name} holds every figure and has no layout\nhint: leave out --layout\n"
    )


def test_unequal_set_ups_cannot_share_a_table(
    flagbench: "CommandLine",
    trained_run: "Ran",
    csv_task: tuple[str, ...],
    tiny_training: tuple[str, ...],
    tmp_path: Path,
) -> None:
    longer = flagbench("run", *tiny_training, *csv_task, "--env-steps", "24", "--out", tmp_path)
    assert longer.status == 0, longer.err
    refused = flagbench("compare", trained_run.folder, longer.last_line)
    assert (refused.status, refused.out) == (2, "")
    assert "one table holds one set-up" in refused.err
    assert "env_steps 16" in refused.err
    assert "env_steps 24" in refused.err
    assert str(trained_run.folder) in refused.err
    assert longer.last_line in refused.err


def test_two_protocols_cannot_share_a_table(
    flagbench: "CommandLine", random_run: "Ran", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    other = flagbench("run", "--agent", "random", *csv_task, "--protocol", "paper", "--out", tmp_path)
    refused = flagbench("compare", random_run.folder, other.last_line)
    assert (refused.status, refused.out) == (2, "")
    assert "one table holds one protocol" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "error: nowhere is no folder"),
        ((".", "--out", "no/such/folder/table"), "error: "),
        ((), "error: the following arguments are required: RUN"),
    ],
)
def test_a_slip_is_answered_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    flagbench: "CommandLine",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = flagbench("compare", *arguments)
    assert refused.status == 2
    assert refused.out == ""
    assert refused.err.startswith(message)


def test_a_file_that_cannot_be_written_is_named(
    flagbench: "CommandLine", random_run: "Ran", tmp_path: Path
) -> None:
    refused = flagbench("compare", random_run.folder, "--out", tmp_path / "no" / "table")
    assert refused.status == 2
    assert refused.err.startswith(f"error: {tmp_path / 'no' / 'table'} cannot be written")
