"""Answers kept on disk, so that no question is paid for twice.

An entry is a JSON file named by the sha256 of all that the answer depends on. It holds the answer with its
own sha256: one that was damaged is taken for missing, and the question is asked again.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flagbench.errors import ConfigError

VERSION = 1
"""Of an entry; others are taken for missing."""

CACHE_HINT = "name another folder with --set cache=FOLDER, or none with --set cache=none"


def cache_key(question: Mapping[str, Any]) -> str:
    """The sha256 of plain values, whatever the order of their names."""
    return hashlib.sha256(_canonical(question)).hexdigest()


def open_cache(name: str) -> "AnswerCache | None":
    """The cache that a setting names: `user` for the user's cache folder, `none` for none, or a folder."""
    if name == "none":
        return None
    if name == "user":
        from platformdirs import user_cache_path

        return AnswerCache(user_cache_path("flagbench") / "answers", hint=CACHE_HINT)
    return AnswerCache(Path(name).expanduser(), hint=CACHE_HINT)


class AnswerCache:
    """A folder of answers by key.

    Several processes may use it at once: an entry is written beside its place and then moved there.

    Args:
        folder: made when the first answer is kept.
        hint: what to do if it cannot be used.
    """

    def __init__(self, folder: Path, *, hint: str = "") -> None:
        self._folder = folder.absolute()
        self._hint = hint

    def read(self, key: str) -> dict[str, Any] | None:
        """The answer under a key; None where there is none, or a damaged one.

        Raises:
            ConfigError: the folder cannot be read.
        """
        try:
            entry = json.loads(self._path(key).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            return None  # damaged
        except OSError as error:
            raise self._unusable("read", error) from error
        if not isinstance(entry, dict) or entry.get("version") != VERSION:
            return None
        answer = entry.get("answer")
        if not isinstance(answer, dict) or entry.get("sha256") != cache_key(answer):
            return None
        return answer

    def write(self, key: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer.

        Raises:
            ConfigError: the folder cannot be written to.
        """
        entry = {"version": VERSION, "sha256": cache_key(answer), "answer": answer}
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{key[:8]}-", suffix=".part")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(_canonical(entry))
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unusable("written to", error) from error

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _unusable(self, how: str, error: OSError) -> ConfigError:
        return ConfigError(
            f"the cache of answers in {self._folder} cannot be {how}: {error}",
            hint=self._hint,
        )


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
