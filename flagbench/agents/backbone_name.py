"""What the name of a backbone says: a folder, a hub id, or random weights."""

from typing import NamedTuple

RANDOM = "random"


class BackboneName(NamedTuple):
    """A backbone's name taken apart."""

    source: str | None
    """A folder or hub id; None for `random` alone, which is made on the spot."""
    is_random: bool


def parse_backbone(name: str) -> BackboneName:
    """Read a folder, a hub id, `random`, or `random:<folder or hub id>`."""
    kind, colon, source = name.partition(":")
    if kind != RANDOM:
        return BackboneName(name, is_random=False)
    return BackboneName(source if colon else None, is_random=True)


def has_random_weights(name: object) -> bool:
    """Whether a param called `backbone` names random weights; agents may mean anything else by it."""
    return isinstance(name, str) and parse_backbone(name).is_random
