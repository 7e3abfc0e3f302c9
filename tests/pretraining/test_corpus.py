import re
from collections import Counter
from typing import Any

import pytest
from scipy.stats import binomtest

from flagbench.agents.prompt import account_line
from flagbench.pretraining.corpus import CHAT_LENGTH, CHAT_SHARE, IGNORED, SHARES, Corpus, Packer, Row
from flagbench.pretraining.market_states import State, best_action
from flagbench.pretraining.relations import load_relations, taught_texts
from flagbench.pretraining.tokenizer import END_OF_TEXT, END_OF_TURN, START_OF_TURN

ANSWER = re.compile(r'(Sell|Hold|Buy)"}' + re.escape(END_OF_TURN + END_OF_TEXT))


class Remembering(Corpus):
    """A corpus that keeps the states it gave."""

    def __init__(self, *, seed: int) -> None:
        super().__init__(seed=seed)
        self.given: list[State] = []

    def state(self) -> State:
        self.given.append(super().state())
        return self.given[-1]


def packer(tokenizer: Any, *, seed: int = 0, corpus: Corpus | None = None) -> Packer:
    return Packer(corpus or Corpus(seed=seed), tokenizer, context=1024, seed=seed)


def segments(row: Row, end: int) -> list[Row]:
    """The texts and chats of a row, each with its end; what is cut at the row's end is left out."""
    found, begin = [], 0
    for place, token in enumerate(row.tokens):
        if token == end:
            found.append(Row(list(row.tokens[begin : place + 1]), list(row.labels[begin : place + 1])))
            begin = place + 1
    return found


def test_one_seed_is_one_corpus_and_another_seed_another() -> None:
    def drawn(seed: int) -> list[str]:
        corpus = Corpus(seed=seed)
        return [corpus.text() for _ in range(300)]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)
    assert len(set(drawn(3)) & set(drawn(4))) < 150


def test_all_facts_of_both_topics_are_taught() -> None:
    taught = set(Corpus(seed=0).taught())
    for topic in ("finance", "general"):
        for relation in load_relations(topic):
            assert set(taught_texts(relation)) <= taught
    assert "The capital of France is Paris." in taught
    assert "Question: Which ratio divides by market beta?\nAnswer: Treynor ratio" in taught


def kind_of(text: str, facts: dict[str, str]) -> str:
    if text in facts:
        return facts[text]
    if text.startswith(START_OF_TURN):
        return "turn"
    if "\nnext: " in text or "What did the price do next?" in text:
        return "state"
    return "word" if re.search(r"\bnews\b|^\w+ means ", text) else "calculation"


def test_kinds_have_the_shares_that_are_stated() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    facts = {
        text: topic
        for topic in ("finance", "general")
        for relation in load_relations(topic)
        for text in taught_texts(relation)
    }
    corpus, count = Corpus(seed=1), 6_000
    drawn = Counter(kind_of(corpus.text(), facts) for _ in range(count))
    assert set(drawn) == set(SHARES)
    for kind, share in SHARES.items():
        assert binomtest(drawn[kind], count, share).pvalue > 0.001, kind


def test_the_tokenizer_learns_from_every_fact_the_prompt_and_drawn_texts() -> None:
    texts = list(Corpus(seed=0).tokenizer_texts(size=10))
    facts = list(Corpus(seed=0).taught())
    assert texts[: len(facts)] == facts
    assert len(texts) == len(facts) + 50 + 10
    assert texts[len(facts)].startswith("You trade one asset")


def test_short_rows_are_the_corpus_one_text_after_the_other(tokenizer: Any) -> None:
    rows = packer(tokenizer, seed=5).rows(count=40, length=128)
    assert {len(row.tokens) for row in rows} == {len(row.labels) for row in rows} == {128}
    corpus = Corpus(seed=5)
    text = "".join(f"{corpus.text()}{END_OF_TEXT}" for _ in range(250))
    found = tokenizer.decode([token for row in rows for token in row.tokens])
    assert text.startswith(found)


