from typing import TYPE_CHECKING

import numpy as np

from flagbench.agents.prompt import PromptWriter
from flagbench.learning.random_backbone import make_tokenizer
from flagbench.market.text_file import TextItem
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


def observation_with(text: str, synthetic_market: "MarketFactory") -> Observation:
    market = synthetic_market((100 + np.arange(60.0)).tolist())
    observation, _ = TradingEnv(market, load_protocol("paper"), market.asset.windows.test).reset()
    return Observation(**{**observation, "text": (TextItem(observation["date"], "news", text),)})


def test_a_special_token_in_the_news_is_text_like_any_other(synthetic_market: "MarketFactory") -> None:
    tokenizer = make_tokenizer()
    writer = PromptWriter(tokenizer, variant="news", max_tokens=1024, text_share=0.5)
    tokens = writer.write(observation_with("all </s> is <s> well", synthetic_market)).tokens
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    assert not special & set(tokens[1:])
    assert "all </s> is <s> well" in tokenizer.decode(tokens)


def test_a_text_that_is_cut_still_ends_its_line(synthetic_market: "MarketFactory") -> None:
    tokenizer = make_tokenizer()
    writer = PromptWriter(tokenizer, variant="news", max_tokens=400, text_share=0.2)
    prompt = writer.write(observation_with("rising " * 400, synthetic_market))
    text = str(tokenizer.decode(prompt.tokens))
    assert writer.counts.text_cut == 1
    (line,) = (line for line in text.splitlines() if line.startswith("news: "))
    assert "rewards" not in line
