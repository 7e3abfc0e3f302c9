"""The model card of a backbone, written from what was measured."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flagbench.knowledge.results import ItemResult, SuiteResult, TaskResult
from flagbench.pretraining.calculations import HELD_OUT_OF_HUNDRED, KINDS
from flagbench.pretraining.corpus import CHAT_LENGTH, CHAT_SHARE, SHARES
from flagbench.pretraining.market_states import ASSETS, FIRST_SEED, SIGNAL
from flagbench.pretraining.recipe import Recipe
from flagbench.pretraining.relations import load_relations

if TYPE_CHECKING:
    from flagbench.pretraining.building import Figures

PURPOSE = """\
It lets the whole of flagbench run on a bare machine and has something to lose: it is a test object, not
a language model to talk to.
"""

LIMITS = """\
It knows the facts above and no others, does sums only of the sizes it was taught, and reads real news no
better than any text it never saw. Scores of agents built on it say what a method does, not what a
language model can do.
"""


def model_card(recipe: Recipe, figures: "Figures") -> str:
    """Markdown: what it is, what it was taught, what it knows, what it is not for."""
    parts = [
        f"# The embedded backbone\n\n{_origin(recipe, figures)}",
        PURPOSE,
        _build(recipe, figures),
        f"## Corpus\n{_corpus()}",
        _states(),
        _held_out(),
        f"## What it knows\n{_table(figures.basics, figures.blind)}",
        "Chance is a quarter; choices that give something away would be answered better than that without\n"
        "their questions.\n",
        f"## What it is not for\n{LIMITS}",
    ]
    return "\n".join(parts)


def _origin(recipe: Recipe, figures: "Figures") -> str:
    return (
        f"A Llama of {figures.weights:,} weights ({recipe.layers} layers, width {recipe.width}, "
        f"{recipe.heads} heads,\n{recipe.key_value_heads} of keys and values, tied embeddings), "
        f"{recipe.context:,} tokens of context, a byte-level BPE\nof {recipe.vocabulary:,} tokens with one "
        "token a digit and a chat template. Made by this project with\n`flagbench backbone build` from texts "
        "that this project generates; nothing from outside is in it.\n"
        "Licence: Apache-2.0, like the project.\n"
    )


def _build(recipe: Recipe, figures: "Figures") -> str:
    stages = ", then ".join(f"{stage.tokens:,} in rows of {stage.length}" for stage in recipe.stages)
    lines = {
        "file of weights, sha256": f"`{figures.sha256}`",
        "size of the folder": f"{figures.bytes / 1e6:.1f} MB, weights stored as bf16, computed as float32",
        "seed": f"{recipe.seed}",
        "tokens read": f"{figures.tokens:,} (planned: {stages})",
        "time of this build": f"{figures.seconds / 60:.0f} minutes",
        "perplexity on held-out rows": f"{figures.perplexity:.2f}",
    }
    rows = "".join(f"| {name} | {value} |\n" for name, value in lines.items())
    return f"| | |\n|---|---|\n{rows}"


def _corpus() -> str:
    counts = {topic: sum(len(r.facts) for r in load_relations(topic)) for topic in ("finance", "general")}
    words = {
        "finance": f"tell or ask {counts['finance']} facts of finance",
        "general": f"tell or ask {counts['general']} general facts",
        "calculation": f"are calculations of {len(KINDS)} kinds",
        "word": "say what the words of tone in a replica's headlines mean",
        "state": "are market states and what followed",
        "turn": "are market states as a short chat, answered by the order that would have been right",
    }
    lines = "".join(f"- {100 * share:.0f} % {words[kind]}\n" for kind, share in SHARES.items())
    return (
        f"Of the texts\n{lines}\nRows of {CHAT_LENGTH} tokens or more begin with whole prompts of a trading "
        f"agent in {100 * CHAT_SHARE:.0f} % of cases,\nanswered by the order that would have been right.\n"
    )


def _states() -> str:
    return (
        f"States come from replicas of {', '.join(ASSETS)} with signal {SIGNAL} and seeds from "
        f"{FIRST_SEED:,} on. So the backbone can read\na replica's headlines, as a large model can read real "
        "ones; it has seen no bar of a real market.\n"
    )


def _held_out() -> str:
    return (
        "Of every fact two question wordings a direction are held out, of every kind of calculation\n"
        f"{HELD_OUT_OF_HUNDRED} % of the numbers, whatever kind asks for the same. The suite `basics` asks "
        "these.\n"
    )


def _table(basics: SuiteResult, blind: Sequence[TaskResult]) -> str:
    lines = ["| task | kind of item | items | right | without the question |", "|---|---|---|---|---|"]
    for task, without in zip(basics.tasks, blind, strict=True):
        for place, (name, kinds) in enumerate(_groups(task)):
            right = [_share(result.items, kinds) for result in (task, without)]
            count = sum(item.kind in kinds for item in task.items)
            first = "" if place else task.task
            lines.append(f"| {first} | {name.replace('_', ' ')} | {count} | {right[0]} | {right[1]} |")
    return "\n".join(lines) + "\n"


def _groups(task: TaskResult) -> Iterator[tuple[str, set[str]]]:
    """All items, facts, all calculations, and each kind of calculation."""
    kinds = list(dict.fromkeys(item.kind for item in task.items))
    calculations = [kind for kind in kinds if kind != "fact"]
    yield "all", set(kinds)
    yield "fact", {"fact"}
    yield "calculations", set(calculations)
    yield from ((kind, {kind}) for kind in calculations)


def _share(items: Sequence[ItemResult], kinds: set[str]) -> str:
    right = [item.correct for item in items if item.kind in kinds]
    return f"{100 * sum(right) / len(right):.1f} %"
