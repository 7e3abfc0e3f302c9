"""The prompt as text, for a model whose tokenizer is out of reach: a token is a byte of UTF-8."""

from collections.abc import Sequence
from typing import Any

from flagbench.agents.answer import OPENING

BYTES_PER_TOKEN = 4
"""Of English text; the rule of thumb that OpenAI's help pages give."""


class ByteTokenizer:
    """A tokenizer without vocabulary, special tokens or chat template."""

    chat_template: Any = None

    def __call__(
        self,
        text: str,
        *,
        add_special_tokens: bool,  # noqa: ARG002
        split_special_tokens: bool = False,  # noqa: ARG002
    ) -> dict[str, list[int]]:
        """The bytes of a text under `input_ids`."""
        return {"input_ids": list(text.encode())}

    def apply_chat_template(
        self,
        conversation: Any,
        *,
        tokenize: bool,
        add_generation_prompt: bool,  # noqa: ARG002
    ) -> Any:
        """The conversation's contents one after the other: without a template nothing stands around them."""
        text = "".join(turn["content"] for turn in conversation)
        return list(text.encode()) if tokenize else text


def prompt_text(tokens: Sequence[int]) -> str:
    """The text of a prompt in bytes, without the answer's opening: a served model begins its own answer.

    Of a character that was cut in two nothing is left.
    """
    return bytes(tokens).decode(errors="ignore").removesuffix(OPENING)
