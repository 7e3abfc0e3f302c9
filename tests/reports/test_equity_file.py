import math
from pathlib import Path
from typing import Any

import pytest

from flagbench.errors import RecordError
from flagbench.records.run_record import RunRecord
from flagbench.reports.equity_file import read_curves

TEXT = """\
window,date,equity,buy_and_hold
train,2020-01-01,100.0,100.0
train,2020-01-02,110.0,90.0
test,2020-02-01,100.0,100.0
test,2020-02-02,80.0,100.0
test,2020-02-03,120.0,130.0
"""
SCORES = {
    "train": {"scoring": "standard", "cumulative_return": 0.1},
    "test": {"scoring": "standard", "cumulative_return": 0.2},
}


def read(folder: Path, text: str | None = TEXT, scores: dict[str, dict[str, Any]] = SCORES) -> Any:
    if text is not None:
        (folder / "equity.csv").write_text(text)
    record = RunRecord.model_construct(scores=scores)  # only its scores are read
    return read_curves(folder, record)


def test_each_window_begins_at_1(tmp_path: Path) -> None:
    curves = read(tmp_path)
    assert curves["train"].agent.tolist() == pytest.approx([1, 1.1])
    assert curves["train"].buy_and_hold.tolist() == [1, 0.9]
    assert curves["test"].agent.tolist() == [1, 0.8, 1.2]
    assert str(curves["test"].dates[-1]) == "2020-02-03"
    assert curves["test"].window == "test"


def test_no_file_is_no_curve(tmp_path: Path) -> None:
    assert read(tmp_path, None) is None


def test_a_curve_that_ends_elsewhere_than_the_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        RecordError, match=r"test window: the curve comes to a return of 0\.200000, the record says 0\.3"
    ):
        read(tmp_path, scores=SCORES | {"test": {"scoring": "standard", "cumulative_return": 0.3}})


def test_the_papers_return_is_a_logarithm(tmp_path: Path) -> None:
    paper = {
        "train": {"scoring": "paper", "cumulative_return": math.log(1.1)},
        "test": {"scoring": "paper", "cumulative_return": math.log(1.2)},
    }
    assert read(tmp_path, scores=paper)["test"].agent[-1] == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (TEXT, "", "has not the columns window,date,equity,buy_and_hold"),
        ("equity,buy_and_hold", "buy_and_hold,equity", "has not the columns"),
        ("80.0,100.0", "80.0", "has not the columns"),
        ("80.0", "high", "could not convert"),
        ("80.0", "-80.0", "each equity above 0"),
        ("80.0", "nan", "each equity above 0"),
        ("2020-02-02", "2020-02-99", "test window"),
        ("train", "other", "train window: two bars or more"),
    ],
)
def test_a_broken_file_is_an_error_that_says_where(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        read(tmp_path, TEXT.replace(old, new))
