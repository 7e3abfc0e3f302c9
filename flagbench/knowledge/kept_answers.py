"""Answers of untrained models, kept so that the next run with the same model need not ask again.

Every seed and asset of a backbone begins with the same weights, and an agent that never trains its model ends
with them. Answers are taken from the folder only where all that they depend on is equal: weights, tokenizer,
items, batches, code, packages, machine.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.task import ConfigurableTask
from transformers import PreTrainedModel

from flagbench.agents.answer_cache import AnswerCache, cache_key
from flagbench.knowledge.results import SuiteResult
from flagbench.learning.weights import weights_sha256

PACKAGES = ("datasets", "lm_eval", "numpy", "torch", "transformers")


class KeptAnswers:
    """A folder of answers to whole suites.

    Args:
        folder: made when the first are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._cache = AnswerCache(folder, hint="answers are kept beside the runs: see --out")
        self.taken = 0
        """How many results were read from it, not asked for."""

    def read(self, question: Mapping[str, Any]) -> SuiteResult | None:
        """The answers to a question; None if it was not asked before, or if they were damaged since.

        Raises:
            ConfigError: the folder cannot be read.
        """
        found = self._cache.read(cache_key(question))
        if found is None:
            return None
        self.taken += 1
        return SuiteResult.from_json(found)

    def keep(self, question: Mapping[str, Any], result: SuiteResult) -> None:
        """Keep the answers to a question.

        Raises:
            ConfigError: the folder cannot be written to.
        """
        self._cache.write(cache_key(question), result.to_json())


def question_of(
    model: PreTrainedModel, tokenizer: Any, tasks: Mapping[str, ConfigurableTask], **asked: Any
) -> dict[str, Any]:
    """Everything that a model's answers depend on, as plain values.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        tasks: by name, with the items that are asked in the order in which they are asked.
        asked: how: batch size, context.
    """
    return {
        "weights": weights_sha256(model.named_parameters()),
        "model": [_name(model), str(model.dtype), model.config.to_dict() | {"_name_or_path": ""}],
        "tokenizer": [_name(tokenizer), _vocabulary(tokenizer)],
        "tasks": {name: _items(task) for name, task in tasks.items()},
        "code": _code(),
        "packages": {package: version(package) for package in PACKAGES},
        "machine": [platform.machine(), _device(model), torch.get_num_threads()],
        **asked,
    }


def _name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _device(model: PreTrainedModel) -> str:
    return torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else str(model.device)


def _vocabulary(tokenizer: Any) -> str:
    fast = getattr(tokenizer, "backend_tokenizer", None)
    return _digest(tokenizer.get_vocab() if fast is None else fast.to_str())


def _items(task: ConfigurableTask) -> str:
    """Of a task's definition and of all its data, which examples are taken from as well."""
    data = {split: list(rows) for split, rows in task.dataset.items()}
    return _digest([task.dump_config(), data])


def _code() -> str:
    """Of the modules that ask, so that nothing outlives a change of them."""
    folder = Path(__file__).parent
    return _digest({path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))})


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
