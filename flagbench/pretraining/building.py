"""From the recipe to a folder that `from_pretrained` reads: tokenizer, weights in bf16, recipe, card."""

import json
import math
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from flagbench.errors import ConfigError
from flagbench.knowledge.evaluation import evaluate_knowledge
from flagbench.knowledge.results import SuiteResult, TaskResult
from flagbench.pretraining.corpus import IGNORED, Corpus, Packer
from flagbench.pretraining.model_card import model_card
from flagbench.pretraining.recipe import Recipe
from flagbench.pretraining.tokenizer import train_tokenizer
from flagbench.pretraining.training import Progress, make_model, train
from flagbench.records.run_directory import writing

HELD_OUT_SEED = 2_000_000
"""Of the texts and replicas that perplexity is measured on; the corpus never comes so far."""
HELD_OUT_ROWS, HELD_OUT_LENGTH = 64, 512


class Figures(NamedTuple):
    """What was measured of a backbone, as it is stored."""

    weights: int
    sha256: str
    """Of the file of weights."""
    bytes: int
    tokens: int
    """Tokens it was trained on."""
    seconds: float
    perplexity: float
    """On rows drawn with a seed of their own."""
    basics: SuiteResult
    blind: tuple[TaskResult, ...]
    """The same items without their questions."""


class Trained(NamedTuple):
    """A backbone in memory."""

    model: LlamaForCausalLM
    tokenizer: Any
    tokens: int
    """Read, by all processes together."""


def build_backbone(out: Path, recipe: Recipe, *, report: Callable[[Progress], None]) -> Figures | None:
    """Make a backbone and measure it.

    Args:
        out: a folder that does not exist yet. It comes into being whole, at the end, or not at all.
        recipe: of what.
        report: told after every step of the training.

    Returns:
        what was measured; None in every process but the first.

    Raises:
        ConfigError: there is something under that name, or there are too many processes.
        RecordError: no folder can be made there.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already", hint="choose a new folder, or remove it first")
    transformers_logging.disable_progress_bar()  # of reading and writing, over before it can be read
    # As in flagbench.learning.start: without cpu=True other processes are overlooked where no GPU is.
    if not PartialState(cpu=not torch.accelerator.is_available()).is_main_process:
        train_backbone(recipe, report=report)
        return None
    with writing(out) as folder:
        begun = time.perf_counter()
        model, tokenizer, tokens = train_backbone(recipe, report=report)
        seconds = time.perf_counter() - begun
        tokenizer.save_pretrained(folder)
        model.bfloat16().save_pretrained(folder)
        (folder / "recipe.json").write_text(
            json.dumps(recipe.model_dump(), indent=2) + "\n", encoding="utf-8"
        )
        figures = measure(folder, recipe, tokens=tokens, seconds=seconds)
        (folder / "MODEL_CARD.md").write_text(model_card(recipe, figures), encoding="utf-8")
    return figures


def train_backbone(recipe: Recipe, *, report: Callable[[Progress], None]) -> Trained:
    """Corpus, tokenizer, training; the same weights in every process."""
    corpus = Corpus(seed=recipe.seed)
    tokenizer = train_tokenizer(
        corpus.tokenizer_texts(size=recipe.tokenizer_texts),
        vocabulary=recipe.vocabulary,
        context=recipe.context,
    )
    model = make_model(recipe, tokenizer)
    packer = Packer(corpus, tokenizer, context=recipe.context, seed=recipe.seed)
    return Trained(model, tokenizer, train(model, packer, recipe, report))


def measure(folder: Path, recipe: Recipe, *, tokens: int, seconds: float) -> Figures:
    """The figures of a stored backbone, read back as a run reads it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()
    weights = folder / "model.safetensors"
    basics, *blind = (
        evaluate_knowledge(model, tokenizer, suite=suite, max_tokens=recipe.context)
        for suite in ("basics", "finance_basics_blind", "general_basics_blind")
    )
    return Figures(
        weights=sum(weight.numel() for weight in model.parameters()),
        sha256=sha256(weights.read_bytes()).hexdigest(),
        bytes=sum(path.stat().st_size for path in folder.iterdir()),
        tokens=tokens,
        seconds=seconds,
        perplexity=perplexity(model, tokenizer, context=recipe.context),
        basics=basics,
        blind=tuple(result.whole for result in blind),
    )


@torch.no_grad()
def perplexity(model: Any, tokenizer: Any, *, context: int) -> float:
    """Exponential of the mean loss of a learned token, on rows of a corpus with a seed of its own.

    Texts of facts recur there, since facts are few; calculations, states and chats are new.
    """
    corpus = Corpus(seed=HELD_OUT_SEED, first_seed=HELD_OUT_SEED)
    packer = Packer(corpus, tokenizer, context=context, seed=HELD_OUT_SEED)
    losses, learned = 0.0, 0
    for row in packer.rows(count=HELD_OUT_ROWS, length=HELD_OUT_LENGTH):
        tokens, labels = (torch.tensor(part)[None] for part in row)
        count = sum(label != IGNORED for label in row.labels[1:])
        losses += float(model(input_ids=tokens, labels=labels, use_cache=False).loss) * count
        learned += count
    return math.exp(losses / learned)
