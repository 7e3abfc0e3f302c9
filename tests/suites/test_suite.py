from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.agents.making import parse_settings
from flagbench.errors import ConfigError, UnknownNameError
from flagbench.registry import agent_names
from flagbench.submissions.track import load_track
from flagbench.suites.cells import plan_cells
from flagbench.suites.suite import load_suite, suite_names

if TYPE_CHECKING:
    from tests.suites.conftest import SuiteFile


def test_a_suite_is_read_and_gives_a_spec_a_seed(suite_file: "SuiteFile") -> None:
    flag: dict[str, Any] = {"agent": "flag", "backbone": "random", "params": {"head_width": 8}, "num_envs": 2}
    suite = load_suite(str(suite_file(flag, env_steps=64)))
    first, second = suite.specs(suite.agents[0], "TSLA", out=Path("here"))
    assert (first.agent, first.asset, first.protocol) == ("flag", "TSLA", "standard")
    assert (first.seeds, second.seeds) == ((0,), (1,))
    assert (first.backbone, first.env_steps, first.num_envs) == ("random", 64, 2)
    assert (first.settings, first.knowledge) == (("head_width=8",), "none")
    assert (first.data, first.out) == ("replica:train=20,test=20", Path("here"))


def test_what_is_said_for_one_agent_goes_before_what_is_said_for_all(suite_file: "SuiteFile") -> None:
    suite = load_suite(str(suite_file({"agent": "flag", "env_steps": 8, "seeds": [7]}, env_steps=64)))
    (spec,) = suite.specs(suite.agents[0], "TSLA", out=Path("here"))
    assert (spec.env_steps, spec.seeds) == (8, (7,))


PARAMS: dict[str, Any] = {
    "a": 1,
    "b": 0.5,
    "c": "news",
    "d": "1e3",
    "e": None,
    "f": True,
    "g": {"learning_rate": 0.001, "name": "null"},
    "h": [1, "2"],
    "i": "yes: no",
}


def test_params_of_every_kind_arrive_as_they_were_written(suite_file: "SuiteFile") -> None:
    suite = load_suite(str(suite_file({"agent": "random", "params": PARAMS})))
    spec = suite.specs(suite.agents[0], "TSLA", out=Path("here"))[0]
    assert parse_settings(list(spec.settings)) == PARAMS
    assert "c=news" in spec.settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": [0, 0]}, "seeds: 0 is there twice"),
        ({"assets": ["TSLA", "TSLA"]}, "assets: TSLA is there twice"),
        ({"seeds": []}, "should have at least 1 item"),
        ({"seeds": [-1]}, "greater than or equal to 0"),
        ({"agents": []}, "should have at least 1 item"),
        ({"id": "Two Words"}, "should match pattern"),
        ({"agents": [{"agent": "random"}, {"agent": "random"}]}, "random is there twice; give each a label"),
        ({"agents": [{"agent": "random", "seeds": [3, 3]}]}, "seeds of random: 3 is there twice"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(
    suite_file: "SuiteFile", changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=r"tiny\.yaml") as caught:
        load_suite(str(suite_file(**changes)))
    assert said in caught.value.message


def test_one_agent_may_be_there_twice_under_two_labels(suite_file: "SuiteFile") -> None:
    suite = load_suite(str(suite_file({"agent": "random"}, {"agent": "random", "label": "again"})))
    assert [agent.name for agent in suite.agents] == ["random", "again"]


def test_a_suite_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown suite `papre`") as caught:
        load_suite("papre")
    assert caught.value.hint == "did you mean `paper`?"


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_that_ships_loads_under_the_name_of_its_file(name: str) -> None:
    suite = load_suite(name)
    assert suite.id == name
    assert suite.description.strip()
    assert suite.agents[0].agent == "buy-and-hold"


@pytest.mark.parametrize("name", suite_names())
def test_the_agents_of_every_suite_that_ships_can_be_built_with_what_is_set(
    name: str, tmp_path: Path
) -> None:
    drawn = load_suite(name).model_copy(update={"data": "replica:train=20,test=20", "assets": ("TSLA",)})
    cells = plan_cells(drawn, out=tmp_path, fallback=False)
    assert len(cells) == len(drawn.agents) * len(drawn.seeds)
    assert len({cell.run for cell in cells}) == len(drawn.agents)


@pytest.mark.parametrize(
    ("name", "track"),
    [("board-replica", "replica"), ("board-market", "market-standard"), ("board-paper", "market-paper")],
)
def test_the_boards_suites_are_what_their_tracks_ask_for(name: str, track: str) -> None:
    suite, wanted = load_suite(name), load_track(track)
    assert suite.protocol == wanted.protocol
    assert sorted(suite.assets) == sorted(wanted.assets)
    assert suite.seeds == wanted.seeds
    assert suite.knowledge == wanted.knowledge
    assert (suite.env_steps, suite.num_envs, suite.precision) == (wanted.env_steps, wanted.num_envs, None)
    assert suite.data == (wanted.data or "market")
    assert {agent.agent for agent in suite.agents} == set(agent_names())
