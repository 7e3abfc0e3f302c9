"""Names to objects: agents and metrics from entry points or files, task data from packages.

There is no table that code adds itself to. Installed packages declare names under the entry point
groups `flagbench.agents`, `flagbench.metrics` and `flagbench.tasks`; flagbench's own go through the
same door. An agent may also be given as `path/to/file.py:ClassName`.
"""

import sys
from contextlib import redirect_stdout
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagbench.errors import AgentError, ConfigError, DuplicateNameError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from flagbench.scoring.metric import Metric


def _entries(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name.

    Raises:
        DuplicateNameError: two distributions declare the same name with different objects.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise DuplicateNameError(
                f"`{entry.name}` is declared twice under `{group}`: {other.value} and {entry.value}",
                hint="uninstall one of the two packages",
            )
    return found


def _load(entry: EntryPoint) -> Any:
    """The object behind an entry point; an import that fails is reported, not skipped."""
    try:
        return entry.load()
    except Exception as error:
        raise ConfigError(
            f"`{entry.name}` cannot be loaded from {entry.value}: {error}",
            hint=f"reinstall the package that declares it under `{entry.group}`",
        ) from error


def agent_names() -> list[str]:
    """Names of all installed agents, sorted."""
    return sorted(_entries("flagbench.agents"))


def load_agent_class(name: str) -> type[Any]:
    """The class behind an agent's name, or behind `path/to/file.py:ClassName`.

    Raises:
        UnknownNameError: no such name, or no such class in the file.
        AgentError: the file cannot be imported.
    """
    if ".py:" in name:
        path, _, class_name = name.rpartition(":")
        return _class_from_file(Path(path), class_name)
    entries = _entries("flagbench.agents")
    if name not in entries:
        raise UnknownNameError("agent", name, entries)
    loaded: type[Any] = _load(entries[name])
    return loaded


def _class_from_file(path: Path, class_name: str) -> type[Any]:
    if not path.is_file():
        raise UnknownNameError("agent file", str(path), map(str, path.parent.glob("*.py")))
    spec = spec_from_file_location(f"flagbench_agent_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise AgentError(f"`{path}` cannot be imported as a Python module")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look a class's module up there
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise AgentError(f"`{path}` failed while it was imported: {error!r}") from error
    classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
    if class_name not in classes:
        raise UnknownNameError(f"class in {path}", class_name, classes)
    return classes[class_name]


def load_metrics() -> "dict[str, Metric]":
    """Every registered metric by name, flagbench's own first.

    Raises:
        DuplicateNameError: two metrics share a name.
    """
    metrics: dict[str, Metric] = {}
    entries = _entries("flagbench.metrics")
    for entry in sorted(entries.values(), key=lambda entry: (entry.name != "flagbench", entry.name)):
        for metric in _load(entry):
            if metric.name in metrics:
                raise DuplicateNameError(f"metric `{metric.name}` is defined twice, again by {entry.value}")
            metrics[metric.name] = metric
    return metrics


def task_files(folder: str) -> "Mapping[str, Traversable]":
    """YAML files of a folder such as `assets` over all task packages, by stem.

    Raises:
        DuplicateNameError: two packages ship a file of that name.
    """
    found: dict[str, Traversable] = {}
    for entry in _entries("flagbench.tasks").values():
        package = files(_load(entry)) / folder
        if not package.is_dir():
            continue
        for item in package.iterdir():
            if not item.name.endswith(".yaml"):
                continue
            stem = item.name.removesuffix(".yaml")
            if stem in found:
                raise DuplicateNameError(f"`{folder}/{item.name}` is shipped by two packages")
            found[stem] = item
    return found
