"""Figures that others printed, from the real data and to the last digit."""

from datetime import date
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.scoring import metrics
from flagbench.scoring.score import Score, score_positions

pytestmark = pytest.mark.usefixtures("data_folder")

# The Buy & Hold rows of MSFT and HON end a day before the other rows of their table do.
SHORT_WINDOW = Period.of(date(2020, 10, 1), date(2021, 5, 5))


class Row(NamedTuple):
    """A line of the data folder's summary: the asset held from the first to the last close of a window."""

    asset: str
    period: str
    closes: int
    sum_log: str
    """Σ ln(p_{t+1} / p_t)."""
    compounded: str
    """p_end / p_start - 1."""
    sharpe_log: str
    """mean / sd (ddof 1) · √252 of log returns: m of them, and 252 for crypto too."""
    sharpe_simple: str
    """The same of simple returns."""


# NFLX and ETH are left out: their rows are made from files with gaps, which flagbench does not read.
SUMMARY = [
    Row("TSLA", "2020-07-01:2020-09-30", 64, "0.65016", "0.91586", "2.635", "3.154"),
    Row("TSLA", "2020-10-01:2021-05-06", 150, "0.39244", "0.48059", "1.053", "1.350"),
    Row("MSFT", "2020-07-01:2020-09-30", 64, "0.02955", "0.02999", "0.343", "0.514"),
    Row("MSFT", "2020-10-01:2021-05-06", 150, "0.16654", "0.18121", "1.129", "1.253"),
    Row("JNJ", "2020-07-01:2020-09-30", 64, "0.06542", "0.06761", "1.734", "1.813"),
    Row("JNJ", "2020-10-01:2021-05-06", 150, "0.14295", "0.15367", "1.386", "1.475"),
    Row("UVV", "2020-07-01:2020-09-30", 64, "0.01844", "0.01862", "0.313", "0.428"),
    Row("UVV", "2020-10-01:2021-05-06", 150, "0.38235", "0.46572", "2.210", "2.345"),
    Row("HON", "2020-07-01:2020-09-30", 64, "0.13864", "0.14871", "2.170", "2.306"),
    Row("HON", "2020-10-01:2021-05-06", 150, "0.34342", "0.40976", "2.429", "2.535"),
    Row("SPY", "2020-07-01:2020-09-30", 64, "0.07955", "0.08280", "1.882", "1.975"),
    Row("SPY", "2020-10-01:2021-05-06", 150, "0.22536", "0.25277", "2.528", "2.606"),
    Row("BTC", "2023-02-11:2023-04-04", 53, "0.25303", "0.28793", "2.423", "2.627"),
    Row("BTC", "2023-04-05:2023-12-19", 259, "0.40555", "0.50013", "1.214", "1.370"),
]
ROWS = pytest.mark.parametrize("row", SUMMARY, ids=lambda row: f"{row.asset}-{row.period}")


@cache
def market_of(asset: str) -> Market:
    return load_market(load_asset(asset))


def held(asset: str, period: Period) -> Score:
    """The score of a long position over the window, on InvestorBench's prices or else adjusted closes."""
    market = market_of(asset)
    return score_positions(market, period, np.ones(len(market.bar_range(period)) - 1))


def closes_of(row: Row) -> FloatArray:
    market = market_of(row.asset)
    bars = market.bar_range(Period.parse(row.period))
    # TSLA and SPY have no file of InvestorBench.
    prices = market.adjusted_close if market.investorbench is None else market.investorbench
    return prices[bars.start : bars.stop]


@pytest.mark.parametrize(
    ("asset", "printed"),
    [("MSFT", "15.340 1.039 24.980 9.428"), ("HON", "33.256 2.347 23.967 9.195")],
)
def test_buy_and_hold_rows_of_the_paper_agree_to_the_last_digit(asset: str, printed: str) -> None:
    score = held(asset, SHORT_WINDOW)
    assert score.bars == 149
    percent = {name: 100 * value for name, value in score.values.items()}
    figures = [
        percent["cumulative_return"],
        score.values["sharpe_ratio"],
        percent["annualized_volatility"],
        percent["max_drawdown"],
    ]
    assert " ".join(f"{figure:.3f}" for figure in figures) == printed
    assert score.shape.identical_to == "buy-and-hold"


def test_the_row_printed_for_an_agent_on_hon_is_always_long_but_for_its_drawdown() -> None:
    score = held("HON", Period.parse("2020-10-01:2021-05-06"))
    assert f"{100 * score.values['cumulative_return']:.3f}" == "34.342"
    assert f"{100 * score.values['annualized_volatility']:.3f}" == "23.913"
    assert f"{100 * score.values['max_drawdown']:.3f}" != "10.872"
    # Its Sharpe ratio has the number of returns in the year, where buy and hold has that of prices.
    assert f"{score.values['sharpe_ratio'] * 150 / 149:.3f}" == "2.429"


@ROWS
def test_the_summary_of_the_data_agrees_in_returns(row: Row) -> None:
    score = held(row.asset, Period.parse(row.period))
    assert score.bars == row.closes
    assert f"{score.values['cumulative_return']:.5f}" == row.sum_log
    assert f"{metrics.cumulative_return(closes_of(row)):.5f}" == row.compounded


@ROWS
def test_the_summary_of_the_data_agrees_in_sharpe_ratios(row: Row) -> None:
    closes = closes_of(row)
    ratios = closes[1:] / closes[:-1]
    assert f"{metrics.sharpe_ratio(np.log(ratios), periods_per_year=252):.3f}" == row.sharpe_log
    assert f"{metrics.sharpe_ratio(ratios - 1, periods_per_year=252):.3f}" == row.sharpe_simple


@ROWS
def test_the_published_sharpe_ratio_is_the_summary_s_times_m_over_n_at_the_calendar_s_root(row: Row) -> None:
    periods_per_year = 365 if row.asset == "BTC" else 252
    score = held(row.asset, Period.parse(row.period))
    usual = score.values["sharpe_ratio"] * row.closes / (row.closes - 1) * (252 / periods_per_year) ** 0.5
    assert f"{usual:.3f}" == row.sharpe_log


@pytest.mark.parametrize(
    ("asset", "period", "closes", "total"),
    [
        ("MSFT", "2020-10-01:2021-05-05", 149, "0.15340"),
        ("JNJ", "2020-10-01:2021-05-05", 149, "0.13895"),
        ("UVV", "2020-10-01:2021-05-05", 149, "0.36583"),
        ("HON", "2020-10-01:2021-05-05", 149, "0.33256"),
        ("BTC", "2023-04-05:2023-11-05", 215, "0.21822"),
        ("MSFT", "2020-10-01:2021-05-06", 150, "0.16654"),
        ("UVV", "2020-10-01:2021-05-06", 150, "0.38235"),
    ],
)
def test_adjusted_closes_sum_to_the_same_log_returns_as_investorbench_s_prices(
    asset: str, period: str, closes: int, total: str
) -> None:
    market = market_of(asset)
    bars = market.bar_range(Period.parse(period))
    adjusted = market.adjusted_close[bars.start : bars.stop]
    assert len(adjusted) == closes
    assert f"{metrics.log_cumulative_return(np.diff(np.log(adjusted))):.5f}" == total
    assert f"{held(asset, Period.parse(period)).values['cumulative_return']:.5f}" == total
