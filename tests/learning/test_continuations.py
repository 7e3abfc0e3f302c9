from typing import Any

import pytest
import torch

from flagbench.errors import ConfigError
from flagbench.learning.continuations import continuation_log_probs, end_tokens, greedy_continuation
from flagbench.learning.random_backbone import make_random_backbone

PROMPT = [5, 200, 7, 41, 150, 23, 99]


@pytest.fixture(scope="module")
def model() -> Any:
    made, _ = make_random_backbone(seed=0, layers=2, width=32)
    return made.eval()


@torch.no_grad()
def plain(model: Any, prompt: list[int], continuation: list[int]) -> float:
    """One row, the whole model, token by token."""
    total, seen = 0.0, list(prompt)
    for token in continuation:
        logits = model(input_ids=torch.tensor([seen])).logits[0, -1]
        total += float(torch.log_softmax(logits, dim=-1)[token])
        seen.append(token)
    return total


@pytest.mark.parametrize(
    "continuations",
    [[[4], [5], [6]], [[4, 5, 6], [4], [7, 8]], [[4, 5], [4, 5]], [[9, 8, 7, 6]]],
)
def test_it_equals_a_plain_computation_row_by_row(model: Any, continuations: list[list[int]]) -> None:
    expected = [plain(model, PROMPT, tokens) for tokens in continuations]
    assert continuation_log_probs(model, PROMPT, continuations) == pytest.approx(expected, abs=1e-5)


def test_words_of_one_token_are_read_in_one_row(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    forward = type(model).forward

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "forward", watched)
    continuation_log_probs(model, PROMPT, [[4], [5]])
    continuation_log_probs(model, PROMPT, [[4, 1], [5]])
    assert shapes == [(1, 7), (2, 8)]


def never(_: list[int]) -> bool:
    return False


def test_it_writes_what_transformers_writes_greedily(model: Any) -> None:
    ids = torch.tensor([PROMPT])
    whole = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=[],
        use_cache=True,
    )
    expected = whole[0, len(PROMPT) :].tolist()
    written = greedy_continuation(model, PROMPT, max_tokens=12, ends=frozenset(), is_finished=never)
    assert written == expected
    assert (
        greedy_continuation(
            model, PROMPT, max_tokens=12, ends=frozenset(), is_finished=lambda tokens: len(tokens) == 5
        )
        == expected[:5]
    )
    last = expected[3]
    ended = greedy_continuation(model, PROMPT, max_tokens=12, ends=frozenset({last}), is_finished=never)
    assert ended == expected[: expected.index(last)]


def test_end_tokens_are_the_models_and_the_tokenizers(model: Any) -> None:
    _, tokenizer = make_random_backbone(seed=0, layers=1, width=32)
    assert end_tokens(model, tokenizer) == {1}


def test_broken_weights_are_named() -> None:
    made, _ = make_random_backbone(seed=0, layers=1, width=32)
    with torch.no_grad():
        next(made.parameters()).fill_(float("nan"))
    with pytest.raises(ConfigError, match="`llama` gives no finite logits"):
        continuation_log_probs(made, PROMPT, [[4], [5]])
