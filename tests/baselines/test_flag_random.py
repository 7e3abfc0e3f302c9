from pathlib import Path
from typing import Any

import pytest
import torch

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.errors import ConfigError
from flagbench.learning.backbone import load_backbone

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'flag_random.py'}:FlagRandom"
BRIEFING = Briefing(preset="standard", train_text_kinds=frozenset())


def made(**params: Any) -> Any:
    return AgentPlan(NAME, params, BRIEFING).make()


def test_its_backbone_has_the_embedded_ones_shape_and_none_of_its_weights() -> None:
    agent = made()
    agent.reset(3)
    model, tokenizer = agent.language_model()
    embedded = load_backbone("embedded", seed=0)
    ours, theirs = dict(model.named_parameters()), dict(embedded.model.named_parameters())
    assert {name: weight.shape for name, weight in ours.items()} == {
        name: weight.shape for name, weight in theirs.items()
    }
    matrices = [name for name, weight in ours.items() if weight.ndim == 2]
    assert not any(torch.equal(ours[name], theirs[name]) for name in matrices)
    text = "Buy before gains, sell before losses."
    assert tokenizer.encode(text) == embedded.tokenizer.encode(text)


def test_every_seed_has_its_own_weights() -> None:
    hashes = []
    for seed in (0, 0, 1):
        agent = made()
        agent.reset(seed)
        hashes.append(load_backbone(agent.params["backbone"], seed=seed).sha256)
        weight = next(iter(agent.language_model()[0].parameters()))
        assert torch.equal(weight, next(iter(load_backbone("random:embedded", seed=seed).model.parameters())))
    assert hashes[0] == hashes[1] != hashes[2]


def test_it_trains_as_flag_does_on_the_same_backbone(train: Any) -> None:
    from flagbench.flag.agent import FlagAgent

    _, ours = train(made(backbone="random"))
    _, flag = train(FlagAgent(backbone="random"))
    assert ours["weights_sha256"] == flag["weights_sha256"]
    assert (
        made(backbone="random", trainable_layers=2).params
        == FlagAgent(backbone="random", trainable_layers=2).params
    )


@pytest.mark.parametrize("backbone", ["embedded", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_a_backbone_that_has_read_something_is_refused(backbone: str) -> None:
    with pytest.raises(ConfigError, match="not random") as caught:
        made(backbone=backbone)
    assert f"random:{backbone}" in caught.value.hint
