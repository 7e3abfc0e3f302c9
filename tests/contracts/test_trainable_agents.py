"""All agents that learn get the same set-up, and a record of each says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flagbench.agents.agent import TrainableAgent
from flagbench.agents.making import accepts
from flagbench.comparison.comparability import check_one_table
from flagbench.comparison.finding import SeedRun
from flagbench.errors import ComparabilityError
from flagbench.experiment import SilentRun, run_seed
from flagbench.market.period import Period
from flagbench.planning import RunSpec, plan
from flagbench.records.run_record import RunRecord, read_record
from flagbench.registry import agent_names, load_agent_class

BASELINES = Path(__file__).parents[2] / "baselines"
SHIPPED = {
    "flag": "flag",
    "dqn": f"{BASELINES / 'dqn.py'}:DQN",
    "mlp-ppo": f"{BASELINES / 'mlp_ppo.py'}:MLPPPO",
    "flag-frozen": f"{BASELINES / 'flag_frozen.py'}:FlagFrozen",
    "flag-random": f"{BASELINES / 'flag_random.py'}:FlagRandom",
}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty weekday bars of a random walk, without volume."""
    path: Path = tmp_path_factory.mktemp("walk") / "walk.csv"
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 40)))
    days = np.busday_offset("2020-01-01", np.arange(40), roll="forward").astype("datetime64[D]")
    rows = [f"{day},{c},{c * 1.01},{c * 0.99},{c}" for day, c in zip(days, closes, strict=True)]
    path.write_text("\n".join(["date,open,high,low,close", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def records(walk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunRecord]:
    """One tiny run of each agent with the same options, as `flagbench run` makes them."""
    out, found = tmp_path_factory.mktemp("runs"), {}
    for name, agent in SHIPPED.items():
        reads = accepts(load_agent_class(agent), "backbone")
        spec = RunSpec(
            agent=agent,
            asset=str(walk),
            train=Period.parse("2020-01-29:2020-02-10"),
            test=Period.parse("2020-02-11:2020-02-20"),
            env_steps=32,
            num_envs=2,
            precision="no",
            backbone="random" if reads else None,
            knowledge="none",
            out=out / name,
        )
        folder = run_seed(plan(spec), 3, SilentRun())
        assert folder is not None
        found[name] = read_record(folder)
    return found


def shared(record: RunRecord) -> dict[str, Any]:
    """All of a record that agents of one table must have in common."""
    whole = record.model_dump(mode="json")
    return {name: whole[name] for name in ("setup", "observed", "market", "protocol", "asset", "seed")}


def test_every_installed_agent_that_learns_is_asked() -> None:
    learners = {name for name in agent_names() if issubclass(load_agent_class(name), TrainableAgent)}
    assert learners <= set(SHIPPED)


def test_recorded_set_ups_are_equal_and_are_what_was_asked_for(records: dict[str, RunRecord]) -> None:
    first, *others = records.values()
    assert first.setup is not None
    assert first.setup.model_dump() == {
        "env_steps": 32,
        "num_envs": 2,
        "mixed_precision": "no",
        "gradient_accumulation_steps": 1,
    }
    for other in others:
        assert other.setup == first.setup
        assert shared(other) == shared(first)


def test_they_share_a_table_until_one_set_up_differs(records: dict[str, RunRecord]) -> None:
    runs = [SeedRun(folder=Path(name), record=record) for name, record in records.items()]
    check_one_table(runs)
    first = runs[0].record
    assert first.setup is not None
    richer = first.setup.model_copy(update={"env_steps": 64})
    unequal = SeedRun(folder=Path("richer"), record=first.model_copy(update={"setup": richer}))
    with pytest.raises(ComparabilityError, match="one table holds one set-up"):
        check_one_table([*runs, unequal])


def test_each_spends_the_whole_budget_on_the_same_preset(records: dict[str, RunRecord]) -> None:
    for record in records.values():
        assert record.training is not None
        assert record.training["env_steps"] == 32
        assert record.params["preset"] == "standard"
        assert len(record.training["weights_sha256"]) == 1


def test_those_with_flags_trainer_have_its_hyper_parameters(records: dict[str, RunRecord]) -> None:
    names = ("mlp-ppo", "flag-frozen", "flag-random")
    assert all(records[name].params["ppo"] == records["flag"].params["ppo"] for name in names)


def test_what_is_trained_tells_them_apart(records: dict[str, RunRecord]) -> None:
    def figures(name: str, group: str) -> Any:
        training = records[name].training
        assert training is not None
        return training[group]

    assert figures("flag-frozen", "layers")["trained"] == 0
    assert figures("flag-random", "layers") == figures("flag", "layers")
    weights = {name: figures(name, "weights")["trained"] for name in records}
    assert weights["flag-frozen"] < weights["flag"] == weights["flag-random"]
    assert min(weights.values()) > 0
