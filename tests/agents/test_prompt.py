import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagbench.agents.prompt import STATIC, PromptWriter, account_line, closes_line

if TYPE_CHECKING:
    from tests.agents.conftest import ObservationFactory

NEWS = ("Deliveries rose by a third.", "The chief left.")


def writer(
    tokenizer: Any, variant: Literal["paper", "news"] = "news", *, max_tokens: int = 1024
) -> PromptWriter:
    return PromptWriter(tokenizer, variant=variant, max_tokens=max_tokens, text_share=0.5)


@pytest.fixture(params=["own_tokenizer", "chat_tokenizer", "stories_tokenizer"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_the_static_part_is_short_in_a_vocabulary_of_512(stories_tokenizer: Any) -> None:
    assert len(stories_tokenizer) == 512
    assert len(stories_tokenizer(STATIC, add_special_tokens=True)["input_ids"]) < 200


def test_the_static_part_is_short_in_the_projects_own_vocabulary(own_tokenizer: Any) -> None:
    assert len(own_tokenizer(STATIC, add_special_tokens=True)["input_ids"]) < 100


def test_the_whole_prompt_reads_as_four_blocks(own_tokenizer: Any, observation: "ObservationFactory") -> None:
    seen = observation(lookback=5, decisions=2, news=NEWS[:1])
    seen["window"][:, 3] = [50, 40, 60, 100, 80]
    seen["history"][-2:] = np.array([[1, 0, 1], [2, -0.25, 0.995]])
    seen["account"][:] = [1, 0, 0.995, 2, -0.0025, 0.005]
    prompt = writer(own_tokenizer).write(seen)
    assert own_tokenizer.decode(prompt.tokens) == (
        f"{STATIC}"
        "closes: 62.5 50.0 75.0 125.0 100.0\n"
        "news: Deliveries rose by a third.\n"
        "rewards: 0.00 -0.25\nvalues: 100.0 99.5\nactions: hold buy\n"
        "day: 2, mean: -0.25, sd: 0.50\n"
        "position: long, cash: 0.0, value: 99.5\n"
        '{"Action": "'
    )


@pytest.mark.parametrize(
    ("history", "shown"),
    [
        (1, "rewards: -0.25\nvalues: 99.5\nactions: buy\n"),
        (0, ""),
    ],
)
def test_fewer_past_decisions_are_shown_where_fewer_are_wanted(
    own_tokenizer: Any, observation: "ObservationFactory", history: int, shown: str
) -> None:
    seen = observation(lookback=5, decisions=2)
    seen["history"][-2:] = np.array([[1, 0, 1], [2, -0.25, 0.995]])
    seen["account"][:] = [1, 0, 0.995, 2, -0.0025, 0.005]
    short = PromptWriter(own_tokenizer, variant="paper", max_tokens=1024, text_share=0.5, history=history)
    prompt = short.write(seen)
    assert own_tokenizer.decode(prompt.tokens[prompt.daily :]) == (
        f'{shown}day: 2, mean: -0.25, sd: 0.50\nposition: long, cash: 0.0, value: 99.5\n{{"Action": "'
    )
    whole = writer(own_tokenizer, "paper").write(seen)
    assert prompt.tokens[: prompt.daily] == whole.tokens[: whole.daily]
    assert short.counts.history_dropped == 0


def test_a_prompt_is_a_function_of_the_observation_alone(
    tokenizer: Any, observation: "ObservationFactory"
) -> None:
    seen, other = observation(news=NEWS), observation(seed=1, account_seed=1, news=["Else."])
    before = deepcopy(seen)
    one, two = writer(tokenizer), writer(tokenizer)
    first = one.write(seen)
    two.write(other)
    assert two.write(seen) == first
    assert one.write(deepcopy(seen)) == first
    assert one.write(other) != first
    assert seen["text"] == before["text"]
    for key in ("window", "mask", "account", "history"):
        assert np.array_equal(seen[key], before[key])


def test_what_never_changes_comes_first_and_is_shared(
    tokenizer: Any, observation: "ObservationFactory"
) -> None:
    one, two = (writer(tokenizer).write(observation(seed=seed, account_seed=seed)) for seed in (0, 1))
    assert one.static == two.static
    assert one.tokens[: one.static] == two.tokens[: two.static]
    assert STATIC.strip() in tokenizer.decode(one.tokens[: one.static])
    assert one.tokens[one.static :] != two.tokens[two.static :]


def test_accounts_share_all_of_a_bar_but_the_last_block(
    tokenizer: Any, observation: "ObservationFactory"
) -> None:
    one, two = (writer(tokenizer).write(observation(account_seed=seed, news=NEWS)) for seed in (0, 1))
    assert one.static < one.daily == two.daily < len(one.tokens)
    assert one.tokens[: one.daily] == two.tokens[: two.daily]
    assert "news: The chief left." in tokenizer.decode(one.tokens[: one.daily])
    assert "position:" in tokenizer.decode(one.tokens[one.daily :])


def test_without_a_chat_template_the_prompt_is_plain_text_with_the_tokenizers_own_start(
    stories_tokenizer: Any, observation: "ObservationFactory"
) -> None:
    assert stories_tokenizer.chat_template is None
    prompt = writer(stories_tokenizer).write(observation())
    assert prompt.tokens[0] == stories_tokenizer.bos_token_id
    assert stories_tokenizer.eos_token_id not in prompt.tokens
    assert prompt.tokens.count(stories_tokenizer.bos_token_id) == 1


def test_with_a_chat_template_the_prompt_is_one_turn_and_the_answer_begun(
    chat_tokenizer: Any, observation: "ObservationFactory"
) -> None:
    seen = observation()
    seen["account"][2] = 1.01
    text = chat_tokenizer.decode(writer(chat_tokenizer).write(seen).tokens)
    assert text.startswith(f"<s>user\n{STATIC}closes: ")
    assert text.endswith('value: 101.0\n</s>\n<s>assistant\n{"Action": "')


@pytest.mark.parametrize("exponent", [-3, 1, 10])
def test_no_price_level_shows(tokenizer: Any, observation: "ObservationFactory", exponent: int) -> None:
    base, scaled = observation(news=NEWS), observation(news=NEWS, scale=2.0**exponent)
    assert writer(tokenizer).write(base) == writer(tokenizer).write(scaled)


@given(exponent=st.integers(-20, 20), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_closes_are_relative_to_the_last(observation: "ObservationFactory", exponent: int, seed: int) -> None:
    line = closes_line(observation(seed=seed), 20)
    assert closes_line(observation(seed=seed, scale=2.0**exponent), 20) == line
    assert line.endswith(" 100.0")
    assert closes_line(observation(seed=seed), 7) == " ".join(line.split()[-7:])


def test_no_date_shows(tokenizer: Any, observation: "ObservationFactory") -> None:
    one, two = (observation(date=date, news=NEWS) for date in ("2020-03-04", "1999-12-31"))
    assert writer(tokenizer).write(one) == writer(tokenizer).write(two)
    assert not re.search(r"\d{4}", tokenizer.decode(writer(tokenizer).write(one).tokens))


def test_news_show_only_in_the_variant_that_has_them(
    tokenizer: Any, observation: "ObservationFactory"
) -> None:
    with_news, without = observation(news=NEWS), observation()
    assert writer(tokenizer, "paper").write(with_news) == writer(tokenizer, "paper").write(without)
    assert writer(tokenizer, "news").write(without) == writer(tokenizer, "paper").write(without)
    assert writer(tokenizer, "news").write(with_news) != writer(tokenizer, "news").write(without)


def test_the_newest_news_come_first(own_tokenizer: Any, observation: "ObservationFactory") -> None:
    text = own_tokenizer.decode(writer(own_tokenizer).write(observation(news=NEWS)).tokens)
    assert text.index(NEWS[1]) < text.index(NEWS[0])


def test_an_account_without_past_has_empty_lines(observation: "ObservationFactory") -> None:
    line = account_line(observation(decisions=0), 10)
    assert line.startswith("rewards: \nvalues: \nactions: \nday: 0, ")
    assert "position: flat, cash: 100.0, value: " in line


def test_the_mask_is_not_needed_to_write(own_tokenizer: Any, observation: "ObservationFactory") -> None:
    seen = observation()
    first = writer(own_tokenizer).write(seen)
    seen["mask"][:] = 1
    assert writer(own_tokenizer).write(seen) == first
