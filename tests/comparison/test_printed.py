from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagbench.comparison.printed import audit_printed, printed_claims, printed_rows, printed_tables
from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.replica import ReplicaSpec, make_replica

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


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


@pytest.mark.usefixtures("data_folder")
def test_printed_rows_are_audited_on_their_market() -> None:
    findings = audit_printed(load_market(load_asset("HON")))
    assert [(finding.claim.name, finding.verdict, finding.flags) for finding in findings] == [
        ("Buy & Hold", "always-long", ("shifted-window",)),
        ("FLAG-Trader", "always-long", ("mdd-inconsistent",)),
    ]


def test_nothing_is_audited_on_a_replica_or_without_the_window(synthetic_market: "MarketFactory") -> None:
    hon = load_asset("HON")
    assert audit_printed(make_replica(hon, ReplicaSpec())) == ()
    elsewhere = replace(synthetic_market([100.0] * 60), asset=hon)
    assert audit_printed(elsewhere) == ()


def test_a_table_of_a_paper_is_a_list_of_claims() -> None:
    assert printed_tables() == ["flag_trader"]
    claims = printed_claims("flag_trader")
    assert [claim.asset for claim in claims] == ["MSFT", "HON", "HON", "UVV"]
    assert claims[0].period == load_asset("MSFT").windows.test
    assert claims[2].max_drawdown.text == "10.872"
