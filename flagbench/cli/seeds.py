"""Reading `--seeds`."""

from flagbench.errors import ConfigError

LIMIT = 2**32
"""Seeds of numpy lie below."""

MOST = 10_000
"""A longer range is a slip of the hand."""


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
        begin, end = int(first), int(last if dash else first)
        if end >= LIMIT or end - begin >= MOST:
            raise ConfigError(f"`--seeds {text}`: seeds lie below {LIMIT}, at most {MOST} in one range")
        seeds += range(begin, end + 1)
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"`--seeds {text}` names a seed twice")
    return tuple(seeds)
