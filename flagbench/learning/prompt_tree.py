"""Prompts as a tree of pieces: what prompts begin with alike is one branch and is computed once.

All prompts share the static part, prompts of one bar share closes and text, and each has an account of its
own. A piece is the hidden states of its tokens; two prompts share a piece when they hold the same tensor.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class Level(NamedTuple):
    """All pieces at one depth of the tree, R of them."""

    hidden: Tensor
    """(R, S, d), padded on the right."""
    lengths: Tensor
    """(R,) real tokens of each, at least 1."""
    parents: Tensor
    """(R,) the row of the level above that each goes on from; empty at the top level."""


class PromptTree(NamedTuple):
    """Levels from the beginning of the prompts to their ends; the last has one row a prompt, in order."""

    levels: tuple[Level, ...]

    @property
    def longest(self) -> int:
        """Most positions that any piece reaches, padding included."""
        return sum(level.hidden.shape[1] for level in self.levels)


def one_level(hidden: Tensor, lengths: Tensor) -> PromptTree:
    """Prompts that share nothing: hidden states (B, T, d), padded on the right, and lengths (B,)."""
    return PromptTree((Level(hidden, lengths, lengths.new_empty(0)),))


def tree_of(prompts: Sequence[Sequence[Tensor]]) -> PromptTree:
    """The tree of B prompts, each given as its pieces from first to last, (S_i, d) each.

    Depths at which no two prompts share anything beyond what they shared before are joined to the next
    one: a branch with a single continuation saves nothing.

    Args:
        prompts: the same number of pieces each.
    """
    depth = len(prompts[0])
    shared = [_rows(prompts, upto) for upto in range(1, depth)]
    # The last level has a row for each prompt, be it equal to another or not.
    rows = [*shared, list(range(len(prompts)))]
    kept = [place for place in range(depth) if place == depth - 1 or max(rows[place]) < max(rows[place + 1])]
    levels: list[Level] = []
    above: list[int] = []
    begin = 0
    for place in kept:
        first = _firsts(rows[place])
        pieces = [_joined(prompts[prompt][begin : place + 1]) for prompt in first]
        device = pieces[0].device
        parents = [above[prompt] for prompt in first] if above else []
        levels.append(
            Level(
                pad_sequence(pieces, batch_first=True),
                torch.tensor([len(piece) for piece in pieces], device=device),
                torch.tensor(parents, dtype=torch.long, device=device),
            )
        )
        above, begin = rows[place], place + 1
    return PromptTree(tuple(levels))


def flattened(tree: PromptTree) -> tuple[Tensor, Tensor]:
    """All prompts whole: hidden states (B, T, d), padded on the right, and lengths (B,)."""
    pieces: list[list[Tensor]] = []
    for level in tree.levels:
        own = [states[:length] for states, length in zip(level.hidden, level.lengths.tolist(), strict=True)]
        begun = [pieces[row] for row in level.parents.tolist()] if pieces else [[] for _ in own]
        pieces = [[*before, piece] for before, piece in zip(begun, own, strict=True)]
    whole = [torch.cat(parts) for parts in pieces]
    lengths = torch.tensor([len(states) for states in whole], device=whole[0].device)
    return pad_sequence(whole, batch_first=True), lengths


def _rows(prompts: Sequence[Sequence[Tensor]], upto: int) -> list[int]:
    """For each prompt, which of the different beginnings of so many pieces it has, in order of appearance."""
    known: dict[tuple[int, ...], int] = {}
    return [known.setdefault(tuple(id(piece) for piece in prompt[:upto]), len(known)) for prompt in prompts]


def _firsts(rows: Sequence[int]) -> list[int]:
    """The first prompt of each row."""
    first: dict[int, int] = {}
    for prompt, row in enumerate(rows):
        first.setdefault(row, prompt)
    return list(first.values())


def _joined(pieces: Sequence[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))
