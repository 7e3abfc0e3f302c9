"""YAML and command-line settings into checked, frozen objects, with errors a person can act on."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from flagbench.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class Settings(BaseModel):
    """A frozen group of named settings; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


SettingsType = TypeVar("SettingsType", bound=BaseModel)


def parse(model: type[SettingsType], values: Mapping[str, Any], *, origin: str) -> SettingsType:
    """Build `model` from plain values.

    Args:
        model: the settings to build.
        values: names and plain values.
        origin: where the values come from, such as a file name; it opens the error.

    Raises:
        ConfigError: the first setting that is unknown, else missing or not allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # A misspelt name also leaves the right one missing; the misspelling says more.
        found = error.errors(include_url=False)
        first = min(found, key=lambda item: item["type"] != "extra_forbidden")
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        if first["type"] == "extra_forbidden":
            raise _unknown_setting(_group_of(model, first["loc"]), field, origin) from None
        given = "" if first["type"] == "missing" else f", given {first['input']!r}"
        raise ConfigError(f"{origin}: `{field}`: {first['msg']}{given}") from None


def _group_of(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The settings that hold the last part of a location, which may be nested or stand in a list."""
    for part in location[:-1]:
        if part not in model.model_fields:
            continue  # the index of a list
        annotation = model.model_fields[str(part)].annotation
        inner = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in inner if issubclass(kind, BaseModel)), model)
    return model


def _unknown_setting(model: type[BaseModel], field: str, origin: str) -> ConfigError:
    from difflib import get_close_matches

    known = list(model.model_fields)
    near = get_close_matches(field.rpartition(".")[2], known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
    return ConfigError(f"{origin}: unknown setting `{field}`", hint=hint)


def read_installed(
    model: type[SettingsType], name: str, *, kind: str, installed: "Mapping[str, Traversable]"
) -> SettingsType:
    """The installed thing of that id, or one described by a YAML file of the user's.

    Args:
        model: what to build.
        name: an id, or a path that ends in `.yaml` or `.yml`.
        kind: what it is called where the id is unknown.
        installed: YAML files by id.

    Raises:
        UnknownNameError: no such id.
        ConfigError: the YAML file is broken.
    """
    if name.endswith((".yaml", ".yml")):
        return read_yaml(model, Path(name))
    if name not in installed:
        raise UnknownNameError(kind, name, installed)
    return read_yaml(model, installed[name])


def read_yaml(model: type[SettingsType], path: "Path | Traversable") -> SettingsType:
    """Read one YAML file into `model`.

    Raises:
        ConfigError: the file cannot be read, is no YAML mapping, or a setting is not allowed.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a ValueError: no UTF-8, or a date such as 2020-13-01
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path} is no valid YAML{line}: {getattr(error, 'problem', error)}") from error
    if not isinstance(values, dict):
        found = type(values).__name__
        raise ConfigError(f"{path} must hold a YAML mapping of names to values, found {found}")
    return parse(model, values, origin=str(path))
