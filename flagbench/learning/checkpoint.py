"""A small agent's checkpoint: weights as safetensors, and what is needed to build the network anew."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from flagbench.errors import RecordError

WEIGHTS, DESCRIPTION = "trained.safetensors", "agent.json"


def save_checkpoint(folder: Path, network: nn.Module, params: Mapping[str, Any], *, lookback: int) -> None:
    """Write `trained.safetensors` and `agent.json`."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in network.named_parameters()}
    save_file(weights, folder / WEIGHTS)
    described = json.dumps({"params": dict(params), "lookback": lookback}, indent=2)
    (folder / DESCRIPTION).write_text(described + "\n", encoding="utf-8")


class Checkpoint(NamedTuple):
    """What `save_checkpoint` wrote, for an agent of given params."""

    folder: Path
    weights: Mapping[str, Any]
    lookback: int

    def into(self, network: nn.Module) -> None:
        """Copy the weights into a network.

        Raises:
            RecordError: they are another network's.
        """
        try:
            network.load_state_dict(dict(self.weights))
        except RuntimeError as error:
            raise RecordError(f"{self.folder}: the weights do not fit the agent's network") from error


def load_checkpoint(folder: Path, params: Mapping[str, Any], *, agent: str) -> Checkpoint:
    """Read a checkpoint of an agent built with these params.

    Args:
        folder: that `save_checkpoint` wrote to.
        params: of the agent that asks, as JSON has them.
        agent: its name.

    Raises:
        RecordError: there is none, or an agent with other params wrote it.
    """
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        saved, lookback = described["params"], int(described["lookback"])
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{folder} holds no checkpoint of {agent}: {error}") from error
    if saved != json.loads(json.dumps(dict(params))):
        raise RecordError(f"{folder} was written by an agent with other params")
    return Checkpoint(folder, weights, lookback)
