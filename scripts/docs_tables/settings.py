"""Protocols, presets, params and observations, with where each figure comes from."""

import ast
import inspect
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, get_args, get_origin

from docs_tables.markdown import one_line, plain, table


def comments(source: str) -> dict[str, str]:
    """The comment behind each `name: value` or `name=value` line, by name."""
    found = re.finditer(r"^ *(\w+) ?[:=] ?[^#\n]*?  # (.*)$", source, re.MULTILINE)
    return {match[1]: match[2] for match in found}


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = flattened(value) if isinstance(value, dict) else {"": value}
        flat |= {f"{name}.{key}".rstrip("."): item for key, item in inner.items()}
    return flat


def sources_of(field: str, notes: Mapping[str, Mapping[str, str]]) -> str:
    """The comments on one field over several files, each once."""
    by_note: dict[str, list[str]] = {}
    for owner, own in notes.items():
        note = own.get(field.rpartition(".")[2]) or own.get(field.partition(".")[0])
        if note:
            by_note.setdefault(note, []).append(f"`{owner}`")
    if len(by_note) == 1 and len(next(iter(by_note.values()))) == len(notes):
        return next(iter(by_note))
    return "; ".join(f"{', '.join(owners)}: {note}" for note, owners in by_note.items())


def protocols() -> str:
    """The installed protocols side by side."""
    from flagbench.registry import task_files
    from flagbench.trading.protocol import load_protocol, protocol_names

    names = sorted(protocol_names(), key=lambda name: (name != "standard", name))
    dumped = {name: load_protocol(name).model_dump(exclude={"id", "description"}) for name in names}
    values = {name: flattened(own) for name, own in dumped.items()}
    notes = {name: comments(task_files("protocols")[name].read_text(encoding="utf-8")) for name in names}
    fields = dict.fromkeys(field for own in values.values() for field in own)
    rows = [
        [f"`{field}`", *(plain(values[name].get(field)) for name in names), sources_of(field, notes)]
        for field in fields
    ]
    return table(["field", *(f"`{name}`" for name in names), "source, as in the file"], rows)


def presets() -> str:
    """PPO's hyper-parameters in both presets."""
    from flagbench.learning import ppo_params

    source = inspect.getsource(ppo_params)
    blocks = {name: source.partition(f'"{name}": PPOParams(')[2] for name in ("standard", "paper")}
    notes = {name: comments(block.partition("\n    ),")[0]) for name, block in blocks.items()}
    rows = []
    for field, info in ppo_params.PPOParams.model_fields.items():
        words = [one_line(info.description), sources_of(field, notes)]
        values = [plain(getattr(ppo_params.PRESETS[name], field)) for name in ("paper", "standard")]
        rows.append([f"`{field}`", *values, " ".join(word.rstrip(".") + "." for word in words if word)])
    return table(["`ppo.…`", "`paper`", "`standard`", "meaning and source"], rows)


def setups() -> str:
    """The set-up that each protocol brings."""
    from flagbench.agents.training import Setup
    from flagbench.trading.protocol import load_protocol

    rows = []
    loaded = {name: load_protocol(name) for name in ("paper", "standard")}
    for field, info in Setup.model_fields.items():
        values = [getattr(loaded[name].setup, field, info.default) for name in loaded]
        rows.append([f"`{field}`", *map(plain, values), one_line(info.description)])
    return table(["set-up", "`paper`", "`standard`", "meaning"], rows)


def flag_params() -> str:
    """What `flag` can be built with."""
    from flagbench.flag.agent import FlagAgent

    doc = inspect.getdoc(FlagAgent) or ""
    words = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", doc, re.MULTILINE))
    rows = []
    for name, parameter in inspect.signature(FlagAgent).parameters.items():
        default = "needed" if parameter.default is parameter.empty else plain(parameter.default)
        options = get_args(parameter.annotation) if "Literal" in str(get_origin(parameter.annotation)) else ()
        allowed = f" Allowed: {', '.join(f'`{option}`' for option in options)}." if options else ""
        rows.append([f"`{name}`", default, one_line(words[name]).rstrip(".") + "." + allowed])
    return table(["param", "default", "meaning"], rows)


def described(owner: Any) -> dict[str, str]:
    """The string below each annotated name of a class."""
    body = ast.parse(inspect.getsource(owner)).body[0].body  # type: ignore[attr-defined]
    return {
        name.target.id: one_line(ast.literal_eval(words.value))
        for name, words in pairwise(body)
        if isinstance(name, ast.AnnAssign)
        and isinstance(name.target, ast.Name)
        and isinstance(words, ast.Expr)
    }


def observation() -> str:
    """The fields of an observation with their shapes."""
    from flagbench.trading.observation import Observation, observation_space

    marker = 97
    space = observation_space(marker)
    rows = []
    for name, words in described(Observation).items():
        inner = space[name]
        kind = "text" if name == "date" else "tuple of `TextItem(date, kind, text)`"
        if inner.dtype is not None and inner.shape:
            shape = ", ".join(str(size) for size in inner.shape).replace(str(marker), "lookback")
            kind = f"({shape}{',' if len(inner.shape) == 1 else ''}) {inner.dtype}"
        rows.append([f"`{name}`", kind, re.sub(r"^\([^)]*\) ", "", words)])
    return table(["field", "shape and type", "meaning"], rows)
