"""Answers before and after training, scored again against the suite's own right answers."""

import gzip
import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from flagbench.errors import RecordError
from flagbench.records.run_record import read_record
from flagbench.submissions.failure import Failure
from flagbench.submissions.preparing import prepare
from flagbench.submissions.regrading import gold_suite, regrade
from flagbench.submissions.samples import Sample, Samples, read_samples, samples_text, write_samples
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate

if TYPE_CHECKING:
    from tests.submissions.conftest import MakeRuns, WriteCard

pytestmark = pytest.mark.usefixtures("toy_addition")

READER = """
import torch
from flagbench.learning.random_backbone import make_random_backbone

class Reader:
    '''Long on every second bar; training is a shake of its language model, another for each seed.'''

    def reset(self, seed):
        self.bars = 0

    def act(self, observation):
        self.bars += 1
        return 2 if self.bars % 2 else 0

    def language_model(self):
        if not hasattr(self, "pair"):
            model, tokenizer = make_random_backbone(seed=0, layers=1, width=32)
            self.pair = model.eval(), tokenizer
        return self.pair

    def train(self, make_envs, *, setup, seed, accelerator, monitor):
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in self.language_model()[0].parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        monitor.advance(setup.env_steps)
        return {}

    def save(self, folder): pass

    def load(self, folder): pass
"""

BACKBONE = "{name: a toy, cutoff: undated, licence: none}"

EditManifest = Callable[[Path, Callable[[dict[str, Any]], object]], None]


class Asked(NamedTuple):
    """A submission with answers, and the runs that it was made from."""

    folder: Path
    runs: list[Path]
    board: Path


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory,
    make_runs: "MakeRuns",
    write_card: "WriteCard",
    track: Track,
    toy_addition: str,
) -> Asked:
    """A submission of an agent that was asked twelve sums before and after; not to be changed."""
    out = tmp_path_factory.mktemp("asked")
    (out / "reader.py").write_text(READER)
    budget: dict[str, Any] = {"env_steps": 32, "num_envs": 2, "knowledge": toy_addition}
    runs = make_runs(out / "runs", f"{out / 'reader.py'}:Reader", **budget)
    card = write_card(out, "reader", backbone=BACKBONE)
    folder = prepare(runs, card, out=out / "board" / "submissions", track=track)
    return Asked(folder, runs, out / "board")


@pytest.fixture
def spoilt(asked: Asked, tmp_path: Path) -> Path:
    target = tmp_path / "board" / asked.folder.relative_to(asked.board)
    shutil.copytree(asked.folder, target)
    return target


def failures_of(folder: Path, track: Track) -> list[Failure]:
    return list(validate(folder, track=track, audit=False).failures)


def rewrite(folder: Path, edit: EditManifest, name: str, change: Callable[[list[str]], object]) -> str:
    """Change the lines of run 0's answers before, after or noise, and every claim of their hash."""
    claim = json.loads((folder / "submission.json").read_text())["runs"][0]["knowledge"]
    old = folder / "knowledge" / f"{claim[name]}.jsonl.gz"
    lines = gzip.decompress(old.read_bytes()).decode().splitlines()
    change(lines)
    content = "".join(f"{line}\n" for line in lines).encode()
    digest = sha256(content).hexdigest()
    old.unlink()
    (folder / "knowledge" / f"{digest}.jsonl.gz").write_bytes(gzip.compress(content))

    def point(manifest: dict[str, Any]) -> None:
        for run in manifest["runs"]:
            for phase in ("before", "noise", "after"):
                if run["knowledge"][phase] == claim[name]:
                    run["knowledge"][phase] = digest

    edit(folder, point)
    return f"knowledge/{digest}.jsonl.gz"


def test_answers_come_to_what_the_runs_recorded(asked: Asked, track: Track) -> None:
    checked = validate(asked.folder, track=track, audit=False)
    assert checked.failures == ()
    for run, folder in zip(checked.runs, sorted(asked.runs[0].glob("seed-*")), strict=False):
        recorded = read_record(folder).knowledge
        assert recorded is not None
        assert run.retention is not None
        assert [task.to_json() for task in run.retention] == recorded["retention"]


def test_answers_are_kept_without_the_right_ones_and_once_each(asked: Asked) -> None:
    files = sorted((asked.folder / "knowledge").iterdir())
    # Before training, and the noise floor unless it came to the same, for all; after it, one a seed.
    assert len(files) in (3, 4)
    for file in files:
        lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
        assert len(lines) == 12
        assert {name for line in lines for name in line} == {"task", "version", "item", "answer", "truncated"}


def test_a_wrong_answer_made_right_is_found_by_the_claim(
    spoilt: Path, track: Track, edit_manifest: EditManifest
) -> None:
    right = {name: item.target for name, item in gold_suite("toy_addition")[0].items.items()}

    def improve(lines: list[str]) -> None:
        for index, line in enumerate(lines):
            sample = json.loads(line)
            if sample["answer"] != right[sample["item"]]:
                lines[index] = json.dumps(sample | {"answer": right[sample["item"]]})
                return
        raise AssertionError("every answer is right")

    rewrite(spoilt, edit_manifest, "after", improve)
    found = {each.what: each for each in failures_of(spoilt, track)}
    after = found["runs.0.knowledge.retention.0.after"]
    assert float(after.expected) - float(after.found) == pytest.approx(1 / 12)
    assert "runs.0.knowledge.retention.1.difference" in found
    lines = (spoilt / "submission.json").read_text().splitlines()
    assert after.line is not None
    assert lines[after.line - 1].startswith('{"asset": "BTC", "seed": 0')


