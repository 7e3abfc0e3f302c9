import itertools
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagbench.comparison.building import compare
from flagbench.comparison.comparison import AgentResult, AssetResult, Comparison
from flagbench.comparison.joint_tests import joint_tests
from flagbench.errors import ComparabilityError, RecordError
from flagbench.registry import load_metrics
from flagbench.scoring.across_seeds import interquartile_mean
from flagbench.scoring.multiple import holm

if TYPE_CHECKING:
    from tests.comparison.conftest import Copy, Edit, MakeRun

RESAMPLES = 200
NAMES = ("buy-and-hold", "always-flat", "random", "tone-rule", "random BTC", "tone-rule BTC")


def agent_of(asset: AssetResult, label: str) -> AgentResult:
    (found,) = [agent for agent in asset.agents if agent.label.startswith(label)]
    return found


@pytest.fixture(scope="module")
def stock(compared: Comparison) -> AssetResult:
    return compared.assets[1]


def test_assets_and_agents_stand_in_their_order(compared: Comparison) -> None:
    assert [asset.label for asset in compared.assets] == ["BTC (replica)", "TSLA (replica)"]
    for asset in compared.assets:
        first, *others = asset.agents
        assert first.is_reference
        order = [endpoint.label for endpoint in compared.endpoints]
        assert [agent.label for agent in others] == [
            label for label in order if label in {agent.label for agent in others}
        ]
    assert compared.endpoints[-1].label == "always-flat"  # undefined sorts last


def test_buy_and_hold_is_a_row_where_no_run_of_it_is_given(compared: Comparison) -> None:
    coin, stock = (agent_of(asset, "buy-and-hold") for asset in compared.assets)
    assert (coin.seeds, stock.seeds) == ((), (0,))
    assert coin.metrics["trades"].values == (1.0,)
    assert all(agent.paired is None for agent in (coin, stock))


def test_figures_of_an_agent_are_those_of_its_records(runs: dict[str, Path], stock: AssetResult) -> None:
    agent = agent_of(stock, "random")
    assert agent.seeds == (0, 1, 2)
    records = [json.loads((runs["random"] / f"seed-{seed}" / "record.json").read_text()) for seed in range(3)]
    for name in load_metrics():
        recorded = [record["scores"]["test"][name] for record in records]
        assert agent.metrics[name].values == pytest.approx(recorded)
        assert agent.metrics[name].iqm == pytest.approx(interquartile_mean(recorded))
    psr = [record["scores"]["test"]["uncertainty"]["psr"] for record in records]
    assert agent.psr.values == pytest.approx(psr)
    assert agent.records == tuple(record["actions_sha256"] for record in records)


def test_collapsed_policies_are_counted_by_seed(stock: AssetResult) -> None:
    assert agent_of(stock, "always-flat").collapsed == {"always-flat": 2}
    assert agent_of(stock, "buy-and-hold").collapsed == {"buy-and-hold": 1}
    assert agent_of(stock, "random").collapsed == {}


def test_at_its_own_cost_the_sweep_is_the_result_and_dearer_is_poorer(stock: AssetResult) -> None:
    agent = agent_of(stock, "random")
    points = {point.cost_bps: point.cumulative_return.values for point in agent.costs}
    assert points[10.0] == agent.metrics["cumulative_return"].values
    for cheap, dear in itertools.pairwise(points.values()):
        assert all(one > other for one, other in zip(cheap, dear, strict=True))


def test_the_primary_endpoint_is_over_assets_and_seeds(compared: Comparison) -> None:
    (endpoint,) = [each for each in compared.endpoints if each.label == "random"]
    differences = [
        value - agent_of(asset, "buy-and-hold").metrics["sharpe_ratio"].values[0]
        for asset in compared.assets
        for value in agent_of(asset, "random").metrics["sharpe_ratio"].values
    ]
    assert endpoint.assets == 2
    assert endpoint.difference.values == pytest.approx(differences)
    assert endpoint.difference.iqm == pytest.approx(interquartile_mean(differences))
    assert endpoint.difference.low < endpoint.difference.iqm < endpoint.difference.high


def test_an_agent_without_a_sharpe_ratio_has_no_endpoint_and_no_test(
    compared: Comparison, stock: AssetResult
) -> None:
    flat = compared.endpoints[-1].difference
    assert (flat.undefined, flat.reasons) == (2, ("never held a position",))
    paired = agent_of(stock, "always-flat").paired
    assert paired is not None
    assert math.isnan(paired.p_value)
    assert paired.reason.endswith("never held a position")


def test_holm_is_over_all_tests_of_the_table(compared: Comparison) -> None:
    tests = [agent.paired for asset in compared.assets for agent in asset.agents if agent.paired is not None]
    made = [test for test in tests if not math.isnan(test.p_value)]
    assert compared.tests == len(made) == 4
    assert [test.holm for test in made] == holm([test.p_value for test in made])


def test_the_order_of_runs_changes_nothing(runs: dict[str, Path], compared: Comparison) -> None:
    @given(st.permutations(NAMES))
    @settings(max_examples=3, suppress_health_check=list(HealthCheck))
    def holds(names: list[str]) -> None:
        assert compare([runs[name] for name in names], resamples=RESAMPLES).to_json() == compared.to_json()

    holds()


