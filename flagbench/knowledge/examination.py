"""An agent's language model, asked the same items before and after training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from flagbench.agents.agent import LanguageAgent
from flagbench.errors import AgentError
from flagbench.knowledge.evaluation import BATCH_SIZE, evaluate_knowledge
from flagbench.knowledge.kept_answers import KeptAnswers
from flagbench.knowledge.results import SuiteResult
from flagbench.knowledge.retention import retention
from flagbench.knowledge.undisturbed import same_random_states
from flagbench.learning.weights import weights_sha256

NOISE_BATCH_SIZE = 8
"""Of the noise floor: as fast as `BATCH_SIZE` and padded differently."""

Report = Callable[[str, int, int], None]
"""Told what is asked, how many requests are done, and of how many."""


class Examination:
    """Asks a suite before training, again as a noise floor, and after training.

    Nothing of the training depends on it: random states are as before afterwards.

    Args:
        suite: a knowledge suite.
        data: a folder of data sets, for suites that need one.
        device: where the model is asked, before and after; None for wherever its agent has put it.
        report: told of every request.
        kept: a folder of untrained models' answers, to take them from and to keep them in; None to ask in
            any case. What a training changed is always asked.
    """

    def __init__(
        self,
        suite: str,
        *,
        data: str | None,
        device: torch.device | None,
        report: Report,
        kept: Path | None = None,
    ) -> None:
        self._suite, self._data, self._device, self._report = suite, data, device, report
        self._kept = None if kept is None else KeptAnswers(kept)
        self._taken: list[str] = []
        self._results: dict[str, SuiteResult] = {}

    def before(self, agent: LanguageAgent) -> None:
        """Ask the untrained model twice, the second time in batches of another size, in reversed order."""
        self._ask("before", agent, "before training", batch_size=BATCH_SIZE)
        self._ask("noise", agent, "before training, again", batch_size=NOISE_BATCH_SIZE, reverse=True)

    def after(self, agent: LanguageAgent) -> None:
        """Ask the trained model, as it was asked before."""
        self._ask("after", agent, "after training", batch_size=BATCH_SIZE)

    def to_record(self) -> dict[str, Any]:
        """Figures for the record: the suite, accuracy before and after, and the retention of each task."""
        before, after, noise = (self._results[name] for name in ("before", "after", "noise"))
        compared = retention(before, after, noise)
        reasons = {result.separately: None for result in self._results.values() if result.separately}
        return {
            "suite": self._suite,
            "batch_size": before.batch_size,
            "dtype": before.dtype,
            "separately": "; ".join(reasons) or None,
            "kept": self._taken,
            "model_sha256": {"before": before.model_sha256, "after": after.model_sha256},
            "before": before.summary()["tasks"],
            "after": after.summary()["tasks"],
            "retention": [task.to_json() for task in compared],
        }

    def write(self, folder: Path) -> None:
        """Write every answer: `before.jsonl`, `noise.jsonl` and `after.jsonl`, an item a line."""
        folder.mkdir()
        for name, result in self._results.items():
            lines = [
                json.dumps({"task": task.task, "version": task.version, **item._asdict()})
                for task in result.tasks
                for item in task.items
            ]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _ask(
        self, name: str, agent: LanguageAgent, when: str, *, batch_size: int, reverse: bool = False
    ) -> None:
        def progress(task: str, *, done: int, total: int) -> None:
            self._report(f"{task} {when}", done, total)

        with same_random_states():  # an agent may load its model only now
            model, tokenizer = agent.language_model()
            try:
                max_tokens = int(min(model.config.max_position_embeddings, tokenizer.model_max_length))
                if self._device is not None:
                    model.to(self._device)
            except AttributeError as error:
                raise AgentError(
                    f"`language_model()` must return a transformers model and its tokenizer: {error}",
                    hint="see docs/agents.md",
                ) from error
            kept = self._kept if self._is_untrained(model) else None
            taken = 0 if kept is None else kept.taken
            self._results[name] = evaluate_knowledge(
                model,
                tokenizer,
                suite=self._suite,
                max_tokens=max_tokens,
                batch_size=batch_size,
                reverse=reverse,
                data=self._data,
                progress=progress,
                kept=kept,
            )
            if kept is not None and kept.taken > taken:
                self._taken.append(name)

    def _is_untrained(self, model: PreTrainedModel) -> bool:
        before = self._results.get("before")
        return before is None or before.model_sha256 == weights_sha256(model.named_parameters())
