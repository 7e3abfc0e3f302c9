from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.comparison.finding import find_seeds
from flagbench.comparison.markets import Markets
from flagbench.comparison.replaying import ReplayedSeed, play, replay_seed
from flagbench.errors import RecordError
from flagbench.registry import load_metrics
from flagbench.scoring.pooling import pooled_score

if TYPE_CHECKING:
    from tests.comparison.conftest import Copy


def replayed(run: Path, data: str | None = None) -> ReplayedSeed:
    (found, *_) = find_seeds([run])
    return replay_seed(found, Markets(data).of(found))


@pytest.mark.parametrize("name", ["buy-and-hold", "always-flat", "random", "tone-rule", "random BTC"])
def test_a_run_that_nobody_touched_comes_to_what_its_record_says(name: str, runs: dict[str, Path]) -> None:
    seed = replayed(runs[name])
    recorded = seed.run.record.scores["test"]
    for metric in load_metrics():
        assert seed.play.values[metric] == pytest.approx(
            np.nan if recorded[metric] is None else recorded[metric], abs=1e-12, nan_ok=True
        )
    assert seed.play.shape.identical_to == recorded["policy"]["identical_to"]


def test_several_windows_are_pooled_as_the_project_pools_them(runs: dict[str, Path]) -> None:
    seed = replayed(runs["random"])
    windows = [(seed.period, seed.actions), (seed.period, seed.actions)]
    expected = pooled_score(seed.market, seed.protocol, windows)
    found = play(seed.market, seed.protocol, windows)
    assert found.values == pytest.approx(expected.values)
    assert found.dates.tolist() == 2 * seed.play.dates.tolist()
    assert found.shape == expected.shape


def change_test(name: str, factor: float) -> Callable[[dict[str, Any]], None]:
    def edit(record: dict[str, Any]) -> None:
        record["scores"]["test"][name] *= factor

    return edit


def set_field(*path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def edit(record: dict[str, Any]) -> None:
        for name in path[:-1]:
            record = record[name]
        record[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (change_test("sharpe_ratio", 1 + 1e-7), "scores.test.sharpe_ratio"),
        (change_test("cumulative_return", 1.5), "scores.test.cumulative_return"),
        (change_test("trades", 2), "scores.test.trades"),
        (set_field("scores", "test", "unparsed", value=1), "scores.test.unparsed"),
        (set_field("scores", "test", "policy", "identical_to", value="always-flat"), "policy.identical_to"),
        (set_field("scores", "test", "max_drawdown", value=None), "scores.test.max_drawdown"),
        (set_field("scores", "test", "scoring", value="paper"), "scores.test.scoring"),
        (set_field("buy_and_hold", "train", "sharpe_ratio", value=-9.0), "buy_and_hold.train.sharpe_ratio"),
        (set_field("scores", value={}), "scores.test"),
        (set_field("actions_sha256", value="0" * 64), "actions_sha256"),
        (set_field("protocol", "cost_bps", value=0.0), "protocol.cost_bps"),
        (set_field("protocol", "cost_bps", value=-1.0), "cost_bps"),
        (set_field("market", "sha256", value="f" * 64), "market.sha256"),
        (set_field("market", "kind", value="market"), "market.kind"),
        (set_field("asset", "windows", "test", value="2020-10-01:2020-10-20"), "asset.windows"),
        (set_field("asset", "calendar", "periods_per_year", value=365), "asset.calendar"),
    ],
)
def test_a_record_that_was_changed_is_refused_with_the_field(
    edit: Callable[[dict[str, Any]], None], field: str, copy: "Copy"
) -> None:
    run = copy("random", edit)
    with pytest.raises(RecordError) as caught:
        replayed(run / "seed-0")
    assert f"{field}`" in caught.value.message
    assert str(run) in caught.value.message


def test_a_difference_of_rounding_is_none(copy: "Copy") -> None:
    run = copy("random", change_test("sharpe_ratio", 1 + 1e-12))
    assert replayed(run).run.record.seed == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("buy", "hold", 1), "actions_sha256"),
        (lambda text: text.replace("buy", "bye", 1), "actions.csv"),
        (lambda text: "\n".join(text.splitlines()[:-2]), "actions.csv"),
    ],
)
def test_actions_that_were_changed_are_refused(
    change: Callable[[str], str], message: str, copy: "Copy"
) -> None:
    run = copy("random")
    actions = run / "seed-0" / "actions.csv"
    actions.write_text(change(actions.read_text()))
    with pytest.raises(RecordError, match=message):
        replayed(run / "seed-0")


def test_actions_that_are_gone_are_named(copy: "Copy") -> None:
    run = copy("random")
    (run / "seed-0" / "actions.csv").unlink()
    with pytest.raises(RecordError, match=r"actions\.csv cannot be read"):
        replayed(run / "seed-0")
