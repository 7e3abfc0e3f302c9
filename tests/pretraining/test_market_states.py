import math
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.asset import load_asset
from flagbench.market.headlines import TONE_WORDS, tone_of
from flagbench.market.replica import Replica, ReplicaSpec, draw_replica
from flagbench.pretraining.building import HELD_OUT_SEED
from flagbench.pretraining.corpus import Corpus
from flagbench.pretraining.market_states import (
    ASSETS,
    BARS,
    CLASSES,
    DIRECTIONS,
    FIRST_SEED,
    MOVES,
    SIGNAL,
    STATEMENTS,
    State,
    best_action,
    draw_states,
    followed,
    short_text,
    short_turn,
    shortened,
    word_text,
)
from flagbench.pretraining.recipe import FULL
from flagbench.pretraining.relations import sentence

SEED = FIRST_SEED + 77


def source(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def states() -> list[State]:
    """All of one replica."""
    return list(draw_states(source(), iter([SEED])))


@pytest.fixture(scope="module")
def replica() -> Replica:
    """The market behind them, drawn here."""
    asset = load_asset(ASSETS[int(source().integers(len(ASSETS)))])
    return draw_replica(asset, ReplicaSpec(signal=SIGNAL, seed=SEED, train=BARS, test=2))


def test_a_state_shows_the_bars_up_to_its_own_and_none_later(states: list[State], replica: Replica) -> None:
    market = replica.market
    bars = market.bar_range(market.asset.windows.train)
    assert len(states) == len(bars) - 1 == BARS - 1
    for bar, state in zip(bars, states, strict=False):
        seen = state.observation
        assert seen["date"] == str(market.dates[bar])
        shown = market.bars[bar + 1 - len(seen["window"]) : bar + 1].astype(np.float32)
        assert np.array_equal(seen["window"], shown)
        between = (str(market.dates[bar - 1]), str(market.dates[bar]))
        assert seen["text"] == tuple(item for item in market.text if between[0] < item.date <= between[1])


def test_the_outcome_is_what_an_order_decided_there_earns(states: list[State], replica: Replica) -> None:
    market = replica.market
    bars = market.bar_range(market.asset.windows.train)
    prices = market.bars[:, 0 if market.asset.asset_class == "equity" else 3]
    large = 0
    for bar, state in zip(bars, states, strict=False):
        assert state.outcome == replica.innovations[bar]
        if abs(state.outcome) > 1:
            large += 1
            assert math.copysign(1, prices[bar + 2] / prices[bar + 1] - 1) == math.copysign(1, state.outcome)
    assert large > 20


def test_the_tone_of_headlines_foretells_the_outcome_as_planted() -> None:
    drawn = list(islice(draw_states(source(), count(SEED)), 595))
    tones, outcomes = [], []
    for state in drawn:
        found = {tone_of(item.text) for item in state.observation["text"]} - {None}
        assert len(found) == 1
        tones.append(float(found.pop() or 0))
        outcomes.append(state.outcome)
    error = (1 - SIGNAL**2) / math.sqrt(len(drawn))
    assert abs(np.corrcoef(tones, outcomes)[0, 1] - SIGNAL) < 4 * error


def test_accounts_trade_now_and_then_and_only_as_allowed() -> None:
    drawn = list(islice(draw_states(source(), count(SEED)), 595))
    positions = [float(state.observation["account"][0]) for state in drawn]
    assert 0.1 < np.mean(positions) < 0.9
    assert any(state.observation["history"][-1][0] == 0 for state in drawn)


def test_both_subjects_of_headlines_are_among_the_assets() -> None:
    assert {load_asset(name).asset_class for name in ASSETS} == {"equity", "crypto"}
    names = [state.observation["text"][0].text for state in islice(draw_states(source(), count(SEED)), 1_190)]
    assert any("the coin" in text for text in names)
    assert any("the company" in text for text in names)


def test_no_run_draws_the_replicas_of_the_corpus() -> None:
    assert ReplicaSpec().seed < 10_000 < FIRST_SEED < HELD_OUT_SEED
    first = Corpus(seed=0).state().observation
    numbers = np.random.Generator(np.random.PCG64(0))
    own = next(draw_states(numbers, iter([FIRST_SEED]))).observation
    assert np.array_equal(first["window"], own["window"])
    # Held-out replicas begin where the corpus of a whole training cannot come to: a state has many tokens.
    tokens = sum(stage.tokens for stage in FULL.stages)
    assert FIRST_SEED + tokens // (BARS - 1) < HELD_OUT_SEED


def test_one_seed_draws_one_sequence_of_states() -> None:
    def drawn(seed: int) -> list[float]:
        some = islice(draw_states(source(seed), count(SEED)), 80)
        return [float(state.observation["account"][2]) for state in some]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize(
    ("outcome", "words", "action"),
    [
        (0.0, "little change", "Hold"),
        (0.24, "little change", "Hold"),
        (-0.24, "little change", "Hold"),
        (0.25, "up some", "Buy"),
        (-0.25, "down some", "Sell"),
        (1.0, "up some", "Buy"),
        (1.01, "up a lot", "Buy"),
        (-1.01, "down a lot", "Sell"),
    ],
)
def test_what_followed_in_words_and_the_order_it_calls_for(
    states: list[State], outcome: float, words: str, action: str
) -> None:
    assert followed(outcome) == words
    assert best_action(states[0]._replace(outcome=outcome)) == action


def test_a_state_as_a_few_lines(states: list[State]) -> None:
    state = states[30]
    closes = 100 * state.observation["window"][:, 3].astype(float) / float(state.observation["window"][-1, 3])
    news = "".join(f"news: {item.text}\n" for item in state.observation["text"])
    end = followed(state.outcome)
    found = {str(short_text(state, source(seed))) for seed in range(60)}
    shown = {" ".join(f"{close:.1f}" for close in closes[-number:]) for number in range(1, 6)}
    with_closes = {f"closes: {line}\n{news}next: {end}" for line in shown}
    assert found == with_closes | {f"{news}Question: What did the price do next?\nAnswer: {end}"}


@given(place=st.integers(0, BARS - 2), seed=st.integers(0, 2**32))
def test_of_a_turn_only_the_order_is_learned(states: list[State], place: int, seed: int) -> None:
    state = states[place]
    piece = short_turn(state, source(seed))
    assert piece.learned == f'{best_action(state)}"}}<|im_end|>'
    assert piece.read.startswith("<|im_start|>user\ncloses: ")
    assert piece.read.endswith('<|im_end|>\n<|im_start|>assistant\n{"Action": "')
    for item in state.observation["text"]:
        assert f"news: {item.text}\n" in piece.read
    assert str(piece) == piece.read + piece.learned


@given(place=st.integers(0, BARS - 2), seed=st.integers(0, 2**32))
def test_a_shorter_memory_is_the_end_of_the_longer_one(states: list[State], place: int, seed: int) -> None:
    whole = states[place].observation
    less = shortened(whole, source(seed))
    closes, past = len(less["window"]), len(less["history"])
    assert 1 <= closes <= len(whole["window"])
    assert np.array_equal(less["window"], whole["window"][-closes:])
    assert np.array_equal(less["history"], whole["history"][len(whole["history"]) - past :])
    assert less["text"] == whole["text"]
    assert np.array_equal(less["account"], whole["account"])


def test_a_word_of_tone_means_what_it_means_in_headlines() -> None:
    numbers = source()
    drawn = {word_text(numbers) for _ in range(3_000)}
    assert {
        "Superb news tends to move prices far up.",
        "If the mood is gloomy, that is bad news, and prices tend to fall.",
        "Question: Is awful news good or bad?\nAnswer: very bad",
        "Question: What do prices tend to do after mixed news?\nAnswer: stay",
        "A solid outlook is good news.",
    } <= drawn
    words = {word: tone for tone, group in enumerate(TONE_WORDS, start=1) for word in group}
    assert words == {word: tone_of(word) for word in words}
    assert drawn == {
        sentence(form.format(word=word, class_=CLASSES[t], move=MOVES[t], direction=DIRECTIONS[t]))
        for word, t in ((word, tone - 1) for word, tone in words.items())
        for form in STATEMENTS
    }
