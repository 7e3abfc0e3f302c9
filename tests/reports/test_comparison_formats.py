"""A comparison as text, Markdown, HTML, LaTeX, CSV and JSON."""

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.comparison.comparison import (
    Comparison,
)
from flagbench.reports.comparison_data import HEADER, comparison_csv, comparison_json
from flagbench.reports.comparison_html import comparison_html
from flagbench.reports.comparison_latex import comparison_latex, escaped
from flagbench.reports.comparison_markdown import comparison_markdown
from flagbench.reports.comparison_paper import paper_tables
from flagbench.reports.comparison_tables import (
    comparison_tables,
    said_once,
)
from flagbench.reports.comparison_terminal import comparison_terminal
from tests.reports.comparisons import example

if TYPE_CHECKING:
    pass

GOLDEN = Path(__file__).parents[1] / "golden" / "comparison.txt"


@pytest.fixture
def comparison() -> Comparison:
    return example()


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
