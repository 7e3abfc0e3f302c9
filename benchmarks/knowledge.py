"""A multiple-choice suite through lm-eval's evaluator: flagbench's model of lm-eval's against lm-eval's own.

The questions are made here: sentences of company news, a question, four short choices. The tokenizer is the
embedded backbone's; the model is a Llama of random weights, of 4 layers of width 256. Both sides make their
requests from the same task, are constructed anew each time, and read 32 prompts at once at most. What differs
is the class alone. That of flagbench compares itself with lm-eval's on four requests first, in every call.
"""

import random
from functools import partial
from typing import Any

from benchmarks.interleaving import Contest, Row

BATCH_SIZE = 32
CONTEXT = 1024
QUESTIONS = {True: 64, False: 6}
"""Of the whole size and of the small one."""

TOLERANCE = 1e-5
"""Between log-likelihoods of both."""

COMPANIES = [
    "Alder",
    "Birch Mills",
    "Calder and Sons",
    "Dunmore",
    "Elm Valley",
    "Farrow",
    "Gorse Lane",
    "Heath",
]
THINGS = ["revenue", "net income", "free cash flow", "the dividend", "operating margin", "long-term debt"]
VERBS = ["rose by", "fell by", "was revised up by", "was revised down by", "missed forecasts by"]
ANSWERS = [
    "lower revenue",
    "new debt",
    "more cash",
    "higher costs",
    "bond sales",
    "share prices",
    "net income",
]
"""Of two words each: choices of one token lm-eval scores together too."""


def _sentence(chance: random.Random) -> str:
    amount, year = chance.randint(1, 999) / 10, chance.randint(1990, 2030)
    return (
        f"In {year}, {chance.choice(THINGS)} of {chance.choice(COMPANIES)} {chance.choice(VERBS)} {amount} %."
    )


def _items(count: int, tokens: tuple[int, int], tokenizer: Any) -> list[dict[str, Any]]:
    """Items whose news have about so many tokens; questions and choices come on top."""
    chance = random.Random(0)  # noqa: S311 (no secret)
    items = []
    for number in range(count):
        wanted, news = chance.randint(*tokens), ""
        while len(tokenizer.encode(news)) < wanted:
            news += _sentence(chance) + " "
        items.append(
            {
                "news": news.strip(),
                "question": f"What changed most at {chance.choice(COMPANIES)}?",
                "choices": chance.sample(ANSWERS, 4),
                "answer": number % 4,
            }
        )
    return items


def _task(items: list[dict[str, Any]]) -> Any:
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    return ConfigurableTask(
        config={
            "task": "made_news",
            "custom_dataset": lambda **_: {"test": Dataset.from_list(items)},
            "output_type": "multiple_choice",
            "test_split": "test",
            "doc_to_text": "{{news}}\nQuestion: {{question}}\nAnswer:",
            "doc_to_choice": "choices",
            "doc_to_target": "answer",
            "num_fewshot": 0,
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
    )


def _model(tokenizer: Any) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config).eval()


def _prepare(full: bool, *, tokens: tuple[int, int], times: int) -> Contest:
    import copy

    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    from flagbench.knowledge.evaluation import live_model
    from flagbench.knowledge.undisturbed import undisturbed
    from flagbench.learning.backbone import load_backbone

    tokenizer = load_backbone("embedded", seed=0).tokenizer
    model = _model(tokenizer)
    task = _task(_items(times * QUESTIONS[full], tokens, tokenizer))

    def results(lm: Any) -> Any:
        return evaluate(lm, {"tasks": {"made_news": task}}, bootstrap_iters=0)

    def ours() -> Any:
        with undisturbed(model):
            lm = live_model(model, tokenizer, max_tokens=CONTEXT, batch_size=BATCH_SIZE)
            found = results(lm)
        if lm.separately is not None:
            raise AssertionError(lm.separately)
        return found

    def theirs() -> Any:
        with undisturbed(model):  # no bars
            own = copy.deepcopy(tokenizer)
            lm = HFLM(model, "causal", tokenizer=own, max_length=CONTEXT, batch_size=BATCH_SIZE)
            return results(lm)

    return Contest(ours, theirs, lambda: _agreement(ours(), theirs()))


def _agreement(ours: Any, theirs: Any) -> str:
    """Every log-likelihood within 1e-5; greedy flags and accuracies the same."""
    answers = [
        [answer for sample in results["samples"]["made_news"] for answer in sample["filtered_resps"]]
        for results in (ours, theirs)
    ]
    pairs = list(zip(*answers, strict=True))
    largest = max(abs(our[0] - their[0]) for our, their in pairs)
    flags = sum(our[1] != their[1] for our, their in pairs)
    own, other = (results["results"]["made_news"]["acc,none"] for results in (ours, theirs))
    if not largest <= TOLERANCE or flags or own != other:
        raise AssertionError(
            f"{largest} in log-likelihoods, {flags} greedy flags, accuracies {own} and {other}"
        )
    return f"{len(pairs)} log-likelihoods within {largest:.1e}, the same greedy flags and accuracy"


ROWS: tuple[Row, ...] = (
    Row(
        slug="knowledge-long",
        loop="multiple-choice knowledge suite, contexts of 300 to 450 tokens",
        against="lm-eval's HFLM, batch 32",
        at_least=2.5,
        prepare=partial(_prepare, tokens=(250, 400), times=1),
        rounds=7,
    ),
    Row(
        slug="knowledge-short",
        loop="multiple-choice knowledge suite, contexts of 30 to 70 tokens",
        against="lm-eval's HFLM, batch 32",
        at_least=1.0,
        prepare=partial(_prepare, tokens=(5, 20), times=4),
        rounds=7,
    ),
)
