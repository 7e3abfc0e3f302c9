import pytest

from flagbench.comparison.printed import printed_rows


def test_the_rows_that_the_paper_printed_are_kept_to_the_last_digit() -> None:
    (held, own) = (row for _, row in printed_rows("HON"))
    assert [held.agent, own.agent] == ["Buy & Hold", "FLAG-Trader"]
    assert [own.cumulative_return, own.sharpe_ratio, own.annualized_volatility, own.max_drawdown] == [
        "34.342",
        "2.429",
        "23.913",
        "10.872",
    ]
    assert held.cumulative_return == "33.256"
    assert own.remark
    assert printed_rows("TSLA") == []


@pytest.mark.parametrize("asset", ["MSFT", "HON", "UVV"])
def test_every_row_names_its_paper_and_its_convention(asset: str) -> None:
    assert printed_rows(asset)
    for paper, row in printed_rows(asset):
        assert "arXiv 2502.11433" in paper.source
        assert row.convention


@pytest.mark.parametrize("asset", ["MSFT", "HON"])
def test_return_over_volatility_is_the_printed_ratio(asset: str) -> None:
    """CR · 252 / n / AV = SR with n the 149 closes of the window, which a slip of a digit would break."""
    for _, row in printed_rows(asset):
        earned, ratio, volatility = map(
            float, (row.cumulative_return, row.sharpe_ratio, row.annualized_volatility)
        )
        assert earned * 252 / volatility / ratio == pytest.approx(149, abs=0.1)
