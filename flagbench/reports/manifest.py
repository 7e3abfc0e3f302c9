"""What a run was made of and how to make it again, as tables and as a command."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flagbench.reports.score_table import TableText

RecordJson = Mapping[str, Any]

MEASURED = frozenset({"scores", "buy_and_hold", "seed"})
"""Fields of a record that stand in tables of their own, or above a column."""

ASKED = frozenset({"before", "after", "retention"})
"""The same of its field `knowledge`."""


def manifest_tables(records: Sequence[RecordJson]) -> list[TableText]:
    """Every field of the records that is no score: what all seeds share, then what each has of its own.

    Args:
        records: `record.json` of each seed of one run.
    """
    by_seed = {f"seed {record['seed']}": dict(fields(record)) for record in records}
    names = dict.fromkeys(name for values in by_seed.values() for name in values)
    shared: list[list[str]] = []
    own: list[list[str]] = []
    for name in names:
        cells = [values.get(name, "–") for values in by_seed.values()]
        if len(set(cells)) == 1:
            shared.append([name, cells[0]])
        else:
            own.append([name, *cells])
    what = "all seeds" if len(records) > 1 else next(iter(by_seed))
    tables = [TableText(f"record: {what}", ["field", what], shared, [], numeric=False)]
    if own:
        tables.append(TableText("record: seed by seed", ["field", *by_seed], own, [], numeric=False))
    return tables


def fields(record: RecordJson) -> Iterator[tuple[str, str]]:
    """Dotted names and values as text of all fields that are no scores."""
    for name, value in record.items():
        if name == "knowledge" and value is not None:
            yield from _flat(name, {key: inner for key, inner in value.items() if key not in ASKED})
        elif name not in MEASURED:
            yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, (list, tuple)) and any(isinstance(inner, (Mapping, list)) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(f"{name}.{index}", inner)
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(map(str, value)) or "–"
    else:
        yield name, "–" if value in (None, "", {}) else str(value)


def provenance_table(records: Sequence[RecordJson]) -> TableText:
    """What is looked for first: who, on which data, with which code, when.

    Args:
        records: `record.json` of each seed of one run.
    """
    first = records[0]
    source, code, market = first["agent_source"], first["provenance"], first["market"]
    seconds = sum(sum(record["seconds"].values()) for record in records)
    rows = [
        ["run", first["run_id"]],
        ["seeds", ", ".join(str(record["seed"]) for record in records)],
        ["agent", first["agent"]],
        ["agent's class", source.get("object") or "–"],
        ["sha256 of its file", source.get("sha256") or "–"],
        ["params", _settings(first["params"])],
        ["market", f"{market['kind']}, {market['bars']} bars, {market['text_items']} texts"],
        ["sha256 of the market", market["sha256"]],
        ["protocol", f"{first['protocol']['id']} v{first['protocol']['version']}"],
        ["set-up", _settings(first["setup"]) if first["setup"] else "does not learn"],
        ["ran on", _settings(first["observed"] or {"cpus": code["cpus"]})],
        ["flagbench", f"{code['flagbench']}, {_commit(code['git'])}"],
        ["python", code["python"]],
        ["packages", _settings(code["packages"])],
        ["platform", code["platform"]],
        ["written", ", ".join(dict.fromkeys(record["created"] for record in records))],
        ["wall time", f"{seconds:.1f} s over all seeds"],
    ]
    return TableText("provenance", ["", "value"], rows, [], numeric=False)


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in values.items()) or "none"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_settings(value)})"
    return "–" if value is None else str(value)


def _commit(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return "installed, no repository"
    return f"commit {git['commit'][:12]}" + (", with changes not committed" if git["dirty"] else "")


def run_again(spec: Mapping[str, Any]) -> str:
    """The command that makes a run again, from what was asked for; where it lay is left out.

    Args:
        spec: `RunSpec.to_json()`.
    """
    words = ["flagbench", "run"]
    for name, value in spec.items():
        if name == "settings":
            words += [word for setting in value for word in ("--set", setting)]
        elif name == "seeds":
            words += ["--seeds", ",".join(map(str, value))]
        elif name in ("train", "test"):
            words += [f"--{name}", ":".join(value)]
        elif name != "out":
            words += _flag(f"--{name.replace('_', '-')}", value)
    return shlex.join(words)


def _flag(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag] if value else []
    values = value if isinstance(value, (list, tuple)) else [value]
    return [word for each in values for word in (flag, str(each))]
