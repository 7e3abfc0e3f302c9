import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import ConfigError, MarketDataError, RecordError, UnknownNameError
from flagbench.market.period import Period
from flagbench.planning import RunSpec, plan
from flagbench.records.ledger import append_trial
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    """Buy-and-hold on a small market that a user describes by a CSV."""
    dates = np.busday_offset("2020-01-01", np.arange(60), roll="forward").astype("datetime64[D]")
    rows = [f"{day},10,11,9,{10 + index % 2}" for index, day in enumerate(dates)]
    path = tmp_path / "TOY.csv"
    path.write_text("\n".join(["date,open,high,low,close", *rows]) + "\n")
    return RunSpec(
        agent="buy-and-hold",
        asset=str(path),
        train=Period.of(dates[20].item(), dates[39].item()),
        test=Period.of(dates[40].item(), dates[59].item()),
        out=tmp_path / "runs",
    )


def test_a_plan_holds_everything_that_the_spec_names(spec: RunSpec) -> None:
    planned = plan(spec)
    assert planned.market.asset.id == "TOY"
    assert planned.protocol == load_protocol("standard")
    assert planned.agent.name == "buy-and-hold"
    assert (planned.period("train"), planned.period("test")) == (spec.train, spec.test)
    assert planned.folder == spec.out / "TOY" / "standard" / "buy-and-hold" / planned.run_id
    assert not spec.out.exists()


def test_an_agent_that_does_not_learn_has_no_setup(spec: RunSpec) -> None:
    assert plan(replace(spec, env_steps=7)).setup is None


def test_an_agent_that_learns_has_the_protocols_setup_with_what_was_given(spec: RunSpec) -> None:
    flag = replace(spec, agent="flag", backbone="random")
    defaults = load_protocol("paper").setup
    setup = plan(replace(flag, protocol="paper")).setup
    assert setup is not None
    assert setup.model_dump() == {**defaults.model_dump(), "mixed_precision": "auto"}
    changed = plan(replace(flag, env_steps=50, num_envs=5, precision="no")).setup
    assert changed is not None
    assert (changed.env_steps, changed.num_envs, changed.mixed_precision) == (50, 5, "no")


def test_an_agent_is_briefed_on_protocol_and_text_of_the_training_window(spec: RunSpec) -> None:
    planned = plan(replace(spec, agent="flag", backbone="random", protocol="paper"))
    assert planned.agent.params["preset"] == "paper"
    assert planned.agent.params["prompt"] == "paper"


def test_news_are_read_where_the_training_window_has_some(data_folder: Path, tmp_path: Path) -> None:
    spec = RunSpec(agent="flag", asset="HON", backbone="random", data=str(data_folder), out=tmp_path)
    assert plan(spec).agent.params["prompt"] == "news"
    early = replace(
        spec,
        train=Period.parse("2015-01-02:2015-03-31"),
        test=Period.parse("2015-04-01:2015-06-30"),
    )
    assert plan(early).agent.params["prompt"] == "paper"


def test_settings_and_backbone_reach_the_agent(spec: RunSpec) -> None:
    planned = plan(replace(spec, agent="flag", backbone="random", settings=("lora_rank=4", "adapt=lora")))
    assert planned.agent.params["backbone"] == "random"
    assert planned.agent.params["lora_rank"] == 4


def test_the_basics_are_asked_unless_another_suite_or_none_is_named(spec: RunSpec) -> None:
    assert plan(spec).knowledge == "basics"
    assert plan(replace(spec, knowledge="control")).knowledge == "control"
    assert plan(replace(spec, knowledge="all")).knowledge == "all"
    assert plan(replace(spec, knowledge="none")).knowledge is None


@pytest.mark.parametrize("data", ["replica:seed=3", None])
def test_data_sets_are_looked_for_in_a_data_folder_that_was_named(spec: RunSpec, data: str | None) -> None:
    assert plan(replace(spec, asset="TSLA", data=data), fallback=True).data_folder is None


def test_a_data_folder_that_was_named_serves_knowledge_suites_too(data_folder: Path, tmp_path: Path) -> None:
    spec = RunSpec(agent="random", asset="HON", data=str(data_folder), out=tmp_path)
    assert plan(spec).data_folder == str(data_folder)


WRONG: "list[tuple[Callable[[RunSpec], RunSpec], type[Exception], str]]" = [
    (lambda spec: replace(spec, agent="buy"), UnknownNameError, "unknown agent `buy`"),
    (lambda spec: replace(spec, protocol="none"), UnknownNameError, "unknown protocol `none`"),
    (lambda spec: replace(spec, backbone="random"), ConfigError, "has no backbone"),
    (lambda spec: replace(spec, knowledge="basic"), UnknownNameError, "unknown knowledge suite `basic`"),
    (lambda spec: replace(spec, settings=("a=1",)), UnknownNameError, "param `a`"),
    (lambda spec: replace(spec, train=spec.test), ConfigError, "must end before the test window"),
    (lambda spec: replace(spec, test=Period.parse("2020-03-30:2021-01-01")), MarketDataError, "lies outside"),
    (
        lambda spec: replace(spec, train=Period.parse("2020-01-02:2020-02-03")),
        MarketDataError,
        "a lookback of 20",
    ),
    (
        lambda spec: replace(spec, agent="flag", backbone="random", settings=("ppo.gamma=2",)),
        ConfigError,
        "`gamma`",
    ),
    (lambda spec: replace(spec, agent="flag", backbone="random", num_envs=0), ConfigError, "`num_envs`"),
]


@pytest.mark.parametrize(("change", "error", "message"), WRONG)
def test_what_is_wrong_is_found_while_planning(
    spec: RunSpec, change: "Callable[[RunSpec], RunSpec]", error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan(change(spec))


def test_a_broken_ledger_is_found_while_planning(spec: RunSpec) -> None:
    ledger = spec.out / "ledger.jsonl"
    append_trial(ledger, {"seed": 0})
    plan(spec)
    ledger.write_text(ledger.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RecordError, match="the entry was edited"):
        plan(spec)


def test_the_spec_is_kept_as_it_was_given(spec: RunSpec) -> None:
    kept = replace(spec, seeds=(0, 3), env_steps=5, settings=("a=1",)).to_json()
    assert kept["agent"] == "buy-and-hold"
    assert kept["train"] == [str(day) for day in (spec.train or ())]
    assert (kept["seeds"], kept["env_steps"], kept["settings"]) == ([0, 3], 5, ["a=1"])
    assert kept["out"] == str(spec.out)
    assert not {"backbone", "data", "periods", "precision", "num_envs"} & set(kept)


def test_two_plans_of_one_spec_have_folders_of_their_own(spec: RunSpec) -> None:
    assert plan(spec).folder != plan(spec).folder


PLANNING = """
import sys
from pathlib import Path
from flagbench.market.period import Period
from flagbench.planning import RunSpec, plan
windows = [Period.parse(text) for text in sys.argv[2:4]]
plan(RunSpec(agent="flag", asset=sys.argv[1], backbone="random", train=windows[0], test=windows[1]))
heavy = {"torch", "transformers", "accelerate", "lm_eval", "datasets", "matplotlib"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_planning_a_training_loads_nothing_heavy(spec: RunSpec) -> None:
    command = [sys.executable, "-c", PLANNING, spec.asset, str(spec.train), str(spec.test)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
