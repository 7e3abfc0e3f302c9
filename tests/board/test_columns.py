import re
from pathlib import Path

import pytest

from benchmarks.drawn_results import Kind
from benchmarks.drawn_submissions import write_entry
from flagbench.board.columns import COLUMNS, MORE, interval_text, number_text, undefined_words
from flagbench.board.entry import read_entry

EXPLAINED = {column.key: column.explanation for column in COLUMNS} | {
    key: words for key, (_, words) in MORE.items()
}


@pytest.mark.parametrize("key", EXPLAINED)
def test_each_column_is_explained_in_two_sentences(key: str) -> None:
    words = EXPLAINED[key]
    assert len(words) == 2
    for sentence in words:
        assert re.fullmatch(r"(?:[A-Z“].*)[^.]\.", sentence)
        assert not re.search(r"[.!?] [A-Z]", sentence)


def test_the_primary_endpoint_comes_first() -> None:
    assert COLUMNS[0].key == "endpoint"
    assert COLUMNS[0].explanation[0].startswith("The primary endpoint")


def test_figures_as_text() -> None:
    assert number_text(None) == "–"
    assert number_text(-0.001) == "0.00"
    assert number_text(-1.234) == "−1.23"
    assert number_text(0.1234, "fraction") == "12.34"
    assert interval_text(-1.0, 0.5) == "[−1.00, 0.50]"
    assert interval_text(None, 0.5) == ""


def test_an_undefined_endpoint_says_in_how_many_runs(tmp_path: Path) -> None:
    kind = Kind("flat", "always-flat", has_backbone=False, status="reproduced", days_long=0.0)
    entry = read_entry(write_entry(tmp_path, kind, assets=("TSLA",))).entry
    many = len(entry.results.assets[0].seeds)
    assert undefined_words(entry) == f"undefined in {many} of {many} runs"
