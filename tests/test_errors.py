import inspect
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench import errors
from flagbench.errors import ConfigError, FlagbenchError, UnknownNameError

EVERY_ERROR = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, FlagbenchError) and kind is not FlagbenchError
]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_stands_in_the_tree_that_opens_the_module(kind: type[FlagbenchError]) -> None:
    assert errors.__doc__ is not None
    assert f"── {kind.__name__} " in errors.__doc__
    assert kind.__bases__ == (FlagbenchError,)


def test_an_error_carries_its_sentence_and_its_hint() -> None:
    error = ConfigError("`lookback` is 0, it must be positive", hint="choose 20")
    assert str(error) == error.message == "`lookback` is 0, it must be positive"
    assert error.hint == "choose 20"


def test_an_error_without_a_hint_has_an_empty_one() -> None:
    assert ConfigError("something is wrong").hint == ""


@pytest.mark.parametrize(
    ("given_name", "nearest"), [("TLSA", "TSLA"), ("tsla", "TSLA"), ("buy_and_hold", "buy-and-hold")]
)
def test_an_unknown_name_is_answered_with_the_nearest_one(given_name: str, nearest: str) -> None:
    error = UnknownNameError("asset", given_name, ["MSFT", "TSLA", "buy-and-hold"])
    assert error.message == f"unknown asset `{given_name}`"
    assert error.hint == f"did you mean `{nearest}`?"


def test_an_unknown_name_near_to_nothing_is_answered_with_all_names_sorted() -> None:
    error = UnknownNameError("asset", "zzzzzz", (name for name in ["TSLA", "BTC"]))
    assert error.hint == "known: BTC, TSLA"
    assert error.known == ["BTC", "TSLA"]


def test_an_unknown_name_among_none_says_so() -> None:
    assert UnknownNameError("agent", "dqn", []).hint == "known: none"


names = st.text(string.ascii_letters + string.digits + "-", min_size=2, max_size=12)


@given(st.lists(names, min_size=1, unique_by=str.lower), st.data())
def test_a_name_in_the_wrong_case_is_always_found(known: list[str], data: st.DataObject) -> None:
    meant = data.draw(st.sampled_from(known))
    assert UnknownNameError("agent", meant.swapcase(), known).hint == f"did you mean `{meant}`?"
