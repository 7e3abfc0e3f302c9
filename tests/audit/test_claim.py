import math
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.audit.claim import (
    Claim,
    exact_claim,
    make_claim,
    read_claims,
    read_period,
    read_printed,
)
from flagbench.errors import ConfigError
from flagbench.market.period import Period

FIGURES = {"cr": "46.799", "sr": "1.463", "av": "67.758", "mdd": "35.039"}
HEADER = "name,asset,start,end,cr,sr,av,mdd\n"


def test_a_figure_stands_for_all_fractions_that_are_rounded_to_it() -> None:
    printed = read_printed("46.80", flag="cr")
    assert printed.text == "46.80"
    assert printed.interval == pytest.approx((0.46795, 0.46805))
    assert printed.is_rounded_from(0.46795)
    assert printed.is_rounded_from(0.46805)
    assert not printed.is_rounded_from(0.467949)
    assert not printed.is_rounded_from(math.nan)


def test_a_sharpe_ratio_is_no_percentage() -> None:
    assert read_printed("2.5", flag="sr").interval == pytest.approx((2.45, 2.55))


@pytest.mark.parametrize(
    ("text", "low", "high"), [("7", 0.065, 0.075), ("-8.2 %", -0.0825, -0.0815), ("−0.0", -0.0005, 0.0005)]
)
def test_a_minus_a_percent_sign_and_whole_numbers_are_read(text: str, low: float, high: float) -> None:
    assert read_printed(text, flag="cr").interval == pytest.approx((low, high))


def test_neither_volatility_nor_drawdown_is_below_zero() -> None:
    assert read_printed("0.00", flag="av").interval.low == 0
    assert read_printed("0.00", flag="cr").interval.low == pytest.approx(-5e-5)


def test_an_undefined_sharpe_ratio_is_that_of_an_undefined_one_only() -> None:
    printed = read_printed("NaN", flag="sr")
    assert printed.is_undefined
    assert printed.is_rounded_from(math.nan)
    assert not printed.is_rounded_from(0.0)


@given(st.floats(-10, 10), st.integers(0, 9))
def test_what_is_printed_of_a_fraction_stands_for_it(value: float, digits: int) -> None:
    assert read_printed(f"{100 * value:.{digits}f}", flag="cr").is_rounded_from(value)


@pytest.mark.parametrize(
    ("flag", "text", "said"),
    [
        ("cr", "about 7", "`about 7` is no figure for cr"),
        ("cr", "1e3", "no figure"),
        ("cr", "inf", "no figure"),
        ("av", "nan", "no figure"),
        ("av", "-1.0", "av cannot be negative, given -1.0"),
        ("mdd", "-1.0", "mdd cannot be negative"),
        ("mdd", "100.01", "a drawdown is at most 100 %"),
    ],
)
def test_what_is_no_such_figure_is_refused(flag: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_printed(text, flag=flag)


def test_all_four_figures_are_needed() -> None:
    with pytest.raises(ConfigError, match="missing: sr, mdd"):
        make_claim({**FIGURES, "sr": " ", "mdd": ""}, asset="UVV")


def test_positions_are_one_of_two_kinds() -> None:
    assert make_claim(FIGURES, asset="UVV").options == (1.0,)
    assert make_claim(FIGURES, asset="UVV", positions="long-short").options == (1.0, -1.0)
    with pytest.raises(ConfigError, match="unknown positions `short`"):
        make_claim(FIGURES, asset="UVV", positions="short")


def test_exact_figures_are_known_to_a_billionth() -> None:
    figures = {
        "cumulative_return": 0.1,
        "sharpe_ratio": math.nan,
        "annualized_volatility": 0.2,
        "max_drawdown": 0.05,
    }
    claim = exact_claim(figures, asset="UVV", name="mine")
    assert claim.cumulative_return.is_rounded_from(0.1 + 9e-10)
    assert not claim.cumulative_return.is_rounded_from(0.1 + 2e-9)
    assert claim.sharpe_ratio.is_undefined
    for wrong in (math.nan, math.inf, 1e300):
        with pytest.raises(ConfigError, match="`max_drawdown` is"):
            exact_claim({**figures, "max_drawdown": wrong}, asset="UVV")
    with pytest.raises(ConfigError, match="missing: max_drawdown"):
        exact_claim({name: value for name, value in figures.items() if name != "max_drawdown"}, asset="UVV")


def read(path: Path, text: str) -> list[Claim]:
    path.write_text(text, encoding="utf-8")
    return read_claims(path)


def test_a_table_has_a_claim_a_row(tmp_path: Path) -> None:
    header = HEADER.replace("mdd", "MDD , positions")
    rows = "FLAG,UVV,2020-10-01,2021-05-06,46.799,1.463,67.758,35.039,long-short\nHeld,HON,,,1,2,3,4,\n"
    first, second = read(tmp_path / "rows.csv", "\ufeff" + header + rows)
    assert first.period == Period.of(date(2020, 10, 1), date(2021, 5, 6))
    assert (first.name, first.positions, first.max_drawdown.text) == ("FLAG", "long-short", "35.039")
    assert (second.asset, second.period, second.positions) == ("HON", None, "long-flat")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the header is ``"),
        ("name,asset\n", "the header is `name,asset`"),
        (HEADER, "holds no row"),
        (HEADER + "a,UVV,,,1,2,3\n", "line 2: another number of cells"),
        (HEADER + "a,UVV,,,1,2,3,4,5\n", "line 2: another number of cells"),
        (HEADER + "a,UVV,,,1,2,3,4\nb,UVV,,,x,2,3,4\n", "line 3: `x` is no figure for cr"),
        (HEADER + "a,UVV,2020-10-01,,1,2,3,4\n", "line 2: start and end go together"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path / "rows.csv", text)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as CSV"):
        read_claims(tmp_path / "rows.csv")


def test_a_period_needs_two_dates() -> None:
    assert read_period("", None) is None
    with pytest.raises(ConfigError, match="`soon` is no ISO date"):
        read_period("2020-10-01", "soon")
