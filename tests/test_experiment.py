from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flagbench import experiment
from flagbench.errors import SEE_WHERE, AgentError, RecordError
from flagbench.experiment import SilentRun, run_seed
from flagbench.market.period import Period
from flagbench.planning import Plan, RunSpec, plan
from flagbench.records.ledger import read_trials
from flagbench.records.run_record import read_record

LEARNER = """
import builtins

class Learner:
    '''Remembers the dates it is shown in training, and then buys.'''

    def __init__(self, error: str = ""):
        self.error = error
        self.resets = []
        self.params = {"error": error, "told": True}

    def reset(self, seed):
        self.resets.append(seed)

    def act(self, observation):
        return 2 if observation["mask"][2] else 1

    def train(self, make_envs, *, setup, seed, accelerator, monitor):
        envs = make_envs(2)
        batch, _ = envs.reset()
        dates = [batch["date"][0]]
        over = False
        while not over:
            batch, _, _, ends, info = envs.step([1, 1])
            over = bool(ends.all())
            last = info["final_obs"][0] if over else {"date": batch["date"][0]}
            dates.append(last["date"])
        if self.error:
            raise getattr(builtins, self.error)("no luck")
        monitor.advance(setup.env_steps)
        monitor.log({"env_steps": setup.env_steps})
        return {"dates": dates, "seed": seed, "resets": list(self.resets), "nothing": float("nan")}

    def save(self, folder):
        (folder / "learnt.json").write_text("{}")

    def load(self, folder): pass
"""


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    """An agent that learns, on 60 weekday bars of which 20 are trained and 20 are tested on."""
    dates = np.busday_offset("2020-01-01", np.arange(60), roll="forward").astype("datetime64[D]")
    rows = [f"{day},10,12,9,{10 + index % 3}" for index, day in enumerate(dates)]
    (tmp_path / "TOY.csv").write_text("\n".join(["date,open,high,low,close", *rows]) + "\n")
    (tmp_path / "learner.py").write_text(LEARNER)
    return RunSpec(
        agent=f"{tmp_path / 'learner.py'}:Learner",
        asset=str(tmp_path / "TOY.csv"),
        train=Period.of(dates[20].item(), dates[39].item()),
        test=Period.of(dates[40].item(), dates[59].item()),
        env_steps=4,
        out=tmp_path / "runs",
    )


def run(planned: Plan, seed: int = 0) -> Path:
    folder = run_seed(planned, seed, SilentRun())
    assert folder is not None
    return folder


def test_an_agent_is_trained_on_the_training_window_alone(spec: RunSpec) -> None:
    planned = plan(spec)
    training = read_record(run(planned, 7)).training
    assert training is not None
    dates = planned.market.dates[20:40].astype(str).tolist()
    assert training["dates"] == dates
    assert (training["seed"], training["resets"]) == (7, [7])
    assert training["nothing"] is None


def test_the_record_holds_params_as_the_agent_states_them(spec: RunSpec) -> None:
    assert read_record(run(plan(spec))).params == {"error": "", "told": True}


def test_the_trial_is_in_the_ledger_before_it_is_scored(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(experiment, "score", crash)
    planned = plan(spec)
    with pytest.raises(ZeroDivisionError):
        run_seed(planned, 0, SilentRun())
    (trial,) = read_trials(spec.out / "ledger.jsonl")
    assert (trial["run_id"], trial["seed"], trial["period"]) == (planned.run_id, 0, str(spec.test))
    left = {path.name for path in spec.out.rglob("*")}
    assert left <= {"ledger.jsonl", "ledger.jsonl.lock"}


def test_a_trial_says_what_was_tried(spec: RunSpec) -> None:
    other = replace(spec, agent="buy-and-hold")
    for planned, seed in ((plan(spec), 0), (plan(spec), 1), (plan(other), 0)):
        run(planned, seed)
    first, second, third = read_trials(spec.out / "ledger.jsonl")
    assert first["params_sha256"] == second["params_sha256"] != third["params_sha256"]
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["setup"]["env_steps"] == 4
    assert third["setup"] is None
    assert {trial["protocol"] for trial in (first, second, third)} == {"standard@1"}
    assert len({trial["market_sha256"] for trial in (first, second, third)}) == 1
    assert {trial["asset"] for trial in (first, second, third)} == {"TOY"}


def test_a_score_knows_the_trials_before_it_on_its_test_window(spec: RunSpec) -> None:
    held, random = (plan(replace(spec, agent=name)) for name in ("buy-and-hold", "random"))
    found = [read_record(run(planned, seed)) for planned, seed in ((held, 0), (random, 0), (random, 1))]
    sure = [record.scores["test"]["uncertainty"] for record in found]
    assert [each["n_trials"] for each in sure] == [1, 2, 2]  # seeds of one are one
    assert [record.scores["train"]["uncertainty"]["n_trials"] for record in found] == [1, 1, 1]
    assert sure[0]["dsr"] == sure[0]["psr"]
    assert sure[1]["dsr"] < sure[1]["psr"]
    for record, trial in zip(found, read_trials(spec.out / "ledger.jsonl"), strict=True):
        yearly = record.scores["test"]["sharpe_ratio"]
        assert trial["sharpe_per_period"] == pytest.approx(yearly / 252**0.5)
        assert trial["ranked"] is True


def test_an_interrupted_training_is_no_trial_and_leaves_nothing(spec: RunSpec) -> None:
    planned = plan(replace(spec, settings=("error=KeyboardInterrupt",)))
    with pytest.raises(KeyboardInterrupt):
        run_seed(planned, 0, SilentRun())
    assert not spec.out.exists()


def test_an_agent_that_fails_in_training_is_named(spec: RunSpec) -> None:
    planned = plan(replace(spec, settings=("error=ValueError",)))
    with pytest.raises(AgentError, match=r"failed in `train`: ValueError\('no luck'\)") as caught:
        run_seed(planned, 0, SilentRun())
    assert caught.value.hint == SEE_WHERE
    assert not spec.out.exists()


def test_a_seed_is_not_written_twice(spec: RunSpec) -> None:
    planned = plan(spec)
    run(planned)
    with pytest.raises(RecordError, match="exists already"):
        run_seed(planned, 0, SilentRun())
    assert len(read_trials(spec.out / "ledger.jsonl")) == 1


def test_what_an_agent_saves_lies_in_the_checkpoint(spec: RunSpec) -> None:
    folder = run(plan(spec))
    assert [path.name for path in (folder / "checkpoint").iterdir()] == ["learnt.json"]
    assert (folder / "train.jsonl").read_text() == '{"env_steps": 4}\n'


def test_an_agent_that_cannot_be_reset_is_named(spec: RunSpec, tmp_path: Path) -> None:
    path = tmp_path / "forgetful.py"
    path.write_text(
        "class Forgetful:\n"
        "    def reset(self, seed): raise ValueError('no luck')\n"
        "    def act(self, observation): return 1\n"
    )
    with pytest.raises(AgentError, match=r"failed in `reset`: ValueError\('no luck'\)"):
        run_seed(plan(replace(spec, agent=f"{path}:Forgetful")), 0, SilentRun())
    assert not spec.out.exists()


@pytest.mark.parametrize(("rank", "is_main"), [(None, True), ("0", True), ("1", False)])
def test_only_the_first_of_several_processes_writes(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, rank: str | None, is_main: bool
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    folder = run_seed(plan(replace(spec, agent="random")), 0, SilentRun())
    assert (folder is not None) == is_main
    assert spec.out.exists() == is_main
