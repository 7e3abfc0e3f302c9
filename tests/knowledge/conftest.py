import json
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from flagbench.knowledge.suites import load_suites, read_config
from flagbench.learning.backbone import Backbone, load_backbone
from flagbench.learning.random_backbone import make_random_backbone, make_tokenizer
from flagbench.learning.weights import weights_sha256

Item = Mapping[str, Any]

NUMBERS = count()
"""A package that was imported once stays imported, so names are never used again."""

CHOICE_TASK = """\
task: {name}
custom_dataset: !function flagbench.knowledge.choice_items.packaged
dataset_kwargs: {{package: {package}, file: knowledge/{name}.jsonl}}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {{metric: {metric}, aggregation: mean, higher_is_better: true}}
metadata: {{version: 3}}
"""

NUMBER_TASK = """\
task: finqa_like
custom_dataset: !function flagbench.knowledge.numeric_items.finqa
dataset_kwargs: {file: rows.jsonl, hub: null}
output_type: generate_until
test_split: test
doc_to_text: "{{context}}\\nQuestion: {{question}}\\nAnswer:"
doc_to_target: target
generation_kwargs: {do_sample: false, until: ["\\n"], max_gen_toks: 4}
process_results: !function flagbench.knowledge.numeric_answers.process_results
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: unparsed, aggregation: mean, higher_is_better: false}
metadata: {version: 1}
"""


