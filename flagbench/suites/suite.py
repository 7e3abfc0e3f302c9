"""A suite file: which agents on which assets with which seeds, under one protocol."""

import json
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, model_validator

from flagbench.planning import RunSpec
from flagbench.registry import task_files
from flagbench.settings import Settings, read_installed

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""Seeds of numpy lie below 2³²."""
Count = Annotated[int, Field(gt=0)]


class SuiteAgent(Settings):
    """One agent of a suite, with what is set for it alone."""

    agent: str
    """A name, or `path/to/file.py:ClassName`."""
    label: str | None = None
    """What its rows are called; null for the agent's name. Needed where one agent is there twice."""
    backbone: str | None = None
    params: Annotated[dict[str, Any], Field(default_factory=dict)]
    """As `--set name=value`."""
    env_steps: Count | None = None
    """Instead of the suite's; agents with other budgets cannot share a table."""
    num_envs: Count | None = None
    seeds: tuple[Seed, ...] | None = None
    """Instead of the suite's, for an agent that leaves nothing to chance."""

    @property
    def name(self) -> str:
        """What its rows are called."""
        return self.label or self.agent


class Suite(Settings):
    """Agents × assets × seeds under one protocol."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: Count
    description: str
    protocol: str
    assets: Annotated[tuple[str, ...], Field(min_length=1)]
    agents: Annotated[tuple[SuiteAgent, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    data: str | None = None
    """As `--data`: a folder or a replica."""
    env_steps: Count | None = None
    """The budget of every agent that learns; null for the protocol's."""
    num_envs: Count | None = None
    precision: str | None = None
    knowledge: str = "basics"

    @model_validator(mode="after")
    def _nothing_is_there_twice(self) -> Self:
        lists = {
            "assets": self.assets,
            "seeds": self.seeds,
            "agents": tuple(agent.name for agent in self.agents),
            **{f"seeds of {agent.name}": agent.seeds or () for agent in self.agents},
        }
        for what, names in lists.items():
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                more = "; give each a label" if what == "agents" else ""
                raise ValueError(f"{what}: {twice[0]} is there twice{more}")
        return self

    def specs(self, agent: SuiteAgent, asset: str, *, out: Path) -> list[RunSpec]:
        """What one agent is asked to do on one asset: a run of one seed each."""
        shared = {
            "agent": agent.agent,
            "asset": asset,
            "protocol": self.protocol,
            "backbone": agent.backbone,
            "data": self.data,
            "env_steps": agent.env_steps or self.env_steps,
            "num_envs": agent.num_envs or self.num_envs,
            "precision": self.precision,
            "settings": tuple(f"{name}={_as_text(value)}" for name, value in agent.params.items()),
            "knowledge": self.knowledge,
            "out": out,
        }
        return [RunSpec(**shared, seeds=(seed,)) for seed in agent.seeds or self.seeds]  # type: ignore[arg-type]


def _as_text(value: Any) -> str:
    """A value as one types it behind `--set name=`: bare where YAML reads it back, else as JSON."""
    if isinstance(value, str) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)


def suite_names() -> list[str]:
    """Ids of all installed suites, sorted."""
    return sorted(task_files("suites"))


def load_suite(name: str) -> Suite:
    """The installed suite of that id, or one described by a YAML file of the user's.

    Raises:
        UnknownNameError: no such suite.
        ConfigError: the YAML file is broken.
    """
    return read_installed(Suite, name, kind="suite", installed=task_files("suites"))
