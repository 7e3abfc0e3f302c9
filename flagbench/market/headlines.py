"""Headlines of a replica: a tone from 1 (very bad) to 5 (very good) in words, and filler that says nothing.

For example, tone 5: `Analysts call the outlook for the company superb.` Wording is this project's own.
"""

import math
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from flagbench.market.draws import STANDARD_NORMAL, uniforms
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.market.text_file import TextItem

IntArray = npt.NDArray[np.int64]

# Plain adjectives that fit every template; those of tone 1 come first.
TONE_WORDS = (
    ("terrible", "awful", "dreadful", "disastrous"),
    ("weak", "poor", "bad", "gloomy"),
    ("mixed", "average", "ordinary", "neutral"),
    ("good", "solid", "bright", "strong"),
    ("excellent", "superb", "brilliant", "outstanding"),
)
TEMPLATES = (
    "Analysts call the outlook for {subject} {word}.",
    "Traders expect {word} days for {subject}.",
    "The mood around {subject} is {word}.",
    "There is {word} news for holders of {subject}.",
    "A new report finds the prospects of {subject} {word}.",
    "Observers describe the state of {subject} as {word}.",
)
FILLERS = (
    "A conference about {subject} takes place this week.",
    "A book on the history of {subject} has appeared.",
    "Readers asked us how to follow {subject}.",
    "A podcast talks about {subject} for an hour.",
    "The next report on {subject} is due later this year.",
    "An exhibition shows old pictures of {subject}.",
    "A university offers a course about {subject}.",
    "The website of {subject} was down for a minute.",
)
SUBJECTS = {"equity": "the company", "crypto": "the coin"}
MOST_A_DAY = 3

# Between five equally likely classes of a standard normal.
THRESHOLDS = tuple(STANDARD_NORMAL.inv_cdf(share / 5) for share in range(1, 5))
# Correlation of a standard normal z with its class: E[z · class] is the sum of φ(threshold), the classes
# 1 to 5 have standard deviation √2. About 0.942.
TONE_CORRELATION = sum(STANDARD_NORMAL.pdf(threshold) for threshold in THRESHOLDS) / math.sqrt(2)

_TONE_OF_WORD = {word: tone for tone, words in enumerate(TONE_WORDS, start=1) for word in words}


def tones_of(latent: FloatArray) -> IntArray:
    """The class 1 to 5 of each standard normal: (n,) to (n,)."""
    return np.searchsorted(np.array(THRESHOLDS), latent).astype(np.int64) + 1


def tone_of(text: str) -> int | None:
    """The tone, 1 to 5, of a text; None where its words say nothing or say different things.

    A headline of a replica that is no filler has exactly one word of tone.
    """
    words = re.findall(r"[a-z]+", text.lower())
    tones = {_TONE_OF_WORD[word] for word in words if word in _TONE_OF_WORD}
    return tones.pop() if len(tones) == 1 else None


def write_headlines(
    dates: DateArray,
    tones: Sequence[int],
    *,
    asset_class: Literal["equity", "crypto"],
    source: np.random.PCG64,
) -> tuple[TextItem, ...]:
    """One to three headlines a date, at least one of them with the date's tone, the others so or filler.

    How many there are, which of them are filler and how they are worded does not depend on the tones:
    another tone changes words of tone and nothing else.

    Args:
        dates: (n,) datetime64[D].
        tones: n tones, 1 to 5.
        asset_class: says what the text calls its subject.
        source: where chance comes from.

    Returns:
        Items of kind `news` in the order of the dates.
    """
    numbers = uniforms(source, len(dates), 2 + 3 * MOST_A_DAY)
    subject = SUBJECTS[asset_class]
    return tuple(
        TextItem(str(date), "news", text)
        for date, tone, row in zip(dates, tones, numbers.tolist(), strict=True)
        for text in _of_a_day(tone, subject, row)
    )


def _of_a_day(tone: int, subject: str, numbers: Sequence[float]) -> list[str]:
    """Headlines of one day, no two alike, from uniform numbers."""
    count = 1 + int(MOST_A_DAY * numbers[0])
    always_toned = int(count * numbers[1])
    templates, fillers = list(TEMPLATES), list(FILLERS)
    headlines = []
    for place in range(count):
        is_toned, form, word = numbers[2 + 3 * place : 5 + 3 * place]
        forms = templates if place == always_toned or is_toned < 0.5 else fillers
        words = TONE_WORDS[tone - 1]
        template = forms.pop(int(len(forms) * form))
        headlines.append(template.format(subject=subject, word=words[int(len(words) * word)]))
    return headlines
