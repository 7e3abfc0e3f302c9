"""Names to objects: agents and metrics from entry points or files, task data from packages.

There is no table that code adds itself to. Installed packages declare names under the entry point
groups `flagbench.agents`, `flagbench.metrics` and `flagbench.tasks`; flagbench's own go through the
same door. An agent may also be given as `path/to/file.py:ClassName`, a metric as `path/to/file.py:NAME`.
"""

import math
import sys
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import is_dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagbench.errors import (
    SEE_WHERE,
    AgentError,
    ConfigError,
    DuplicateNameError,
    FlagbenchError,
    UnknownNameError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from importlib.resources.abc import Traversable
    from types import ModuleType

    from flagbench.scoring.metric import Metric


def _entries(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name.

    Raises:
        DuplicateNameError: two distributions declare the same name with different objects.
    """
    found: dict[str, EntryPoint] = {}
    for entry in _declared(group, tuple(sys.path)):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise DuplicateNameError(
                f"`{entry.name}` is declared twice under `{group}`: {other.value} and {entry.value}",
                hint="uninstall one of the two packages",
            )
    return found


@cache
def _declared(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001
    """Entry points of a group, read once for a given `sys.path`: a comparison asks hundreds of times."""
    return tuple(entry_points(group=group))


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


def ships(agent: str) -> bool:
    """Whether an agent of this name is flagbench's own."""
    entry = _entries("flagbench.agents").get(agent)
    return entry is not None and entry.dist is not None and entry.dist.name == "flagbench"


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
    module = _module_from_file(path, "agent", AgentError)
    classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
    if class_name not in classes:
        raise UnknownNameError(f"class in {path}", class_name, classes)
    return classes[class_name]


def _module_from_file(path: Path, kind: str, failure: type[FlagbenchError]) -> "ModuleType":
    """Run a user's file as a module; what it prints goes to stderr.

    Raises:
        UnknownNameError: there is no such file.
        FlagbenchError: it cannot be imported: a `failure`.
    """
    if not path.is_file():
        raise UnknownNameError(f"{kind} file", str(path), map(str, path.parent.glob("*.py")))
    spec = spec_from_file_location(f"flagbench_{kind}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise failure(f"`{path}` cannot be imported as a Python module")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look a class's module up there
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise failure(f"`{path}` failed while it was imported: {error!r}") from error
    return module


_FROM_FILES: "ContextVar[tuple[Metric, ...]]" = ContextVar("metrics from files", default=())


@contextmanager
def metrics_from(names: "Sequence[str]") -> "Iterator[None]":
    """Let `load_metrics` answer metrics of a user's files too, while the block runs.

    Args:
        names: `path/to/file.py:NAME` each; NAME is a `Metric` or a tuple of them.

    Raises:
        UnknownNameError: there is no such file, or nothing of that name in it.
        ConfigError: it cannot be imported, or what it has there is no metric.
        DuplicateNameError: two metrics share a name.
    """
    metrics = tuple(metric for name in names for metric in _metrics_from_file(name))
    token = _FROM_FILES.set(metrics)
    try:
        if metrics:
            load_metrics()  # names that clash are found here, not when the first score is made
        yield
    finally:
        _FROM_FILES.reset(token)


def _metrics_from_file(name: str) -> "list[Metric]":
    path, _, attribute = name.rpartition(":")
    if not path.endswith(".py") or not attribute:
        raise ConfigError(f"`{name}` names no metric", hint="write it as path/to/file.py:NAME")
    known = vars(_module_from_file(Path(path), "metric", ConfigError))
    if attribute not in known:
        raise UnknownNameError(f"metric in {path}", attribute, (key for key in known if key[0] != "_"))
    found = known[attribute]
    return [_guarded(metric, name) for metric in (found if isinstance(found, (tuple, list)) else [found])]


def _guarded(metric: Any, origin: str) -> "Metric":
    """A stranger's metric, whose mistakes are told as such.

    Raises:
        ConfigError: it is no metric, or has a name that no figure can have.
    """
    fields = ("name", "description", "unit", "compute", "undefined")
    kind = type(metric)
    if not is_dataclass(kind) or any(not hasattr(metric, field) for field in fields):
        raise ConfigError(
            f"`{origin}` is {metric!r}, which is no metric",
            hint="make it of flagbench.scoring.metric.Metric; see docs/tutorials/metric.md",
        )
    if not str(metric.name).isidentifier() or metric.name != metric.name.lower():
        raise ConfigError(f"`{origin}`: `{metric.name}` is no name in snake_case")
    if metric.unit not in ("fraction", "ratio", "count"):
        raise ConfigError(f"`{origin}`: unit `{metric.unit}`, allowed: fraction, ratio, count")

    def safely(act: "Callable[[Any], Any]") -> "Callable[[Any], Any]":
        def call(performance: Any) -> Any:
            try:
                return act(performance)
            except Exception as error:
                raise ConfigError(f"metric `{origin}` failed: {error!r}", hint=SEE_WHERE) from error

        return call

    def compute(performance: Any) -> float:
        value = safely(metric.compute)(performance)
        try:
            figure = float(value)
        except (TypeError, ValueError):
            figure = math.nan
        if not math.isfinite(figure):
            raise ConfigError(
                f"metric `{origin}` came to {value!r}, which is no finite number",
                hint="let `undefined` return the reason where there is no figure",
            )
        return figure

    guarded: Metric = replace(metric, compute=compute, undefined=safely(metric.undefined))
    return guarded


def load_metrics() -> "dict[str, Metric]":
    """Every registered metric by name, flagbench's own first, those of `metrics_from` last.

    Raises:
        DuplicateNameError: two metrics share a name.
    """
    metrics: dict[str, Metric] = {}
    entries = _entries("flagbench.metrics")
    ordered = sorted(entries.values(), key=lambda entry: (entry.name != "flagbench", entry.name))
    owned = [(metric, f" by {entry.value}") for entry in ordered for metric in _load(entry)]
    for metric, owner in owned + [(metric, "") for metric in _FROM_FILES.get()]:
        if metric.name in metrics:
            raise DuplicateNameError(f"metric `{metric.name}` is defined twice, again{owner or ' in a file'}")
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
