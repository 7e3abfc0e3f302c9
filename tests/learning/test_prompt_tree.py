import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flagbench.learning.prompt_tree import flattened, one_level, tree_of


def piece(length: int) -> Tensor:
    return torch.randn(length, 2)


def test_pieces_that_are_the_same_tensor_are_one_row() -> None:
    static, one, other = piece(3), piece(2), piece(4)
    own = [piece(1), piece(2), piece(3)]
    tree = tree_of([(static, one, own[0]), (static, other, own[1]), (static, one, own[2])])
    top, bars, accounts = tree.levels
    assert top.lengths.tolist() == [3]
    assert top.parents.tolist() == []
    assert bars.lengths.tolist() == [2, 4]
    assert bars.parents.tolist() == [0, 0]
    assert accounts.parents.tolist() == [0, 1, 0]
    assert accounts.lengths.tolist() == [1, 2, 3]
    assert torch.equal(bars.hidden[1], other)
    assert torch.equal(bars.hidden[0, :2], one)
    assert tree.longest == 3 + 4 + 3


def test_equal_values_in_different_tensors_are_different_rows() -> None:
    static = piece(2)
    tree = tree_of([(static, piece(1)), (static.clone(), piece(1))])
    assert [len(level.lengths) for level in tree.levels] == [2]


def test_a_branch_with_one_continuation_is_joined_to_it() -> None:
    static, bars = piece(3), [piece(2), piece(5)]
    several = tree_of([(static, bars[0], piece(1)), (static, bars[1], piece(1))])
    assert [level.lengths.tolist() for level in several.levels] == [[3], [3, 6]]
    alone = tree_of([(static, bars[0], piece(1))])
    assert [level.lengths.tolist() for level in alone.levels] == [[6]]


def test_one_bar_of_many_accounts_keeps_one_shared_beginning() -> None:
    static, bar = piece(3), piece(2)
    tree = tree_of([(static, bar, piece(1)), (static, bar, piece(2))])
    assert [level.lengths.tolist() for level in tree.levels] == [[5], [1, 2]]


def test_equal_prompts_keep_a_row_each() -> None:
    prompt = (piece(3), piece(2), piece(1))
    tree = tree_of([prompt, prompt])
    assert tree.levels[-1].lengths.tolist() == [1, 1]


def test_prompts_that_share_nothing_are_one_level() -> None:
    hidden, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    whole, back = flattened(one_level(hidden, lengths))
    assert back.tolist() == [5, 2]
    assert torch.equal(whole[0], hidden[0])
    assert torch.equal(whole[1, :2], hidden[1, :2])


@given(st.data())
def test_a_tree_holds_every_prompt_whole_and_in_order(data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, 4))
    pool = [[piece(data.draw(st.integers(1, 4))) for _ in range(3)] for _ in range(depth)]
    prompts = [
        tuple(pool[level][data.draw(st.integers(0, 2))] for level in range(depth))
        for _ in range(data.draw(st.integers(1, 6)))
    ]
    hidden, lengths = flattened(tree_of(prompts))
    for row, prompt in enumerate(prompts):
        whole = torch.cat(prompt)
        assert int(lengths[row]) == len(whole)
        assert torch.equal(hidden[row, : len(whole)], whole)
