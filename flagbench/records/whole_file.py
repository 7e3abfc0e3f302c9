"""A small file that is either all there or not at all."""

import secrets
from contextlib import suppress
from pathlib import Path

from flagbench.errors import RecordError


def write_whole(path: Path, text: str) -> None:
    """Write a text and a last newline beside `path`, then rename; folders above are made.

    Raises:
        RecordError: it cannot be written; what was there before still is.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(3)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # there may be no folder to hold it
            partial.unlink()
        raise RecordError(f"{path} cannot be written: {error.strerror}") from error
