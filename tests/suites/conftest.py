from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest
import yaml


class SuiteFile(Protocol):
    """The type of `suite_file`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, *agents: Mapping[str, object], **changes: object) -> Path: ...


@pytest.fixture
def suite_file(tmp_path: Path) -> SuiteFile:
    """Writes a suite of agents on a replica of 20 + 20 bars, two seeds each."""

    def write(*agents: Mapping[str, object], **changes: object) -> Path:
        values: dict[str, object] = {
            "id": "tiny",
            "version": 1,
            "description": "Two weeks and little to do.",
            "protocol": "standard",
            "data": "replica:train=20,test=20",
            "assets": ["TSLA"],
            "seeds": [0, 1],
            "knowledge": "none",
            "agents": [dict(agent) for agent in agents] or [{"agent": "random"}],
        }
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(values | changes))
        return path

    return write
