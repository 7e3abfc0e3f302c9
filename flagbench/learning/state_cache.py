"""What a frozen model computed of the beginnings of prompts, kept in bounded memory and then on disk."""

import hashlib
import shutil
import tempfile
import weakref
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

MEMORY_LIMIT = 1 << 30
"""Bytes. All 62 days of the paper's training window at 256 tokens, with SmolLM2-135M's 24 frozen layers, take
half of it."""

DISK_LIMIT = 8 << 30
"""Bytes; the oldest are forgotten beyond it, and computed again."""


class FrozenStates(NamedTuple):
    """A piece of a prompt as the frozen layers leave it, given all that comes before the piece."""

    hidden: Tensor
    """(S, d) at the frozen/trained boundary."""
    keys: tuple[Tensor, ...]
    """(1, heads, S, head width) of each frozen layer; empty for a piece that nothing goes on from."""
    values: tuple[Tensor, ...]

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return sum(part.nbytes for part in (self.hidden, *self.keys, *self.values))


class StateCache:
    """Pieces by the tokens from the prompt's beginning to the piece's end, least recently used first out.

    Args:
        memory_limit: bytes kept in memory; what does not fit goes to disk.
        disk_limit: bytes kept in a temporary folder, which goes when the cache does.
    """

    def __init__(self, *, memory_limit: int = MEMORY_LIMIT, disk_limit: int = DISK_LIMIT) -> None:
        self._memory_limit, self._disk_limit = memory_limit, disk_limit
        self._held: OrderedDict[str, FrozenStates] = OrderedDict()
        self._spilled: OrderedDict[str, tuple[int, str]] = OrderedDict()  # bytes and device
        self._folder: Path | None = None
        self.hits = self.misses = 0
        self.bytes_in_memory = self.bytes_on_disk = self.most_bytes = 0

    def get(self, key: str) -> FrozenStates | None:
        """What is known of a piece."""
        if key in self._held:
            self._held.move_to_end(key)
            states: FrozenStates | None = self._held[key]
        else:
            states = self._read_back(key)
        self.hits += states is not None
        self.misses += states is None
        return states

    def put(self, key: str, states: FrozenStates) -> None:
        """Keep a piece."""
        self._held[key] = states
        self.bytes_in_memory += states.bytes
        self.most_bytes = max(self.most_bytes, self.bytes_in_memory + self.bytes_on_disk)
        while self.bytes_in_memory > self._memory_limit and len(self._held) > 1:
            oldest, gone = self._held.popitem(last=False)
            self.bytes_in_memory -= gone.bytes
            self._spill(oldest, gone)

    def clear(self) -> None:
        """Forget all."""
        for key in list(self._spilled):
            self._drop(key)
        self._held.clear()
        self.bytes_in_memory = 0

    def to_json(self) -> dict[str, int]:
        """How often it was asked and what it held at most."""
        return {"hits": self.hits, "misses": self.misses, "bytes": self.most_bytes}

    def _spill(self, key: str, states: FrozenStates) -> None:
        if states.bytes > self._disk_limit:
            return
        while self.bytes_on_disk + states.bytes > self._disk_limit:
            self._drop(next(iter(self._spilled)))
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="flagbench-states-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        parts = {"hidden": states.hidden}
        for layer, (keys, values) in enumerate(zip(states.keys, states.values, strict=True)):
            parts |= {f"keys.{layer}": keys, f"values.{layer}": values}
        save_file({name: part.contiguous() for name, part in parts.items()}, self._file(key))
        self._spilled[key] = states.bytes, str(states.hidden.device)
        self.bytes_on_disk += states.bytes

    def _read_back(self, key: str) -> FrozenStates | None:
        if key not in self._spilled:
            return None
        parts = load_file(self._file(key), device=self._spilled[key][1])
        layers = range((len(parts) - 1) // 2)
        states = FrozenStates(
            parts["hidden"],
            tuple(parts[f"keys.{layer}"] for layer in layers),
            tuple(parts[f"values.{layer}"] for layer in layers),
        )
        self._drop(key)
        self.put(key, states)
        return states

    def _drop(self, key: str) -> None:
        self.bytes_on_disk -= self._spilled.pop(key)[0]
        self._file(key).unlink()

    def _file(self, key: str) -> Path:
        assert self._folder is not None  # noqa: S101  # only what was spilled is asked for
        return self._folder / f"{key}.safetensors"


def piece_key(tokens: Sequence[int], *, device: torch.device) -> str:
    """The name of a piece: its tokens and all before them, and where and how precisely it is computed."""
    precision = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
    return hashlib.sha256(array("q", tokens).tobytes() + f"{device} {precision}".encode()).hexdigest()
