from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.audit.certificate import (
    Certificate,
    actions_of,
    file_name,
    is_confirmed,
    replay_command,
    replayed,
    sharpe_factor,
    write_certificate,
)
from flagbench.audit.claim import make_claim
from flagbench.audit.convention import Convention, figures_of
from flagbench.audit.window import windows_around
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.records.action_file import read_actions

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

POSITIONS = np.array([0.0, 1.0, 1.0, 0.0])
TEXTS = {"cr": "1", "sr": "2", "av": "3", "mdd": "4"}


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> Market:
    return synthetic_market([100.0, 100.0, 110.0, 99.0, 120.0, 120.0, 90.0, 120.0])


def period_of(market: Market) -> Period:
    return Period.of(market.dates[2].item(), market.dates[6].item())


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize(("years", "days"), [((252, 252), "prices"), ((252, 365), "returns")])
def test_the_scoring_code_comes_to_the_conventions_figures(
    market: Market, shift: int, years: tuple[int, int], days: str
) -> None:
    window = windows_around(market, period_of(market))[shift]
    way = Convention(window, "log", "sum", *years, days)  # type: ignore[arg-type]
    positions = np.resize(POSITIONS, len(window.closes) - 1)
    own, scored = figures_of(way, positions), replayed(market, Certificate(way, positions))
    for ours, theirs in zip(own, scored, strict=True):
        assert float(theirs) == pytest.approx(float(ours), rel=1e-12)


def test_the_sharpe_ratio_is_scaled_by_years_and_days(market: Market) -> None:
    window = windows_around(market, period_of(market))[0]
    assert sharpe_factor(Convention(window, "log", "sum", 252, 252, "prices")) == 1
    mixed = Convention(window, "log", "sum", 252, 365, "returns")
    assert sharpe_factor(mixed) == pytest.approx(252 / 365 * 5 / 4)


def test_a_path_with_other_figures_is_not_confirmed(market: Market) -> None:
    way = Convention(windows_around(market, period_of(market))[0], "log", "sum", 252, 252, "prices")
    claim = make_claim(TEXTS, asset="X")
    assert not is_confirmed(market, claim, Certificate(way, POSITIONS))
    figures = figures_of(way, POSITIONS)
    texts = {
        "cr": f"{100 * figures.cumulative_return:.3f}",
        "sr": f"{figures.sharpe_ratio:.3f}",
        "av": f"{100 * figures.annualized_volatility:.3f}",
        "mdd": f"{100 * figures.max_drawdown:.3f}",
    }
    assert is_confirmed(market, make_claim(texts, asset="X"), Certificate(way, POSITIONS))


def test_a_long_or_flat_path_is_written_as_orders(market: Market, tmp_path: Path) -> None:
    way = Convention(windows_around(market, period_of(market))[0], "log", "sum", 252, 252, "prices")
    path = tmp_path / "below" / "path.csv"
    write_certificate(path, market, make_claim(TEXTS, asset="X"), Certificate(way, POSITIONS))
    words = [line.split(",")[1] for line in path.read_text().splitlines()]
    assert words == ["action", "hold", "buy", "hold", "sell"]
    assert read_actions(path, market.dates[2:7]).positions.tolist() == POSITIONS.tolist()


def test_a_path_that_may_be_short_is_written_as_positions(market: Market, tmp_path: Path) -> None:
    way = Convention(windows_around(market, period_of(market))[0], "log", "sum", 252, 252, "prices")
    path = tmp_path / "path.csv"
    claim = make_claim(TEXTS, asset="X", positions="long-short")
    write_certificate(path, market, claim, Certificate(way, -POSITIONS))
    assert path.read_text().splitlines()[0] == "date,position"
    rows = read_actions(path, market.dates[2:7], positions_allowed=True)
    assert rows.positions.tolist() == (-POSITIONS).tolist()


def test_orders_stand_only_where_the_position_changes() -> None:
    assert actions_of(np.array([1.0, 1.0, 0.0, 0.0, 1.0])).tolist() == [2, 1, 0, 1, 2]


def test_the_command_names_window_year_and_data(market: Market) -> None:
    way = Convention(windows_around(market, period_of(market))[0], "log", "sum", 252, 365, "prices")
    claim = make_claim(TEXTS, asset="my asset.csv")
    command = replay_command(Path("a b.csv"), claim, Certificate(way, POSITIONS), data="folder")
    window = way.window.period
    assert command == (
        f"flagbench score 'a b.csv' --asset 'my asset.csv' --start {window.first} --end {window.last} "
        "--scoring investorbench --periods 365 --data folder"
    )


def test_a_file_is_named_after_what_was_claimed(market: Market) -> None:
    claim = make_claim({**TEXTS, "sr": "nan"}, asset="../X", name="A / B")
    name = file_name(claim, period_of(market))
    assert name == "A-B_..-X_2020-01-03_2020-01-09_1_nan_3_4_long-flat.csv"
    assert Path(name).name == name
