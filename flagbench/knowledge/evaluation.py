"""Knowledge suites through lm-eval, on the live model.

lm-eval builds prompts, runs the model and scores; here stand which items are asked in which order, what
becomes of one item, and that nothing is disturbed. lm-eval: github.com/EleutherAI/lm-evaluation-harness.
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from lm_eval.api.metrics import mean
from lm_eval.api.model import CacheHook
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import PreTrainedModel

from flagbench.errors import SEE_WHERE, ConfigError, FlagbenchError
from flagbench.knowledge.kept_answers import KeptAnswers, question_of
from flagbench.knowledge.results import ItemResult, SuiteResult, TaskResult
from flagbench.knowledge.shared_contexts import SharedContexts
from flagbench.knowledge.suites import ALL, KnowledgeTask, load_suites, tasks_of
from flagbench.knowledge.undisturbed import undisturbed
from flagbench.learning.weights import weights_sha256

BATCH_SIZE = 32
"""Prompts read at once; 8 and 32 were equally fast on two cores, `auto` slower."""

LIMIT_SEED = 0
"""Of the order in which `limit` takes items."""

FEWSHOT_SEED = 1234
"""lm-eval's own default, for tasks that show examples; such a task draws the same ones every time."""

MULTIPLE_CHOICE, GENERATE = "multiple_choice", "generate_until"

NORMALISED: Mapping[str, Callable[[str], int]] = {
    "acc_norm": len,
    "acc_bytes": lambda choice: len(choice.encode()),
}
"""What a choice's log-likelihood is divided by under lm-eval's metrics, `acc` aside."""


TOKENS_PER_BYTE = 4
"""No tokenizer makes more of a text: one token a byte is the rule for the longest, plus markers and what
normalisation adds."""


class Progress(Protocol):
    """Called as requests are answered; a multiple-choice item has one request a choice."""

    def __call__(self, task: str, *, done: int, total: int) -> None:
        """Requests done and in all, over all tasks."""
        ...


class _Loaded(NamedTuple):
    """A task with its items in the order in which they are asked."""

    described: KnowledgeTask
    task: ConfigurableTask
    order: list[int]
    """Position of each asked item in the task's data."""

    @property
    def name(self) -> str:
        return self.described.name

    @property
    def requests(self) -> int:
        if self.task.OUTPUT_TYPE == GENERATE:
            return len(self.order)
        return sum(len(self.task.doc_to_choice(doc)) for doc in self.task.eval_docs)


class _Count(CacheHook):  # type: ignore[misc]
    """lm-eval hands each answered request to its cache; this one keeps nothing and counts."""

    def __init__(self, progress: Progress | None, *, total: int) -> None:
        super().__init__(None)
        self._progress = progress
        self._done, self._total = 0, total
        self.task = ""

    def add_partial(self, attr: str, req: Iterable[Any], res: Any) -> None:  # noqa: ARG002
        self._done += 1
        if self._progress is not None:
            self._progress(self.task, done=self._done, total=self._total)


