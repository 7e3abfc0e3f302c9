from typing import Any

import pytest

from flagbench.reports.window_table import window_tables


def score(sharpe: float | None, sure: dict[str, float | None]) -> dict[str, Any]:
    return {
        "cumulative_return": 0.1,
        "sharpe_ratio": sharpe,
        "max_drawdown": 0.05,
        "uncertainty": {"sharpe_ratio": sure},
        "period": ["2020-01-02", "2020-07-01"],
    }


def record(window: int, own: dict[str, Any]) -> dict[str, Any]:
    return {
        "window": window,
        "seed": 3,
        "market": {"kind": "market", "sha256": "a" * 64},
        "protocol": {"id": "walk-forward", "version": 1},
        "scores": {"test": own},
        "buy_and_hold": {"test": score(0.5, {"se": 0.7, "low": -1.0, "high": 2.0, "level": 0.95})},
    }


@pytest.mark.parametrize(
    ("sharpe", "sure", "cell"),
    [
        (1.25, {"se": 0.9, "low": -0.5, "high": 3.0}, "1.250 [-0.50, 3.00]"),
        (1.25, {"se": 0.9, "low": None, "high": None}, "1.250 ± 0.900"),  # too few blocks for an interval
        (1.25, {"se": 0.9}, "1.250 ± 0.900"),  # a record from before there were intervals
        (None, {"se": None, "low": None, "high": None}, "–"),
    ],
)
def test_no_sharpe_ratio_of_a_window_stands_alone(
    sharpe: float | None, sure: dict[str, float | None], cell: str
) -> None:
    tables = {table.title: table for table in window_tables([record(0, score(sharpe, sure))])}
    table = tables["sharpe ratio by test window, 95 % interval"]
    assert table.header == ["", "seed 3", "buy-and-hold"]
    assert table.rows == [["window 0, 2020-01-02 to 2020-07-01", cell, "0.500 [-1.00, 2.00]"]]
