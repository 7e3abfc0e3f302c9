"""From finished runs to a folder; every set that is not complete is refused with all its reasons."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.errors import ConfigError, RecordError
from flagbench.records.run_record import read_record
from flagbench.submissions.card import read_card
from flagbench.submissions.preparing import begin_card, prepare
from flagbench.submissions.reading import read_submission
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate

if TYPE_CHECKING:
    from tests.submissions.conftest import MakeRuns, Prepared, WriteCard

MOMENTUM = f"{Path(__file__).parents[2] / 'baselines' / 'momentum.py'}:Momentum"


@pytest.fixture
def copied(prepared: "Prepared", tmp_path: Path) -> Path:
    """The random agent's runs with their ledger, to be spoilt."""
    return Path(shutil.copytree(prepared.runs[0].parents[3], tmp_path / "runs"))


@pytest.fixture
def refusal(prepared: "Prepared", track: Track, tmp_path: Path) -> Callable[..., str]:
    """Prepares and gives the message of the refusal; nothing may be left behind."""

    def refused(*runs: Path, **given: Any) -> str:
        out = tmp_path / "out"
        with pytest.raises(RecordError) as error:
            prepare(list(runs), prepared.board / "random.md", out=out, **{"track": track} | given)
        assert not out.exists()
        return error.value.message

    return refused


