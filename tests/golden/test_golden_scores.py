"""Scores that must not move unless a protocol's version does.

If a change is meant, bump the protocol's version, say so under "Scores" in the changelog, and write the file
anew: `FLAGBENCH_WRITE_GOLDEN=1 pytest tests/golden`.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.market.market import Market
from flagbench.scoring.score import positions_of, score, score_positions
from flagbench.trading.action import UNPARSED
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

GOLDEN = Path(__file__).with_name("scores.json")


@pytest.fixture(scope="module")
def walk(synthetic_market: "MarketFactory") -> Market:
    """A random walk of 240 bars with gaps between a close and the next open."""
    random = np.random.default_rng(20250216)
    closes = 50 * np.exp(np.cumsum(random.normal(0.0005, 0.02, 240)))
    opens = np.concatenate([closes[:1], closes[:-1]]) * np.exp(random.normal(0, 0.005, 240))
    return synthetic_market(closes.tolist(), opens=opens.tolist())


def scores(market: Market) -> dict[str, Any]:
    period = market.asset.windows.test
    decisions = len(market.bar_range(period)) - 1
    actions = np.random.default_rng(7).integers(UNPARSED, 3, decisions)
    found: dict[str, Any] = {
        f"{name}@{protocol.version}": score(market, protocol, period, actions).to_json()
        for name in ("standard", "paper")
        for protocol in [load_protocol(name)]
    }
    found["investorbench"] = score_positions(market, period, positions_of(actions)).to_json()
    return found


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Nested values by their path."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{path}/{key}").items()}
    return {path: value}


def test_scores_are_what_they_were(walk: Market) -> None:
    found = flat(scores(walk))
    if os.environ.get("FLAGBENCH_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(scores(walk), indent=2) + "\n", encoding="utf-8")
    golden = flat(json.loads(GOLDEN.read_text(encoding="utf-8")))
    assert found.keys() == golden.keys()
    for path, value in golden.items():
        if isinstance(value, float):
            assert found[path] == pytest.approx(value, rel=1e-11, abs=1e-13), path
        else:
            assert found[path] == value, path
