"""What the name of a backbone says: the embedded one, a folder, a hub id, or random weights."""

from importlib.resources import files
from typing import NamedTuple

EMBEDDED = "embedded"
RANDOM = "random"


class BackboneName(NamedTuple):
    """A backbone's name taken apart."""

    source: str | None
    """A folder or hub id; None for `random` alone, which is made on the spot."""
    is_random: bool


def parse_backbone(name: str) -> BackboneName:
    """Read `embedded`, a folder, a hub id, `random`, or `random:` before any of the first three."""
    kind, colon, source = name.partition(":")
    if kind != RANDOM:
        return BackboneName(_located(name), is_random=False)
    return BackboneName(_located(source) if colon else None, is_random=True)


def has_random_weights(name: object) -> bool:
    """Whether a param called `backbone` names random weights; agents may mean anything else by it."""
    return isinstance(name, str) and parse_backbone(name).is_random


def _located(source: str) -> str:
    """The folder of the embedded backbone for its name; any other source as it is."""
    return str(files("flagbench") / "learning" / EMBEDDED) if source == EMBEDDED else source
