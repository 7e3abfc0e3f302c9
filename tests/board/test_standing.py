from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.drawn_results import Kind
from benchmarks.drawn_submissions import write_entry
from flagbench.board.entry import Entry, middle, read_entry
from flagbench.board.joint import Joint, Level
from flagbench.board.standing import Reference, Standing, by_endpoint, verdict


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    kind = Kind("flag", "flag", status="reproduced")
    folder = write_entry(tmp_path_factory.mktemp("board"), kind, assets=("TSLA",))
    return read_entry(folder).entry


def with_endpoint(entry: Entry, name: str, value: float | None, **ends: Any) -> Entry:
    endpoint = entry.results.endpoint.model_copy(update={"value": value, "low": None, "high": None} | ends)
    card = entry.submission.card.model_copy(update={"name": name})
    return replace(
        entry,
        name=f"{name}__2026-11-01",
        submission=entry.submission.model_copy(update={"card": card}),
        results=entry.results.model_copy(update={"endpoint": endpoint}),
    )


def standing(*, ranked: list[Entry], listed: list[Entry] | None = None) -> Standing:
    level = Level(sha256="", iqm=0.5, low=None, high=None)
    return Standing(
        id="replica",
        title="A track",
        description="",
        ranked=by_endpoint(ranked),
        listed=by_endpoint(listed or []),
        calibration=[],
        reference=Reference(level, {}, None, (0, 0), []),
        joint=Joint(),
    )


def test_who_is_ranked(entry: Entry) -> None:
    assert entry.is_ranked
    assert not replace(entry, badge=None).is_ranked
    given = entry.results.model_copy(update={"ranked": False})
    assert not replace(entry, results=given).is_ranked


def test_best_first_undefined_last_equal_ones_by_name(entry: Entry) -> None:
    given = [("c", None), ("b", 0.1), ("a", 0.1), ("d", 0.7)]
    found = by_endpoint([with_endpoint(entry, name, value) for name, value in given])
    assert [each.label for each in found] == ["d", "a", "b", "c"]


def test_only_a_defined_endpoint_has_a_place(entry: Entry) -> None:
    ranked = [with_endpoint(entry, name, value) for name, value in [("a", 0.3), ("b", None), ("c", -0.4)]]
    track = standing(ranked=ranked, listed=[with_endpoint(entry, "d", 0.9)])
    assert {each.label: track.place(each) for each in track.compared} == {
        "a": 1,
        "c": 2,
        "b": None,
        "d": None,
    }


def test_buy_and_hold_stands_where_its_0_places_it(entry: Entry) -> None:
    given = [("a", 0.3), ("b", 0.0), ("c", -0.4), ("d", None)]
    placed = standing(ranked=[with_endpoint(entry, name, value) for name, value in given]).placed
    shown = ["held" if isinstance(each, Reference) else each.label for each in placed]
    assert shown == ["a", "held", "b", "c", "d"]


@pytest.mark.parametrize(
    ("endpoints", "says"),
    [
        (
            [("a", {"value": -0.2}), ("b", {"value": -0.5})],
            "Buy-and-hold leads: of 2 ranked agents none has a higher Sharpe ratio by the primary "
            "endpoint; the nearest, a, has −0.20 against it.",
        ),
        (
            [("a", {"value": 0.2, "low": -0.1, "high": 0.5})],
            "a has the highest primary endpoint of 1 ranked agent, +0.20 against buy-and-hold (95 % "
            "interval −0.10 to 0.50); that does not tell it from buy-and-hold.",
        ),
        (
            [("a", {"value": 0.2})],
            "a has the highest primary endpoint of 1 ranked agent, +0.20 against buy-and-hold (it has no "
            "interval); that does not tell it from buy-and-hold.",
        ),
        (
            [("a", {"value": 0.2, "low": 0.1, "high": 0.3}), ("b", {"value": None})],
            "a leads 2 ranked agents: its Sharpe ratio is +0.20 against buy-and-hold's (95 % interval "
            "0.10 to 0.30, not adjusted for the number of agents).",
        ),
        (
            [("a", {"value": None})],
            "Of 1 ranked agent none has a defined primary endpoint, so buy-and-hold leads.",
        ),
        ([], "Nobody but buy-and-hold has entered this track."),
    ],
)
def test_who_leads_is_said_plainly(
    entry: Entry, endpoints: list[tuple[str, dict[str, Any]]], says: str
) -> None:
    ranked = [with_endpoint(entry, name, **ends) for name, ends in endpoints]
    assert verdict(standing(ranked=ranked)) == says


def test_where_nobody_is_ranked_the_listed_are_spoken_of_as_such(entry: Entry) -> None:
    said = verdict(standing(ranked=[], listed=[with_endpoint(entry, "a", -0.2)]))
    assert said.startswith(
        "Nobody is ranked yet: no entry was trained again. Buy-and-hold leads: of 1 listed agent"
    )


def test_one_undefined_value_leaves_the_mean_undefined() -> None:
    assert middle([1.0, 2.0, 3.0, 100.0, -50.0]) == 2.0
    assert middle([1.0, None]) is None
    assert middle([]) is None


def test_the_series_of_an_entry_are_those_of_its_results(tmp_path: Path) -> None:
    kind = Kind("flag", "flag")
    folder = write_entry(tmp_path, kind, assets=("TSLA", "BTC"))
    from flagbench.submissions.layout import results_path
    from flagbench.submissions.results import read_results

    results, read = read_results(results_path(folder)), read_entry(folder)
    for asset in results.assets:
        assert read.series[asset.asset].returns.tolist() == [list(seed.returns) for seed in asset.seeds]
        assert read.held[asset.asset].returns.tolist() == [list(asset.held.returns)]
        assert len(read.bars[asset.asset].days) == asset.bars
    assert read.series["TSLA"].days != read.series["BTC"].days
    assert all(not seed.returns for asset in read.entry.results.assets for seed in asset.seeds)
