"""What a board shows of a submission, recomputed from actions, answers and the ledger."""

import json
import math
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.comparison.building import compare
from flagbench.comparison.comparison import Spread as Compared
from flagbench.errors import RecordError
from flagbench.market.period import Period
from flagbench.submissions.layout import content_sha256, results_path
from flagbench.submissions.results import Results, Spread, read_results, rounded, write_results
from flagbench.submissions.submission import BackboneCard
from flagbench.submissions.track import Track
from flagbench.submissions.validating import validate
from flagbench.submissions.verifying import pretraining, recompute, verify

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared


@pytest.fixture(scope="module")
def results(prepared: "Prepared", track: Track) -> Results:
    verified = verify(prepared.folder, track=track)
    assert verified.failures == ()
    assert verified.results is not None
    return verified.results


def close(found: Spread, wanted: Compared) -> bool:
    values = [*found.values, found.iqm, found.low, found.high]
    expected = [*wanted.values, wanted.iqm, wanted.low, wanted.high]
    return all(
        (mine is None and math.isnan(other)) or mine == pytest.approx(other, rel=1e-5)
        for mine, other in zip(values, expected, strict=True)
    )


def test_they_are_what_a_comparison_of_the_runs_says(results: Results, prepared: "Prepared") -> None:
    compared = compare(prepared.runs)
    (endpoint,) = [each for each in compared.endpoints if each.label == "random"]
    assert results.endpoint.value == pytest.approx(endpoint.difference.iqm, rel=1e-5)
    assert results.endpoint.cells == pytest.approx(endpoint.difference.values, rel=1e-5)
    for mine, theirs in zip(results.assets, compared.assets, strict=True):
        (agent,) = [each for each in theirs.agents if each.label == "random"]
        assert mine.asset == theirs.asset_id
        assert all(close(mine.summary[name], each) for name, each in agent.metrics.items())
        assert close(mine.psr, agent.psr)
        assert close(mine.dsr, agent.dsr)
        assert agent.paired is not None
        assert mine.paired.value == pytest.approx(agent.paired.difference, rel=1e-5)
        assert mine.n_trials == theirs.trials


def test_every_seed_has_its_days_its_figures_and_its_audit(results: Results) -> None:
    for asset in results.assets:
        assert (asset.bars, len(asset.dates), len(asset.held.returns)) == (60, 59, 59)
        assert asset.dates[-1] == asset.period[1]
        assert [audit.verdict for audit in asset.audit] == ["reachable"] * 2
        assert all(audit.explanation for audit in asset.audit)
        assert asset.pretraining == "none"
        for seed in asset.seeds:
            grown = math.prod(1 + value for value in seed.returns) - 1
            assert seed.metrics["cumulative_return"] == pytest.approx(grown, rel=1e-4, abs=1e-5)
            assert seed.uncertainty["sharpe_ratio"]["level"] == 0.95
            assert seed.knowledge is None
    assert (results.track, results.name, results.ranked, results.learns) == ("small", "random", True, False)


def test_they_are_the_same_every_time_and_come_back_from_their_file(
    results: Results, prepared: "Prepared", track: Track, tmp_path: Path
) -> None:
    checked = validate(prepared.folder, track=track)
    again = recompute(checked, content_sha256(prepared.folder))
    assert again == results
    path = tmp_path / "deep" / "results.json"
    write_results(results, path)
    first = path.read_bytes()
    assert read_results(path) == results
    write_results(read_results(path), path)
    assert path.read_bytes() == first
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


def test_only_a_valid_submission_has_results(submission: Path, track: Track) -> None:
    (submission / "card.md").unlink()
    verified = verify(submission, track=track)
    assert [each.file for each in verified.failures] == ["card.md"]
    assert verified.results is None
    with pytest.raises(RecordError, match="only a valid submission"):
        recompute(validate(submission, track=track, audit=False), "0" * 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"schema_version": 9}, "has schema version 9"), ({"luck": 1}, "unknown setting `luck`")],
)
def test_a_broken_file_of_results_is_refused(
    change: dict[str, object], message: str, results: Results, tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    write_results(results, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=message):
        read_results(path)
    path.write_text("{")
    with pytest.raises(RecordError, match="cannot be read"):
        read_results(path)


def test_figures_are_rounded_to_six_digits_however_large() -> None:
    given = {"a": [123456.789, 0.000123456789, 1, True, "x", None], "b": math.nan, "c": -math.inf}
    assert rounded(given) == {"a": [123457.0, 0.000123457, 1, True, "x", None], "b": None, "c": None}


WINDOW = Period(date(2020, 10, 1), date(2021, 5, 6))


@pytest.mark.parametrize(
    ("cutoff", "kind", "expected"),
    [
        (date(2020, 9, 30), "market", "after"),
        (date(2020, 10, 1), "market", "inside"),
        (date(2024, 1, 1), "market", "inside"),
        (date(2024, 1, 1), "replica", "drawn"),
        ("unknown", "market", "unknown"),
        ("undated", "market", "undated"),
    ],
)
def test_a_window_that_the_backbone_may_have_read_of_is_marked(
    cutoff: object, kind: str, expected: str
) -> None:
    backbone = BackboneCard.model_validate({"name": "a", "cutoff": cutoff, "licence": "b"})
    assert pretraining(backbone, kind, WINDOW) == expected
    assert pretraining(None, kind, WINDOW) == "none"


def test_results_lie_beside_the_submissions_of_a_board(prepared: "Prepared", tmp_path: Path) -> None:
    path = results_path(prepared.folder)
    assert path == prepared.board.resolve() / "results" / "small" / f"{prepared.folder.name}.json"
    with pytest.raises(RecordError, match="lies on no board"):
        results_path(tmp_path)