def evaluate_knowledge(
    model: PreTrainedModel,
    tokenizer: Any,
    *,
    suite: str,
    max_tokens: int,
    batch_size: int = BATCH_SIZE,
    reverse: bool = False,
    limit: int | None = None,
    data: str | None = None,
    progress: Progress | None = None,
    kept: KeptAnswers | None = None,
) -> SuiteResult:
    """Ask a model the items of a suite.

    Tasks are evaluated one by one, so that a task's figures do not depend on its suite. Choices of one
    context are read together where that gives what lm-eval's own pass gives; the result says where it does
    not. Random states, the model's mode and settings, and the tokenizer are as before afterwards.

    Args:
        model: a causal language model, where it lies and as it is.
        tokenizer: its tokenizer.
        suite: a suite, a task, a YAML file of either, or `all`.
        max_tokens: the model's context; longer prompts lose their beginning and are counted.
        batch_size: prompts read at once.
        reverse: ask the items in reversed order, which changes nothing but rounding.
        limit: items a task at most, chosen by the hash of their ids.
        data: a data folder, instead of FLAGBENCH_DATA or the user's cache folder.
        progress: told of each request.
        kept: where answers that the same model gave may be taken from; None to ask in any case.

    Raises:
        UnknownNameError: no such suite or task.
        ConfigError: a task is broken, its data is missing, or the context is too short for it.
    """
    if batch_size < 1 or (limit is not None and limit < 1):
        raise ConfigError(f"batch size and limit are at least 1, given {batch_size} and {limit}")
    suites = load_suites(suite)
    described = tasks_of(suites)
    with undisturbed(model):
        # All tasks load before the first is asked: what is missing shows at once, not after an hour.
        loaded = [_load(task, data=data, limit=limit, reverse=reverse) for task in described]
        total = sum(task.requests for task in loaded)
        if kept is not None:
            items = {task.name: task.task for task in loaded}
            limits = {"suite": suite, "max_tokens": max_tokens, "batch_size": batch_size, "limit": limit}
            question = question_of(model, tokenizer, items, **limits)
            known = kept.read(question)
            if known is not None:
                return known
        lm = live_model(model, tokenizer, max_tokens=max_tokens, batch_size=batch_size)
        count = _Count(progress, total=total)
        lm.set_cache_hook(count)
        tasks = tuple(_evaluated(task, lm, count) for task in loaded)
    dtype = str(model.dtype).removeprefix("torch.")
    name = suite if suite == ALL else suites[0].name
    sha256 = weights_sha256(model.named_parameters())
    result = SuiteResult(name, tasks, batch_size, dtype, sha256, limit, lm.separately)
    if kept is not None:
        kept.keep(question, result)
    return result


def live_model(model: PreTrainedModel, tokenizer: Any, *, max_tokens: int, batch_size: int) -> SharedContexts:
    """lm-eval's view of a model that is in use, with a tokenizer of its own."""
    return SharedContexts(
        pretrained=model,
        tokenizer=copy.deepcopy(tokenizer),  # it may be given a padding token
        backend="causal",
        max_length=max_tokens,
        batch_size=batch_size,
    )


def _load(described: KnowledgeTask, *, data: str | None, limit: int | None, reverse: bool) -> _Loaded:
    manager = TaskManager(include_defaults=False, metadata={"data": data})
    try:
        (task,) = manager.load([str(described.path)])["tasks"].values()
    except FlagbenchError:
        raise
    except Exception as error:  # lm-eval raises whatever a YAML, its functions or a data set lead to
        raise ConfigError(f"{described.path}: lm-eval cannot load the task: {error}") from error
    if task.OUTPUT_TYPE not in (MULTIPLE_CHOICE, GENERATE):
        raise ConfigError(
            f"{described.path}: output_type `{task.OUTPUT_TYPE}` has no answer to compare",
            hint=f"allowed: {MULTIPLE_CHOICE}, {GENERATE}",
        )
    if task.aggregation()[_metric(task)] is not mean:
        raise ConfigError(f"{described.path}: its first metric, `{_metric(task)}`, must be a mean over items")
    if task.config.num_fewshot is None:
        task.set_config("num_fewshot", 0)
    task.set_fewshot_seed(FEWSHOT_SEED)
    return _Loaded(described, task, _arrange(task, described.name, limit=limit, reverse=reverse))


def _arrange(task: ConfigurableTask, name: str, *, limit: int | None, reverse: bool) -> list[int]:
    """Put the items to be asked, in their order, in the place of the task's own."""
    docs = task.eval_docs
    order = list(range(len(docs)))
    if limit is not None:
        ranks = {index: _rank(name, _item_id(docs[index], index)) for index in order}
        order = sorted(sorted(order, key=ranks.__getitem__)[:limit])
    if reverse:
        order.reverse()
    task.dataset[task.config.test_split or task.config.validation_split] = docs.select(order)
    task.set_config("process_docs", None)  # applied already
    return order


def _rank(task: str, item: str) -> str:
    return hashlib.sha256(f"{LIMIT_SEED}/{task}/{item}".encode()).hexdigest()


