"""The corpus: texts and chats drawn from facts, calculations and market states, packed into rows."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from flagbench.agents.prompt import STATIC, PromptWriter
from flagbench.pretraining.calculations import KINDS, draw_calculation
from flagbench.pretraining.market_states import (
    FIRST_SEED,
    Piece,
    State,
    best_action,
    draw_states,
    short_text,
    short_turn,
    shortened,
    word_text,
)
from flagbench.pretraining.relations import Generator, Relation, draw_text, load_relations, taught_texts
from flagbench.pretraining.tokenizer import END_OF_TEXT, END_OF_TURN

IGNORED = -100
"""The label of a token that is read and not learned; torch's cross-entropy leaves it out."""

SHARES = {
    "finance": 0.22,
    "general": 0.16,
    "calculation": 0.45,
    "word": 0.04,
    "state": 0.06,
    "turn": 0.07,
}
"""Of texts. Chosen on the recipe's own development runs: calculations need most."""
QUESTION_SHARE = 0.6
"""Of fact texts that are question and answer, the form that the suites ask; with a tenth of them a
prototype knew far less."""
WORKED_SHARE = 0.3
"""Of calculations that are worked statements."""
CHAT_SHARE = 0.85
"""How often a row of `CHAT_LENGTH` or more begins with a chat, and after it with another one if it fits."""
CHAT_LENGTH = 512
SHORTENED_SHARE = 0.5
"""Of chats whose prompt has fewer closes and past decisions, so that more of them fit a row."""


class Row(NamedTuple):
    """Tokens and what is learned from them: the same tokens, or `IGNORED`."""

    tokens: list[int]
    labels: list[int]

    def __add__(self, other: "Row") -> "Row":  # type: ignore[override]
        return Row(self.tokens + other.tokens, self.labels + other.labels)

    def cut(self, length: int) -> "tuple[Row, Row]":
        """The first `length` tokens, and the rest."""
        first = Row(self.tokens[:length], self.labels[:length])
        return first, Row(self.tokens[length:], self.labels[length:])


class Corpus:
    """Texts and chats without end, all from one seed.

    Args:
        seed: of all that is drawn.
        first_seed: of the replicas behind its market states.
    """

    def __init__(self, *, seed: int, first_seed: int = FIRST_SEED) -> None:
        self._source: Generator = np.random.Generator(np.random.PCG64(seed))
        self._relations: dict[str, tuple[Relation, ...]] = {
            topic: load_relations(topic) for topic in ("finance", "general")
        }
        self._facts = {
            topic: np.array([len(relation.facts) for relation in relations], dtype=np.float64)
            for topic, relations in self._relations.items()
        }
        self._states = draw_states(self._source, count(first_seed))
        self._kinds = list(SHARES)
        self._shares = np.array(list(SHARES.values()))

    def taught(self) -> Iterator[str]:
        """Every fact in every wording that is taught."""
        for relations in self._relations.values():
            for relation in relations:
                yield from taught_texts(relation)

    def state(self) -> State:
        """The next market state."""
        return next(self._states)

    def piece(self) -> Piece:
        """One text, drawn."""
        kind = self._kinds[int(self._source.choice(len(self._kinds), p=self._shares))]
        return self._writers()[kind]()

    def text(self) -> str:
        """One text, drawn, whole."""
        return str(self.piece())

    def _writers(self) -> dict[str, Callable[[], Piece]]:
        return {
            "finance": lambda: Piece("", self._fact("finance")),
            "general": lambda: Piece("", self._fact("general")),
            "calculation": lambda: Piece("", self._calculation()),
            "word": lambda: Piece("", word_text(self._source)),
            "state": lambda: short_text(self.state(), self._source),
            "turn": lambda: short_turn(self.state(), self._source),
        }

    def _fact(self, topic: str) -> str:
        weights = self._facts[topic]
        place = int(self._source.choice(len(weights), p=weights / weights.sum()))
        return draw_text(self._relations[topic][place], self._source, question_share=QUESTION_SHARE)

    def _calculation(self) -> str:
        kind = KINDS[int(self._source.integers(len(KINDS)))]
        drawn = draw_calculation(kind, self._source, held_out=False)
        if self._source.random() < WORKED_SHARE:
            return drawn.worked
        return f"Question: {drawn.question}\nAnswer: {drawn.answer}"

    def tokenizer_texts(self, *, size: int) -> Iterator[str]:
        """What the tokenizer is learned from: all facts, the prompt's own words, and `size` drawn texts."""
        yield from self.taught()
        yield from [STATIC] * 50
        yield from (self.text() for _ in range(size))


class Packer:
    """Rows of tokens from a corpus.

    Args:
        corpus: where texts and states come from.
        tokenizer: the backbone's.
        context: the longest prompt.
    """

    def __init__(self, corpus: Corpus, tokenizer: Any, *, context: int, seed: int) -> None:
        self._corpus = corpus
        self._tokenizer = tokenizer
        self._writer = PromptWriter(tokenizer, variant="news", max_tokens=context, text_share=0.5)
        self._end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
        self._left = Row([], [])
        self._source = np.random.Generator(np.random.PCG64(seed))

    def rows(self, *, count: int, length: int) -> list[Row]:
        """`count` rows of `length` tokens, most of the long ones beginning with chats."""
        return [self._row(length) for _ in range(count)]

    def _row(self, length: int) -> Row:
        row = Row([], [])
        while length >= CHAT_LENGTH and self._source.random() < CHAT_SHARE:
            chat = self._chat()
            if len(row.tokens) + len(chat.tokens) > length:
                break
            row = row + chat
        missing = length - len(row.tokens)
        while len(self._left.tokens) < missing:
            self._left = self._left + self._texts()
        taken, self._left = self._left.cut(missing)
        return row + taken

    def _texts(self) -> Row:
        """Many texts one after the other, each with its end."""
        pieces = [self._corpus.piece() for _ in range(256)]
        read, learned = (
            self._tokenizer(list(part), add_special_tokens=False)["input_ids"]
            for part in zip(*pieces, strict=True)
        )
        found = Row([], [])
        for before, after in zip(read, learned, strict=True):
            found.tokens.extend([*before, *after, self._end])
            found.labels.extend([*([IGNORED] * len(before)), *after, self._end])
        return found

    def _chat(self) -> Row:
        """A prompt of an agent and the answer that would have been right; only the answer is learned."""
        state = self._corpus.state()
        observation = state.observation
        if self._source.random() < SHORTENED_SHARE:
            observation = shortened(observation, self._source)
        prompt = self._writer.write(observation).tokens
        answer = f'{best_action(state)}"}}{END_OF_TURN}'
        learned = [*self._tokenizer(answer, add_special_tokens=False)["input_ids"], self._end]
        return Row([*prompt, *learned], [IGNORED] * len(prompt) + learned)
