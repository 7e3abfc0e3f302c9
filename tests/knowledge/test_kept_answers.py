"""Answers are taken from the folder only where asking would give the same ones."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from flagbench.errors import ConfigError
from flagbench.experiment import SilentRun
from flagbench.knowledge import kept_answers
from flagbench.knowledge.evaluation import evaluate_knowledge
from flagbench.knowledge.examination import Examination
from flagbench.knowledge.kept_answers import KeptAnswers, question_of
from flagbench.knowledge.results import SuiteResult
from flagbench.learning.backbone import Backbone

Ask = Callable[..., SuiteResult]


class Witness:
    """A copy of a backbone that counts how often its model was called."""

    def __init__(self, backbone: Backbone) -> None:
        self.model, self.tokenizer = copy.deepcopy(backbone.model), copy.deepcopy(backbone.tokenizer)
        self.calls = 0
        self.model.model.register_forward_hook(self._count)

    def _count(self, *_: Any) -> None:
        self.calls += 1

    def language_model(self) -> tuple[Any, Any]:
        return self.model, self.tokenizer

    def ask(self, suite: str, kept: KeptAnswers | None, **changed: Any) -> SuiteResult:
        asked: dict[str, Any] = {"suite": suite, "max_tokens": 256} | changed
        return evaluate_knowledge(self.model, self.tokenizer, **asked, kept=kept)


@pytest.fixture
def witness(tiny: Backbone) -> Witness:
    return Witness(tiny)


def test_the_second_time_nobody_is_asked_and_the_answers_are_the_same(
    witness: Witness, toy_suite: str, tmp_path: Path
) -> None:
    plain, kept = witness.ask(toy_suite, None), KeptAnswers(tmp_path / "answers")
    assert witness.ask(toy_suite, kept) == plain
    calls = witness.calls
    assert calls > 0
    again = KeptAnswers(tmp_path / "answers")
    assert witness.ask(toy_suite, again) == plain
    assert (witness.calls, kept.taken, again.taken) == (calls, 0, 1)


def weights(witness: Witness) -> dict[str, Any]:
    with torch.no_grad():
        next(witness.model.parameters()).view(-1)[0] += 1
    return {}


def settings(witness: Witness) -> dict[str, Any]:
    witness.model.config.rms_norm_eps *= 2
    return {}


def vocabulary(witness: Witness) -> dict[str, Any]:
    witness.tokenizer.add_tokens(["What does"])
    witness.model.resize_token_embeddings(len(witness.tokenizer))
    return {}


@pytest.mark.parametrize(
    "change",
    [
        weights,
        settings,
        vocabulary,
        lambda _: {"batch_size": 8},
        lambda _: {"reverse": True},
        lambda _: {"limit": 5},
        lambda _: {"max_tokens": 128},
        lambda _: {"suite": "toy_sums"},
    ],
    ids=["weights", "settings", "vocabulary", "batches", "order", "limit", "context", "suite"],
)
def test_whatever_an_answer_depends_on_is_asked_anew(
    change: Callable[[Witness], dict[str, Any]], witness: Witness, toy_suite: str, tmp_path: Path
) -> None:
    kept = KeptAnswers(tmp_path)
    witness.ask(toy_suite, kept)
    calls, changed = witness.calls, change(witness)
    witness.ask(**{"suite": toy_suite, "kept": kept, **changed})
    assert witness.calls > calls
    assert kept.taken == 0


def test_other_items_under_the_same_name_are_another_question(
    witness: Witness, sums: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Task:
        def __init__(self, rows: list[Any]) -> None:
            self.dataset = {"test": rows}

        def dump_config(self) -> dict[str, Any]:
            return {"task": "sums"}

    model, tokenizer = witness.language_model()
    first, same, other = (
        question_of(model, tokenizer, {"sums": Task(rows)}, batch_size=1)
        for rows in (sums, list(sums), [*sums[1:], {**sums[0], "answer": 3 - sums[0]["answer"]}])
    )
    assert first == same != other
    monkeypatch.setattr(kept_answers, "_code", lambda: "other code")
    assert question_of(model, tokenizer, {"sums": Task(sums)}, batch_size=1) != first


def test_damaged_answers_are_asked_again(witness: Witness, toy_suite: str, tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path)
    first = witness.ask(toy_suite, kept)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text().replace("true", "false", 1))
    assert witness.ask(toy_suite, kept) == first
    assert kept.taken == 0
    assert witness.ask(toy_suite, kept) == first
    assert kept.taken == 1


def test_a_folder_that_cannot_be_used_is_named(witness: Witness, toy_suite: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConfigError, match="taken cannot be") as caught:
        witness.ask(toy_suite, KeptAnswers(tmp_path / "taken"))
    assert "--out" in caught.value.hint


def test_an_examination_says_what_was_taken_and_always_asks_what_was_trained(
    witness: Witness, toy_suite: str, tmp_path: Path
) -> None:
    def examined(*, train: bool) -> dict[str, Any]:
        exam = Examination(
            toy_suite, data=None, device=torch.device("cpu"), report=SilentRun().asked, kept=tmp_path
        )
        exam.before(witness)
        if train:
            weights(witness)
        exam.after(witness)
        return exam.to_record()

    first, second, third = examined(train=False), examined(train=False), examined(train=True)
    assert [each["kept"] for each in (first, second, third)] == [
        ["after"],
        ["before", "noise", "after"],
        ["before", "noise"],
    ]
    assert first["before"] == second["before"] == third["before"]
    assert first["retention"] == second["retention"]
    assert len(list(tmp_path.rglob("*.json"))) == 2  # nothing of the trained model
