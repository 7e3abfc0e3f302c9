import json
from collections import Counter

from flagbench.agents.answer import read_answer
from flagbench.agents.examples import EXAMPLES, examples_text
from flagbench.trading.action import Action

FIRST = """\
Example:
closes: 100.0 100.0 100.0 100.0 100.0
rewards: 
values: 
actions: 
day: 0, mean: 0.00, sd: 0.00
position: flat, cash: 100.0, value: 100.0
{"Action": "Buy"}
"""  # noqa: W291 - so the prompt writes empty lists


def test_an_example_is_a_state_as_prompts_write_it_and_an_answer() -> None:
    assert examples_text(1) == f"{FIRST}Now:\n"


def test_no_examples_leave_the_prompt_as_it_is() -> None:
    assert examples_text(0) == ""


def test_more_examples_begin_with_fewer() -> None:
    for count in range(1, 4):
        assert examples_text(count + 1).startswith(examples_text(count).removesuffix("Now:\n"))


def test_answers_are_valid_and_balanced_and_no_state_moves() -> None:
    lines = examples_text(4).splitlines()
    answers = [read_answer(line) for line in lines if line.startswith("{")]
    assert answers == [example.action for example in EXAMPLES]
    assert Counter(example.is_long for example in EXAMPLES) == {True: 2, False: 2}
    trades = Counter(example.action != Action.HOLD for example in EXAMPLES)
    assert trades == {True: 2, False: 2}
    assert all(example.action != (Action.BUY if example.is_long else Action.SELL) for example in EXAMPLES)
    assert {line for line in lines if line.startswith("closes")} == {"closes: 100.0 100.0 100.0 100.0 100.0"}
    assert all(json.loads(line) for line in lines if line.startswith("{"))
