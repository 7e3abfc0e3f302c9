from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from flagbench.leaks.memory import memory
from flagbench.market.market import Market
from flagbench.market.period import Period

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    test = Period.of(date(2020, 2, 13), date(2020, 3, 3))
    return synthetic_market([10.0] * 50, test=test)


@pytest.mark.parametrize(
    ("backbone", "cut_off", "inside"),
    [
        (None, None, None),
        ("some/model", None, None),
        ("some/model", date(2020, 2, 13), True),
        ("some/model", date(2020, 2, 12), False),
        ("embedded", None, False),
        ("random", None, False),
        ("random:some/model", date(2030, 1, 1), False),
    ],
)
def test_a_window_is_inside_pre_training_only_where_the_cut_off_says_so(
    market: Market, backbone: str | None, cut_off: date | None, inside: bool | None
) -> None:
    found = memory(backbone, market, cut_off=cut_off)
    assert found.figure["test_begins"] == "2020-02-13"
    assert found.figure["inside_pretraining"] is inside
    assert found.passed is None


def test_nobody_has_read_of_a_replica(market: Market) -> None:
    drawn = replace(market, kind="replica")
    assert memory("some/model", drawn, cut_off=date(2030, 1, 1)).figure["inside_pretraining"] is False
