"""Everything that can go wrong by a user's hand, as one tree.

```
FlagbenchError            the command line prints `error: …` and `hint: …` and leaves with 2
├── ConfigError           a file or flag holds a value that is not allowed
├── UnknownNameError      no agent, asset, protocol or metric of that name
├── DuplicateNameError    two owners claim one name
├── MarketDataError       prices or text are missing or broken
├── ComparabilityError    scores of different markets or rules would stand in one table
├── AgentError            an agent crashed or could not be built
├── MissingExtraError     a package that an option needs is not installed
└── RecordError           a run directory or ledger is missing, broken or altered
```

Anything else that reaches the command line is a bug of flagbench: traceback, exit 1.
"""

from collections.abc import Iterable

SEE_WHERE = "set FLAGBENCH_TRACEBACK=1 to see where"
"""The hint of errors that came out of somebody's agent."""


class FlagbenchError(Exception):
    """What was given and what was expected, with a hint on what to do next.

    Args:
        message: one sentence without a full stop.
        hint: what to do next, or empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(FlagbenchError):
    """A setting in a file or a flag has a value that is not allowed."""


class UnknownNameError(FlagbenchError):
    """A name that nothing is registered under; the hint offers the nearest one.

    Args:
        kind: what was looked for, such as `agent`.
        name: what was given.
        known: all names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches  # loaded only when something went wrong

        names = sorted(known)
        folded = {known_name.lower(): known_name for known_name in names}
        near = get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
        listing = ", ".join(names) or "none"
        hint = f"did you mean `{folded[near[0]]}`?" if near else f"known: {listing}"
        super().__init__(f"unknown {kind} `{name}`", hint=hint)
        self.known = names


class DuplicateNameError(FlagbenchError):
    """Two packages register the same name; neither wins."""


class MarketDataError(FlagbenchError):
    """Prices or text that are missing or break a rule: which file, first bad row, what is allowed."""


class ComparabilityError(FlagbenchError):
    """Scores that would stand in one table, but come of different markets or rules."""


class AgentError(FlagbenchError):
    """An agent could not be built, or crashed: at which bar."""


class MissingExtraError(FlagbenchError):
    """A package that only some options need is not installed; the hint is the line that installs it."""


class RecordError(FlagbenchError):
    """A run directory or the trial ledger is missing, broken or altered."""
