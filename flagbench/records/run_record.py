"""The record of one seed: enough to score, compare and rerun it without asking anybody."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError, RecordError
from flagbench.settings import Settings, parse

SCHEMA_VERSION: Literal[1] = 1


class MarketIdentity(Settings):
    """Which data was traded."""

    kind: Literal["market", "replica"]
    sha256: str
    first: str
    last: str
    bars: int
    text_items: int


class LedgerReference(Settings):
    """Where the trial ledger stood after this trial was appended."""

    head: str
    length: int


class RunRecord(Settings):
    """One agent, asset, protocol and seed: what was asked for, what happened, what it was worth."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    created: str
    """UTC, ISO."""
    spec: dict[str, Any]
    """As given on the command line."""
    agent: str
    agent_source: dict[str, str | None]
    """The agent's class and the sha256 of the file that defines it."""
    ranked: bool = True
    """False for an agent that was given the future: it calibrates, and stands in no ranking."""
    params: dict[str, Any]
    """With every default filled in."""
    seed: int
    window: int | None = None
    """Which test window of several, from 0; None under a protocol of one."""
    asset: dict[str, Any]
    market: MarketIdentity
    protocol: dict[str, Any]
    setup: Setup | None
    """None for an agent that does not learn."""
    observed: dict[str, Any] | None
    """Device, precision and number of processes as they were; None for an agent that does not learn."""
    training: dict[str, Any] | None
    provenance: dict[str, Any]
    seconds: dict[str, float]
    actions_sha256: str
    """Of the test window's actions file."""
    scores: dict[Literal["train", "test"], dict[str, Any]]
    buy_and_hold: dict[Literal["train", "test"], dict[str, Any]] = Field(repr=False)
    knowledge: dict[str, Any] | None = Field(default=None, repr=False)
    """What the agent's language model knew before and after; None where it has none, or none was asked."""
    usage: dict[str, Any] | None = None
    """What the agent counted of its answers, such as tokens and cost; None where it counts nothing."""
    ledger: LedgerReference


def agent_label(record: Mapping[str, Any]) -> str:
    """The agent's name, marked where it knows the future.

    Args:
        record: `record.json` as plain values.
    """
    agent: str = record["agent"]
    return agent if record.get("ranked", True) else f"{agent} (knows the future)"


def write_record(record: RunRecord, folder: Path) -> None:
    """Write `record.json`."""
    text = json.dumps(record.model_dump(mode="json"), indent=2, allow_nan=False)
    (folder / "record.json").write_text(text + "\n", encoding="utf-8")


def read_record(folder: Path) -> RunRecord:
    """Read `record.json`.

    Raises:
        RecordError: there is none, or it is broken or of another schema version.
    """
    path = folder / "record.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise RecordError(
            f"{folder} is no run: it has no record.json", hint="give a folder that `flagbench run` printed"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} is no JSON: {error}") from error
    found = values.get("schema_version") if isinstance(values, dict) else None
    if found != SCHEMA_VERSION:
        raise RecordError(f"{path} has schema version {found}, this flagbench reads {SCHEMA_VERSION}")
    try:
        return parse(RunRecord, values, origin=str(path))
    except ConfigError as error:
        raise RecordError(error.message, hint=error.hint) from None
