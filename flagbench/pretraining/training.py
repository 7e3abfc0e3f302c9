"""Training the embedded backbone, by accelerate: rows in stages of growing length, one pass, no row twice."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from flagbench.errors import ConfigError
from flagbench.pretraining.corpus import Packer, Row
from flagbench.pretraining.recipe import Recipe, Stage


class Progress(NamedTuple):
    """How far a training is."""

    tokens: int
    of_tokens: int
    loss: float
    seconds: float


def make_model(recipe: Recipe, tokenizer: Any) -> LlamaForCausalLM:
    """The untrained backbone."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.feed_forward,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=recipe.initializer_range,
    )
    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(config)


def train(model: LlamaForCausalLM, packer: Packer, recipe: Recipe, report: Callable[[Progress], None]) -> int:
    """Train in place. Under a launcher such as torchrun every process reads its share of each batch's rows.

    Args:
        model: from `make_model`.
        packer: where rows come from.
        recipe: stages, learning rates.
        report: told after every step.

    Returns:
        tokens read, by all processes together.

    Raises:
        ConfigError: there are more processes than rows in the smallest batch.
    """
    accelerator = Accelerator(cpu=not torch.accelerator.is_available())
    fewest = min(recipe.batch_tokens // stage.length for stage in recipe.stages)
    if accelerator.num_processes > fewest:
        raise ConfigError(
            f"the smallest batch has {fewest} rows, too few for {accelerator.num_processes} processes",
            hint=f"start {fewest} processes at most",
        )
    wrapped, *optimizers = accelerator.prepare(model, *_optimizers(model, recipe))
    wrapped.train()
    begun, seen = time.perf_counter(), 0
    total = sum(stage.tokens for stage in recipe.stages)
    for rows in _batches(packer, recipe):
        rate = learning_rate(seen / total, recipe)
        seen += sum(len(row.tokens) for row in rows)
        own = rows[accelerator.process_index :: accelerator.num_processes]
        tokens, labels = (torch.tensor(part, device=accelerator.device) for part in zip(*own, strict=True))
        loss = wrapped(input_ids=tokens, labels=labels, use_cache=False).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(wrapped.parameters(), recipe.largest_gradient)
        for optimizer, share in zip(optimizers, (recipe.matrix_rate, recipe.learning_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = share * rate
            optimizer.step()
            optimizer.zero_grad()
        report(Progress(seen, total, float(loss.detach()), time.perf_counter() - begun))
    model.eval()
    return seen


def learning_rate(done: float, recipe: Recipe) -> float:
    """Share of the peak rate: linear warm-up from a thousandth, then a cosine down to a hundredth.

    Args:
        done: share of all tokens.
        recipe: how long the warm-up is.
    """
    if done < recipe.warm_up:
        return max(done / recipe.warm_up, 1e-3)
    rest = (done - recipe.warm_up) / (1 - recipe.warm_up)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * rest))


def _optimizers(model: nn.Module, recipe: Recipe) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embeddings and norms."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        is_matrix = weight.ndim == 2 and "embed" not in name
        (matrices if is_matrix else others).append(weight)
    muon = torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay)
    adam = torch.optim.AdamW(others, lr=recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    return muon, adam


def _batches(packer: Packer, recipe: Recipe) -> Iterator[list[Row]]:
    for stage in recipe.stages:
        yield from _stage_batches(packer, stage, recipe)


def _stage_batches(packer: Packer, stage: Stage, recipe: Recipe) -> Iterator[list[Row]]:
    rows = recipe.batch_tokens // stage.length
    for _ in range(stage.tokens // (rows * stage.length)):
        yield packer.rows(count=rows, length=stage.length)
