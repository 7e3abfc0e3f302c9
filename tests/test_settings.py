from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from flagbench.errors import ConfigError
from flagbench.settings import Settings, parse, read_yaml


class Learner(Settings):
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    batch_size: int = 32


class Layer(Settings):
    width: int


class Plan(Settings):
    name: str
    steps: Annotated[int, Field(gt=0, le=100)] = 10
    fill: Literal["next_open", "next_close"] = "next_open"
    learner: Learner = Learner()
    layers: tuple[Layer, ...] = ()


def refused(values: dict[str, object]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(Plan, values, origin="plan.yaml")
    return caught.value


def test_plain_values_become_settings_with_their_defaults_filled_in() -> None:
    plan = parse(Plan, {"name": "a", "learner": {"batch_size": 8}}, origin="plan.yaml")
    assert plan == Plan(name="a", steps=10, learner=Learner(learning_rate=0.1, batch_size=8))


def test_settings_cannot_be_changed() -> None:
    plan = Plan(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        plan.steps = 3


def test_a_string_below_a_field_describes_it() -> None:
    class Described(Settings):
        lookback: int
        """Bars in an observation."""

    assert Described.model_fields["lookback"].description == "Bars in an observation."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "plan.yaml: `name`: Field required"),
        ({"name": 3}, "plan.yaml: `name`: Input should be a valid string, given 3"),
        ({"name": "a", "steps": 0}, "plan.yaml: `steps`: Input should be greater than 0, given 0"),
        (
            {"name": "a", "steps": 101},
            "plan.yaml: `steps`: Input should be less than or equal to 100, given 101",
        ),
        (
            {"name": "a", "fill": "close"},
            "plan.yaml: `fill`: Input should be 'next_open' or 'next_close', given 'close'",
        ),
        (
            {"name": "a", "learner": {"learning_rate": -1}},
            "plan.yaml: `learner.learning_rate`: Input should be greater than 0, given -1",
        ),
        (
            {"name": "a", "layers": [{"width": 1}, {}]},
            "plan.yaml: `layers.1.width`: Field required",
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_its_field(values: dict[str, object], message: str) -> None:
    assert refused(values).message == message


@pytest.mark.parametrize(
    ("values", "field", "hint"),
    [
        ({"name": "a", "step": 3}, "step", "did you mean `steps`?"),
        (
            {"name": "a", "qqq": 3},
            "qqq",
            "known: name, steps, fill, learner, layers",
        ),
        ({"name": "a", "learner": {"learn_rate": 1}}, "learner.learn_rate", "did you mean `learning_rate`?"),
        ({"name": "a", "learner": {"qqq": 1}}, "learner.qqq", "known: learning_rate, batch_size"),
        ({"name": "a", "layers": [{"width": 1, "widht": 1}]}, "layers.0.widht", "did you mean `width`?"),
    ],
)
def test_an_unknown_setting_is_answered_with_the_nearest_of_its_own_group(
    values: dict[str, object], field: str, hint: str
) -> None:
    error = refused(values)
    assert error.message == f"plan.yaml: unknown setting `{field}`"
    assert error.hint == hint


def test_a_yaml_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("name: Übung  # a comment\nlearner: {batch_size: 4}\n", encoding="utf-8")
    assert read_yaml(Plan, path) == Plan(name="Übung", learner=Learner(batch_size=4))


def test_a_setting_of_a_yaml_file_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("name: a\nsteps: many\n")
    with pytest.raises(ConfigError) as caught:
        read_yaml(Plan, path)
    assert caught.value.message.startswith(f"{path}: `steps`: Input should be a valid integer")
    assert caught.value.message.endswith("given 'many'")


def test_broken_yaml_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("name: a\nlearner: {batch_size: 4\n")
    with pytest.raises(ConfigError) as caught:
        read_yaml(Plan, path)
    assert caught.value.message == (
        f"{path} is no valid YAML at line 3, column 1: expected ',' or '}}', but got '<stream end>'"
    )


@pytest.mark.parametrize(
    ("content", "found"), [("", "NoneType"), ("- a\n- b\n", "list"), ("just words\n", "str")]
)
def test_yaml_that_is_no_mapping_is_refused(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(Plan, path)
    assert caught.value.message == f"{path} must hold a YAML mapping of names to values, found {found}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name: \xff\n", "can't decode byte 0xff"),
        (b"name: 2020-13-01\n", "month must be in 1..12"),
    ],
)
def test_yaml_that_cannot_be_read_is_reported_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(Plan, path)
    assert caught.value.message.startswith(f"{path} cannot be read: ")
    assert reason in caught.value.message


def test_yaml_of_control_characters_is_no_valid_yaml(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(b"name: \x00\n")
    with pytest.raises(ConfigError, match="is no valid YAML: unacceptable character"):
        read_yaml(Plan, path)


def test_a_yaml_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(ConfigError) as caught:
        read_yaml(Plan, path)
    assert caught.value.message.startswith(f"{path} cannot be read: ")
