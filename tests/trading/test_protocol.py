from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.trading.protocol import load_protocol, protocol_names

if TYPE_CHECKING:
    from tests.trading.conftest import ProtocolFactory


def write(folder: Path, protocol_with: "ProtocolFactory", **changes: object) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(protocol_with().model_dump() | changes), encoding="utf-8")
    return str(path)


def test_an_unknown_protocol_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown protocol `standart`") as caught:
        load_protocol("standart")
    assert caught.value.hint == "did you mean `standard`?"
    assert caught.value.known == protocol_names()


def test_the_standard_protocol_holds_what_the_specification_says() -> None:
    protocol = load_protocol("standard")
    assert (protocol.fill_for("equity"), protocol.fill_for("crypto")) == ("next_open", "next_close")
    assert (protocol.cost, protocol.lookback, protocol.reward) == (0.001, 20, "sharpe_delta")
    assert (protocol.scoring, protocol.initial_cash) == ("standard", 100_000)
    assert (protocol.reward_scale, protocol.reward_min_observations) == (1, 2)


def test_the_paper_protocol_holds_what_the_paper_says() -> None:
    protocol = load_protocol("paper")
    assert (protocol.fill_for("equity"), protocol.fill_for("crypto")) == ("next_close", "next_close")
    assert (protocol.cost, protocol.lookback, protocol.scoring) == (0, 10, "paper")
    assert protocol.setup.env_steps == 13_860
    assert (protocol.setup.num_envs, protocol.setup.gradient_accumulation_steps) == (1, 8)


def test_a_protocol_of_the_users_own_is_read_from_its_file(
    tmp_path: Path, protocol_with: "ProtocolFactory"
) -> None:
    assert load_protocol(write(tmp_path, protocol_with, cost_bps=25)).cost == 0.0025


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 0),
        ("cost_bps", -1),
        ("cost_bps", 10_000),
        ("cost_bps", float("nan")),
        ("reward", "sharpe"),
        ("reward_scale", 0),
        ("reward_scale", float("inf")),
        ("reward_min_observations", 1),
        ("scoring", "investorbench"),
        ("lookback", 0),
        ("lookback", 2.5),
        ("initial_cash", 0),
        ("initial_cash", float("inf")),
        ("initial_cash", "much"),
        ("fill.equity", "this_close"),
        ("setup.num_envs", 0),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_its_field(
    field: str, value: object, tmp_path: Path, protocol_with: "ProtocolFactory"
) -> None:
    group, _, name = field.rpartition(".")
    changes = {field: value}
    if group:
        changes = {group: protocol_with().model_dump()[group] | {name: value}}
    path = write(tmp_path, protocol_with, **changes)
    with pytest.raises(ConfigError) as caught:
        load_protocol(path)
    assert f"{path}: `{field}`:" in caught.value.message
    assert f"given {value!r}" in caught.value.message


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text("id: mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="`version`: Field required"):
        load_protocol(str(path))


def test_a_misspelt_field_is_answered_with_the_nearest_one(
    tmp_path: Path, protocol_with: "ProtocolFactory"
) -> None:
    with pytest.raises(ConfigError, match="unknown setting `cost_bp`") as caught:
        load_protocol(write(tmp_path, protocol_with, cost_bp=10))
    assert caught.value.hint == "did you mean `cost_bps`?"


def test_a_file_that_is_no_yaml_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\nfill: {equity\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no valid YAML at line"):
        load_protocol(str(path))


def test_a_protocol_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_protocol(str(tmp_path / "none.yaml"))
