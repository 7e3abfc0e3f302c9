"""Which files a process opened below certain places, by an audit hook of the interpreter (PEP 578)."""

import os
import sys
from collections.abc import Iterable


class OpenedFiles:
    """Notes every file that Python opens below the given places from now on.

    A hook cannot be taken out again, so this is for processes that do nothing else. What is read without
    Python's `open`, such as by another program, is not noted.

    Args:
        places: files, or folders with all that lies below them.
    """

    def __init__(self, places: Iterable[str]) -> None:
        self._places = tuple(os.path.realpath(place) for place in places)
        self._found: dict[str, None] = {}
        sys.addaudithook(self._note)

    @property
    def paths(self) -> tuple[str, ...]:
        """Each once, in the order of their first opening."""
        return tuple(self._found)

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if any(path == place or path.startswith(place + os.sep) for place in self._places):
            self._found[path] = None
