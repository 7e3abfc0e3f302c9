import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flagbench.learning.state_cache import FrozenStates, StateCache, piece_key

CPU = torch.device("cpu")


def states(value: float, *, layers: int = 1) -> FrozenStates:
    """16 bytes and 32 more for each layer."""

    def parts() -> tuple[torch.Tensor, ...]:
        return tuple(torch.full((1, 1, 2, 2), value) for _ in range(layers))

    return FrozenStates(torch.full((2, 2), value), parts(), parts())


def test_what_was_put_comes_back_as_the_same_tensors() -> None:
    cache, kept = StateCache(), states(1.0)
    assert cache.get("a") is None
    cache.put("a", kept)
    assert cache.get("a") is kept
    assert cache.to_json() == {"hits": 1, "misses": 1, "bytes": 48}


def test_the_least_recently_used_goes_to_disk_and_comes_back_equal() -> None:
    cache = StateCache(memory_limit=100)
    for key, value in (("a", 1.0), ("b", 2.0)):
        cache.put(key, states(value))
    assert cache.get("a") is not None  # now b is the older one
    cache.put("c", states(3.0))
    assert (cache.bytes_in_memory, cache.bytes_on_disk) == (96, 48)
    back = cache.get("b")
    assert back is not None
    assert torch.equal(back.hidden, states(2.0).hidden)
    assert torch.equal(back.keys[0], states(2.0).keys[0])
    assert torch.equal(back.values[0], states(2.0).values[0])
    assert cache.bytes_in_memory <= 100
    assert cache.bytes_on_disk == 48  # another one took its place there


def test_beyond_the_limit_on_disk_the_oldest_is_forgotten() -> None:
    cache = StateCache(memory_limit=50, disk_limit=100)
    for number in range(5):
        cache.put(str(number), states(float(number)))
    assert cache.bytes_on_disk == 96
    assert [cache.get(str(number)) is None for number in range(2)] == [True, True]


def test_what_is_larger_than_the_limits_is_kept_in_memory_while_it_is_the_last_and_never_written() -> None:
    cache = StateCache(memory_limit=10, disk_limit=10)
    cache.put("a", states(1.0))
    assert cache.get("a") is not None
    cache.put("b", states(2.0))
    assert cache.get("a") is None
    assert cache.bytes_on_disk == 0


def test_clearing_forgets_memory_and_disk() -> None:
    cache = StateCache(memory_limit=50)
    for number in range(3):
        cache.put(str(number), states(float(number)))
    folder = cache._folder
    assert folder is not None
    assert len(list(folder.iterdir())) == 2
    cache.clear()
    assert list(folder.iterdir()) == []
    assert cache.get("0") is None
    assert (cache.bytes_in_memory, cache.bytes_on_disk) == (0, 0)


def test_the_folder_goes_with_the_cache() -> None:
    cache = StateCache(memory_limit=50)
    cache.put("a", states(1.0))
    cache.put("b", states(2.0))
    folder = cache._folder
    assert folder is not None
    assert folder.exists()
    del cache
    assert not folder.exists()


def test_a_name_tells_tokens_and_precision_apart() -> None:
    names = {piece_key(tokens, device=CPU) for tokens in ([1, 23], [12, 3], [1, 2, 3], [1, 2])}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        names.add(piece_key([1, 2], device=CPU))
    assert len(names) == 5
    assert piece_key([1, 2], device=CPU) in names


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=30), st.integers(0, 200))
def test_limits_hold_and_what_is_found_is_what_was_put(
    asked: list[tuple[bool, int]], memory_limit: int
) -> None:
    cache = StateCache(memory_limit=memory_limit, disk_limit=150)
    for is_put, number in asked:
        if is_put and cache.get(str(number)) is None:
            cache.put(str(number), states(float(number)))
        elif (found := cache.get(str(number))) is not None:
            assert torch.equal(found.hidden, states(float(number)).hidden)
        assert cache.bytes_in_memory <= max(memory_limit, 48)
        assert cache.bytes_on_disk <= 150


@pytest.mark.parametrize("layers", [0, 3])
def test_pieces_with_and_without_keys_survive_the_disk(layers: int) -> None:
    cache = StateCache(memory_limit=1)
    cache.put("a", states(1.0, layers=layers))
    cache.put("b", states(2.0))
    back = cache.get("a")
    assert back is not None
    assert (len(back.keys), len(back.values)) == (layers, layers)
