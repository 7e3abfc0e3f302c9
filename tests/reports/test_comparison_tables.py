import csv
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.audit.auditing import audit_claim
from flagbench.audit.claim import make_claim
from flagbench.comparison.comparison import (
    AgentResult,
    AssetResult,
    Comparison,
    CostPoint,
    Endpoint,
    KnowledgeChange,
    PairedResult,
    Spread,
)
from flagbench.market.period import Period
from flagbench.registry import load_metrics
from flagbench.reports.comparison_data import HEADER, comparison_csv, comparison_json
from flagbench.reports.comparison_html import comparison_html
from flagbench.reports.comparison_latex import comparison_latex, escaped
from flagbench.reports.comparison_markdown import comparison_markdown
from flagbench.reports.comparison_paper import paper_tables
from flagbench.reports.comparison_tables import (
    Cell,
    PrintedTable,
    comparison_tables,
    figure,
    range_text,
    said_once,
    seeds_text,
    spread_text,
)
from flagbench.reports.comparison_terminal import comparison_terminal
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

GOLDEN = Path(__file__).parents[1] / "golden" / "comparison.txt"
NAN = math.nan


def one(value: float) -> Spread:
    return Spread(values=(value,), iqm=value)


def agent(label: str, **changes: object) -> AgentResult:
    """An agent of two seeds with round figures."""
    metrics = {name: Spread(values=(0.25, 0.5), iqm=0.375) for name in load_metrics()}
    metrics["sharpe_ratio"] = Spread(values=(1.0, 2.0), iqm=1.5, low=-0.5, high=3.5)
    metrics["cumulative_return"] = Spread(values=(0.1, 0.2), iqm=0.15, low=-0.2, high=0.5)
    whole = AgentResult(
        label=label,
        ranked=True,
        is_reference=False,
        seeds=(0, 1),
        metrics=metrics,
        psr=Spread(values=(0.9, 0.95), iqm=0.925),
        dsr=Spread(values=(0.7, 0.8), iqm=0.75),
        paired=PairedResult(
            difference=1.0, low=-1.0, high=3.0, p_value=0.0004, holm=0.0008, smallest_detectable=2.8
        ),
        in_confidence_set=True,
        collapsed={"buy-and-hold": 1},
        unparsed=0.125,
        knowledge=KnowledgeChange(suite="basics", before=one(0.5), after=one(0.25)),
        costs=tuple(
            CostPoint(
                cost_bps=cost,
                cumulative_return=Spread(values=(0.1, 0.2), iqm=0.15 - cost / 1000),
                sharpe_ratio=Spread(values=(1.0, 2.0), iqm=1.5),
                sharpe_standard_error=1.25,
            )
            for cost in (0.0, 10.0)
        ),
        records=("a" * 64, "b" * 64),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def flat() -> AgentResult:
    """An agent of one seed that never traded."""
    undefined = Spread(values=(NAN,), iqm=NAN, reasons=("never held a position",))
    plain = agent("always_flat & <co> 100 % #1 $x$ ^~\\{}")
    return replace(
        plain,
        seeds=(3,),
        metrics={**{name: one(0.0) for name in load_metrics()}, "sharpe_ratio": undefined},
        psr=undefined,
        dsr=undefined,
        paired=PairedResult(
            difference=NAN,
            low=NAN,
            high=NAN,
            p_value=NAN,
            holm=NAN,
            smallest_detectable=NAN,
            reason="no ratio",
        ),
        in_confidence_set=False,
        collapsed={"always-flat": 1},
        knowledge=None,
        costs=tuple(replace(point, sharpe_ratio=undefined) for point in plain.costs),
    )


@pytest.fixture
def comparison() -> Comparison:
    """Buy-and-hold, a learner, who never trades, and an oracle, on one asset."""
    held = agent(
        "buy-and-hold",
        is_reference=True,
        seeds=(),
        paired=None,
        collapsed={"buy-and-hold": 2},
        knowledge=None,
    )
    oracle = agent("oracle", ranked=False, paired=None, in_confidence_set=None, collapsed={})
    asset = AssetResult(
        label="HON",
        asset_id="HON",
        name="Honeywell",
        kind="market",
        market_sha256="0123456789abcdef" * 4,
        train=Period(date(2020, 7, 1), date(2020, 9, 30)),
        tests=(Period(date(2020, 10, 1), date(2021, 5, 6)),),
        bars=150,
        fill="next_open",
        periods_per_year=252,
        agents=(held, agent("flag"), flat(), oracle),
        trials=7,
        spa_p_value=0.25,
        spa_reason="",
        notes=("flag: the days are worth only 7.5 blocks: its intervals are rough",),
    )
    difference = Spread(values=(0.5, 1.5), iqm=1.0, low=-1.0, high=3.0)
    endpoints = (
        Endpoint(label="flag", ranked=True, difference=difference, assets=1),
        Endpoint(label="oracle", ranked=False, difference=difference, assets=1),
    )
    return Comparison(
        protocol=load_protocol("standard"),
        setup={"env_steps": 6400, "num_envs": 8},
        primary="sharpe_ratio",
        endpoints=endpoints,
        assets=(asset,),
        resamples=5000,
        tests=1,
        notes=("a note",),
    )


def table_of(comparison: Comparison, title: str) -> PrintedTable:
    (table,) = [table for table in comparison_tables(comparison) if table.title == title]
    return table


def texts(row: list[Cell]) -> list[str]:
    return [cell.text for cell in row]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "fraction", "12.35"),
        (-0.00001, "fraction", "0.00"),
        (-1.5, "ratio", "-1.50"),
        (17, "count", "17"),
        (NAN, "ratio", "–"),
    ],
)
def test_figures_have_no_unit_and_no_negative_zero(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text  # type: ignore[arg-type]


def test_seeds_are_written_as_the_command_line_takes_them() -> None:
    assert [seeds_text(seeds) for seeds in ((), (0,), (0, 1, 2), (0, 2, 3, 9))] == ["", "0", "0-2", "0,2-3,9"]


def test_a_spread_is_its_mean_with_its_interval_and_its_seeds() -> None:
    whole = Spread(values=(1.0, 2.0), iqm=1.5, low=0.5, high=2.5)
    assert (spread_text(whole, "ratio"), range_text(whole, "ratio")) == ("1.50 [0.50, 2.50]", "1.00 … 2.00")
    assert range_text(replace(whole, values=(1.0, 1.0)), "ratio") == "all equal"
    assert range_text(one(1.0), "ratio") == "–"
    broken = Spread(values=(1.0, NAN, NAN), iqm=NAN)
    assert spread_text(broken, "ratio") == "undefined in 2 of 3"
    assert spread_text(Spread(values=(1.0, 2.0), iqm=1.5), "count") == "1.5"


def test_the_primary_endpoint_comes_first(comparison: Comparison) -> None:
    first = comparison_tables(comparison)[0]
    assert first.title == "Primary endpoint: Sharpe ratio less buy-and-hold's"
    assert texts(first.rows[0]) == ["flag", "1.00 [-1.00, 3.00]", "0.50 … 1.50", "1 of 1", "2"]
    assert texts(first.below[0])[0] == "oracle"


def test_bold_is_the_confidence_set_and_the_return_column_alone(comparison: Comparison) -> None:
    bold = [
        (table.title, row[0].text, table.header[column])
        for table in comparison_tables(comparison)
        for row in (*table.rows, *table.below)
        for column, cell in enumerate(row)
        if cell.in_set
    ]
    column = "return, % [95 %]"
    assert bold == [("HON: results", name, column) for name in ("buy-and-hold", "flag")]


def test_every_row_has_a_cell_a_column(comparison: Comparison) -> None:
    for table in [*comparison_tables(comparison), *paper_tables(comparison)]:
        assert {len(row) for row in (*table.rows, *table.below)} == {len(table.header)}


def test_every_metric_stands_in_one_table(comparison: Comparison) -> None:
    """Two in the results, five in each of the tables after the tests; and two columns of answers."""
    widths = [len(table_of(comparison, f"HON: {title}").header) - 1 for title in ("risk", "trading")]
    assert sum(widths) - 2 + 2 == len(load_metrics())


def test_tests_and_collapsed_policies_are_shown(comparison: Comparison) -> None:
    rows = {row[0].text: texts(row)[1:] for row in table_of(comparison, "HON: tests").rows}
    assert rows["flag"] == [
        "0.925",
        "0.750",
        "1.00 [-1.00, 3.00]",
        "< 0.001",
        "< 0.001",
        "buy-and-hold in 1 of 2",
    ]
    assert rows["buy-and-hold"][2:] == ["–", "–", "–", "–"]


def test_the_caption_states_all_that_a_referee_asks_for(comparison: Comparison) -> None:
    caption = " ".join(table_of(comparison, "HON: results").caption)
    for part in (
        "Protocol standard v1",
        "10 bp a side",
        "2020-10-01 to 2021-05-06, 149 returns, trained on 2020-07-01 to 2020-09-30",
        "fill at the next open",
        "market 0123456789ab",
        "N = 7 trials",
        "5000 resamples",
        "80 % power: 2.80",
        "all paired tests of the comparison, 1 in number",
        "90 % model confidence set",
        "p = 0.250",
    ):
        assert part in caption
    first = " ".join(comparison_tables(comparison)[0].caption)
    assert "set-up: env_steps 6400, num_envs 8" in first
    assert "7.5 blocks" in " ".join(table_of(comparison, "HON: results").notes)


def test_a_sentence_is_said_once_where_tables_are_read_in_a_row(comparison: Comparison) -> None:
    said = [text for table in said_once(comparison_tables(comparison)) for text in table.caption]
    assert len(said) == len(set(said))
    assert set(said) == {text for table in comparison_tables(comparison) for text in table.caption}


def test_the_terminal_shows_what_was_agreed(comparison: Comparison) -> None:
    shown = comparison_terminal(said_once(comparison_tables(comparison)), styled=False)
    plain = "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
    assert plain == GOLDEN.read_text(encoding="utf-8")


def test_bold_is_marked_where_it_cannot_be_seen(comparison: Comparison) -> None:
    tables = comparison_tables(comparison)
    assert "\x1b[1m15.00 [-20.00, 50.00] *" in comparison_terminal(tables, styled=True)
    plain = comparison_terminal(tables, styled=False)
    assert "\x1b" not in plain
    assert plain.count("15.00 [-20.00, 50.00] *") == 2


def test_markdown_has_a_line_a_row_and_escapes_what_it_would_read(comparison: Comparison) -> None:
    text = comparison_markdown(comparison_tables(comparison))
    assert "| flag | 0-1 | **15.00 \\[-20.00, 50.00\\]** |" in text
    assert "always\\_flat & \\<co\\> 100 % \\#1" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(bars) == 1


class Tags(HTMLParser):
    """Counts tags and refuses any that is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_whole_escaped_and_names_its_headings(comparison: Comparison) -> None:
    text = comparison_html(comparison)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert {attributes.get("scope") for tag, attributes in tags.seen if tag == "th"} == {"row", "col"}
    names = [tag for tag, _ in tags.seen]
    assert names.count("table") == names.count("caption") == 6
    assert names.count("strong") == 2
    assert "&lt;co&gt;" in text
    assert "<co>" not in text


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b 5 % & #1", r"a\_b 5 \% \& \#1"),
        (r"\{x}$^~", r"\textbackslash{}\{x\}\$\textasciicircum{}\textasciitilde{}"),
        ("-1.5 [-2, 3]", "$-$1.5 {[}$-$2, 3{]}"),
        ("buy-and-hold 0-4 2020-10-01", "buy-and-hold 0-4 2020-10-01"),
        ("1 … 2 → 3 ± 4 × 5 < 6 –", r"1 \ldots{} 2 $\to$ 3 $\pm$ 4 $\times$ 5 $<$ 6 --"),
    ],
)
def test_latex_escapes_what_it_would_read(text: str, latex: str) -> None:
    assert escaped(text) == latex


def test_latex_has_whole_tables_with_booktabs(comparison: Comparison) -> None:
    text = comparison_latex([*comparison_tables(comparison), *paper_tables(comparison)])
    assert text.isascii()
    for name in ("table", "tabular"):
        assert text.count(f"\\begin{{{name}}}") == text.count(f"\\end{{{name}}}") == 7
    bare = re.sub(r"\\[{}]", "", text)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    for table in re.findall(r"\\begin\{tabular\}\{(.*?)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns, body = table
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert rule in body
    assert r"\textbf{15.00 {[}$-$20.00, 50.00{]}}" in text


@pytest.mark.slow
def test_latex_compiles(comparison: Comparison, tmp_path: Path) -> None:
    program = next(
        (name for name in ("pdflatex", "lualatex", "xelatex", "tectonic") if shutil.which(name)), None
    )
    if program is None:
        pytest.skip("no LaTeX is installed: neither pdflatex, lualatex, xelatex nor tectonic was found")
    body = comparison_latex([*comparison_tables(comparison), *paper_tables(comparison)])
    source = "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{booktabs}",
            r"\usepackage{graphicx}",
            r"\begin{document}",
            body,
            r"\end{document}",
        ]
    )
    (tmp_path / "tables.tex").write_text(source, encoding="utf-8")
    options = [] if program == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run(
        [program, *options, "tables.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size > 0


def test_csv_is_long_and_holds_every_figure_in_full(comparison: Comparison) -> None:
    rows = list(csv.reader(StringIO(comparison_csv(comparison))))
    assert tuple(rows[0]) == HEADER
    assert {len(row) for row in rows} == {5}
    values = {tuple(row[:4]): row[4] for row in rows[1:]}
    assert len(values) == len(rows) - 1
    assert values["HON", "flag", "sharpe_ratio", "iqm"] == "1.5"
    assert values["HON", "flag", "sharpe_ratio", "seed_1"] == "2.0"
    assert values["HON", "flag", "confidence_set", "member"] == "1"
    assert values["HON", "flag", "sharpe_ratio_difference_to_buy_and_hold", "holm"] == "0.0008"
    assert values["all", "flag", "sharpe_ratio_difference_to_buy_and_hold", "low"] == "-1.0"
    name = comparison.assets[0].agents[2].label
    assert values["HON", name, "sharpe_ratio", "iqm"] == ""
    assert values["HON", name, "sharpe_ratio", "undefined"] == "1"


def test_json_is_one_object_with_null_for_undefined(comparison: Comparison) -> None:
    found = json.loads(comparison_json(comparison))
    assert found == comparison.to_json()
    flat_agent = found["assets"][0]["agents"][2]
    assert flat_agent["metrics"]["sharpe_ratio"]["iqm"] is None
    assert found["assets"][0]["smallest_detectable_difference"] == [2.8, 2.8]


def test_the_papers_layout_has_printed_rows_below_ours_and_says_what_they_are(comparison: Comparison) -> None:
    (table,) = paper_tables(comparison)
    assert [row[0].text for row in table.below] == [
        "oracle",
        "Buy & Hold, as printed in arXiv 2502.11433, results tables",
        "FLAG-Trader, as printed in arXiv 2502.11433, results tables",
    ]
    assert texts(table.below[-1])[2:] == ["34.342", "2.429", "23.913", "10.872"]
    assert not any(cell.in_set for row in table.below for cell in row)
    caption = " ".join(table.caption)
    assert "copied, not computed" in caption
    assert "150 closes" in caption
    assert "compare runs under protocol paper" in caption
    assert any("always being long" in note for note in table.notes)


def test_the_audit_of_printed_rows_stands_below_them(
    comparison: Comparison, synthetic_market: "MarketFactory"
) -> None:
    texts = {"cr": "10.00", "sr": "1.5", "av": "99.0", "mdd": "5"}
    claim = make_claim(texts, asset="HON", name="FLAG-Trader")
    finding = audit_claim(synthetic_market([100.0, 101.0, 100.0, 102.0] * 10), claim)
    (asset,) = comparison.assets
    (table,) = paper_tables(replace(comparison, assets=(replace(asset, audits=(finding,)),)))
    assert table.notes[-1].startswith("FLAG-Trader, as printed, audit: unreachable. No path")
    (table,) = paper_tables(replace(comparison, assets=(replace(asset, audits=()),)))
    assert table.notes[-1].startswith("The printed rows were not audited")


def test_printed_rows_never_stand_beside_a_replica(comparison: Comparison) -> None:
    (asset,) = comparison.assets
    drawn = replace(comparison, assets=(replace(asset, kind="replica"),))
    (table,) = paper_tables(drawn)
    assert [row[0].text for row in table.below] == ["oracle"]
    assert "No printed row of this asset is kept." in table.caption


def test_another_endpoint_is_named_as_chosen(comparison: Comparison) -> None:
    changed = replace(comparison, primary="cumulative_return")
    first = comparison_tables(changed)[0]
    assert first.title == "Primary endpoint: return less buy-and-hold's"
    assert any(
        "the endpoint that flagbench declares is the yearly Sharpe ratio" in text for text in first.caption
    )


def test_a_walk_forward_says_how_many_windows_and_no_single_training(comparison: Comparison) -> None:
    (asset,) = comparison.assets
    later = Period(date(2021, 5, 7), date(2021, 9, 1))
    walked = replace(asset, tests=(*asset.tests, later), train=None, trials=None)
    caption = " ".join(table_of(replace(comparison, assets=(walked,)), "HON: results").caption)
    assert "test 2020-10-01 to 2021-09-01 in 2 windows" in caption
    assert "trained on" not in caption
    assert "N unknown, no ledger" in caption
