from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from flagbench.leaks.subject import Subject, prepare
from flagbench.market.asset import load_asset
from flagbench.market.market import Market
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.trading.protocol import load_protocol

AGENTS = Path(__file__).parent / "planted.py"


class SubjectFactory(Protocol):
    """The type of `subject`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, name: str, *, market: Market | None = None, **given: Any) -> Subject: ...


@pytest.fixture(scope="session")
def drawn() -> Market:
    """A replica of TSLA on plain weekdays: 60 bars of history, 30 to train on, 121 to test on."""
    asset = load_asset("TSLA")
    weekdays = asset.calendar.model_copy(update={"exchange": "weekdays"})
    asset = asset.model_copy(update={"calendar": weekdays})
    return make_replica(asset, ReplicaSpec(signal=0, seed=11, train=30, test=121))


@pytest.fixture(scope="session")
def subject(drawn: Market, tmp_path_factory: pytest.TempPathFactory) -> SubjectFactory:
    """Makes a subject of a class of `planted.py`, which lies in a folder of its own."""
    path = tmp_path_factory.mktemp("agents") / "planted.py"
    path.write_text(AGENTS.read_text(encoding="utf-8"), encoding="utf-8")

    def make_subject(name: str, *, market: Market | None = None, **given: Any) -> Subject:
        protocol = given.pop("protocol", None) or load_protocol("standard")
        return prepare(f"{path}:{name}", market or drawn, protocol, **given)

    return make_subject


@pytest.fixture(scope="session")
def silent() -> Callable[[str], None]:
    return lambda _: None
