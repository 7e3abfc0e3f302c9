from collections.abc import Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st

from flagbench.knowledge.choice_trees import (
    TOKENS_A_PROMPT,
    TREE_TOKENS,
    ChoiceTree,
    Request,
    batches,
    choice_trees,
    predicted,
    tree_batch,
)


def requests(*pairs: tuple[Sequence[int], Sequence[int]]) -> list[Request]:
    return [(None, list(context), list(choice)) for context, choice in pairs]


TWO = requests(([5, 6, 7], [1]), ([9], [4, 4]), ([5, 6, 7], [2, 3]), ([5, 6, 7], [2, 4, 8]))
"""Two contexts; two choices of the first begin alike."""


def test_choices_of_a_context_share_it_and_what_they_begin_with() -> None:
    long, short = choice_trees(TWO, max_tokens=100)
    assert (long.context, long.tokens, long.paths) == ((5, 6, 7), [7, 2, 4], [(0,), (0, 1), (0, 1, 2)])
    assert long.asked == [(0, (1,)), (2, (2, 3)), (3, (2, 4, 8))]
    assert (short.context, short.tokens, short.asked) == ((9,), [9, 4], [(1, (4, 4))])


def test_a_batch_lets_a_token_see_its_context_and_its_own_choice() -> None:
    forked = requests(([5, 6, 7], [1, 0]), ([5, 6, 7], [2, 0]), ([9], [4, 4]))
    batch = tree_batch(choice_trees(forked, max_tokens=100))
    assert batch.contexts.tolist() == [[5, 6], [0, 0]]
    assert batch.tokens.tolist() == [[7, 1, 2], [9, 4, 0]]
    assert batch.positions.tolist() == [[2, 3, 3], [0, 1, 0]]
    seen = batch.visible.int().tolist()
    assert seen[0] == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 0, 1]]
    assert seen[1][:2] == [[0, 0, 1, 0, 0], [0, 0, 1, 1, 0]]  # no context before its last token
    assert seen[1][2][4] == 1  # padding sees itself


def test_each_token_of_each_choice_is_predicted_by_what_stands_before_it() -> None:
    places = predicted(choice_trees(TWO, max_tokens=100))
    assert places.row.tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert places.column.tolist() == [0, 0, 1, 0, 1, 2, 0, 1]
    assert places.token.tolist() == [1, 2, 3, 2, 4, 8, 4, 4]


def test_a_cut_context_is_shared_by_choices_of_one_length_only() -> None:
    """A model of four tokens reads five with the last, which is only predicted."""
    cut = requests(([1, 2, 3, 4, 5, 6], [7]), ([1, 2, 3, 4, 5, 6], [8]), ([1, 2, 3, 4, 5, 6], [7, 8]))
    trees = choice_trees(cut, max_tokens=4)
    assert [(tree.context, len(tree.asked)) for tree in trees] == [((3, 4, 5, 6), 2), ((4, 5, 6), 1)]
    (whole,) = choice_trees(requests(([1, 2], [3, 4, 5, 6])), max_tokens=4)
    assert (whole.context, whole.tokens) == ((2,), [2, 3, 4, 5])


def test_many_choices_of_a_short_context_go_into_several_trees() -> None:
    short = choice_trees(requests(*(([1], [n, n]) for n in range(600))), max_tokens=1000)
    assert [len(tree.tokens) for tree in short] == [
        TREE_TOKENS + 1,
        TREE_TOKENS + 1,
        600 - 2 * TREE_TOKENS + 1,
    ]
    (long,) = choice_trees(requests(*(([1] * 600, [n, n]) for n in range(600))), max_tokens=1000)
    assert len(long.tokens) == 601


def test_batches_hold_no_more_prompts_than_asked_for_and_fewer_long_ones() -> None:
    def sizes(length: int, prompts: int) -> list[int]:
        return [len(batch) for batch in batches([ChoiceTree((1,) * length)] * 10, prompts=prompts)]

    assert sizes(TOKENS_A_PROMPT - 1, 4) == [4, 4, 2]
    assert sizes(2 * TOKENS_A_PROMPT - 1, 4) == [2] * 5
    assert sizes(100 * TOKENS_A_PROMPT, 4) == [1] * 10
    assert list(batches([], prompts=4)) == []


tokens = st.integers(0, 3)
pairs = st.tuples(st.lists(tokens, min_size=1, max_size=6), st.lists(tokens, min_size=1, max_size=4))


@given(st.lists(pairs, min_size=1, max_size=30), st.integers(4, 8), st.integers(1, 5))
def test_every_request_is_asked_once_and_read_as_lm_eval_reads_it(
    asked: list[tuple[list[int], list[int]]], max_tokens: int, prompts: int
) -> None:
    found = []
    for batch in batches(choice_trees(requests(*asked), max_tokens=max_tokens), prompts=prompts):
        tensors, places = tree_batch(batch), predicted(batch)
        joined = torch.cat([tensors.contexts, tensors.tokens], dim=1)
        place = iter(zip(*(part.tolist() for part in places), strict=True))
        for row, tree in enumerate(batch):
            for request, choice in tree.asked:
                context, whole = asked[request][0], asked[request][0] + asked[request][1]
                begin = max(len(whole) - max_tokens - 1, 0)
                assert choice == tuple(asked[request][1])
                for length in range(len(choice)):
                    at, column, token = next(place)
                    seen = joined[row][tensors.visible[row, column]].tolist()
                    assert (at, token) == (row, choice[length])
                    assert seen == whole[begin : len(context) + length]
                    assert tensors.positions[row, column] == len(seen) - 1
                found.append(request)
    assert sorted(found) == list(range(len(asked)))
