from typing import Any, Protocol

import pytest

from flagbench.agents.training import Setup
from flagbench.records.run_record import LedgerReference, MarketIdentity, RunRecord


class RecordFactory(Protocol):
    """The type of `record`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, **changes: Any) -> RunRecord: ...


@pytest.fixture(scope="session")
def record() -> RecordFactory:
    """Makes a record with a little of everything in it."""

    def make_record(**changes: Any) -> RunRecord:
        values: dict[str, Any] = {
            "run_id": "20201001T093000Z-1a2b3c",
            "created": "2020-10-01T09:30:00+00:00",
            "spec": {"agent": "flag", "asset": "TOY", "seeds": [0]},
            "agent": "flag",
            "agent_source": {"object": "flagbench.flag.agent:FlagAgent", "sha256": None},
            "params": {"backbone": "random", "ppo": {"gamma": 0.5}, "name": "Zoë"},
            "seed": 0,
            "asset": {"id": "TOY"},
            "market": MarketIdentity(
                kind="market", sha256="ab" * 32, first="2020-01-01", last="2020-10-01", bars=190, text_items=0
            ),
            "protocol": {"id": "standard", "version": 1},
            "setup": Setup(env_steps=16, num_envs=2),
            "observed": {"processes": 1},
            "training": {"env_steps": 16},
            "provenance": {"flagbench": "0.1.0"},
            "seconds": {"training": 1.5, "evaluation": 0.1 + 0.2},
            "actions_sha256": "cd" * 32,
            "scores": {"train": {"sharpe_ratio": None}, "test": {"sharpe_ratio": 1 / 3}},
            "buy_and_hold": {"train": {"sharpe_ratio": 1.0}, "test": {"sharpe_ratio": 2.0}},
            "ledger": LedgerReference(head="ef" * 32, length=1),
        }
        return RunRecord.model_validate(values | changes)

    return make_record
