"""Reading `--seeds`."""

from flagbench.errors import ConfigError


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read `0`, `0-4` or `0,2,3`, or a mixture, in the order given.

    Raises:
        ConfigError: anything else, or a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ConfigError(f"`--seeds {text}` names no seeds", hint="write 0, 0-4 or 0,2,3")
        seeds += range(int(first), int(last if dash else first) + 1)
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"`--seeds {text}` names a seed twice")
    return tuple(seeds)
