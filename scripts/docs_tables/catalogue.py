"""What is installed: commands, agents, metrics, assets, knowledge tasks."""

import argparse
import inspect
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from functools import partial
from importlib import import_module
from io import StringIO

from docs_tables.markdown import fenced, one_line, table
from flagbench.cli.main import build_parser
from flagbench.cli.main import main as flagbench


def help_text(*command: str) -> str:
    """What `flagbench … --help` prints in a terminal of 100 columns."""
    out = StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with redirect_stdout(out), suppress(SystemExit):
            flagbench([*command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return fenced(out.getvalue())


def agents() -> str:
    """Every installed agent with its params."""
    from flagbench.registry import agent_names, load_agent_class

    rows = []
    for name in agent_names():
        loaded = load_agent_class(name)
        words = one_line((inspect.getdoc(inspect.getmodule(loaded)) or "").split("\n")[0])
        given = [] if loaded.__init__ is object.__init__ else list(inspect.signature(loaded).parameters)
        rows.append([f"`{name}`", words, ", ".join(f"`{param}`" for param in given) or "none"])
    return table(["agent", "what it does", "params"], rows)


def metrics() -> str:
    """Every registered metric."""
    from flagbench.registry import load_metrics

    rows = [[f"[`{m.name}`](#{m.name})", m.unit, m.description] for m in load_metrics().values()]
    return table(["metric", "unit", "formula"], rows)


def assets() -> str:
    """The installed assets."""
    from flagbench.market.asset import asset_names, load_asset

    rows = []
    for asset in map(load_asset, asset_names()):
        given = [name for name, path in asset.files if path]
        windows = [f"{period.first} to {period.last}" for period in (asset.windows.train, asset.windows.test)]
        rows.append([f"`{asset.id}`", asset.name, asset.asset_class, *windows, ", ".join(given)])
    return table(["asset", "name", "class", "train", "test", "files"], rows)


def sources() -> str:
    """The public files that the assets' files are made from."""
    from flagbench.market.asset import asset_names, load_asset

    rows = []
    for asset in map(load_asset, asset_names()):
        for source in asset.sources:
            made = ", ".join(f"`{name}`" for name in source.makes)
            where = f"{source.repository}@{source.commit[:10]}, `{source.path}`"
            used = [source.rows or "all"]
            used += [f"labels {source.days_later} day later"] if source.days_later else []
            used += [] if source.volume else ["no volume"]
            rows.append([f"`{asset.id}`", made, where, source.licence, ", ".join(used)])
    return table(["asset", "makes", "public file", "licence", "rows used"], rows)


def knowledge_tasks() -> str:
    """Every installed knowledge task."""
    from flagbench.knowledge.suites import installed_tasks, read_config

    rows = []
    for name, (suite, task) in installed_tasks().items():
        config, about = read_config(task.path), task.metadata
        scored = {"multiple_choice": "choice", "generate_until": "number"}[config["output_type"]]
        scored += f", `{config['metric_list'][0]['metric']}`"
        licence = f"{about.licence}, **non-commercial**" if about.noncommercial else about.licence
        suites = f"`{suite}`" if suite else "–"
        rows.append([f"`{name}`", suites, about.description, scored, about.source, licence])
    return table(["task", "suite", "what is asked", "scored as", "source", "licence"], rows)


def knowledge_items() -> str | None:
    """How many items each task has, and what a constant answer would get; needs the data sets."""
    if not os.environ.get("FLAGBENCH_DATA"):
        return None
    from flagbench.knowledge.suites import installed_tasks, read_config

    rows = []
    for name, (_, task) in installed_tasks().items():
        config = read_config(task.path)
        module, _, function = config["custom_dataset"].rpartition(".")
        load = getattr(import_module(module), function)
        items = list(load(**config["metadata"], **config["dataset_kwargs"])[config["test_split"]])
        # Labels keep their positions, so a position is a label there.
        answers = Counter(item.get("answer") for item in items)
        common = f"{100 * answers.most_common(1)[0][1] / len(items):.1f} %" if "answer" in items[0] else "–"
        rows.append([f"`{name}`", len(items), len({item["cluster"] for item in items}), common])
    return table(["task", "items", "clusters", "most frequent answer"], rows)


def help_parts() -> dict[str, Callable[[], str]]:
    """A part for the help of flagbench and of each of its commands, `help-data-fetch` of `data fetch`."""
    return {
        "-".join(("help", *command)): partial(help_text, *command) for command in _commands(build_parser())
    }


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, ...]]:
    yield ()
    for action in parser._actions:  # argparse shows its commands in no other way
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from ((name, *rest) for rest in _commands(inner))
