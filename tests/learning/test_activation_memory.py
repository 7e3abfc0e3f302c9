from types import SimpleNamespace

import pytest
import torch

from flagbench.learning.activation_memory import LIMIT, parts_within_limit

CPU = torch.device("cpu")
SMOLLM2 = SimpleNamespace(hidden_size=576, intermediate_size=1536)


@pytest.mark.parametrize(
    ("tokens", "parts"),
    [
        (1, 1),
        (3_421, 1),  # 3,421 x 6 x 4 x 13,056 bytes are just under 1 GiB
        (3_430, 2),
        (62 * 512, 10),
    ],
)
def test_parts_follow_from_tokens_and_widths(tokens: int, parts: int) -> None:
    assert parts_within_limit(tokens, layers=6, config=SMOLLM2, device=CPU) == parts


def test_without_an_inner_size_it_is_four_times_the_width() -> None:
    plain = SimpleNamespace(hidden_size=100)
    named = SimpleNamespace(hidden_size=100, intermediate_size=400)
    tokens = LIMIT["cpu"] // (4 * 2_800) + 1
    assert parts_within_limit(tokens, layers=1, config=plain, device=CPU) == 2
    assert parts_within_limit(tokens, layers=1, config=named, device=CPU) == 2
