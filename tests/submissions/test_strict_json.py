import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.settings import Settings
from flagbench.submissions.strict_json import DEPTH, Lines, model_failures, parse_json

TEXT = """{
  "a": 1,
  "runs": [
    {"seed": 0,
     "x": [1,
           2]},
    {"seed": "a \\"}, { tricky"}
  ],
  "z": {"y": {"deep": null}}}
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("a",), 2),
        (("runs",), 3),
        (("runs", 0), 4),
        (("runs", 0, "seed"), 4),
        (("runs", 0, "x"), 5),
        (("runs", 0, "x", 1), 6),
        (("runs", 1, "seed"), 7),
        (("z", "y", "deep"), 9),
        (("z", "missing"), 9),
        (("nowhere",), 1),
    ],
)
def test_every_value_has_the_line_of_its_key(place: tuple[str | int, ...], line: int) -> None:
    assert Lines(TEXT).of(*place) == line


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(values)
def test_every_key_of_any_json_is_found_on_the_line_where_it_is_written(value: Any) -> None:
    text = json.dumps(value, indent=1)
    lines, written = Lines(text), text.split("\n")

    def walk(inner: Any, place: tuple[str | int, ...]) -> None:
        if isinstance(inner, dict):
            for key, each in inner.items():
                assert written[lines.of(*place, key) - 1].lstrip().startswith(f"{json.dumps(key)}:")
                walk(each, (*place, key))
        elif isinstance(inner, list):
            for index, each in enumerate(inner):
                walk(each, (*place, index))

    if depth_of(value) <= DEPTH:
        walk(value, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key `a` is there twice"),
        ("[NaN]", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "a whole number of more than 19 digits"),
        ("[-" + "9" * 20 + "]", "a whole number of more than 19 digits"),
        ("[1e999]", "1e999 is larger than any number"),
        ("[-1e999]", "-1e999 is larger than any number"),
        (r'["\ud800"]', "half a letter"),
        (r'{"\udc00": 1}', "half a letter"),
        ("{", "Expecting"),
    ],
)
def test_json_that_readers_could_take_for_different_things_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_what_is_deeper_than_any_submission_has_the_line_of_what_holds_it() -> None:
    text = "[\n" * 50 + "1" + "]" * 50
    assert Lines(text).of(*[0] * 8) == 9
    assert Lines(text).of(*[0] * 40) == 9


class Toy(Settings):
    name: str
    sizes: tuple[int, ...]


def test_a_value_that_does_not_fit_is_named_with_its_line() -> None:
    text = '{"name": 3,\n "sizes": [1,\n  "x"],\n "other": 1}'
    found = model_failures(Toy, parse_json(text), file="toy.json", lines=Lines(text))
    assert [(each.what, each.line, each.found) for each in found] == [
        ("name", 1, "3"),
        ("sizes.1", 3, "x"),
        ("other", 4, "1"),
    ]
    assert {each.file for each in found} == {"toy.json"}
    assert model_failures(Toy, {"name": "a", "sizes": [1]}, file="toy.json", lines=Lines(text)) == []
