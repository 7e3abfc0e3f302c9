import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from flagbench.errors import AgentError
from flagbench.experiment import SilentRun
from flagbench.flag.agent import FlagAgent
from flagbench.knowledge.evaluation import BATCH_SIZE
from flagbench.knowledge.examination import NOISE_BATCH_SIZE, Examination
from flagbench.learning.backbone import Backbone

if TYPE_CHECKING:
    from tests.knowledge.conftest import ChoiceTask, Parrot

CPU = torch.device("cpu")
PHASES = ("before", "noise", "after")


class Holder:
    """An agent that is nothing but its language model."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer

    def language_model(self) -> tuple[Any, Any]:
        return self.model, self.tokenizer


def holder(backbone: Backbone) -> Holder:
    return Holder(backbone.model, backbone.tokenizer)


def examination(suite: str, device: torch.device | None = None) -> Examination:
    return Examination(suite, data=None, device=device, report=SilentRun().asked)


def written(exam: Examination, folder: Path) -> dict[str, list[dict[str, Any]]]:
    exam.write(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.jsonl" for name in PHASES)
    return {
        name: [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        for name in PHASES
    }


def test_a_model_that_nobody_touches_forgets_and_gains_exactly_nothing(
    tiny: Backbone, toy_suite: str, tmp_path: Path
) -> None:
    exam, agent = examination(toy_suite, CPU), holder(tiny)
    exam.before(agent)
    exam.after(agent)
    record = exam.to_record()
    assert (record["suite"], record["batch_size"], record["dtype"]) == (toy_suite, BATCH_SIZE, "float32")
    assert record["model_sha256"] == {"before": tiny.sha256, "after": tiny.sha256}
    assert record["before"] == record["after"]
    assert [part["task"] for part in record["retention"]] == ["toy_sums", "toy_long", None]
    for part in record["retention"]:
        assert (part["forgotten"], part["gained"], part["difference"], part["p_value"]) == (0, 0, 0, 1)
        assert (part["low"], part["high"]) == (0, 0)
        assert part["noise"] == {"forgotten": 0, "gained": 0, "batch_size": NOISE_BATCH_SIZE}
    lines = written(exam, tmp_path / "knowledge")
    assert lines["before"] == lines["noise"] == lines["after"]


@pytest.fixture(scope="module")
def birdsong(choice_task: "ChoiceTask") -> tuple[str, int]:
    """A task that a parrot of `sell` answers completely, and a parrot of `cash` never; with its items."""
    items = [
        {
            "id": f"bird-{number}",
            "cluster": f"bird-{number}",
            "kind": "fact",
            "question": f"What does bird {number} say?",
            "choices": ["cash", "sell"] if number % 2 else ["sell", "cash"],
            "answer": number % 2,
        }
        for number in range(40)
    ]
    choice_task("toy_birdsong", items)
    return "toy_birdsong", len(items)


def test_a_planted_forgetting_is_found_with_its_exact_figures(
    parrot: "Parrot", birdsong: tuple[str, int], tmp_path: Path
) -> None:
    suite, items = birdsong
    agent = holder(parrot(" sell"))
    exam = examination(suite)
    exam.before(agent)
    with torch.no_grad():
        agent.model.load_state_dict(parrot(" cash").model.state_dict())
    exam.after(agent)
    record = exam.to_record()
    task, whole = record["retention"]
    assert {**whole, "task": suite} == task
    assert (task["before"], task["after"], task["difference"]) == (1.0, 0.0, -1.0)
    assert (task["forgotten"], task["gained"], task["test"]) == (items, 0, "mcnemar")
    assert task["p_value"] == pytest.approx(2 * 0.5**items)
    assert task["noise"] == {"forgotten": 0, "gained": 0, "batch_size": NOISE_BATCH_SIZE}
    assert record["model_sha256"]["before"] != record["model_sha256"]["after"]
    lines = written(exam, tmp_path / "knowledge")
    assert (
        [line["answer"] for line in lines["before"]]
        == ["sell"] * items
        == [line["target"] for line in lines["after"]]
    )
    assert [line["answer"] for line in lines["after"]] == ["cash"] * items


def test_the_files_hold_every_item_and_agree_with_the_record(
    tiny: Backbone, toy_suite: str, tmp_path: Path
) -> None:
    """A model with other random weights stands for a trained one, so that answers change both ways."""
    exam = examination(toy_suite)
    exam.before(holder(tiny))
    exam.after(Holder(type(tiny.model)(tiny.model.config).eval(), tiny.tokenizer))
    record = exam.to_record()
    lines = written(exam, tmp_path / "knowledge")
    for name in PHASES:
        assert {line["version"] for line in lines[name]} == {"3"}
        assert len({(line["task"], line["item"]) for line in lines[name]}) == len(lines[name]) == 34
    for part in record["retention"]:
        own = {
            name: {
                (line["task"], line["item"]): line["correct"]
                for line in lines[name]
                if part["task"] in (None, line["task"])
            }
            for name in PHASES
        }
        items = own["before"]
        assert part["items"] == len(items)
        assert part["before"] == pytest.approx(np.mean(list(items.values())))
        assert part["after"] == pytest.approx(np.mean(list(own["after"].values())))
        assert part["forgotten"] == sum(items[item] and not own["after"][item] for item in items)
        assert part["gained"] == sum(own["after"][item] and not items[item] for item in items)
        if part["task"] is not None:
            assert record["before"][part["task"]]["accuracy"] == part["before"]
            assert record["after"][part["task"]]["accuracy"] == part["after"]
    assert record["retention"][-1]["forgotten"] > 0
    assert record["retention"][-1]["gained"] > 0


def test_the_noise_floor_is_asked_in_other_batches(tiny: Backbone, birdsong: tuple[str, int]) -> None:
    """Seen from inside the model: how many prompts it reads at once."""
    suite, items = birdsong
    sizes: list[int] = []
    ends: list[int] = []

    def note(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        sizes.append(len(args[0]))

    def report(_: str, done: int, total: int) -> None:
        if done == total:
            ends.append(len(sizes))

    exam = Examination(suite, data=None, device=None, report=report)
    handle = tiny.model.register_forward_pre_hook(note)
    try:
        exam.before(holder(tiny))
    finally:
        handle.remove()
    before, again = sizes[: ends[0]], sizes[ends[0] : ends[1]]
    assert (max(before), max(again)) == (BATCH_SIZE, NOISE_BATCH_SIZE)
    assert sum(before) == sum(again) >= items


def test_chance_is_as_it_was_whatever_the_agent_draws_while_it_loads(toy_suite: str, tiny: Backbone) -> None:
    class Late(Holder):
        def language_model(self) -> tuple[Any, Any]:
            torch.manual_seed(7)
            np.random.seed(7)
            random.seed(7)
            return super().language_model()

    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    before = torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()
    exam, agent = examination(toy_suite), Late(tiny.model, tiny.tokenizer)
    exam.before(agent)
    exam.after(agent)
    assert (torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()) == before


def test_every_request_is_reported_with_when_it_was_asked(tiny: Backbone, toy_suite: str) -> None:
    told: list[tuple[str, int, int]] = []
    exam = Examination(toy_suite, data=None, device=None, report=lambda *words: told.append(words))
    exam.before(holder(tiny))
    exam.after(holder(tiny))
    assert len(told) == 3 * 136  # four choices an item, and 34 items
    whens = list(dict.fromkeys(what for what, _, _ in told))
    assert whens == [
        f"{task} {when}"
        for when in ("before training", "before training, again", "after training")
        for task in ("toy_sums", "toy_long")
    ]
    assert [done for _, done, _ in told] == list(range(1, 137)) * 3
    assert {total for _, _, total in told} == {136}


@pytest.mark.parametrize("returned", [("a model", "a tokenizer"), (None, None), (object(), object())])
def test_what_is_no_language_model_is_the_agents_fault(returned: tuple[Any, Any], toy_suite: str) -> None:
    with pytest.raises(AgentError, match="must return a transformers model and its tokenizer") as caught:
        examination(toy_suite, CPU).before(Holder(*returned))
    assert caught.value.hint == "see docs/agents.md"


def test_a_tokenizer_with_a_shorter_context_than_the_model_counts(tiny: Backbone, toy_suite: str) -> None:
    exam = examination(toy_suite)
    short = tiny.tokenizer.__class__(tokenizer_object=tiny.tokenizer.backend_tokenizer, model_max_length=8)
    short.eos_token = tiny.tokenizer.eos_token
    for ask in (exam.before, exam.after):
        ask(Holder(tiny.model, short))
    assert all(part["truncated_before"] == part["items"] for part in exam.to_record()["retention"])


def test_a_planted_forgetting_of_the_embedded_backbone_is_found() -> None:
    """The last layer, which training changes, under noise as large as its weights."""
    agent = FlagAgent(backbone="embedded")
    exam = examination("finance_basics")
    exam.before(agent)
    model, _ = agent.language_model()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.base_model.layers[-1].parameters():
            weight.add_(weight.std() * torch.randn(weight.shape, generator=generator))
    exam.after(agent)
    whole = exam.to_record()["retention"][-1]
    assert whole["before"] > 0.75
    assert whole["p_value"] < 0.01
    assert whole["forgotten"] >= 50
    assert whole["forgotten"] > 5 * (whole["noise"]["forgotten"] + whole["noise"]["gained"])
