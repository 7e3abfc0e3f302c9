import hashlib
import struct
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.market import content_hash
from flagbench.market.text_file import TextItem

prices = st.floats(1e-3, 1e6)


@dataclass(frozen=True)
class Content:
    days: list[date]
    bars: list[list[float]]
    adjusted: list[float]
    other: list[float] | None = None
    text: list[TextItem] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        other = None if self.other is None else np.array(self.other)
        dates = np.array(self.days, dtype="datetime64[D]")
        return content_hash(dates, np.array(self.bars), np.array(self.adjusted), other, self.text)


@st.composite
def contents(draw: st.DrawFn) -> Content:
    days = sorted(draw(st.sets(st.dates(), min_size=1, max_size=4)))
    size = len(days)
    column = st.lists(prices, min_size=size, max_size=size)
    bars = draw(st.lists(st.lists(prices, min_size=5, max_size=5), min_size=size, max_size=size))
    items = st.builds(TextItem, st.dates().map(str), st.sampled_from(["news", "10k"]), st.text(max_size=5))
    text = draw(st.lists(items, max_size=3))
    return Content(days, bars, draw(column), draw(st.none() | column), text)


def changed(content: Content, data: st.DataObject) -> Content:
    """One date, one number by one bit, one part of one text, or one item more."""
    row = data.draw(st.integers(0, len(content.days) - 1))
    match data.draw(st.sampled_from(["day", "bar", "adjusted", "other", "text", "item"])):
        case "day":
            day = data.draw(st.dates().filter(lambda other: other != content.days[row]))
            return replace(content, days=[*content.days[:row], day, *content.days[row + 1 :]])
        case "bar":
            bars = [list(bar) for bar in content.bars]
            cell = data.draw(st.integers(0, 4))
            bars[row][cell] = float(np.nextafter(bars[row][cell], np.inf))
            return replace(content, bars=bars)
        case "adjusted":
            return replace(content, adjusted=nudged(content.adjusted, row))
        case "other":
            return replace(content, other=[1.0] if content.other is None else nudged(content.other, row))
        case "text" if content.text:
            number = data.draw(st.integers(0, len(content.text) - 1))
            part = data.draw(st.sampled_from(TextItem._fields))
            item = content.text[number]
            item = item._replace(**{part: getattr(item, part) + "x"})
            return replace(content, text=[*content.text[:number], item, *content.text[number + 1 :]])
        case _:
            return replace(content, text=[*content.text, TextItem("2020-01-01", "news", "")])


def nudged(values: list[float], row: int) -> list[float]:
    return [float(np.nextafter(value, 0)) if i == row else value for i, value in enumerate(values)]


@given(contents(), st.data())
def test_any_change_of_a_date_a_price_or_a_text_changes_the_hash(
    content: Content, data: st.DataObject
) -> None:
    assert changed(content, data).sha256 != content.sha256


@given(contents())
def test_equal_content_has_one_hash(content: Content) -> None:
    again = replace(content, bars=[list(bar) for bar in content.bars], text=list(content.text))
    assert again.sha256 == content.sha256


def test_the_hash_is_taken_over_one_fixed_form() -> None:
    # A change of this form voids the hash in every record that was ever written.
    content = Content([date(1970, 1, 3)], [[1, 3, 0.5, 2, np.nan]], [2], None, [TextItem("d", "10k", "ü")])
    numbers = struct.pack("<q5d", 5, 1, 3, 0.5, 2, np.nan) + struct.pack("<qd", 1, 2) + b"none"
    text = struct.pack("<q1sq3sq2s", 1, b"d", 3, b"10k", 2, "ü".encode())
    form = b"flagbench market 1\n" + struct.pack("<qq", 1, 2) + numbers + text
    assert content.sha256 == hashlib.sha256(form).hexdigest()


def test_layout_and_byte_order_of_arrays_do_not_matter() -> None:
    dates = np.array(["2020-07-01", "2020-07-02"], dtype="datetime64[D]")
    bars = np.arange(10.0).reshape(2, 5)
    plain = content_hash(dates, bars, bars[:, 3], None, ())
    assert content_hash(dates.astype("datetime64[s]"), np.asfortranarray(bars), bars[:, 3], None, ()) == plain
    assert content_hash(dates, bars.astype(">f8"), bars[:, 3].copy(), None, ()) == plain


def test_missing_volume_has_one_hash_whatever_its_bits() -> None:
    odd_nan = np.array([0xFFF8000000000001], dtype=np.uint64).view(np.float64)[0]
    dates = np.array(["2020-07-01"], dtype="datetime64[D]")
    one, other = (
        content_hash(dates, np.array([[1, 1, 1, 1, missing]]), np.ones(1), None, ())
        for missing in (np.nan, odd_nan)
    )
    assert np.isnan(odd_nan)
    assert one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([TextItem("2020-07-01", "news", "ab")], [TextItem("2020-07-01", "newsa", "b")]),
        (
            [TextItem("d", "k", "t"), TextItem("e", "k", "t")],
            [TextItem("e", "k", "t"), TextItem("d", "k", "t")],
        ),
    ],
)
def test_parts_of_text_cannot_run_into_each_other(one: list[TextItem], other: list[TextItem]) -> None:
    content = Content([date(2020, 7, 1)], [[1, 1, 1, 1, 1]], [1])
    assert replace(content, text=one).sha256 != replace(content, text=other).sha256


def test_a_missing_series_differs_from_one_without_numbers() -> None:
    content = Content([date(2020, 7, 1)], [[1, 1, 1, 1, 1]], [1])
    assert replace(content, other=[]).sha256 != content.sha256