def test_who_knows_the_future_stands_below_and_in_no_test(
    runs: dict[str, Path], copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    marked = copy("tone-rule", lambda record: record.update(ranked=False))
    found = compare([marked, runs["random"]], resamples=RESAMPLES)
    (asset,) = found.assets
    assert [agent.ranked for agent in asset.agents] == [True, True, False]
    oracle = asset.agents[-1]
    assert (oracle.paired, oracle.in_confidence_set) == (None, None)
    assert oracle.label.endswith("(knows the future)")
    assert [endpoint.ranked for endpoint in found.endpoints] == [True, False]
    alone = compare([runs["random"]], resamples=RESAMPLES).assets[0]
    assert (asset.spa_p_value, found.tests) == (alone.spa_p_value, 1)
    assert asset.agents[1].in_confidence_set == alone.agents[1].in_confidence_set


def test_buy_and_hold_alone_has_nobody_to_be_tested_against(runs: dict[str, Path]) -> None:
    found = compare([runs["buy-and-hold"]], resamples=RESAMPLES)
    (asset,) = found.assets
    assert (found.endpoints, found.tests, len(asset.agents)) == ((), 0, 1)
    assert math.isnan(asset.spa_p_value)
    assert asset.spa_reason == "there is no agent but buy-and-hold"
    assert asset.agents[0].in_confidence_set is None


def test_what_only_claims_to_hold_is_refused(copy: "Copy") -> None:
    run = copy("tone-rule", lambda record: record.update(agent="buy-and-hold"))
    with pytest.raises(RecordError, match="its actions are not"):
        compare([run], resamples=RESAMPLES)


def test_repeated_seeds_and_missing_ledgers_are_noted(runs: dict[str, Path], copy: "Copy") -> None:
    run = copy("tone-rule")
    (run.parents[3] / "ledger.jsonl").unlink()
    found = compare([run, runs["tone-rule"]], resamples=RESAMPLES)
    assert found.notes == (
        "runs that were there again with the same seed and actions are counted once: 1",
        "1 of 2 seeds have no trial ledger beside them",
    )
    alone = compare([run], resamples=RESAMPLES).assets[0]
    assert alone.trials is None
    assert math.isnan(alone.agents[1].dsr.iqm)
    assert "no ledger" in alone.agents[1].dsr.reasons[0]


def test_knowledge_is_that_of_the_whole_suite(
    copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    def answered(after: float) -> "Edit":
        tasks = [
            {"suite": "basics", "task": name, "version": "1", "before": before, "after": after}
            for name, before in (("sums", 0.1), (None, 0.5))
        ]
        return lambda record: record.update(knowledge={"suite": "basics", "retention": tasks})

    run = copy("random")
    for seed, after in enumerate((0.25, 0.5, 0.75)):
        edit_record(run / f"seed-{seed}", answered(after))
    (asset,) = compare([run], resamples=RESAMPLES).assets
    knowledge = asset.agents[1].knowledge
    assert knowledge is not None
    assert (knowledge.suite, knowledge.before.iqm, knowledge.after.iqm) == ("basics", 0.5, 0.5)
    assert knowledge.after.values == (0.25, 0.5, 0.75)
    assert asset.agents[0].knowledge is None


def test_another_primary_endpoint_is_named_as_not_declared(runs: dict[str, Path]) -> None:
    found = compare([runs["tone-rule"]], primary="cumulative_return", resamples=RESAMPLES)
    primary = found.to_json()["primary_endpoint"]
    assert (primary["metric"], primary["declared"]) == ("cumulative_return", False)
    (asset,) = found.assets
    own, held = (agent_of(asset, name).metrics["cumulative_return"].iqm for name in ("tone", "buy"))
    assert primary["agents"][0]["iqm"] == pytest.approx(own - held)


def test_a_replica_and_a_market_never_share_a_table(
    runs: dict[str, Path], make_run: "MakeRun", data_folder: Path, tmp_path: Path
) -> None:
    real = make_run(tmp_path, "always-flat", data=str(data_folder))
    with pytest.raises(ComparabilityError, match="one kind of market"):
        compare([runs["random"], real])


def test_runs_on_real_prices_are_compared_wherever_the_data_lies(
    make_run: "MakeRun", data_folder: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(data_folder / "market" / "TSLA", moved / "market" / "TSLA")
    run = make_run(tmp_path / "out", "random", data=str(moved), protocol="paper")
    shutil.rmtree(moved)
    (asset,) = compare([run], data=str(data_folder), resamples=RESAMPLES).assets
    assert (asset.kind, asset.bars, asset.fill) == ("market", 150, "next_close")
    sharpe = asset.agents[1].metrics["sharpe_ratio"]
    assert (sharpe.low + sharpe.high) / 2 == pytest.approx(sharpe.iqm)


def test_joint_tests_name_who_is_in_the_set() -> None:
    rng = np.random.default_rng(0)
    held = rng.normal(0, 0.01, 300)
    returns = {"buy-and-hold": held, "good": held + rng.normal(0.01, 0.001, 300), "same": held.copy()}
    found = joint_tests(returns, "buy-and-hold")
    assert found.spa_p_value < 0.05
    assert found.in_set == {"buy-and-hold": False, "good": True, "same": False}
    short = {name: series[:5] for name, series in returns.items()}
    assert joint_tests(short, "buy-and-hold").in_set == {}


def test_all_figures_are_plain_json(compared: Comparison) -> None:
    text = json.dumps(compared.to_json(), allow_nan=False)
    assert json.loads(text) == compared.to_json()
    assert replace(compared, resamples=1).to_json()["resamples"] == 1
