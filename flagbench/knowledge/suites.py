"""Which knowledge suites and tasks are installed, read from their YAML without loading anything heavy.

A task is a YAML file of lm-eval's in the folder `knowledge` of a task package, named like the task; a suite
is one of lm-eval's groups beside it, which lists tasks.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ConfigDict

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.registry import task_files
from flagbench.settings import Settings, parse

FOLDER = "knowledge"
"""Below a task package, beside `assets` and `protocols`."""

ALL = "all"
"""Every installed suite."""


class Metadata(Settings):
    """What a YAML says of itself under `metadata`; lm-eval allows anything else there."""

    model_config = ConfigDict(extra="ignore")

    version: int | str
    """Raised whenever a figure may change."""
    description: str = ""
    source: str = ""
    licence: str = ""
    noncommercial: bool = False
    """The data may not be used commercially."""


class KnowledgeTask(NamedTuple):
    """One installed task."""

    name: str
    path: Path
    metadata: Metadata


class KnowledgeSuite(NamedTuple):
    """Tasks that are evaluated together."""

    name: str
    tasks: tuple[KnowledgeTask, ...]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads `!function module.name` as its text, so that nothing is imported."""


def _function_name(loader: Any, node: Any) -> Any:
    return loader.construct_scalar(node)


_Loader.add_constructor("!function", _function_name)


def suite_names() -> list[str]:
    """Names of all installed suites, sorted.

    Raises:
        ConfigError: a YAML file is broken.
    """
    return _suite_names(_paths())


def task_names() -> list[str]:
    """Names of all installed tasks, suite by suite, those of no suite last.

    Raises:
        ConfigError: a YAML file is broken.
    """
    return list(installed_tasks())


def installed_tasks() -> dict[str, tuple[str | None, KnowledgeTask]]:
    """All installed tasks with the first suite of each, in the order of `task_names`.

    Raises:
        ConfigError: a YAML file is broken.
    """
    paths = _paths()
    suites = _suite_names(paths)
    found: dict[str, tuple[str | None, KnowledgeTask]] = {}
    for suite in suites:
        for task in _suite(suite, paths).tasks:
            found.setdefault(task.name, (suite, task))
    lone = sorted(set(paths) - set(suites) - set(found))
    return found | {name: (None, _task(name, paths)) for name in lone}


def load_suites(name: str) -> tuple[KnowledgeSuite, ...]:
    """The suites behind `--suite`: one suite, one task alone, or `all`.

    Args:
        name: of a suite or task, `all`, or a path that ends in `.yaml` or `.yml`; a suite there may list
            the tasks beside it.

    Raises:
        UnknownNameError: there is none of that name, or a suite lists a task that is not installed.
        ConfigError: a YAML file is broken.
    """
    paths = _paths()
    if name.endswith((".yaml", ".yml")):
        file = Path(name)
        paths |= {path.stem: path for path in sorted(file.parent.glob("*.yaml"))} | {file.stem: file}
        name = file.stem
    elif name == ALL:
        return tuple(_suite(suite, paths) for suite in _suite_names(paths))
    if name not in paths:
        raise UnknownNameError("knowledge suite", name, [*paths, ALL])
    if "group" in read_config(paths[name]):
        return (_suite(name, paths),)
    return (KnowledgeSuite(name, (_task(name, paths),)),)


def tasks_of(suites: Iterable[KnowledgeSuite]) -> tuple[KnowledgeTask, ...]:
    """The tasks of several suites, each once."""
    return tuple({task.name: task for suite in suites for task in suite.tasks}.values())


def _suite_names(paths: Mapping[str, Path]) -> list[str]:
    return sorted(name for name, path in paths.items() if "group" in read_config(path))


def _suite(name: str, paths: Mapping[str, Path]) -> KnowledgeSuite:
    config = read_config(paths[name])
    _metadata(config, paths[name])
    listed = config.get("task")
    if not isinstance(listed, list) or not listed or not all(isinstance(task, str) for task in listed):
        raise ConfigError(f"{paths[name]}: `task` must list the names of the suite's tasks")
    return KnowledgeSuite(name, tuple(_task(task, paths) for task in listed))


def _task(name: str, paths: Mapping[str, Path]) -> KnowledgeTask:
    if name not in paths:
        raise UnknownNameError("knowledge task", name, paths)
    return KnowledgeTask(name, paths[name], _metadata(read_config(paths[name]), paths[name]))


def _metadata(config: Mapping[str, Any], path: Path) -> Metadata:
    values = config.get("metadata")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: `metadata` with a `version` is missing")
    return parse(Metadata, values, origin=f"{path}, metadata")


def _paths() -> dict[str, Path]:
    """YAML files by name, over all task packages."""
    return {name: Path(str(file)) for name, file in task_files(FOLDER).items()}


def read_config(path: Path) -> dict[str, Any]:
    """One YAML file with what it includes, functions by their names.

    Raises:
        ConfigError: the file cannot be read, or is neither task nor suite of that name.
    """
    config = _with_includes(path, seen=())
    name = config.get("group", config.get("task"))
    if name != path.stem:
        raise ConfigError(
            f"{path}: the task or group must be named `{path.stem}` like its file, not `{name}`"
        )
    return config


def _with_includes(path: Path, *, seen: tuple[Path, ...]) -> dict[str, Any]:
    """As lm-eval merges: the file's own keys win over those of the files it includes."""
    if path in seen:
        raise ConfigError(f"{path} includes itself")
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} must hold a YAML mapping of names to values")
    included = config.pop("include", [])
    merged: dict[str, Any] = {}
    for other in included if isinstance(included, list) else [included]:
        merged |= _with_includes((path.parent / str(other)).resolve(), seen=(*seen, path))
    return merged | config
