"""Choices of one context as a tree of tokens, and batches of such trees as tensors."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Tokens = tuple[int, ...]

Request = tuple[Any, list[int], list[int]]
"""As lm-eval hands it over: its cache's key or None, tokens of the context, tokens of the choice."""

TREE_TOKENS = 256
"""What a tree may hold however short its context is. Attention between choices is computed and thrown away;
in much larger trees that costs more than reading a short context again."""

TOKENS_A_PROMPT = 128
"""What a batch holds for each prompt that it may have: 4,096 tokens for 32 prompts. Twice as many were a
sixth slower on one core, and keys and values of all of them are held at once."""


class ChoiceTree:
    """A context and the choices that are asked after it.

    The tree's first token is the context's last, the others are those of the choices without their last,
    which is only predicted. What several choices begin with stands there once.

    Attributes:
        context: tokens, at least one.
        tokens: of the tree.
        paths: to each of them, as positions in the tree from the first to itself.
        asked: each choice with the position of its request.
    """

    def __init__(self, context: Tokens) -> None:
        self.context = context
        self.tokens: list[int] = [context[-1]]
        self.paths: list[Tokens] = [(0,)]
        self.asked: list[tuple[int, Tokens]] = []
        self._columns: dict[Tokens, int] = {(): 0}

    def add(self, request: int, choice: Tokens) -> None:
        """Take up a choice, of at least one token."""
        for length in range(1, len(choice)):
            beginning = choice[:length]
            if beginning not in self._columns:
                parent = self._columns[beginning[:-1]]
                self._columns[beginning] = len(self.tokens)
                self.paths.append((*self.paths[parent], len(self.tokens)))
                self.tokens.append(beginning[-1])
        self.asked.append((request, choice))

    def column(self, beginning: Tokens) -> int:
        """Where in the tree the token is predicted that follows a beginning of a choice."""
        return self._columns[beginning]

    @property
    def is_full(self) -> bool:
        """Whether further choices should go into another tree."""
        return len(self.tokens) > max(TREE_TOKENS, len(self.context))


class TreeBatch(NamedTuple):
    """B trees of up to S tokens behind contexts of up to L, padded on the right."""

    contexts: Tensor
    """(B, L), without their last token; L may be 0."""
    tokens: Tensor
    """(B, S)."""
    positions: Tensor
    """(B, S), counted from the beginning of the context."""
    visible: Tensor
    """(B, S, L + S), true where a token of a tree sees one of the context or tree."""


class Predicted(NamedTuple):
    """Every token of every choice of a batch: three tensors of one length."""

    row: Tensor
    column: Tensor
    token: Tensor


def choice_trees(requests: Sequence[Request], *, max_tokens: int) -> list[ChoiceTree]:
    """Requests by their contexts, those with the most to read first.

    What is longer than the model's context loses its beginning as under lm-eval, so that choices of different
    lengths may no longer have the same context.

    Args:
        requests: contexts and choices, of at least one token each, choices of at most `max_tokens`.
        max_tokens: that the model reads at once.
    """
    trees: list[ChoiceTree] = []
    latest: dict[Tokens, ChoiceTree] = {}
    for position, (_, context, choice) in enumerate(requests):
        read = tuple((context + choice)[-(max_tokens + 1) :])  # the last token is not read
        kept = read[: len(read) - len(choice)]
        tree = latest.get(kept)
        if tree is None or tree.is_full:
            tree = latest[kept] = ChoiceTree(kept)
            trees.append(tree)
        tree.add(position, tuple(choice))
    return sorted(trees, key=lambda tree: -len(tree.context) - len(tree.tokens))


def batches(trees: Sequence[ChoiceTree], *, prompts: int) -> Iterator[list[ChoiceTree]]:
    """Trees in their order, so many at a time at most, and fewer where they are long."""
    batch: list[ChoiceTree] = []
    width = 0
    for tree in trees:
        width = max(width, len(tree.context) + len(tree.tokens))
        if batch and (len(batch) == prompts or (len(batch) + 1) * width > TOKENS_A_PROMPT * prompts):
            yield batch
            batch, width = [], len(tree.context) + len(tree.tokens)
        batch.append(tree)
    if batch:
        yield batch


def tree_batch(trees: Sequence[ChoiceTree]) -> TreeBatch:
    """Tensors of some trees."""
    contexts = _padded([tree.context[:-1] for tree in trees])
    tokens = _padded([tree.tokens for tree in trees])
    # A path to a token has the token itself, and the first of a tree is the last of its context.
    positions = _padded([[len(tree.context) + len(path) - 2 for path in tree.paths] for tree in trees])
    width, size = contexts.shape[1], tokens.shape[1]
    lengths = torch.tensor([len(tree.context) - 1 for tree in trees])
    read = torch.arange(width) < lengths[:, None]
    # Padding sees itself: a softmax over nothing is no number.
    own = torch.eye(size, dtype=torch.bool).expand(len(trees), size, size)
    visible = torch.cat([read[:, None].expand(-1, size, -1), own], dim=2)
    seen = [
        (row, path[-1], width + column)
        for row, tree in enumerate(trees)
        for path in tree.paths
        for column in path
    ]
    visible[torch.tensor(seen).unbind(1)] = True
    return TreeBatch(contexts, tokens, positions, visible)


def predicted(trees: Sequence[ChoiceTree]) -> Predicted:
    """Where each token of each choice is predicted, by tree, choice and token."""
    places = [
        (row, tree.column(choice[:length]), token)
        for row, tree in enumerate(trees)
        for _, choice in tree.asked
        for length, token in enumerate(choice)
    ]
    return Predicted(*torch.tensor(places).unbind(1))


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], dtype=torch.long)
