import json
from typing import TYPE_CHECKING

import pytest

from flagbench.cli.main import LISTS
from flagbench.knowledge.suites import task_names
from flagbench.market.asset import asset_names, load_asset
from flagbench.registry import agent_names, load_metrics
from flagbench.submissions.track import track_names
from flagbench.suites.suite import suite_names
from flagbench.trading.protocol import protocol_names

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

NAMES = {
    "agents": agent_names(),
    "assets": asset_names(),
    "protocols": protocol_names(),
    "metrics": list(load_metrics()),
    "knowledge": task_names(),
    "suites": suite_names(),
    "tracks": track_names(),
}


def test_there_is_a_list_of_every_kind() -> None:
    assert set(LISTS) == set(NAMES)


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_names_everything_of_its_kind_with_words_on_each(flagbench: "CommandLine", kind: str) -> None:
    outcome = flagbench("list", kind, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    assert list(printed) == [kind]
    assert [row["name"] for row in printed[kind]] == NAMES[kind]
    for row in printed[kind]:
        assert all(isinstance(cell, str) and cell for cell in row.values())


@pytest.mark.parametrize("kind", LISTS)
def test_the_table_says_what_the_json_says(flagbench: "CommandLine", kind: str) -> None:
    rows = json.loads(flagbench("list", kind, "--json").out)[kind]
    outcome = flagbench("list", kind)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].strip() == f"{len(rows)} {kind}"
    for row in rows:
        (line,) = [line for line in lines if line.split()[:1] == [row["name"]]]
        assert all(cell in line for cell in row.values())


def test_an_agent_is_described_by_the_first_line_of_its_module(flagbench: "CommandLine") -> None:
    rows = {row["name"]: row for row in json.loads(flagbench("list", "agents", "--json").out)["agents"]}
    assert rows["always-flat"]["what it does"] == "Never hold anything: what not trading is worth."


def test_an_asset_is_listed_with_its_windows(flagbench: "CommandLine") -> None:
    rows = {row["name"]: row for row in json.loads(flagbench("list", "assets", "--json").out)["assets"]}
    windows = load_asset("TSLA").windows
    assert rows["TSLA"]["train"] == str(windows.train)
    assert rows["TSLA"]["test"] == str(windows.test)
