"""FLAG's training against the same trainer with a plain transformers forward of every token with logits."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from transformers import LlamaConfig

from benchmarks.interleaving import Contest, Row
from benchmarks.plain_flag import PlainFlag, Training, Workload, agree
from benchmarks.practised_envs import HISTORY
from flagbench.flag.agent import FlagAgent
from flagbench.learning.backbone import load_backbone

AGAINST = "the same trainer with a plain transformers forward of every token with logits"
TOKENS = 256
LONG_LOOKBACK = 60
"""Bars; their closes fill a prompt of 512 tokens."""


@cache
def shape_135m() -> tempfile.TemporaryDirectory[str]:
    """A folder with the shape of SmolLM2-135M (its config.json on the hub) and the embedded tokenizer."""
    folder = tempfile.TemporaryDirectory(prefix="flagbench-135m-")
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        tie_word_embeddings=True,
    )
    config.save_pretrained(folder.name)
    load_backbone("embedded", seed=0).tokenizer.save_pretrained(Path(folder.name))
    return folder


def contest(workload: Workload) -> Contest:
    """FLAG as it is and the straightforward way on one workload."""
    ours = Training(FlagAgent(**workload.params), workload)
    theirs = Training(PlainFlag(**workload.params), workload)
    return Contest(ours.run, theirs.run, lambda: agree(ours, theirs))


def large(
    full: bool, *, layers: int, num_envs: int, tokens: int = 256, history: int = HISTORY, **ppo: Any
) -> Contest:
    """135M shape, or a small random model.

    Every bar is met twice; a training of the paper's length meets each over 200 times. Where several
    environments share their bars, accounts have a history: what they share is less than at the beginning.
    """
    bars = (8 if num_envs == 1 else 4) if full else 3
    num_steps = bars - 1  # decisions of a pass through the window
    passes = 2 if full else 1
    return contest(
        Workload(
            bars=bars,
            env_steps=passes * num_steps * num_envs,
            num_envs=num_envs,
            params={
                "backbone": f"random:{shape_135m().name}" if full else "random",
                "trainable_layers": layers if full else 2,
                "prompt": "news",
                "max_prompt_tokens": tokens,
                "history": history,
                "ppo": {"num_steps": num_steps, "minibatch_size": 8 * num_envs, **ppo},
            },
            lookback=None if tokens == TOKENS else LONG_LOOKBACK,
            practised=num_envs > 1,
        )
    )


def embedded(full: bool) -> Contest:
    """The default backbone and hyper-parameters, an iteration of eight environments."""
    return contest(
        Workload(
            bars=250 if full else 12,
            env_steps=320 if full else 32,
            num_envs=8,
            params={"prompt": "news", "ppo": {} if full else {"num_steps": 4}},
        )
    )


ROWS = (
    Row(
        "flag-135m-6",
        "FLAG training, 1 environment, 135M shape, T = 256, top 6 layers",
        AGAINST,
        2.8,
        lambda full: large(full, layers=6, num_envs=1),
        rounds=3,
        warm_up=False,
    ),
    Row(
        "flag-135m-15",
        "FLAG training, 1 environment, 135M shape, T = 256, top 15 layers",
        AGAINST,
        1.5,
        lambda full: large(full, layers=15, num_envs=1),
        rounds=3,
        warm_up=False,
    ),
    Row(
        "flag-135m-8-envs",
        "FLAG training, 8 environments, 135M shape, T = 256, top 6 layers, minibatches by bars",
        AGAINST,
        8.0,
        lambda full: large(full, layers=6, num_envs=8, shuffle="bars"),
        rounds=3,
        warm_up=False,
    ),
    Row(
        "flag-135m-8-envs-short",
        "FLAG training, 8 environments, 135M shape, T = 256, top 6 layers, minibatches by bars, `history=0`",
        AGAINST,
        8.0,
        lambda full: large(full, layers=6, num_envs=8, history=0, shuffle="bars"),
        rounds=2,
        warm_up=False,
    ),
    Row(
        "flag-135m-8-envs-512",
        "FLAG training, 8 environments, 135M shape, T = 512, top 6 layers, minibatches by bars",
        AGAINST,
        8.0,
        lambda full: large(full, layers=6, num_envs=8, tokens=512, shuffle="bars"),
        rounds=2,
        warm_up=False,
    ),
    Row(
        "flag-embedded",
        "FLAG training, embedded backbone, default settings",
        AGAINST,
        5.0,
        embedded,
        rounds=5,
    ),
)
