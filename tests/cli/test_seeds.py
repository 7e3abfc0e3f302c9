import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.cli.seeds import parse_seeds
from flagbench.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0", (0,)),
        ("0-4", (0, 1, 2, 3, 4)),
        ("0,2,3", (0, 2, 3)),
        ("7-7", (7,)),
        ("9,0-2,5", (9, 0, 1, 2, 5)),
        (" 1 , 2 ", (1, 2)),
        ("10", (10,)),
    ],
)
def test_seeds_are_read_in_the_order_given(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", ",", "0,", "a", "1-", "-1", "4-0", "1-2-3", "0.5", "1 2", "²"])
def test_anything_else_names_no_seeds(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_seeds(text)
    assert caught.value.message == f"`--seeds {text}` names no seeds"
    assert caught.value.hint == "write 0, 0-4 or 0,2,3"


@pytest.mark.parametrize("text", ["1,1", "0-3,2", "0-1,1-2"])
def test_a_seed_cannot_be_there_twice(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_seeds(text)
    assert caught.value.message == f"`--seeds {text}` names a seed twice"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True))
def test_a_list_of_seeds_reads_back(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(seeds)


@pytest.mark.parametrize("text", ["4294967296", "5000000000", "0-99999999999", "1-20000"])
def test_seeds_beyond_reason_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="seeds lie below 4294967296"):
        parse_seeds(text)
