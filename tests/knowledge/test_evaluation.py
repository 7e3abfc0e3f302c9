import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.knowledge.evaluation import evaluate_knowledge, live_model
from flagbench.knowledge.results import SuiteResult
from flagbench.knowledge.suites import load_suites
from flagbench.learning.backbone import Backbone
from flagbench.learning.weights import weights_sha256

if TYPE_CHECKING:
    from tests.knowledge.conftest import ChoiceTask, Item, Parrot, TaskPackage


def asked(backbone: Backbone, suite: str, **settings: Any) -> SuiteResult:
    settings = {"max_tokens": backbone.max_tokens, **settings}
    return evaluate_knowledge(backbone.model, backbone.tokenizer, suite=suite, **settings)


# What is asked, chosen and counted


def test_items_come_with_what_was_asked_and_chosen(
    tiny: Backbone, toy_suite: str, sums: "list[Item]"
) -> None:
    result = asked(tiny, toy_suite, batch_size=8)
    assert [task.task for task in result.tasks] == ["toy_sums", "toy_long"]
    assert (result.batch_size, result.dtype, result.model_sha256) == (8, "float32", tiny.sha256)
    task = result.tasks[0]
    assert task.version == "3"
    assert task.origin.endswith("_of_toy_sums, knowledge/toy_sums.jsonl")
    for item, given in zip(task.items, sums, strict=True):
        assert (item.item, item.cluster, item.kind) == (given["id"], given["cluster"], given["kind"])
        assert item.target == given["choices"][given["answer"]]
        assert item.answer in given["choices"]
        assert item.correct == (item.answer == item.target)
        assert (item.truncated, item.unparsed) == (False, False)


def test_what_a_parrot_chooses_is_known_beforehand(parrot: "Parrot", choice_task: "ChoiceTask") -> None:
    bird = {"id": "a", "cluster": "a", "kind": "one", "question": "?", "answer": 1}
    items = [{**bird, "choices": ["cat", "sell", "dog"]}, {**bird, "id": "b", "choices": ["sell", "dog"]}]
    choice_task("toy_bird", items)
    (task,) = asked(parrot(" sell"), "toy_bird").tasks
    assert [(item.answer, item.correct) for item in task.items] == [("sell", True), ("sell", False)]
    assert (task.accuracy, task.stderr) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("metric", "answer"), [("acc", "sell"), ("acc_norm", "sell long flat"), ("acc_bytes", "sell long flat")]
)
def test_the_answer_is_the_one_that_the_metric_scores(
    parrot: "Parrot", choice_task: "ChoiceTask", metric: str, answer: str
) -> None:
    """A parrot of `cash` finds each other token equally unlikely: fewer of them win, or fewer a letter."""
    choices = ["sell", "sell long flat"]
    item = {"id": "a", "cluster": "a", "kind": "k", "question": "?", "choices": choices, "answer": 0}
    choice_task(f"toy_{metric}", [item], metric=metric)
    bird = parrot(" cash")
    assert [len(bird.tokenizer.encode(f" {choice}")) for choice in choices] == [1, 3]
    assert len("sell long flat") > 3 * len("sell")
    ((one,),) = [task.items for task in asked(bird, f"toy_{metric}").tasks]
    assert (one.answer, one.correct) == (answer, answer == "sell")


def test_numbers_are_read_from_what_the_model_writes(parrot: "Parrot", number_data: str) -> None:
    (task,) = asked(parrot("7"), "finqa_like", data=number_data).tasks
    assert [item.item for item in task.items] == ["A/1.pdf-1", "A/1.pdf-2", "B/1.pdf-1"]
    assert [item.cluster for item in task.items] == ["A/1.pdf", "A/1.pdf", "B/1.pdf"]
    assert [item.answer for item in task.items] == ["7", "7", "7"]
    assert [item.correct for item in task.items] == [True, False, False]
    assert [item.unparsed for item in task.items] == [False, False, True]
    stderr = pytest.approx(math.sqrt(1 / 3 * 2 / 3 / 2))
    figures = {"accuracy": 1 / 3, "stderr": stderr, "items": 3, "unparsed": 1, "truncated": 0}
    assert task.summary() == figures


def test_an_answer_without_a_number_is_counted_as_unparsed(parrot: "Parrot", number_data: str) -> None:
    (task,) = asked(parrot(" sell"), "finqa_like", data=number_data).tasks
    assert (task.accuracy, task.unparsed) == (0.0, 3)


