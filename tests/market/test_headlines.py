from collections import Counter
from itertools import chain
from statistics import NormalDist
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.draws import stream, to_normals, uniforms
from flagbench.market.headlines import (
    FILLERS,
    TEMPLATES,
    TONE_CORRELATION,
    TONE_WORDS,
    tone_of,
    tones_of,
    write_headlines,
)
from flagbench.market.text_file import TextItem

DATES = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]")


def written(
    tones: list[int], *, asset_class: Literal["equity", "crypto"] = "equity", seed: int = 0
) -> tuple[TextItem, ...]:
    return write_headlines(DATES[: len(tones)], tones, asset_class=asset_class, source=stream(seed, "text"))


def by_day(items: tuple[TextItem, ...], days: int) -> list[list[str]]:
    return [[item.text for item in items if item.date == str(date)] for date in DATES[:days]]


def test_five_tones_have_at_least_four_words_each_and_share_none() -> None:
    words = list(chain.from_iterable(TONE_WORDS))
    assert len(TONE_WORDS) == 5
    assert all(len(group) >= 4 for group in TONE_WORDS)
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("subject", ["the company", "the coin"])
def test_every_word_gives_every_template_its_tone(template: str, subject: str) -> None:
    for tone, words in enumerate(TONE_WORDS, start=1):
        for word in words:
            assert tone_of(template.format(subject=subject, word=word)) == tone


@pytest.mark.parametrize("filler", FILLERS)
def test_filler_says_nothing(filler: str) -> None:
    assert tone_of(filler.format(subject="the company")) is None


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("", None),
        ("Nothing new.", None),
        ("SUPERB!", 5),
        ("Good, solid and strong", 4),
        ("good and bad", None),
        ("goodness, a weakling", None),
    ],
)
def test_a_text_has_a_tone_if_its_words_agree(text: str, tone: int | None) -> None:
    assert tone_of(text) == tone


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(0, 99))
def test_a_day_has_one_to_three_headlines_and_the_toned_ones_agree(tones: list[int], seed: int) -> None:
    items = written(tones, seed=seed)
    assert [item.date for item in items] == sorted(item.date for item in items)
    assert {item.kind for item in items} == {"news"}
    for tone, texts in zip(tones, by_day(items, len(tones)), strict=True):
        assert 1 <= len(texts) <= 3
        assert len(set(texts)) == len(texts)
        assert {tone_of(text) for text in texts} - {None} == {tone}


def test_another_tone_changes_words_of_tone_and_nothing_else() -> None:
    good, bad = written([5] * 300), written([2] * 300)
    for one, other in zip(good, bad, strict=True):
        assert (one.date, tone_of(one.text) is None) == (other.date, tone_of(other.text) is None)
        changed = [
            pair for pair in zip(one.text.split(), other.text.split(), strict=True) if pair[0] != pair[1]
        ]
        assert len(changed) == (0 if tone_of(one.text) is None else 1)


def test_a_seed_has_its_own_headlines() -> None:
    assert written([3] * 50) == written([3] * 50)
    assert written([3] * 50) != written([3] * 50, seed=1)


def test_wording_is_varied_and_filler_is_common() -> None:
    days = 700
    texts = [item.text for item in written([1 + day % 5 for day in range(days)])]
    fillers = [text for text in texts if tone_of(text) is None]
    assert 1.9 * days < len(texts) < 2.1 * days
    assert 0.2 < len(fillers) / len(texts) < 0.3  # each but one a day with probability a half
    assert len(set(fillers)) == len(FILLERS)
    assert len(set(texts) - set(fillers)) == len(TEMPLATES) * sum(map(len, TONE_WORDS))
    assert max(Counter(texts).values()) < 0.05 * len(texts)


def test_a_coin_is_no_company() -> None:
    text = " ".join(item.text for item in written([1, 2, 3, 4, 5] * 10, asset_class="crypto"))
    assert "the coin" in text
    assert "company" not in text


def test_the_five_classes_of_a_normal_are_equally_likely() -> None:
    edges = [NormalDist().inv_cdf(share) for share in (0.01, 0.19, 0.21, 0.39, 0.41, 0.59, 0.61, 0.79, 0.81)]
    assert tones_of(np.array(edges)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5]


# E[z · class] is the sum of φ over the four thresholds ±0.2533 and ±0.8416, by tables 0.38634 and 0.27996
# each; the classes 1 to 5 have standard deviation √2.
def test_the_correlation_of_a_normal_and_its_class_is_computed() -> None:
    assert pytest.approx(2 * (0.38634 + 0.27996) / 2**0.5, abs=1e-5) == TONE_CORRELATION
    normals = to_normals(uniforms(stream(0), 100_000))
    correlation = np.corrcoef(normals, tones_of(normals))[0, 1]
    assert correlation == pytest.approx(TONE_CORRELATION, abs=2e-3)
