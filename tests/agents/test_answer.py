import math

import pytest

from flagbench.agents.answer import (
    OPENING,
    WORDS,
    TokenChoice,
    best_valid,
    is_finished,
    read_answer,
    word_log_probs,
)
from flagbench.trading.action import UNPARSED, Action


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('{"Action": "Sell"}', Action.SELL),
        ('{"Action": "Hold"}', Action.HOLD),
        (' \n{ "Action" : "Buy" }\n', Action.BUY),
        ('{"Reason": "it rose", "Action": "Buy"}', Action.BUY),
        ('```json\n{"Action": "Buy"}\n```', Action.BUY),
        ('```\n{"Action":\n"Buy"}\n```\n', Action.BUY),
    ],
)
def test_an_object_with_an_action_is_read(text: str, action: Action) -> None:
    assert read_answer(text) == action


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Buy",
        '"Buy"',
        '["Buy"]',
        "null",
        "{}",
        '{"Action": "buy"}',
        '{"Action": "BUY"}',
        '{"Action": " Buy"}',
        '{"Action": "Buy."}',
        '{"Action": "Wait"}',
        '{"Action": ["Buy"]}',
        '{"Action": {"Buy": 1}}',
        '{"Action": 2}',
        '{"Action": true}',
        '{"Action": null}',
        '{"action": "Buy"}',
        '{"Action": "Buy"',
        "{'Action': 'Buy'}",
        '{"Action": "Buy",}',
        '{"Action": "Buy", "Action": "Sell"}',
        '{"Action": "Buy", "Action": "Buy"}',
        'I would {"Action": "Buy"}',
        '{"Action": "Buy"} because it rose',
        '{"Action": "Buy"}\n{"Action": "Sell"}',
        '```json\n{"Action": "Buy"}\n```\nor\n```json\n{"Action": "Sell"}\n```',
        '```python\n{"Action": "Buy"}\n```',
        "[" * 100_000,
        '{"Action": "Buy\x00"}',
    ],
)
def test_anything_else_is_never_read_as_a_choice(text: str) -> None:
    assert read_answer(text) == UNPARSED


def test_an_answer_is_finished_with_its_object() -> None:
    text = '{"Action": "Buy", "because": {"a": "}"}}'
    assert [end for end in range(len(text) + 1) if is_finished(text[:end])] == [len(text)]
    assert is_finished('{"Action": "Wait"} and more')


def test_prompts_end_with_the_opening_that_answers_begin_with() -> None:
    for action, word in WORDS.items():
        assert read_answer(f'{OPENING}{word}"}}') == action


def answer(*tokens: str, **alternatives: float) -> list[TokenChoice]:
    """Tokens of which the last one has alternatives, with probabilities."""
    last = tuple((text, math.log(value)) for text, value in alternatives.items())
    return [*(TokenChoice(text, ((text, 0.0),)) for text in tokens[:-1]), TokenChoice(tokens[-1], last)]


def probabilities(tokens: list[TokenChoice]) -> dict[str, float]:
    return {action.name: round(math.exp(value), 9) for action, value in word_log_probs(tokens).items()}


def test_actions_are_read_where_the_word_begins() -> None:
    tokens = answer('{"', "Action", '":', ' "', "Buy", Buy=0.6, Hold=0.3, Sell=0.05, Wait=0.05)
    behind = TokenChoice('"}', (('"}', 0.0), ("Sell", -1.0)))
    assert probabilities([*tokens, behind]) == {"BUY": 0.6, "HOLD": 0.3, "SELL": 0.05}


def test_alternatives_that_begin_or_complete_a_word_are_summed() -> None:
    parts = {"B": 0.25, "Buy": 0.25, 'Buy"}': 0.125, "Buying": 0.1, "H": 0.0625, "buy": 0.05, '"': 0.05}
    tokens = answer('{"Action": "', "B", **parts)
    assert probabilities(tokens) == {"BUY": 0.625, "HOLD": 0.0625}


def test_a_token_may_hold_the_quote_and_the_word() -> None:
    tokens = answer('{"Action":', ' "Sell', **{' "Sell': 0.5, ' "Hold': 0.25, ' "': 0.125, " Buy": 0.125})
    assert probabilities(tokens) == {"SELL": 0.5, "HOLD": 0.25}


def test_an_answer_that_begins_otherwise_has_no_actions() -> None:
    assert word_log_probs([]) == {}
    assert word_log_probs(answer("I", " would", " Buy", Buy=1.0)) == {}
    assert word_log_probs(answer("Sure", ':{"Action": "', "Buy", Buy=1.0)) == {}


def test_what_is_said_to_be_impossible_is_left_out() -> None:
    tokens = [TokenChoice('{"Action": "Buy', (('{"Action": "Buy', -0.1), ('{"Action": "Hold', -9999.0)))]
    assert list(word_log_probs(tokens)) == [Action.BUY]


def test_the_best_is_taken_of_valid_actions_alone() -> None:
    known = {Action.SELL: -0.1, Action.HOLD: -3.0, Action.BUY: -2.0}
    assert best_valid(known, [1, 1, 0]) == Action.SELL
    assert best_valid(known, [0, 1, 1]) == Action.BUY
    assert best_valid({Action.HOLD: -1.0, Action.BUY: -1.0}, [0, 1, 1]) == Action.HOLD
    assert best_valid({Action.SELL: 0.0}, [0, 1, 1]) == UNPARSED
    assert best_valid({}, [0, 1, 1]) == UNPARSED
