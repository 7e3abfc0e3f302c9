"""What the pages take from the code, tables, help and figures in prose, is what the code says now."""

import math
import re
from pathlib import Path
from types import ModuleType

import pytest

from flagbench.agents.training import Setup
from flagbench.learning.ppo_params import PRESETS
from flagbench.learning.rollout_buffer import iteration_steps
from flagbench.trading.protocol import load_protocol

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_parts_are_as_the_script_writes_them(path: Path, docs_tables: ModuleType) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == docs_tables.rewritten(text), "run scripts/docs-tables"


def test_the_prompt_is_generated_where_there_is_data(docs_tables: ModuleType, data_folder: Path) -> None:
    assert docs_tables.prompt() in (DOCS / "method.md").read_text(encoding="utf-8")


def test_every_generated_part_stands_on_one_page_and_no_other_does(docs_tables: ModuleType) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    named = re.findall(r"^<!-- generated: (\S+) -->$", text, re.MULTILINE)
    assert sorted(named) == sorted(docs_tables.PARTS)
    assert len(re.findall(r"^<!-- end -->$", text, re.MULTILINE)) == len(named)


@pytest.mark.parametrize("name", ["paper", "standard"])
def test_iterations_and_optimiser_steps_are_those_of_the_budget(name: str) -> None:
    protocol, params = load_protocol(name), PRESETS["paper" if name == "paper" else "standard"]
    setup = Setup(**protocol.setup.model_dump())
    steps = iteration_steps(setup, num_steps=params.num_steps, processes=1)
    minibatches = [math.ceil(count * setup.num_envs / params.minibatch_size) for count in steps]
    figures = f"`{name}` (?:this is )?{len(steps)} iterations and {params.update_epochs * sum(minibatches)}"
    page = (DOCS / "method.md").read_text(encoding="utf-8").replace(" optimiser steps", "")
    assert re.search(figures, page)


def test_the_weights_of_smollm2_are_counted_as_the_network_has_them() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from flagbench.flag.network import head

    # The shape that HuggingFaceTB/SmolLM2-135M-Instruct states in its config.json.
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1_536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
        upper = [
            *model.model.layers[24:],
            model.model.norm,
            head(576, 64, 3, gain=1),
            head(576, 64, 1, gain=1),
        ]
    whole = sum(weight.numel() for weight in model.parameters())
    trained = sum(weight.numel() for module in upper for weight in module.parameters())
    page = (DOCS / "method.md").read_text(encoding="utf-8")
    assert f"{trained:,} weights" in " ".join(page.split())
    assert f"{whole:,}" in page
