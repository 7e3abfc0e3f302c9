from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.agents.prompt import STATIC, PromptWriter
from flagbench.pretraining.corpus import Corpus
from flagbench.pretraining.market_states import draw_states
from flagbench.pretraining.tokenizer import END_OF_TEXT, END_OF_TURN, START_OF_TURN, train_tokenizer

TEXTS = ["the cat sat on the mat 2020", "the hat of the cat"] * 20


@pytest.fixture(scope="module")
def small() -> Any:
    """Of 300 tokens: 256 bytes, 3 special ones, 41 merges."""
    return train_tokenizer(TEXTS, vocabulary=300, context=77)


def ids(tokenizer: Any, text: str, **how: Any) -> list[int]:
    found: list[int] = tokenizer(text, add_special_tokens=False, **how)["input_ids"]
    return found


def test_it_has_what_was_asked_for(tokenizer: Any) -> None:
    assert (len(tokenizer), tokenizer.model_max_length) == (1_200, 1024)
    special = [END_OF_TEXT, START_OF_TURN, END_OF_TURN]
    assert tokenizer.convert_tokens_to_ids(special) == [0, 1, 2]
    assert (tokenizer.pad_token, tokenizer.eos_token) == (END_OF_TEXT, END_OF_TURN)


def test_where_texts_give_fewer_merges_there_are_fewer_tokens(small: Any) -> None:
    assert 259 < len(small) <= 300
    assert small.model_max_length == 77
    assert len(ids(small, " the")) == 1
    assert len(ids(small, "zebra")) == 5


@given(number=st.text(alphabet="0123456789", min_size=1, max_size=12))
def test_every_digit_is_one_token(tokenizer: Any, number: str) -> None:
    assert [tokenizer.decode([token]) for token in ids(tokenizer, number)] == list(number)
    inside = ids(tokenizer, f" ${number}% of {number} million")
    decoded = [tokenizer.decode([token]) for token in inside]
    assert [text for text in decoded if any(sign.isdecimal() for sign in text)] == [*number, *number]


@given(text=st.text(max_size=80))
def test_any_text_decodes_back(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(ids(tokenizer, text)) == text
    assert tokenizer.decode(ids(tokenizer, text, split_special_tokens=True)) == text


@pytest.mark.parametrize(
    "text",
    [
        "na\u00efve caf\u00e9, 5\u00bd % of \u00a31,234.50",
        "\ttabs  and   spaces \n\n",
        "\u65e5\u672c\u5186 \U0001f642 e\u0301 \u200d",
        f"a {END_OF_TURN} b",
        "\u0663\u0664",
    ],
)
def test_text_that_the_corpus_never_has_decodes_back(tokenizer: Any, small: Any, text: str) -> None:
    for one in (tokenizer, small):
        assert one.decode(ids(one, text)) == text


def test_a_mark_in_somebodys_news_is_text_like_any_other(tokenizer: Any) -> None:
    assert ids(tokenizer, END_OF_TURN) == [2]
    assert 2 not in ids(tokenizer, END_OF_TURN, split_special_tokens=True)


def test_nothing_is_added_to_a_text(tokenizer: Any) -> None:
    assert tokenizer("Hold")["input_ids"] == ids(tokenizer, "Hold")


def test_a_chat_has_turns_between_marks(tokenizer: Any) -> None:
    conversation = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "That."}]
    closed = "<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\nThat.<|im_end|>\n"
    assert tokenizer.apply_chat_template(conversation, tokenize=False) == closed
    opened = "<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n"
    template = tokenizer.apply_chat_template(conversation[:1], tokenize=False, add_generation_prompt=True)
    assert template == opened


def test_a_prompt_is_one_users_turn_and_the_beginning_of_the_answer(tokenizer: Any) -> None:
    (state,) = islice(draw_states(np.random.default_rng(0), iter([5])), 1)
    writer = PromptWriter(tokenizer, variant="news", max_tokens=1024, text_share=0.5)
    prompt = writer.write(state.observation)
    text = tokenizer.decode(prompt.tokens)
    assert text.startswith(f"{START_OF_TURN}user\n{STATIC}closes: ")
    assert text.endswith(f'{END_OF_TURN}\n{START_OF_TURN}assistant\n{{"Action": "')
    assert text.count(START_OF_TURN) == 2
    assert tokenizer.decode(prompt.tokens[: prompt.static]) == f"{START_OF_TURN}user\n{STATIC}"
    # The answer goes on with tokens of its own, so that what was learned after it is what is asked there.
    for action in ("Sell", "Hold", "Buy"):
        assert ids(tokenizer, text + action) == [*ids(tokenizer, text), *ids(tokenizer, action)]


def test_the_same_texts_make_the_same_tokenizer_and_others_another(small: Any) -> None:
    again = train_tokenizer(TEXTS, vocabulary=300, context=77)
    other = train_tokenizer([text.upper() for text in TEXTS], vocabulary=300, context=77)
    assert again.backend_tokenizer.to_str() == small.backend_tokenizer.to_str()
    assert other.backend_tokenizer.to_str() != small.backend_tokenizer.to_str()


def test_a_seed_makes_one_tokenizer() -> None:
    def made(seed: int) -> str:
        texts = Corpus(seed=seed).tokenizer_texts(size=300)
        return str(train_tokenizer(texts, vocabulary=800, context=1024).backend_tokenizer.to_str())

    assert made(4) == made(4)
    assert made(4) != made(5)