class TaskPackage(Protocol):
    """The type of `task_package`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, files: Mapping[str, str], *, package: str | None = None) -> Path: ...


class ChoiceTask(Protocol):
    """The type of `choice_task`."""

    def __call__(self, name: str, items: Sequence[Item], *, metric: str = "acc") -> Path: ...


class Parrot(Protocol):
    """The type of `parrot`."""

    def __call__(self, word: str) -> Backbone: ...


@pytest.fixture(scope="module")
def task_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskPackage]:
    """Puts a package with knowledge tasks on the import path, as an installer would; returns their folder.

    They are gone with the module, since other tests list what is installed.
    """
    with pytest.MonkeyPatch.context() as patch:

        def install(files: Mapping[str, str], *, package: str | None = None) -> Path:
            package = package or f"strangers_tasks_{next(NUMBERS)}"
            site = tmp_path_factory.mktemp(f"{package}-site")
            metadata, folder = site / f"{package}-1.0.dist-info", site / package / "knowledge"
            metadata.mkdir()
            folder.mkdir(parents=True)
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            (metadata / "entry_points.txt").write_text(f"[flagbench.tasks]\n{package} = {package}\n")
            (site / package / "__init__.py").write_text("")
            for name, content in files.items():
                (folder / name).write_text(content, encoding="utf-8")
            patch.syspath_prepend(site)
            return folder

        yield install


@pytest.fixture(scope="module")
def choice_task(task_package: TaskPackage) -> ChoiceTask:
    """Installs a task with choices in a package of its own."""

    def install(name: str, items: Sequence[Item], *, metric: str = "acc") -> Path:
        package = f"package_{next(NUMBERS)}_of_{name}"
        yaml = CHOICE_TASK.format(name=name, package=package, metric=metric)
        lines = "".join(json.dumps(item) + "\n" for item in items)
        return task_package({f"{name}.yaml": yaml, f"{name}.jsonl": lines}, package=package)

    return install


@pytest.fixture(scope="session")
def sums() -> list[Item]:
    """Items of several lengths; the right choice stands at every position in turn."""
    return [
        {
            "id": f"sum-{i}",
            "cluster": f"pair-{i // 2}",
            "kind": "even" if i % 2 == 0 else "odd",
            "question": f"What is {i} plus {i * i}{' and nothing else' * (i % 4)}?",
            "choices": [str(i + i * i + shift - i % 4) for shift in range(4)],
            "answer": i % 4,
        }
        for i in range(24)
    ]


@pytest.fixture(scope="module")
def toy_suite(choice_task: ChoiceTask, task_package: TaskPackage, sums: list[Item]) -> str:
    """A suite of the tasks `toy_sums`, 24 items of four choices, and `toy_long`, 10 items."""
    choice_task("toy_sums", sums)
    choice_task("toy_long", [{**item, "id": f"long-{item['id']}"} for item in sums[:10]], metric="acc_norm")
    task_package({"toy_suite.yaml": "group: toy_suite\ntask: [toy_sums, toy_long]\nmetadata: {version: 1}\n"})
    return "toy_suite"


@pytest.fixture(scope="module")
def number_data(task_package: TaskPackage, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The data folder of the task `finqa_like`: three questions; the second page is long."""
    data: Path = tmp_path_factory.mktemp("data")
    rows = [
        {"id": "A/1.pdf-1", "context": "It was 7.", "question": "What?", "executed": 7.0},
        {"id": "A/1.pdf-2", "context": "x" * 600, "question": "What?", "executed": 8.0},
        {"id": "B/1.pdf-1", "context": "It was 9.", "question": "Was it?", "executed": "yes"},
    ]
    (data / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task_package({"finqa_like.yaml": NUMBER_TASK})
    return str(data)


class Rebuild(Protocol):
    """The type of `rebuild`."""

    def __call__(self, task: str, *, data: Path, **hub: Any) -> list[dict[str, Any]]: ...


@pytest.fixture
def rebuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rebuild:
    """Builds the items of one of our tasks as its YAML says, some fields of its hub replaced."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")

    def build(task: str, *, data: Path, **hub: Any) -> list[dict[str, Any]]:
        config = read_config(load_suites(task)[0].tasks[0].path)
        module, _, name = config["custom_dataset"].rpartition(".")
        given = {**config["dataset_kwargs"], "hub": {**config["dataset_kwargs"]["hub"], **hub}}
        built = getattr(import_module(module), name)(**config["metadata"], **given, data=str(data))
        return list(built[config["test_split"]])

    return build


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """An empty folder to lay out a data set in, as it lies on the hub."""
    folder = tmp_path / "hub"
    folder.mkdir()
    return folder


def backbone_of(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> Backbone:
    tokenizer.model_max_length = int(1e30)  # as load_backbone leaves it
    return Backbone(model.eval(), tokenizer, 1024, weights_sha256(model.named_parameters()), None)


@pytest.fixture(scope="session")
def tiny() -> Backbone:
    """A Llama of one layer with random weights; tests must leave it as it is."""
    return backbone_of(*make_random_backbone(seed=0, layers=1, width=32))


@pytest.fixture(scope="session")
def stories() -> Backbone:
    """The smallest real checkpoint, 260 thousand weights."""
    named, data = os.environ.get("FLAGBENCH_MODELS"), os.environ.get("FLAGBENCH_DATA")
    if not named and not data:
        pytest.skip("neither FLAGBENCH_MODELS nor FLAGBENCH_DATA is set: this test needs a real model")
    folder = (Path(named) if named else Path(str(data)).parent / "models") / "stories-260k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is no folder: this test needs that model")
    return load_backbone(str(folder), seed=0)


@pytest.fixture(scope="session")
def parrot() -> Parrot:
    """Makes a model that writes one token and stops, whatever it has read.

    All tokens but that one have the first unit vector as embedding, that one the second. Layers add nothing.
    The head answers the first vector with that token, the second with the end of text. Every other token has
    one and the same log-likelihood after any prompt.
    """

    def make(word: str) -> Backbone:
        tokenizer = make_tokenizer()
        (token,) = tokenizer.encode(word)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
            tie_word_embeddings=False,
        )
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            for name, weights in model.named_parameters():
                weights.fill_(1.0 if "norm" in name else 0.0)
            embeddings, head = model.model.embed_tokens.weight, model.lm_head.weight
            embeddings[:, 0] = 1.0
            embeddings[token] = torch.eye(16)[1]
            head[token, 0] = 20.0
            head[tokenizer.eos_token_id, 1] = 20.0
        return backbone_of(model, tokenizer)

    return make