@pytest.mark.parametrize("figure", ["after", "p_value", "forgotten", "low", "noise"])
def test_a_claim_that_was_made_better_is_found(
    figure: str, spoilt: Path, track: Track, edit_manifest: EditManifest
) -> None:
    def improve(manifest: dict[str, Any]) -> None:
        whole = manifest["runs"][1]["knowledge"]["retention"][-1]
        whole[figure] = None if figure == "noise" else whole[figure] + 0.01

    edit_manifest(spoilt, improve)
    (found,) = failures_of(spoilt, track)
    assert found.what == f"runs.1.knowledge.retention.1.{figure}"


@pytest.mark.parametrize(
    ("change", "line", "what"),
    [
        (lambda lines: lines.pop(3), 4, "item"),
        (lambda lines: lines.insert(3, lines[3]), 5, "item"),
        (lambda lines: lines.pop(), 12, "number of items"),
        (lambda lines: lines.append(lines[0]), 13, "number of items"),
        (lambda lines: lines.__setitem__(0, lines[0].replace("sum-0", "sum-x")), 1, "item"),
        (lambda lines: lines.__setitem__(0, lines[0].replace('"2"', '"1"')), 1, "item"),
        (lambda lines: lines.__setitem__(5, json.dumps(json.loads(lines[5]) | {"answer": "?"})), 6, "answer"),
        (lambda lines: lines.__setitem__(5, json.dumps(json.loads(lines[5]) | {"target": "1"})), 6, "target"),
        (lambda lines: lines.__setitem__(5, "{"), 6, "line"),
    ],
)
def test_every_item_stands_there_once_with_an_answer_that_is_one(
    change: Callable[[list[str]], object], line: int, what: str, spoilt: Path, edit_manifest: EditManifest
) -> None:
    file = rewrite(spoilt, edit_manifest, "before", change)
    samples, found = read_samples(spoilt, Path(file).name.partition(".")[0])
    if samples is not None:
        _, found = _regraded(samples)
    assert [(each.file, each.line, each.what) for each in found] == [(file, line, what)]


def _regraded(samples: Samples) -> tuple[object, list[Failure]]:
    how = {"suite": "toy_addition", "batch_size": 32, "dtype": "float32", "model_sha256": "0" * 64}
    return regrade(samples, gold_suite("toy_addition"), **how)  # type: ignore[arg-type]


def test_a_bomb_and_other_files_that_are_no_answers(tmp_path: Path) -> None:
    (tmp_path / "knowledge").mkdir()
    digest = "0" * 64
    path = tmp_path / "knowledge" / f"{digest}.jsonl.gz"
    for content, what in (
        (gzip.compress(b"\n" * (64 * 2**20 + 1)), "size"),
        (b"words", "file"),
        (gzip.compress(b"words" * 100)[:-9], "file"),
        (gzip.compress(b"other"), "sha256 of its text"),
    ):
        path.write_bytes(content)
        samples, (found,) = read_samples(tmp_path, digest)
        assert samples is None
        assert (found.file, found.what) == (f"knowledge/{digest}.jsonl.gz", what)


def test_the_same_answers_make_the_same_file(tmp_path: Path) -> None:
    rows = [Sample(task="a", version="1", item="é\u2028", answer="x", truncated=False).model_dump()]
    text = samples_text([row | {"target": "y", "correct": False} for row in rows])
    digest = write_samples(text, tmp_path)
    first = (tmp_path / f"knowledge/{digest}.jsonl.gz").read_bytes()
    assert write_samples(text, tmp_path) == digest
    assert (tmp_path / f"knowledge/{digest}.jsonl.gz").read_bytes() == first
    samples, failures = read_samples(tmp_path, digest)
    assert failures == []
    assert samples is not None
    assert [sample.model_dump() for sample in samples.samples] == rows


def test_written_answers_are_scored_by_the_tasks_own_rule(data_folder: Path) -> None:
    (task,) = gold_suite("tatqa", str(data_folder))
    name, item = next((name, item) for name, item in task.items.items() if float(item.target) > 1)
    assert item.choices is None
    assert task.grade(name, f" {item.target} of them") == (True, False)
    assert task.grade(name, str(3 * float(item.target))) == (False, False)
    assert task.grade(name, "nobody knows") == (False, True)


class TestWhoWasAsked:
    def test_who_trains_a_language_model_must_have_been_asked(
        self, spoilt: Path, track: Track, edit_manifest: EditManifest
    ) -> None:
        def hide(manifest: dict[str, Any]) -> None:
            for run in manifest["runs"]:
                run["knowledge"] = None
            manifest["agent"]["params"] = {"backbone": "a toy"}

        edit_manifest(spoilt, hide)
        found = [each for each in failures_of(spoilt, track) if each.file == "submission.json"]
        assert [each.what for each in found] == [f"runs.{index}.knowledge" for index in range(4)]

    def test_some_runs_are_not_enough(self, spoilt: Path, track: Track, edit_manifest: EditManifest) -> None:
        edit_manifest(spoilt, lambda manifest: manifest["runs"][2].update(knowledge=None))
        found = [each for each in failures_of(spoilt, track) if each.file == "submission.json"]
        assert [each.what for each in found] == ["runs.2.knowledge"]

    def test_another_suite_than_the_tracks(self, spoilt: Path, track: Track) -> None:
        other = track.model_copy(update={"knowledge": "basics"})
        found = failures_of(spoilt, other)
        assert {each.what for each in found} == {f"runs.{index}.knowledge.suite" for index in range(4)}

    def test_a_card_without_the_backbone_that_was_asked(
        self, asked: Asked, tmp_path: Path, track: Track, write_card: "WriteCard"
    ) -> None:
        with pytest.raises(RecordError) as refused:
            prepare(asked.runs, write_card(tmp_path, "reader"), out=tmp_path, track=track)
        assert "card.backbone: found None" in refused.value.message