def edit_record(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_the_folder_holds_what_the_runs_did(prepared: "Prepared", track: Track) -> None:
    submission = read_submission(prepared.folder)
    assert prepared.folder.parent == prepared.board / "submissions" / "small"
    assert prepared.folder.name == f"random__{submission.date}"
    assert [(run.asset, run.seed) for run in submission.runs] == track.cells
    for run in submission.runs:
        (seed,) = [
            folder
            for root in prepared.runs
            for folder in root.glob(f"seed-{run.seed}")
            if read_record(folder).asset["id"] == run.asset
        ]
        record = read_record(seed)
        assert run.metrics["sharpe_ratio"] == record.scores["test"]["sharpe_ratio"]
        assert (run.run_id, run.ledger.head) == (record.run_id, record.ledger.head)
        actions = prepared.folder / "actions" / run.asset / f"seed-{run.seed}.csv"
        assert actions.read_bytes() == (seed / "actions.csv").read_bytes()
    assert submission.agent.name == "random"
    assert (submission.agent.ranked, submission.agent.setup) == (True, None)
    assert submission.provenance[0]["packages"]["numpy"]


def test_the_order_of_the_runs_does_not_matter_and_no_place_is_kept(
    prepared: "Prepared", track: Track, tmp_path: Path
) -> None:
    again = prepare(list(reversed(prepared.runs)), prepared.board / "random.md", out=tmp_path, track=track)
    text = (again / "submission.json").read_text()
    assert text == (prepared.folder / "submission.json").read_text()
    assert str(prepared.board.parent) not in text


def test_a_folder_that_is_there_is_left_as_it_is(prepared: "Prepared", track: Track) -> None:
    with pytest.raises(RecordError, match="exists already"):
        prepare(prepared.runs, prepared.board / "random.md", out=prepared.board / "submissions", track=track)


def test_a_card_that_is_not_filled_in_is_refused_first(prepared: "Prepared", tmp_path: Path) -> None:
    card = begin_card(prepared.runs, tmp_path / "card.md")
    assert read_card_name(card) == "random"
    with pytest.raises(ConfigError, match="is not filled in"):
        prepare(prepared.runs, card, out=tmp_path / "out")
    with pytest.raises(RecordError, match="cannot be written"):
        begin_card(prepared.runs, card)


def read_card_name(path: Path) -> str:
    text = path.read_text().replace("url: FILL IN", "url: https://example.org").replace("FILL IN", "words")
    path.with_name("filled.md").write_text(text)
    return read_card(path.with_name("filled.md")).fields.name


class TestIncomplete:
    def test_a_missing_seed_and_a_missing_asset_are_both_named(
        self, prepared: "Prepared", refusal: Callable[..., str]
    ) -> None:
        message = refusal(prepared.runs[0] / "seed-1")
        assert "for 2 reasons" in message
        assert "no run on TSLA" in message
        assert "BTC: no run of the public seed 0" in message

    def test_a_seed_that_is_not_public(
        self, prepared: "Prepared", refusal: Callable[..., str], track: Track
    ) -> None:
        message = refusal(*prepared.runs, track=track.model_copy(update={"seeds": (0, 2)}))
        for asset in ("BTC", "TSLA"):
            assert f"{asset}: no run of the public seed 2" in message
            assert f"{asset}: seed 1 is none of the public ones" in message

    def test_an_asset_of_another_track(
        self, prepared: "Prepared", refusal: Callable[..., str], track: Track
    ) -> None:
        message = refusal(*prepared.runs, track=track.model_copy(update={"assets": ("TSLA",)}))
        assert message == "no submission to track `small`: BTC is no asset of the track: TSLA"

    def test_a_changed_market_hash(self, copied: Path, refusal: Callable[..., str]) -> None:
        (seed,) = (copied / "TSLA-replica").rglob("seed-1")
        edit_record(seed, lambda record: record["market"].update(sha256="0" * 64))
        message = refusal(copied)
        assert f"{seed}: `market.sha256` is {'0' * 64}, the track's is " in message

    def test_another_protocol(self, copied: Path, refusal: Callable[..., str]) -> None:
        (seed,) = (copied / "TSLA-replica").rglob("seed-1")
        edit_record(seed, lambda record: record["protocol"].update(version=2))
        message = refusal(copied)
        assert f"{seed}: `protocol` is standard v2, the track's is standard v1" in message

    def test_another_test_window(self, copied: Path, refusal: Callable[..., str]) -> None:
        (seed,) = (copied / "TSLA-replica").rglob("seed-1")
        edit_record(seed, lambda record: record["asset"]["windows"].update(test="2020-10-01:2020-11-30"))
        assert "`asset.windows.test` is 2020-10-01:2020-11-30, the track's is 2020-10-01:" in refusal(copied)

    def test_figures_that_are_not_what_the_actions_come_to(
        self, copied: Path, refusal: Callable[..., str]
    ) -> None:
        (seed,) = (copied / "TSLA-replica").rglob("seed-1")
        edit_record(seed, lambda record: record["scores"]["test"].update(sharpe_ratio=9.0))
        assert "`scores.test.sharpe_ratio`: the record says 9.0, its actions come to" in refusal(copied)

    def test_two_runs_of_a_seed_that_did_not_do_the_same(
        self, prepared: "Prepared", make_runs: "MakeRuns", refusal: Callable[..., str], tmp_path: Path
    ) -> None:
        (other,) = make_runs(tmp_path / "other", "buy-and-hold", assets=("TSLA",), seeds=(1,))
        edit_record(
            other / "seed-1",
            lambda record: record.update(
                agent="random", agent_source=read_record(prepared.runs[0] / "seed-0").agent_source
            ),
        )
        assert "TSLA seed 1 is there twice, with other actions" in refusal(*prepared.runs, other)

    def test_two_agents(
        self, prepared: "Prepared", make_runs: "MakeRuns", refusal: Callable[..., str], tmp_path: Path
    ) -> None:
        (other,) = make_runs(tmp_path / "other", "buy-and-hold", assets=("TSLA",), seeds=(1,))
        message = refusal(*prepared.runs, other)
        assert "one agent is submitted; agent: " in message
        assert f"{other / 'seed-1'} " in message

    def test_one_agent_with_two_settings(
        self, make_runs: "MakeRuns", refusal: Callable[..., str], tmp_path: Path
    ) -> None:
        runs = make_runs(tmp_path / "runs", MOMENTUM, assets=("BTC",))
        runs += make_runs(tmp_path / "runs", MOMENTUM, assets=("TSLA",), settings=("bars=5",))
        assert "one agent is submitted; params given: " in refusal(*runs)

    def test_another_source_of_the_same_agent(self, copied: Path, refusal: Callable[..., str]) -> None:
        (seed,) = (copied / "TSLA-replica").rglob("seed-1")
        edit_record(seed, lambda record: record["agent_source"].update(sha256="0" * 64))
        assert "one agent is submitted; source: " in refusal(copied)

    def test_other_budgets(self, make_runs: "MakeRuns", refusal: Callable[..., str], tmp_path: Path) -> None:
        budget: dict[str, Any] = {"num_envs": 2, "settings": ("ppo.num_steps=8",)}
        runs = make_runs(tmp_path / "runs", "mlp-ppo", assets=("BTC",), env_steps=32, **budget)
        runs += make_runs(tmp_path / "runs", "mlp-ppo", assets=("TSLA",), env_steps=16, **budget)
        message = refusal(*runs)
        assert "one set-up is submitted" in message
        runs = make_runs(tmp_path / "more", "mlp-ppo", env_steps=16, **budget)
        assert refusal(*runs) == (
            "no submission to track `small`: `setup.env_steps` is 16; agents of this track share 32"
        )

    def test_no_ledger(self, copied: Path, refusal: Callable[..., str]) -> None:
        (copied / "ledger.jsonl").unlink()
        assert "has no ledger.jsonl above it" in refusal(copied)

    def test_a_ledger_that_does_not_hold_a_run(self, copied: Path, refusal: Callable[..., str]) -> None:
        lines = (copied / "ledger.jsonl").read_text().splitlines(keepends=True)
        (copied / "ledger.jsonl").write_text("".join(lines[:-1]))
        message = refusal(copied)
        assert message.startswith("what these runs make is no valid submission: ledger.jsonl, line 4")

    def test_a_setting_that_no_submission_can_hold(self, copied: Path, refusal: Callable[..., str]) -> None:
        for seed in copied.rglob("seed-*"):
            edit_record(seed, lambda record: record["spec"].update(settings=["name=" + "x" * 600]))
        message = refusal(copied)
        assert message.startswith(
            "the runs cannot be submitted: `settings.0`: String should have at most 500"
        )

    def test_no_run_at_all(self, tmp_path: Path, prepared: "Prepared") -> None:
        with pytest.raises(RecordError, match="holds no run"):
            prepare([tmp_path], prepared.board / "random.md", out=tmp_path / "out")

    def test_no_track_for_it(self, prepared: "Prepared", copied: Path) -> None:
        for seed in copied.rglob("seed-*"):
            edit_record(seed, lambda record: record["protocol"].update(id="mine"))
        with pytest.raises(RecordError) as refused:
            prepare([copied], prepared.board / "random.md", out=copied / "out")
        assert refused.value.hint == "name it: --track market-paper|market-standard|replica"


def test_the_track_is_that_of_the_runs(prepared: "Prepared", tmp_path: Path) -> None:
    with pytest.raises(RecordError) as refused:
        prepare(prepared.runs, prepared.board / "random.md", out=tmp_path / "out")
    assert refused.value.message.startswith("no submission to track `replica`, for ")
    assert "BTC: no run of the public seed 2, 3, 4" in refused.value.message


SHY = """
class Shy:
    '''Says nothing that is an action once, with so many of the seeds.'''

    def __init__(self, seeds: int):
        self.seeds = seeds

    def reset(self, seed):
        self.bars, self.shy = 0, seed < self.seeds

    def act(self, observation):
        self.bars += 1
        return -1 if self.shy and self.bars == 9 else 2
"""


def test_one_answer_in_a_hundred_that_is_no_action_is_one_too_many(
    make_runs: "MakeRuns", write_card: "WriteCard", track: Track, tmp_path: Path
) -> None:
    (tmp_path / "shy.py").write_text(SHY)
    agent, card = f"{tmp_path / 'shy.py'}:Shy", write_card(tmp_path, "shy")
    once = make_runs(tmp_path / "once", agent, settings=("seeds=1",))
    assert prepare(once, card, out=tmp_path / "out", track=track).is_dir()  # 1 of 118 on each asset
    twice = make_runs(tmp_path / "twice", agent, settings=("seeds=2",))
    with pytest.raises(RecordError) as refused:
        prepare(twice, card, out=tmp_path / "other", track=track)
    for asset in ("BTC", "TSLA"):
        said = f"{asset}: 2 of 118 answers were no action, 1.69%; less than 1% is asked for"
        assert said in refused.value.message


def test_an_agent_that_knows_the_future_only_calibrates(
    prepared: "Prepared",
    make_runs: "MakeRuns",
    write_card: "WriteCard",
    track: Track,
    tmp_path: Path,
) -> None:
    runs, card = make_runs(tmp_path / "runs", "oracle"), write_card(tmp_path, "oracle")
    with pytest.raises(RecordError, match="add --calibration"):
        prepare(runs, card, out=tmp_path / "out", track=track)
    folder = prepare(runs, card, out=tmp_path / "out", track=track, calibration=True)
    assert read_submission(folder).agent.ranked is False
    assert validate(folder, track=track, audit=False).failures == ()
    with pytest.raises(RecordError, match="random does not know the future: leave out --calibration"):
        prepare(prepared.runs, card, out=tmp_path / "other", track=track, calibration=True)


def test_runs_with_ledgers_of_their_own_are_one_submission(
    make_runs: "MakeRuns", write_card: "WriteCard", track: Track, tmp_path: Path
) -> None:
    runs = make_runs(tmp_path / "one", MOMENTUM, assets=("BTC",))
    runs += make_runs(tmp_path / "two", MOMENTUM, assets=("TSLA",))
    folder = prepare(runs, write_card(tmp_path, "own-momentum"), out=tmp_path / "out", track=track)
    submission = read_submission(folder)
    assert [ledger.file for ledger in submission.ledgers] == ["ledger.jsonl", "ledger-2.jsonl"]
    assert [run.ledger.file for run in submission.runs] == ["ledger.jsonl"] * 2 + ["ledger-2.jsonl"] * 2
    assert submission.agent.name == "momentum.py:Momentum"
    assert validate(folder, track=track, audit=False).failures == ()
