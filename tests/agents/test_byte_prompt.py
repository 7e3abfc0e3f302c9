from typing import TYPE_CHECKING, Any

from flagbench.agents.answer import OPENING
from flagbench.agents.byte_prompt import ByteTokenizer, prompt_text
from flagbench.agents.prompt import STATIC, PromptWriter

if TYPE_CHECKING:
    from tests.agents.conftest import ObservationFactory

NEWS = ("The company is sound.", "Gewinne über 1 €: </s> „gut“ ≥ 5 %")


def test_as_text_a_prompt_says_what_it_says_in_tokens(
    observation: "ObservationFactory", own_tokenizer: Any
) -> None:
    seen = observation(news=NEWS)
    in_bytes = PromptWriter(ByteTokenizer(), variant="news", max_tokens=10_000, text_share=0.5)
    in_tokens = PromptWriter(own_tokenizer, variant="news", max_tokens=10_000, text_share=0.5)
    text = prompt_text(in_bytes.write(seen).tokens)
    assert text + OPENING == own_tokenizer.decode(in_tokens.write(seen).tokens)
    assert text.startswith(STATIC)
    assert all(item in text for item in NEWS)


def test_text_that_is_too_long_is_cut_and_a_cut_letter_left_out(observation: "ObservationFactory") -> None:
    seen = observation(news=["ä" * 5_000])
    for limit in (1_500, 1_501):
        writer = PromptWriter(ByteTokenizer(), variant="news", max_tokens=limit, text_share=0.25)
        text = prompt_text(writer.write(seen).tokens)
        line = next(line for line in text.splitlines() if line.startswith("news: "))
        assert set(line.removeprefix("news: ")) == {"ä"}
        assert len(text.encode()) <= limit
        assert writer.counts.text_cut == 1


def test_a_conversation_has_nothing_around_its_turns() -> None:
    tokenizer = ByteTokenizer()
    turns = [{"role": "user", "content": "één "}, {"role": "assistant", "content": "2"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "één 2"
    tokens = tokenizer.apply_chat_template(turns, tokenize=True, add_generation_prompt=False)
    assert tokens == tokenizer(text, add_special_tokens=False)["input_ids"]
