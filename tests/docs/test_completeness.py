"""Nothing that a user can name or be shown is missing from the pages."""

import inspect
import io
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flagbench.cli.main import build_parser, main
from flagbench.flag.agent import FlagAgent
from flagbench.learning.ppo_params import PPOParams
from flagbench.market.asset import asset_names
from flagbench.records.run_record import RunRecord
from flagbench.registry import agent_names, load_metrics
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import protocol_names

DOCS = Path(__file__).parents[2] / "docs"
WINDOWS = ("--train", "2024-01-29:2024-03-08", "--test", "2024-03-11:2024-04-19")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def missing(names: Iterable[str], text: str) -> list[str]:
    """Names that the text does not have as code."""
    return [name for name in names if f"`{name}`" not in text]


def section(name: str, heading: str) -> str:
    """The text below one heading, up to the next of its rank."""
    _, found, after = page(name).partition(f"\n{heading}\n")
    assert found, f"{name} has no `{heading}`"
    return re.split(rf"^{heading.partition(' ')[0]} ", after, flags=re.MULTILINE)[0]


def first_column(text: str) -> set[str]:
    """Names in the first column of the tables of a text."""
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def keys(value: object) -> set[str]:
    """Names of a JSON object at every depth."""
    if isinstance(value, Mapping):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("name", load_metrics())
def test_every_metric_has_a_section(name: str) -> None:
    assert len(section("metrics.md", f"### `{name}`").split()) > 5


def test_every_name_that_a_command_takes_is_described() -> None:
    assert not missing(agent_names(), page("agents.md"))
    assert not missing(protocol_names(), page("protocols.md"))
    assert not missing(asset_names(), page("data.md"))


def test_the_index_counts_what_there_is() -> None:
    text = " ".join(page("index.md").split())
    counts = len(asset_names()), len(protocol_names()), len(load_metrics())
    assert "{} assets, {} protocols, {} metrics".format(*counts) in text
    assert not missing(agent_names(), text)


def test_every_param_of_flag_and_of_ppo_is_described() -> None:
    assert not missing(inspect.signature(FlagAgent).parameters, page("method.md"))
    assert not missing(PPOParams.model_fields, page("method.md"))


def test_every_field_of_an_observation_is_described() -> None:
    assert not missing(Observation.__annotations__, page("protocols.md"))


def test_every_command_and_option_stands_in_the_help_that_is_shown() -> None:
    text = page("commands.md")
    (commands,) = (a for a in build_parser()._actions if isinstance(a.choices, dict))
    assert commands.choices is not None
    for name, parser in dict(commands.choices).items():
        own = section("commands.md", f"## `flagbench {name}`")
        nested = [a.choices.values() for a in parser._actions if isinstance(a.choices, dict)]
        actions = [action for each in (parser, *chain(*nested)) for action in each._actions]
        options = [option for action in actions for option in action.option_strings]
        assert [option for option in options if option not in own] == []
    assert "--version" in text


class Ran(NamedTuple):
    """One tiny training: what `--json` printed, and the seed's folder."""

    printed: dict[str, Any]
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.folder / "record.json").read_text(encoding="utf-8"))
        return record


def printed(*arguments: object) -> dict[str, Any]:
    """What a command prints with `--json`."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert main([*map(str, arguments), "--json"]) == 0
    value: dict[str, Any] = json.loads(out.getvalue())
    return value


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, toy_addition: str) -> Ran:
    """FLAG on random weights over the bars of the docs, for eight steps, asked twelve questions."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    flag = ("--agent", "flag", "--backbone", "random", "--env-steps", 8, "--num-envs", 2)
    out = ("--set", "ppo.num_steps=4", "--knowledge", toy_addition, "--out", tmp_path_factory.mktemp("runs"))
    value = printed("run", *flag, "--asset", DOCS / "bars.csv", *WINDOWS, *out)
    torch.set_num_threads(threads)
    return Ran(value, Path(value["runs"][0]["record"]).parent)


def test_the_record_is_described_field_by_field(trained: Ran) -> None:
    described = first_column(section("records.md", "## `record.json`"))
    assert described == set(RunRecord.model_fields) == set(trained.record)


def test_what_lies_inside_the_fields_of_the_record_is_described(trained: Ran) -> None:
    text = section("records.md", "## `record.json`")
    for field in ("market", "setup", "observed", "training", "provenance", "seconds", "ledger", "scores"):
        inner = set(trained.record[field])
        if field == "training":
            inner |= keys(trained.record[field])
        assert not missing(inner, text), field
    assert not missing(trained.record["provenance"]["git"] or (), text)


def test_the_knowledge_of_a_run_is_described(trained: Ran) -> None:
    text = section("records.md", "## `knowledge`")
    knowledge = trained.record["knowledge"]
    assert first_column(text) == set(knowledge)
    assert not missing(keys(knowledge["before"]["toy_addition"]), text)
    lines = (trained.folder / "knowledge" / "noise.jsonl").read_text(encoding="utf-8").splitlines()
    assert not missing(json.loads(lines[0]), text)
    compared = section("retention.md", "## What is reported")
    assert first_column(compared) == set(knowledge["retention"][0])


def test_the_files_of_a_seed_are_described(trained: Ran) -> None:
    text = section("records.md", "## The run directory")
    assert [path.name for path in trained.folder.iterdir() if path.name not in text] == []


def test_the_training_log_is_described(trained: Ran) -> None:
    (line,) = (trained.folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert first_column(section("records.md", "## `train.jsonl`")) == set(json.loads(line))


def test_the_ledger_is_described(trained: Ran) -> None:
    ledger = trained.folder.parents[4] / "ledger.jsonl"
    (line,) = ledger.read_text(encoding="utf-8").splitlines()
    assert first_column(section("records.md", "## The ledger of trials")) == set(json.loads(line))


def test_the_json_of_a_run_is_described(trained: Ran) -> None:
    text = section("commands.md", "## What `--json` prints")
    (run,) = trained.printed["runs"]
    assert "{" + ", ".join(f'"{key}"' for key in run) + "}" in text
    assert set(trained.printed) == {"runs"}


def test_the_json_of_a_score_is_described(trained: Ran) -> None:
    window = ("--start", "2024-03-11", "--end", "2024-04-19")
    score = printed("score", trained.folder / "actions.csv", "--asset", DOCS / "bars.csv", *window)
    text = section("commands.md", "## What `--json` prints")
    assert first_column(text) == set(score) - set(load_metrics()) - {"undefined"} | {"undefined"}
    inner = keys({name: score[name] for name in ("uncertainty", "policy")})
    assert not missing(inner, text)
