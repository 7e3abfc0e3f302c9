"""A real prompt, as a language model is given it."""

import os
from typing import Any

from docs_tables.markdown import fenced


class Letters:
    """A tokenizer whose tokens are letters, so that a prompt can be read back."""

    chat_template = None

    def __call__(
        self,
        text: str,
        *,
        add_special_tokens: bool,  # noqa: ARG002
        split_special_tokens: bool = False,  # noqa: ARG002
    ) -> dict[str, list[int]]:
        """One token a letter."""
        return {"input_ids": [ord(letter) for letter in text]}

    def apply_chat_template(self, conversation: Any, *, tokenize: bool, add_generation_prompt: bool) -> Any:
        """Not used: there is no template."""
        raise NotImplementedError


def prompt() -> str | None:
    """A real prompt: HON under `standard`, six decisions into the test window."""
    if not os.environ.get("FLAGBENCH_DATA"):
        return None
    from flagbench.agents.prompt import PromptWriter
    from flagbench.market.loading import resolve_market
    from flagbench.trading.action import Action
    from flagbench.trading.environment import TradingEnv
    from flagbench.trading.protocol import load_protocol

    market = resolve_market("HON")
    env = TradingEnv(market, load_protocol("standard"), market.asset.windows.test)
    seen, _ = env.reset()
    for action in (Action.BUY, Action.HOLD, Action.HOLD, Action.SELL, Action.HOLD, Action.BUY):
        seen = env.step(action)[0]
    writer = PromptWriter(Letters(), variant="news", max_tokens=100_000, text_share=0.5)
    return fenced("".join(map(chr, writer.write(seen).tokens)))
