from pathlib import Path

import pytest

import flagbench
from flagbench.agents.backbone_name import has_random_weights, parse_backbone

EMBEDDED_FOLDER = str(Path(flagbench.__file__).parent / "learning" / "embedded")


@pytest.mark.parametrize(
    ("name", "source", "is_random"),
    [
        ("random", None, True),
        ("random:models/small", "models/small", True),
        ("models/small", "models/small", False),
        ("randomised/model", "randomised/model", False),
        ("embedded", EMBEDDED_FOLDER, False),
        ("random:embedded", EMBEDDED_FOLDER, True),
        ("./embedded", "./embedded", False),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", False),
    ],
)
def test_a_name_is_taken_apart(name: str, source: str | None, is_random: bool) -> None:
    assert parse_backbone(name) == (source, is_random)
    assert has_random_weights(name) == is_random


@pytest.mark.parametrize("other", [None, 3, ["random"]])
def test_an_agent_may_mean_something_else_by_backbone(other: object) -> None:
    assert not has_random_weights(other)
