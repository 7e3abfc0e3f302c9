"""`flagbench new`: files to begin with, each short, commented, and working as it is written."""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from flagbench.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
"""One file a kind, named like it, with `$name` and `$class_name` to be filled in."""


class Kind(NamedTuple):
    """What can be begun."""

    suffix: str
    steps: tuple[str, ...]
    """What to do with the file, `{file}` and `{class_name}` to be filled in."""


KINDS = {
    "agent": Kind(
        ".py",
        (
            "flagbench check-agent {file}:{class_name}",
            "flagbench run --agent {file}:{class_name} --asset TSLA",
        ),
    ),
    "asset": Kind(".yaml", ("flagbench run --agent random --asset {file} --data replica",)),
    "protocol": Kind(".yaml", ("flagbench run --agent random --asset TSLA --protocol {file}",)),
}


def add_new(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("kind", choices=tuple(KINDS), help="what to begin")
    parser.add_argument("name", metavar="NAME", help="its name; letters, digits, - and _")
    parser.add_argument("--out", default=".", metavar="FOLDER", help="where to (here)")


def new_command(arguments: argparse.Namespace) -> None:
    """Write the file and print its path last; what to do with it goes to stderr.

    Raises:
        ConfigError: the name will not do, or the file exists.
    """
    kind = KINDS[arguments.kind]
    stem, class_name = _names(arguments.kind, arguments.name)
    path = Path(arguments.out) / f"{stem}{kind.suffix}"
    write_new(arguments.kind, path, name=arguments.name, class_name=class_name)
    print("try it:", file=sys.stderr)
    for step in kind.steps:
        print(f"  {step.format(file=path, class_name=class_name)}", file=sys.stderr)
    print(path)


def write_new(kind: str, path: Path, *, name: str, class_name: str) -> None:
    """Write a starting file.

    Args:
        kind: a key of `KINDS`.
        path: of the new file.
        name: of the thing, as it was given.
        class_name: of an agent.

    Raises:
        ConfigError: the file exists, or cannot be written.
    """
    from string import Template

    text = Template((TEMPLATES / f"{kind}.template").read_text(encoding="utf-8"))
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text.substitute(name=name, file=path.name, class_name=class_name))
    except FileExistsError:
        raise ConfigError(f"{path} exists and is left as it is", hint="choose another name") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _names(kind: str, name: str) -> tuple[str, str]:
    """The file's stem and the class that would be in it: `my-rule` → my_rule, MyRule.

    Raises:
        ConfigError: the name has other letters, begins with none, or an agent's is a Python word or module.
    """
    import re
    from keyword import iskeyword

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise ConfigError(
            f"`{name}` is no name: letters, digits, - and _ are allowed, a letter comes first",
            hint=f"flagbench new {kind} my-{kind}",
        )
    if kind != "agent":
        return name, ""
    stem = name.replace("-", "_")
    # A file named like a module of Python's own would be imported in its place by scripts beside it.
    if stem in sys.stdlib_module_names or stem in ("flagbench", "numpy", "torch") or iskeyword(stem):
        raise ConfigError(f"`{name}` is a word or module of Python's", hint=f"flagbench new agent my-{name}")
    words = [word for word in stem.split("_") if word]
    return stem, "".join(word[0].upper() + word[1:] for word in words)
