import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome

START, END = "2020-02-03", "2020-03-13"
"""Thirty weekdays, with some before and after."""

FIELDS = {"verdict", "flags", "conventions", "bounds", "certificate", "explanation"}
FLAGS = {
    "cr": "cumulative_return",
    "sr": "sharpe_ratio",
    "av": "annualized_volatility",
    "mdd": "max_drawdown",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a command runs, with the bars of an asset in it."""
    days = np.busday_offset("2020-01-27", np.arange(45), roll="forward").astype("datetime64[D]")
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(4).normal(0.002, 0.02, 45)))
    rows = [f"{day},{close},{close},{close},{close}" for day, close in zip(days, closes, strict=True)]
    (tmp_path / "TOY.csv").write_text("\n".join(["date,open,high,low,close", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def window_days() -> list[str]:
    return [str(day) for day in np.arange(START, "2020-03-14", dtype="datetime64[D]") if np.is_busday(day)]


def printed_row(
    flagbench: "CommandLine", folder: Path, words: list[str], column: str, digits: int = 2
) -> list[str]:
    """The figures that `flagbench score` gives a file, as arguments of an audit."""
    lines = [f"{day},{word}" for day, word in zip(window_days(), words, strict=False)]
    (folder / "own.csv").write_text("\n".join([f"date,{column}", *lines]) + "\n")
    window = ("--start", START, "--end", END, "--scoring", "investorbench", "--json")
    score = json.loads(flagbench("score", "own.csv", "--asset", "TOY.csv", *window).out)
    return [
        part
        for flag, metric in FLAGS.items()
        for part in (f"--{flag}", f"{score[metric] * (1 if flag == 'sr' else 100):.{digits}f}")
    ]


def audit(flagbench: "CommandLine", *arguments: str) -> "Outcome":
    return flagbench("audit", "--asset", "TOY.csv", "--start", START, "--end", END, *arguments)


@pytest.mark.parametrize("kind", ["long-flat", "long-short"])
def test_a_certificate_replays_to_the_claim_through_flagbench_score(
    kind: str, flagbench: "CommandLine", folder: Path
) -> None:
    random = np.random.default_rng(1)
    options, column = (
        (["buy", "hold", "sell"], "action") if kind == "long-flat" else (["-1", "0", "1"], "position")
    )
    row = printed_row(flagbench, folder, random.choice(options, 29).tolist(), column)
    outcome = audit(flagbench, *row, "--positions", kind, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert set(found) >= FIELDS
    assert found["verdict"] == "reachable"
    header = Path(found["certificate"]).read_text().splitlines()[0]
    assert header == f"date,{column}"
    command = shlex.split(found["explanation"].partition("To replay it: flagbench ")[2])
    score = json.loads(flagbench(*command, "--json").out)
    for flag, text in zip(row[::2], row[1::2], strict=True):
        value = score[FLAGS[flag.removeprefix("--")]] * (1 if flag == "--sr" else 100)
        assert f"{value:.2f}" == text


@pytest.mark.usefixtures("data_folder")
@pytest.mark.parametrize("kind", ["long-flat", "long-short"])
def test_a_certificate_on_real_prices_replays_too(
    kind: str, flagbench: "CommandLine", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = ["--cr", "20.123", "--sr", "1.500", "--av", "22.537", "--mdd", "12.001"]
    found = json.loads(flagbench("audit", "--asset", "HON", *row, "--positions", kind, "--json").out)
    command = shlex.split(found["explanation"].partition("To replay it: flagbench ")[2])
    score = json.loads(flagbench(*command, "--json").out)
    assert f"{100 * score['cumulative_return']:.3f}" == "20.123"
    assert f"{score['sharpe_ratio']:.3f}" == "1.500"
    assert f"{100 * score['annualized_volatility']:.3f}" == "22.537"
    assert f"{100 * score['max_drawdown']:.3f}" == "12.001"


def test_the_paths_file_stands_alone_on_the_last_line(flagbench: "CommandLine", folder: Path) -> None:
    words = np.random.default_rng(1).choice(["buy", "hold", "sell"], 29).tolist()
    row = printed_row(flagbench, folder, words, "action", digits=1)
    outcome = audit(flagbench, *row, "--certificates", "kept")
    assert outcome.status == 0
    assert (folder / outcome.last_line).is_file()
    assert outcome.last_line.startswith("kept/TOY")
    assert ": reachable" in outcome.out.splitlines()[0]


def test_an_unreachable_row_is_no_failure_and_writes_nothing(flagbench: "CommandLine", folder: Path) -> None:
    row = ("--cr", "10", "--sr", "1.5", "--av", "99.0", "--mdd", "5")
    found = json.loads(audit(flagbench, *row, "--json").out)
    assert (found["verdict"], found["certificate"], found["conventions"]) == ("unreachable", None, [])
    assert found["bounds"]["annualized_volatility"]["252"][1] < 0.99
    shown = audit(flagbench, *row)
    assert shown.status == 0
    assert "None of them is as volatile as 99.0 %" in " ".join(shown.out.split())
    assert not (folder / "certificates").exists()


@pytest.fixture
def table(flagbench: "CommandLine", folder: Path) -> Path:
    """Holding the asset, and a row that cannot be; a name that HTML and Markdown would read as theirs."""
    own = printed_row(flagbench, folder, ["buy", *["hold"] * 28], "action")
    lines = [
        "name,asset,start,end,cr,sr,av,mdd",
        f"<b>|held,TOY.csv,{START},{END},{','.join(own[1::2])}",
        f"wild,TOY.csv,{START},{END},10,1.5,99.0,5",
    ]
    path = folder / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_is_audited_row_by_row(flagbench: "CommandLine", table: Path) -> None:
    outcome = flagbench("audit", "--table", table, "--json")
    rows = json.loads(outcome.out)["rows"]
    assert [row["verdict"] for row in rows] == ["always-long", "unreachable"]
    assert all(set(row) >= FIELDS for row in rows)
    assert outcome.err.splitlines()[1].startswith("wild: unreachable, ")
    shown = flagbench("audit", "--table", table)
    assert shown.out.startswith("Audit of 2 rows\n")
    assert "wild on TOY.csv: No path" in shown.out


def test_a_table_as_markdown_is_escaped(flagbench: "CommandLine", table: Path) -> None:
    shown = flagbench("audit", "--table", table, "--format", "markdown").out
    assert "| \\<b\\>\\|held | TOY.csv | always-long |" in shown
    assert "| wild | TOY.csv | unreachable |" in shown
    assert "| 10 % | 1.5 | 99.0 % | 5 % |" in shown


def test_a_table_as_a_page_is_a_file_of_its_own(flagbench: "CommandLine", table: Path, folder: Path) -> None:
    outcome = flagbench("audit", "--table", table, "--format", "html", "--out", "audit.html")
    assert (outcome.status, outcome.out) == (0, "audit.html\n")
    html = (folder / "audit.html").read_text()
    assert "&lt;b&gt;|held" in html
    assert "<b>|held" not in html
    assert html.count("<h1>") == 1
    assert "days-outside-window" in html


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "an audit needs a row or a table"),
        (("--asset", "TOY.csv"), "missing: cr, sr, av, mdd"),
        (
            ("--asset", "TOY.csv", "--cr", "x", "--sr", "1", "--av", "1", "--mdd", "1"),
            "`x` is no figure for cr",
        ),
        (
            ("--asset", "TOY.csv", "--cr", "1", "--sr", "1", "--av", "1", "--mdd", "1"),
            "needs --start and --end",
        ),
        (
            ("--asset", "TOY.csv", "--start", START, "--cr", "1", "--sr", "1", "--av", "1", "--mdd", "1"),
            "start and end go together",
        ),
        (("--table", "absent.csv"), "absent.csv cannot be read as CSV"),
        (("--table", "flag_trader", "--cr", "1", "--asset", "HON"), "--asset, --cr is of one row"),
        (("--table", "flag_trader", "--json", "--format", "html"), "--json is printed"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake_is_told_in_a_sentence(
    arguments: tuple[str, ...], said: str, flagbench: "CommandLine"
) -> None:
    outcome = flagbench("audit", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert said in outcome.err


def test_a_folder_that_cannot_be_written_to_is_told_of(flagbench: "CommandLine", folder: Path) -> None:
    words = np.random.default_rng(1).choice(["buy", "hold", "sell"], 29).tolist()
    row = printed_row(flagbench, folder, words, "action", digits=1)
    (folder / "taken").write_text("")
    outcome = audit(flagbench, *row, "--certificates", "taken")
    assert outcome.status == 2
    assert "choose another --certificates" in outcome.err
    absent = audit(flagbench, *row, "--out", "no/such/folder.txt")
    assert absent.status == 2
    assert "choose another --out" in absent.err


def test_no_replica_stands_in_for_the_market_of_a_printed_row(
    flagbench: "CommandLine", folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    monkeypatch.setattr("flagbench.market.loading.cache_folder", lambda: folder / "cache")
    outcome = flagbench("audit", "--asset", "HON", "--cr", "1", "--sr", "1", "--av", "1", "--mdd", "1")
    assert outcome.status == 2
    assert "no market data" in outcome.err


def bars(days: int, growth: float) -> str:
    """Bars that grow evenly, from the first day of 2020."""
    dates = np.busday_offset("2020-01-01", np.arange(days), roll="forward").astype("datetime64[D]")
    rows = [f"{day},{c},{c},{c},{c}" for day, c in zip(dates, 100 * growth ** np.arange(days), strict=True)]
    return "\n".join(["date,open,high,low,close", *rows]) + "\n"


def test_a_path_without_variance_is_found_at_any_number_of_digits(
    flagbench: "CommandLine", folder: Path
) -> None:
    """Short on eight days of even growth: with twelve digits rounding alone had proved that nobody can be."""
    (folder / "grow.csv").write_text(bars(60, 1.001))
    figures = ("--cr", "-0.799600266467", "--sr", "nan", "--av", "0.000000000000", "--mdd", "0.796808648532")
    window = ("--start", "2020-02-12", "--end", "2020-02-24", "--positions", "long-short")
    done = flagbench("audit", "--asset", "grow.csv", *window, *figures, "--json")
    assert json.loads(done.out)["verdict"] == "reachable", done.err


def test_prices_that_do_not_move_have_no_volatility_to_compare_with(
    flagbench: "CommandLine", folder: Path
) -> None:
    (folder / "flat.csv").write_text(bars(60, 1.0))
    figures = ("--cr", "0.00", "--sr", "1.0", "--av", "5.00", "--mdd", "0.00")
    done = flagbench("audit", "--asset", "flat.csv", "--start", "2020-02-12", "--end", "2020-02-28", *figures)
    assert "unreachable" in done.out.splitlines()[0]
    assert "None of them is as volatile as 5.00 %" in done.out
    assert "times that" not in done.out
