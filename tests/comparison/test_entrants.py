import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.comparison.entrants import blocks, entrants, identity
from flagbench.comparison.finding import SeedRun, find_seeds
from flagbench.comparison.markets import Markets
from flagbench.comparison.replaying import ReplayedSeed, replay_seed
from flagbench.errors import ComparabilityError
from flagbench.market.period import Period

if TYPE_CHECKING:
    from tests.comparison.conftest import Copy, Edit, MakeRun


TRAIN, EARLY, LATE = map(
    Period.parse, ("2020-02-03:2020-03-31", "2020-04-01:2020-04-30", "2020-05-01:2020-05-29")
)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CSV of weekday bars from January to June 2020."""
    path = tmp_path_factory.mktemp("prices") / "TOY.csv"
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-07-01"))
    days = days[np.is_busday(days)]
    closes = 100 * np.cumprod(1 + np.random.default_rng(0).normal(0, 0.02, len(days)))
    bars = [
        f"{day},{close:.4f},{close:.4f},{close:.4f},{close:.4f}"
        for day, close in zip(days, closes, strict=True)
    ]
    path.write_text("\n".join(["date,open,high,low,close", *bars]) + "\n")
    return str(path)


def replayed(*paths: Path) -> list[ReplayedSeed]:
    markets = Markets()
    return [replay_seed(run, markets.of(run)) for run in find_seeds(paths)]


def labels(runs: list[SeedRun]) -> list[str]:
    return [entrants(runs)[identity(run)].label for run in runs]


def test_seeds_and_assets_of_one_agent_are_one_entrant(runs: dict[str, Path]) -> None:
    found = find_seeds([runs["random"], runs["random BTC"], runs["tone-rule"]])
    assert sorted(entrant.label for entrant in entrants(found).values()) == [
        "random",
        "tone_rule.py:ToneRule",
    ]


def test_agents_of_one_name_are_told_apart_by_what_they_were_given(
    copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    run = copy("random")
    edit_record(run / "seed-0", lambda record: record["spec"].update(settings=["ppo.gamma=0.9", "a=1"]))
    edit_record(run / "seed-1", lambda record: record["spec"].update(settings=["ppo.gamma=0.8", "a=1"]))
    assert labels(find_seeds([run])) == [
        "random (a=1, ppo.gamma=0.9)",
        "random (a=1, ppo.gamma=0.8)",
        "random (as it comes)",
    ]


def test_the_order_and_the_form_of_settings_do_not_matter(
    copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    run = copy("random")
    edit_record(run / "seed-0", lambda record: record["spec"].update(settings=["a=1", "b.c=2"]))
    edit_record(run / "seed-1", lambda record: record["spec"].update(settings=["b.c=2", "a=1"]))
    one, other, _ = find_seeds([run])
    assert identity(one) == identity(other)


def test_another_source_of_one_name_is_another_agent(
    copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    run = copy("random")
    edit_record(run / "seed-0", lambda record: record["agent_source"].update(sha256="ab" * 32))
    shown = labels(find_seeds([run]))
    assert shown[0] == "random (source abababab)"
    assert shown[1] == shown[2] != shown[0]


def test_who_knows_the_future_is_marked(copy: "Copy") -> None:
    run = copy("tone-rule", lambda record: record.update(ranked=False))
    (entrant,) = entrants(find_seeds([run])).values()
    assert (entrant.label, entrant.ranked) == ("tone_rule.py:ToneRule (knows the future)", False)


def test_blocks_are_assets_in_the_order_of_their_labels(runs: dict[str, Path]) -> None:
    made, repeated = blocks(replayed(runs["random"], runs["random BTC"]))
    assert [block.label for block in made] == ["BTC (replica)", "TSLA (replica)"]
    assert [[seed.number for seed in seeds] for block in made for seeds in block.seeds.values()] == [
        [0, 1],
        [0, 1, 2],
    ]
    assert repeated == 0


def test_a_seed_that_was_run_again_with_the_same_actions_counts_once(
    runs: dict[str, Path], copy: "Copy"
) -> None:
    (block,), repeated = blocks(replayed(runs["random"], copy("random")))
    assert repeated == 3
    assert [len(seeds) for seeds in block.seeds.values()] == [3]


def test_a_seed_that_is_there_with_other_actions_too_is_refused(runs: dict[str, Path], copy: "Copy") -> None:
    run = copy("random")
    shutil.rmtree(run / "seed-1")
    shutil.rmtree(run / "seed-0")
    record = run / "seed-2" / "record.json"
    record.write_text(record.read_text().replace('"seed": 2', '"seed": 0'))
    with pytest.raises(ComparabilityError, match="seed 0 of random is there twice") as caught:
        blocks(replayed(runs["random"], run))
    assert str(run) in caught.value.message
    assert str(runs["random"]) in caught.value.message


def test_other_windows_of_an_asset_stand_apart_and_say_which_they_are(
    make_run: "MakeRun", prices: str, tmp_path: Path
) -> None:
    made = [
        make_run(tmp_path, "always-flat", asset=prices, data=None, train=TRAIN, test=test)
        for test in (EARLY, LATE)
    ]
    found, _ = blocks(replayed(*made))
    assert [block.label for block in found] == [
        "TOY 2020-04-01 to 2020-04-30",
        "TOY 2020-05-01 to 2020-05-29",
    ]
    assert [len(block.seeds) for block in found] == [1, 1]


def walked(window: int) -> "Edit":
    return lambda record: record.update(window=window)


def test_windows_of_a_walk_forward_are_pooled(
    make_run: "MakeRun", prices: str, tmp_path: Path, edit_record: Callable[[Path, "Edit"], None]
) -> None:
    windows: dict[str, Any] = {"asset": prices, "data": None, "train": TRAIN}
    first = make_run(tmp_path, "buy-and-hold", test=EARLY, **windows)
    second = make_run(tmp_path, "buy-and-hold", test=LATE, **windows)
    for window, run in enumerate((first, second)):
        edit_record(run / "seed-0", walked(window))
    (block,), _ = blocks(replayed(first, second))
    ((seed,),) = block.seeds.values()
    assert block.periods == [EARLY, LATE]
    parts = [part.play for part in seed.parts]
    assert len(seed.play.returns) == sum(len(part.returns) for part in parts)
    assert seed.play.values["trades"] == 2
    growth = [1 + part.values["cumulative_return"] for part in parts]
    assert seed.play.values["cumulative_return"] == pytest.approx(growth[0] * growth[1] - 1)
    shorter = make_run(tmp_path, "always-flat", test=EARLY, **windows)
    edit_record(shorter / "seed-0", walked(0))
    with pytest.raises(ComparabilityError, match="do not share 2020-05-01:2020-05-29"):
        blocks(replayed(first, second, shorter))