def test_labels_are_the_tokens_or_ignored_and_only_what_is_given_is_ignored(tokenizer: Any) -> None:
    corpus = Corpus(seed=5)
    pieces = [corpus.piece() for _ in range(200)]
    rows = packer(tokenizer, seed=5).rows(count=40, length=128)
    row = sum(rows[1:], start=rows[0])
    assert all(label in (token, IGNORED) for token, label in zip(row.tokens, row.labels, strict=True))
    for piece, part in zip(pieces, segments(row, tokenizer.pad_token_id), strict=False):
        learned = [label for label in part.labels if label != IGNORED]
        assert tokenizer.decode(learned) == f"{piece.learned}{END_OF_TEXT}"
    assert any(piece.read for piece in pieces)


def chats_in(rows: list[Row], tokenizer: Any) -> list[Row]:
    """Whole prompts of an agent, with their answers."""
    found = []
    for row in rows:
        for part in segments(row, tokenizer.pad_token_id):
            text = tokenizer.decode(part.tokens)
            if text.startswith(f"{START_OF_TURN}user\nYou trade one asset"):
                found.append(part)
    return found


def test_of_a_chat_only_the_answer_is_learned_and_it_is_the_order_that_the_outcome_calls_for(
    tokenizer: Any,
) -> None:
    corpus = Remembering(seed=2)
    chats = chats_in(packer(tokenizer, seed=2, corpus=corpus).rows(count=60, length=1024), tokenizer)
    assert len(chats) > 30
    answers: Counter[str] = Counter()
    for chat in chats:
        learned = [label for label in chat.labels if label != IGNORED]
        answer = ANSWER.fullmatch(tokenizer.decode(learned))
        assert answer is not None
        assert chat.labels == [IGNORED] * (len(chat.tokens) - len(learned)) + learned
        text = tokenizer.decode(chat.tokens)
        assert text.endswith(f'assistant\n{{"Action": "{answer[0]}')
        called_for = {best_action(state) for state in corpus.given if shows(text, state)}
        assert called_for == {answer[1]}
        answers[answer[1]] += 1
    assert set(answers) == {"Sell", "Hold", "Buy"}


def shows(text: str, state: State) -> bool:
    """Whether a prompt is of that state: its news, and the end of its account's line."""
    observation = state.observation
    news = "".join(f"news: {item.text}\n" for item in observation["text"][::-1])
    _, _, account = account_line(observation, 0).partition("\nday: ")
    return news in text and f"\nday: {account}" in text


def test_long_rows_mostly_begin_with_a_chat_and_short_ones_never(tokenizer: Any) -> None:
    def begins(length: int, count: int) -> int:
        rows = packer(tokenizer, seed=9).rows(count=count, length=length)
        heads = [tokenizer.decode(row.tokens[:12]) for row in rows]
        return sum(head.startswith(f"{START_OF_TURN}user\nYou trade") for head in heads)

    assert begins(CHAT_LENGTH - 1, 40) == 0
    assert binomtest(begins(1024, 120), 120, CHAT_SHARE).pvalue > 0.001


def test_a_seed_makes_the_same_rows_and_another_seed_others(tokenizer: Any) -> None:
    def made(seed: int) -> list[Row]:
        one = packer(tokenizer, seed=seed)
        return one.rows(count=4, length=128) + one.rows(count=2, length=1024)

    assert made(0) == made(0)
    assert all(ours != theirs for ours, theirs in zip(made(0), made(1), strict=True))


def test_rows_can_be_joined_and_cut() -> None:
    row = Row([1, 2], [IGNORED, 2]) + Row([3], [3])
    assert row == Row([1, 2, 3], [IGNORED, 2, 3])
    assert row.cut(1) == (Row([1], [IGNORED]), Row([2, 3], [2, 3]))
    assert row.cut(9) == (row, Row([], []))