def test_prompts_longer_than_the_context_are_counted(
    parrot: "Parrot", tiny: Backbone, number_data: str, choice_task: "ChoiceTask"
) -> None:
    (task,) = asked(parrot("7"), "finqa_like", data=number_data, max_tokens=100).tasks
    assert [item.truncated for item in task.items] == [False, True, False]
    assert [item.answer for item in task.items] == ["7", "7", "7"]
    encode = tiny.tokenizer.encode
    items = [
        {"id": str(n), "cluster": "a", "kind": "k", "question": "x" * n, "choices": ["a", "bcd"], "answer": 0}
        for n in range(40, 60)
    ]
    choice_task("toy_edge", items)
    lengths = [len(encode(f"Question: {item['question']}\nAnswer: bcd")) for item in items]
    (task,) = asked(tiny, "toy_edge", max_tokens=lengths[10] - 1).tasks
    # A prompt may be one token longer than the context: the last token of a choice is not read.
    assert [item.truncated for item in task.items] == [length > lengths[10] for length in lengths]
    assert 0 < task.truncated < len(items)


def test_order_and_batch_change_nothing(tiny: Backbone, toy_suite: str, number_data: str) -> None:
    for suite in (toy_suite, "finqa_like"):
        forwards = asked(tiny, suite, batch_size=32, data=number_data)
        backwards = asked(tiny, suite, batch_size=1, data=number_data, reverse=True)
        assert forwards.tasks == backwards.tasks


def test_a_task_comes_to_the_same_alone_and_in_its_suite(tiny: Backbone, toy_suite: str) -> None:
    assert asked(tiny, "toy_long").tasks[0] == asked(tiny, toy_suite).tasks[1]


def test_a_limit_takes_items_by_their_ids_wherever_they_stand(
    tiny: Backbone, toy_suite: str, sums: "list[Item]", choice_task: "ChoiceTask"
) -> None:
    few = asked(tiny, "toy_sums", limit=5)
    chosen = [item.item for item in few.tasks[0].items]
    assert (few.limit, len(chosen)) == (5, 5)
    assert chosen != [item["id"] for item in sums[:5]]
    assert set(few.tasks[0].items) < set(asked(tiny, "toy_sums").tasks[0].items)
    assert set(chosen) < {item.item for item in asked(tiny, "toy_sums", limit=9).tasks[0].items}
    assert asked(tiny, "toy_sums", limit=5, reverse=True) == few
    assert len(asked(tiny, "toy_sums", limit=99).tasks[0].items) == 24


# lm-eval as the engine


@pytest.mark.parametrize("name", ["tiny", "stories"])
def test_log_likelihoods_do_not_depend_on_the_batch(
    name: str, sums: "list[Item]", request: pytest.FixtureRequest
) -> None:
    backbone: Backbone = request.getfixturevalue(name)
    requests = [
        Instance("loglikelihood", dict(item), (f"Question: {item['question']}\nAnswer:", f" {choice}"), index)
        for item in sums
        for index, choice in enumerate(item["choices"])
    ]
    by_batch = []
    for batch_size in (1, 32):
        lm = live_model(
            backbone.model, backbone.tokenizer, max_tokens=backbone.max_tokens, batch_size=batch_size
        )
        by_batch.append(np.array([value for value, _ in lm.loglikelihood(requests, disable_tqdm=True)]))
    assert len(by_batch[0]) == 96
    assert np.abs(by_batch[0] - by_batch[1]).max() < 1e-4


