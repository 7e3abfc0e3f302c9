"""A small Llama with random weights and a tokenizer of its own, made on the spot.

It has read nothing and knows nothing. It lets the main job run where no model is at hand, and tests run
in seconds; every table that comes from it says so.
"""

from itertools import product

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from flagbench.agents.prompt import STATIC

VOCABULARY = 768
CONTEXT = 1024


def make_random_backbone(
    *, seed: int, layers: int = 4, width: int = 64
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A Llama of `layers` layers and its tokenizer.

    Args:
        seed: of the weights.
        layers: number of decoder layers.
        width: hidden size, a multiple of 16.
    """
    tokenizer = make_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config), tokenizer


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE over the words and numbers of prompts; any text can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_prompt_like_text(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        model_max_length=CONTEXT,
    )


def _prompt_like_text() -> list[str]:
    """The static part, and numbers as the state writes them."""
    words = " closes: rewards: values: actions: day: mean: sd: position: long flat cash: value: sell hold buy"
    numbers = " ".join(f"{whole}.{tenth}" for whole, tenth in product(range(80, 121), range(10)))
    return [STATIC, words * 20, numbers]
