from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagbench.agents.prompt import FEWEST_CLOSES, SHORTEST_CUT, PromptCounts, PromptWriter
from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from tests.agents.conftest import ObservationFactory

LONG = "The company said that it would build one more factory and hire many people for it soon."


class Cutter:
    """Writes prompts of one tokenizer under limits that are stated as tokens left for a part."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def writer(self, max_tokens: int, *, text_share: float = 1.0) -> PromptWriter:
        return PromptWriter(self.tokenizer, variant="news", max_tokens=max_tokens, text_share=text_share)

    def length(self, seen: Any) -> int:
        """Tokens of the whole prompt."""
        return len(self.writer(100_000).write(seen).tokens)

    def item(self, words: str) -> int:
        """Tokens of one item of news."""
        return len(self.tokenizer(f"news: {words}\n", add_special_tokens=False)["input_ids"])


@pytest.fixture(params=["own_tokenizer", "chat_tokenizer", "stories_tokenizer"])
def cutter(request: pytest.FixtureRequest) -> Cutter:
    return Cutter(request.getfixturevalue(request.param))


def closes_in(cutter: Cutter, tokens: list[int]) -> int:
    text = cutter.tokenizer.decode(tokens)
    return len(text.partition("closes: ")[2].partition("\n")[0].split())


def actions_in(cutter: Cutter, tokens: list[int]) -> int:
    text = cutter.tokenizer.decode(tokens)
    return len(text.rpartition("actions: ")[2].partition("\n")[0].split())


def test_a_prompt_that_fits_exactly_is_not_cut(cutter: Cutter, observation: "ObservationFactory") -> None:
    seen = observation(news=[LONG])
    length = cutter.length(seen)
    writer = cutter.writer(length)
    assert len(writer.write(seen).tokens) == length
    assert writer.counts == PromptCounts(prompts=1, tokens=length, text_items=1)


def test_text_gives_way_first_and_its_last_item_is_cut(
    cutter: Cutter, observation: "ObservationFactory"
) -> None:
    seen = observation(news=[LONG, LONG, LONG])
    room = cutter.item(LONG) + SHORTEST_CUT
    writer = cutter.writer(cutter.length(observation()) + room)
    tokens = writer.write(seen).tokens
    assert len(tokens) == cutter.length(observation()) + room
    assert closes_in(cutter, tokens) == 20
    assert actions_in(cutter, tokens) == 10
    expected = PromptCounts(prompts=1, tokens=len(tokens), text_items=3, text_cut=1, text_dropped=1)
    assert writer.counts == expected


def test_a_cut_that_would_say_nothing_is_dropped_whole(
    cutter: Cutter, observation: "ObservationFactory"
) -> None:
    room = cutter.item(LONG) + SHORTEST_CUT - 1
    writer = cutter.writer(cutter.length(observation()) + room)
    tokens = writer.write(observation(news=["Old.", LONG, LONG])).tokens
    assert len(tokens) == cutter.length(observation()) + cutter.item(LONG)
    expected = PromptCounts(prompts=1, tokens=len(tokens), text_items=3, text_dropped=2)
    assert writer.counts == expected


def test_the_oldest_items_are_dropped_first(cutter: Cutter, observation: "ObservationFactory") -> None:
    writer = cutter.writer(cutter.length(observation()) + cutter.item("Newest."))
    text = cutter.tokenizer.decode(writer.write(observation(news=["Oldest.", "Newest."])).tokens)
    assert "Newest." in text
    assert "Oldest." not in text


def test_text_takes_no_more_than_its_share(cutter: Cutter, observation: "ObservationFactory") -> None:
    bare = cutter.length(observation())
    for share in (0.0, 0.1, 0.25):
        tokens = cutter.writer(4000, text_share=share).write(observation(news=[LONG] * 40)).tokens
        assert len(tokens) - bare == int(4000 * share)


def test_closes_give_way_down_to_five_before_any_history(
    cutter: Cutter, observation: "ObservationFactory"
) -> None:
    seen = observation(news=[LONG])
    fewest = cutter.length(observation(lookback=FEWEST_CLOSES))
    writer = cutter.writer(fewest + (cutter.length(observation()) - fewest) // 2)
    tokens = writer.write(seen).tokens
    left = closes_in(cutter, tokens)
    assert FEWEST_CLOSES < left < 20
    assert actions_in(cutter, tokens) == 10
    assert writer.counts.closes_dropped == 20 - left
    assert writer.counts.history_dropped == 0
    assert (writer.counts.text_items, writer.counts.text_dropped, writer.counts.text_cut) == (1, 1, 0)


def test_the_oldest_decisions_give_way_last(cutter: Cutter, observation: "ObservationFactory") -> None:
    seen = observation()
    writer = cutter.writer(cutter.length(observation(decisions=5)) - 40)
    tokens = writer.write(seen).tokens
    left = actions_in(cutter, tokens)
    assert 0 < left < 10
    assert closes_in(cutter, tokens) == FEWEST_CLOSES
    assert (writer.counts.closes_dropped, writer.counts.history_dropped) == (15, 10 - left)
    text = cutter.tokenizer.decode(tokens)
    rewards = text.partition("rewards: ")[2].partition("\n")[0].split()
    assert rewards == [f"{row[1]:.2f}" for row in seen["history"][10 - left :].tolist()]


def test_a_decision_that_was_never_made_is_not_counted_as_dropped(
    cutter: Cutter, observation: "ObservationFactory"
) -> None:
    seen = observation(decisions=1)
    shortest = observation(decisions=0, lookback=FEWEST_CLOSES)
    shortest["window"], shortest["account"] = seen["window"][-FEWEST_CLOSES:], seen["account"]
    writer = cutter.writer(cutter.length(shortest))
    writer.write(seen)
    assert writer.counts.history_dropped == 1


def test_a_context_too_small_for_the_shortest_prompt_is_refused(
    cutter: Cutter, observation: "ObservationFactory"
) -> None:
    seen = observation(news=[LONG])
    shortest = observation(decisions=0, lookback=FEWEST_CLOSES)
    shortest["window"], shortest["account"] = seen["window"][-FEWEST_CLOSES:], seen["account"]
    length = cutter.length(shortest)
    assert len(cutter.writer(length).write(seen).tokens) == length
    writer = cutter.writer(length - 1)
    with pytest.raises(ConfigError) as caught:
        writer.write(seen)
    assert caught.value.message == f"the shortest prompt has {length} tokens, the context {length - 1}"
    assert caught.value.hint == "choose a backbone with a longer context"
    assert writer.counts == PromptCounts()


def test_counts_add_up_over_prompts(cutter: Cutter, observation: "ObservationFactory") -> None:
    writer = cutter.writer(cutter.length(observation()))
    lengths = [len(writer.write(observation(seed=0, news=[LONG] * items)).tokens) for items in (0, 1, 2)]
    assert writer.counts.to_json() == {
        "prompts": 3,
        "tokens": sum(lengths),
        "text_items": 3,
        "text_dropped": 3,
        "text_cut": 0,
        "closes_dropped": 0,
        "history_dropped": 0,
    }


@given(
    max_tokens=st.integers(1, 700),
    text_share=st.floats(0, 1),
    items=st.integers(0, 4),
    decisions=st.integers(0, 10),
    lookback=st.integers(1, 25),
)
@settings(deadline=None, max_examples=80)
def test_no_prompt_is_longer_than_the_context(
    own_tokenizer: Any,
    observation: "ObservationFactory",
    **case: Any,
) -> None:
    seen = observation(decisions=case["decisions"], lookback=case["lookback"], news=[LONG] * case["items"])
    cutter = Cutter(own_tokenizer)
    writer = cutter.writer(case["max_tokens"], text_share=case["text_share"])
    try:
        prompt = writer.write(seen)
    except ConfigError:
        assert case["max_tokens"] < 170
        return
    counts = writer.counts
    assert len(prompt.tokens) <= case["max_tokens"]
    assert 0 < prompt.static < prompt.daily < len(prompt.tokens)
    assert closes_in(cutter, prompt.tokens) == case["lookback"] - counts.closes_dropped
    assert actions_in(cutter, prompt.tokens) == case["decisions"] - counts.history_dropped
    shown = own_tokenizer.decode(prompt.tokens).count("\nnews: ")
    assert shown == case["items"] - counts.text_dropped
