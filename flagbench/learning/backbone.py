"""Loading a causal language model and its tokenizer from a folder, a hub id, or as random weights."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from flagbench.agents.backbone_name import parse_backbone
from flagbench.errors import ConfigError
from flagbench.learning.weights import weights_sha256


class Backbone(NamedTuple):
    """A causal language model in float32, its tokenizer, and its context."""

    model: PreTrainedModel
    tokenizer: Any
    max_tokens: int
    sha256: str
    """Of all weights, before anything is adapted or trained."""
    revision: str | None
    """The hub's commit, where the weights come from there."""


def load_backbone(name: str, *, seed: int) -> Backbone:
    """Load a backbone.

    Args:
        name: `embedded` (in the package; docs/backbone.md), a folder, a hub id, `random` (a small Llama
            made here, for trying things out), or `random:<one of the first three>` (that model's shape
            and tokenizer, random weights).
        seed: of random weights.

    Raises:
        ConfigError: a folder that is no model, or a hub id that cannot be fetched.
    """
    source, is_random = parse_backbone(name)
    if source is None:
        from flagbench.learning.random_backbone import make_random_backbone

        model: PreTrainedModel
        model, tokenizer = make_random_backbone(seed=seed)
    else:
        model, tokenizer = _loaded(source, is_random=is_random, seed=seed)
    model.eval()  # for good: dropout 0 (paper, table 3)
    model.config.use_cache = False
    limits = [model.config.max_position_embeddings, tokenizer.model_max_length]
    max_tokens = int(min(limits))
    tokenizer.model_max_length = int(1e30)  # prompts are cut to fit by the prompt writer, which counts
    revision = getattr(model.config, "_commit_hash", None)  # transformers keeps it nowhere public
    return Backbone(model, tokenizer, max_tokens, weights_sha256(model.named_parameters()), revision)


def _loaded(source: str, *, is_random: bool, seed: int) -> tuple[PreTrainedModel, Any]:
    folder = Path(source)
    looks_local = folder.exists() or source.startswith((".", "/", "~"))
    if looks_local and not (folder / "config.json").is_file():
        raise ConfigError(
            f"`{source}` is no model folder: it has no config.json",
            hint="give a folder written by save_pretrained, or a hub id such as "
            "HuggingFaceTB/SmolLM2-135M-Instruct",
        )
    try:
        transformers_logging.disable_progress_bar()  # "Loading weights" is over before it can be read
        tokenizer = AutoTokenizer.from_pretrained(source)
        if is_random:
            config = AutoConfig.from_pretrained(source)
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        else:
            model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, its own and others'
        hint = (
            f"random weights of this shape: --backbone random:{source}"
            if looks_local
            else ("a hub id needs a network, or give a local folder")
        )
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ConfigError(f"backbone `{source}` cannot be loaded: {first_line}", hint=hint) from error
    return model, tokenizer