def _item_id(doc: Mapping[str, Any], index: int) -> str:
    """The item's own id; its position in the data where it has none."""
    return str(doc.get("id", index))


def _evaluated(loaded: _Loaded, lm: HFLM, count: _Count) -> TaskResult:
    count.task = loaded.name
    generation = loaded.task.config.generation_kwargs or {}
    reserved = generation.get("max_gen_toks", lm.max_gen_toks) if loaded.task.OUTPUT_TYPE == GENERATE else 0
    if lm.max_length <= reserved:
        raise ConfigError(
            f"knowledge task `{loaded.name}` lets a model write {reserved} tokens; "
            f"this one has a context of {lm.max_length}"
        )
    # No seeds are set by `evaluate`, and the standard error is ours.
    try:
        results = evaluate(lm, {"tasks": {loaded.name: loaded.task}}, bootstrap_iters=0, log_samples=True)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{loaded.described.path}: lm-eval cannot ask or score the items: {error!r}", hint=SEE_WHERE
        ) from error
    samples = results["samples"][loaded.name]
    samples = [sample for sample in samples if sample["filter"] == samples[0]["filter"]]
    if len(samples) != len(loaded.order):
        raise ConfigError(
            f"{loaded.described.path}: lm-eval asked {len(samples)} of {len(loaded.order)} items"
        )
    placed = sorted(zip(loaded.order, samples, strict=True), key=lambda pair: pair[0])
    items = tuple(_item(loaded, sample, index, lm) for index, sample in placed)
    origin = str(loaded.task.eval_docs.info.description)
    return TaskResult(loaded.name, str(loaded.described.metadata.version), items, origin)


def _item(loaded: _Loaded, sample: Mapping[str, Any], index: int, lm: HFLM) -> ItemResult:
    doc, task = sample["doc"], loaded.task
    metric = _metric(task)
    value = sample[metric]
    if value not in (0, 1):
        raise ConfigError(
            f"{loaded.described.path}: its first metric, `{metric}`, must be 0 or 1 for an item, not {value}"
        )
    target = sample["target"]
    if task.OUTPUT_TYPE == MULTIPLE_CHOICE:
        choices = task.doc_to_choice(doc)
        answer = _chosen(choices, [response[0] for response in sample["filtered_resps"]], metric)
        target = choices[target] if isinstance(target, int) else target
    else:
        answer = str(sample["filtered_resps"][0]).strip()
    item = _item_id(doc, index)
    return ItemResult(
        item=item,
        cluster=str(doc.get("cluster", item)),
        kind=str(doc.get("kind", loaded.name)),
        correct=bool(value),
        answer=answer,
        target=str(target),
        truncated=any(_is_truncated(arguments, lm) for arguments in sample["arguments"]),
        unparsed=bool(sample.get("unparsed", False)),
    )


def _metric(task: ConfigurableTask) -> str:
    """The metric that says whether an item is correct: the first that the YAML names."""
    return str(next(iter(task.aggregation())))


def _chosen(choices: Sequence[str], log_likelihoods: Sequence[float], metric: str) -> str:
    """The choice that lm-eval takes as the answer under a metric; of equals the first."""
    length = NORMALISED.get(metric)
    lengths = [length(choice) if length else 1 for choice in choices]
    scores = [value / size for value, size in zip(log_likelihoods, lengths, strict=True)]
    return str(choices[int(np.argmax(scores))])


def _is_truncated(arguments: tuple[Any, ...], lm: HFLM) -> bool:
    """Whether lm-eval cut the prompt's beginning to make room for the choice, or for what may be written."""
    context, rest = arguments[:2]
    if isinstance(rest, str):
        # The last token of a choice is only predicted, so one more fits.
        return _is_longer(context + rest, lm.max_length + 1, lm)
    return _is_longer(context, lm.max_length - rest.get("max_gen_toks", lm.max_gen_toks), lm)


def _is_longer(text: str, tokens: int, lm: HFLM) -> bool:
    # Most prompts are far shorter, and counting their tokens once more would take a twentieth of the time.
    return TOKENS_PER_BYTE * len(text.encode()) > tokens and len(lm.tok_encode(text)) > tokens
