"""The embedded backbone's own tokenizer: byte-level BPE, one token a digit, a chat template."""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END_OF_TEXT, START_OF_TURN, END_OF_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    f"{START_OF_TURN}{{{{ message['role'] }}}}\n{{{{ message['content'] }}}}{END_OF_TURN}\n"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{START_OF_TURN}assistant\n{{% endif %}}"
)
"""Turns between the marks that SmolLM2's family uses, so that one way of prompting serves both."""


def train_tokenizer(texts: Iterable[str], *, vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Learn a BPE from texts; any other text can be encoded too, byte by byte at worst.

    Args:
        texts: what the merges are learned from.
        vocabulary: tokens, the 256 bytes and the special ones included.
        context: what the tokenizer gives as its longest input.
    """
    tokenizer = Tokenizer(models.BPE())
    # A number of one token a digit can be added up digit by digit.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [END_OF_TEXT, START_OF_TURN, END_OF_TURN]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[START_OF_TURN],
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
