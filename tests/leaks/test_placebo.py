from collections.abc import Callable
from typing import TYPE_CHECKING

from flagbench.leaks.placebo import placebo

if TYPE_CHECKING:
    from tests.leaks.conftest import SubjectFactory


def test_momentum_wins_no_more_placebo_markets_than_chance(
    subject: "SubjectFactory", silent: Callable[[str], None]
) -> None:
    found = placebo(subject("Momentum")._replace(is_cheap=False), 0, say=silent)
    assert (found.markets, found.limit) == (20, 4)
    assert found.won <= 4


def test_who_reads_the_data_folder_wins_every_placebo_market(
    subject: "SubjectFactory", silent: Callable[[str], None]
) -> None:
    found = placebo(subject("ReadsFolder")._replace(is_cheap=False), 0, say=silent)
    assert found.won == 20