def lm_eval_by_hand(model: Path, folder: Path, task: str, *, out: Path, data: str) -> dict[str, Any]:
    """What `python -m lm_eval` makes of a task of a package, with the score of each item by id."""
    packages = os.pathsep.join([str(folder.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": packages, "FLAGBENCH_DATA": data}
    settings = {
        "--model": "hf",
        "--model_args": f"pretrained={model},dtype=float32,max_length=1024",
        "--tasks": task,
        "--include_path": folder,
        "--output_path": out,
        "--device": "cpu",
        "--batch_size": 32,
    }
    arguments = [str(word) for setting in settings.items() for word in setting]
    subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", *arguments, "--log_samples"],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=500,
    )
    (path,) = out.rglob("results_*.json")
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"][task]
    (path,) = out.rglob(f"samples_{task}_*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    results["correct"] = {line["doc"]["id"]: bool(line["acc"]) for line in lines}
    return results


@pytest.mark.usefixtures("toy_suite")
@pytest.mark.parametrize("name", ["toy_sums", pytest.param("finqa_like", marks=pytest.mark.slow)])
def test_scores_are_those_of_lm_evals_own_command_line(
    name: str, number_data: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    backbone: Backbone = request.getfixturevalue("tiny")
    if name == "finqa_like":  # random weights hardly ever write a number
        backbone = request.getfixturevalue("parrot")("7")
    for part in (backbone.model, backbone.tokenizer):
        part.save_pretrained(tmp_path / "model")
    folder = load_suites(name)[0].tasks[0].path.parent
    theirs = lm_eval_by_hand(tmp_path / "model", folder, name, out=tmp_path / "out", data=number_data)
    (ours,) = asked(backbone, name, data=number_data).tasks
    assert 0 < ours.accuracy < 1
    assert ours.accuracy == theirs["acc,none"]
    assert ours.stderr == pytest.approx(theirs["acc_stderr,none"], abs=1e-12)
    assert {item.item: item.correct for item in ours.items} == theirs["correct"]
    assert name == "toy_sums" or ours.unparsed / 3 == theirs["unparsed,none"]


# What is left behind


def test_nothing_is_disturbed(parrot: "Parrot", toy_suite: str, number_data: str) -> None:
    backbone = parrot("7")
    model, tokenizer = backbone.model, backbone.tokenizer
    model.train()
    model.get_submodule("lm_head").eval()
    model.config.use_cache = False
    tokenizer.pad_token = None
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)

    def state() -> dict[str, object]:
        generation = model.generation_config
        return {
            "python": random.getstate(),
            "numpy": str(np.random.get_state()),
            "torch": torch.get_rng_state().tolist(),
            "training": [module.training for module in model.modules()],
            "config": model.config.to_dict(),
            "generation": generation and generation.to_dict(),
            "parameters": [(name, id(weight)) for name, weight in model.named_parameters()],
            "weights": weights_sha256(model.named_parameters()),
            "tokenizer": (tokenizer.pad_token, tokenizer.padding_side, tokenizer.model_max_length),
            "vocabulary": tokenizer.backend_tokenizer.to_str(),
            "gradients": (torch.is_grad_enabled(), model.get_input_embeddings().weight.requires_grad),
        }

    before = state()
    for suite in (toy_suite, "finqa_like"):
        asked(backbone, suite, data=number_data)
        assert state() == before


def test_every_request_is_reported(tiny: Backbone, toy_suite: str) -> None:
    told: list[tuple[str, int, int]] = []

    def progress(task: str, *, done: int, total: int) -> None:
        told.append((task, done, total))

    asked(tiny, toy_suite, progress=progress)
    assert told == [("toy_sums" if i <= 96 else "toy_long", i, 136) for i in range(1, 137)]


def test_lm_eval_says_nothing(
    parrot: "Parrot", toy_suite: str, number_data: str, capfd: pytest.CaptureFixture[str]
) -> None:
    asked(parrot("7"), toy_suite, limit=2)
    asked(parrot("7"), "finqa_like", data=number_data, max_tokens=100)  # lm-eval would warn of the cut
    assert capfd.readouterr() == ("", "")


# What is refused


def test_what_cannot_be_asked_is_refused(
    tiny: Backbone, toy_suite: str, number_data: str, task_package: "TaskPackage"
) -> None:
    with pytest.raises(UnknownNameError, match="unknown knowledge suite `toy_suit`") as unknown:
        asked(tiny, "toy_suit")
    assert unknown.value.hint == "did you mean `toy_suite`?"
    for settings in ({"limit": 0}, {"batch_size": 0}):
        with pytest.raises(ConfigError, match="at least 1"):
            asked(tiny, toy_suite, **settings)
    with pytest.raises(ConfigError, match="lets a model write 4 tokens; this one has a context of 4"):
        asked(tiny, "finqa_like", data=number_data, max_tokens=4)


SCORING = """\
def half(item, results):
    return {"acc": 0.5}

def crash(item, results):
    return {"acc": int(item["gold"] == 0)}
"""

BROKEN = {
    "function": ("custom_dataset: !function nowhere_at_all.load", "lm-eval cannot load the task: .*nowhere"),
    "output": ("output_type: loglikelihood_rolling", "output_type `loglikelihood_rolling` has no answer"),
    "f1": ("metric_list: [{metric: f1, aggregation: f1, higher_is_better: true}]", "`f1`, must be a mean"),
    "half": ("process_results: !function scoring.half", "`acc`, must be 0 or 1 for an item, not 0.5"),
    "crash": ("process_results: !function scoring.crash", "cannot ask or score the items: KeyError.'gold'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_task_that_does_not_work_is_named(
    name: str, tiny: Backbone, sums: "list[Item]", choice_task: "ChoiceTask"
) -> None:
    line, reason = BROKEN[name]
    folder = choice_task(f"broken_{name}", sums)
    path = folder / f"broken_{name}.yaml"
    (folder / "scoring.py").write_text(SCORING, encoding="utf-8")
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=reason) as caught:
        asked(tiny, f"broken_{name}")
    assert str(path) in caught.value.message
    path.unlink()
