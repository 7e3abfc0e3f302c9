"""Everything that can be wrong is found, with its file, its line, and what should stand there."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.submissions.track import Track
from flagbench.submissions.validating import Checked, validate
from tests.submissions.desk import ACTIONS, TSLA_1, Desk, Edit, only

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared


def test_what_was_prepared_is_valid(prepared: "Prepared", track: Track) -> None:
    checked: Checked = validate(prepared.folder, track=track)
    assert checked.failures == ()
    assert [(run.claim.asset, run.claim.seed) for run in checked.runs] == track.cells
    assert [run.audit.verdict for run in checked.runs if run.audit] == ["reachable"] * 4
    assert list(checked.ledgers) == ["ledger.jsonl"]


def test_a_track_that_is_not_installed_is_a_failure_with_its_line(prepared: "Prepared") -> None:
    found = only(list(validate(prepared.folder).failures))
    assert (found.file, found.line, found.what, found.found) == ("submission.json", 3, "track", "small")
    assert found.expected == "one of market-paper, market-standard, replica"


def test_a_path_is_no_track(desk: Desk, track_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.edit(lambda manifest: manifest.update(track=track_file.name))
    monkeypatch.chdir(track_file.parent)
    assert only(list(validate(desk.folder).failures)).what == "track"


class TestActions:
    def test_one_flipped_action_is_found_by_its_hash_and_by_what_it_earns(
        self,
        desk: Desk,
    ) -> None:
        lines = (desk.folder / ACTIONS).read_text().splitlines()
        flipped = next(index for index, line in enumerate(lines) if line.endswith(",buy"))
        lines[flipped] = lines[flipped].replace(",buy", ",sell")
        text = "\n".join(lines) + "\n"
        (desk.folder / ACTIONS).write_text(text)
        found = only(desk.failures())
        assert (found.file, found.what) == (ACTIONS, "sha256")
        assert found.found == sha256(text.encode()).hexdigest()
        desk.rewrite_actions(text)
        failures = desk.failures()
        metrics = [each for each in failures if each.what.startswith(f"runs.{TSLA_1}.metrics.")]
        assert {each.line for each in metrics} == {desk.line_of_run(TSLA_1)}
        assert f"runs.{TSLA_1}.metrics.cumulative_return" in {each.what for each in metrics}
        # The ledger saw the first actions.
        assert {each.what for each in failures if each.file == "ledger.jsonl"} == {
            "actions_sha256",
            "sharpe_per_period",
        }

    @pytest.mark.parametrize(
        ("change", "place", "found", "expected"),
        [
            (lambda rows: rows.pop(5), (6, "date"), "2020-10-08", "2020-10-07"),
            (lambda rows: rows.insert(5, rows[5]), (7, "date"), "2020-10-07", "2020-10-08"),
            (lambda rows: rows.append("2030-01-01,buy"), (62, "date"), "2030-01-01", "the end of the file"),
            (lambda rows: rows.pop(), (59, "end of the file"), "58 actions", "59, one for each bar"),
            (lambda rows: rows.__setitem__(1, "2020-09-30,buy"), (2, "date"), "2020-09-30", "2020-10-01"),
            (
                lambda rows: rows.__setitem__(3, "2020-10-05,double"),
                (4, "action"),
                "double",
                "unparsed, sell",
            ),
            (lambda rows: rows.__setitem__(3, "2020-10-05,buy,1"), (4, "cells"), "3", "2"),
            (
                lambda rows: rows.__setitem__(0, "date,position"),
                (1, "header"),
                "date,position",
                "date,action",
            ),
            (lambda rows: rows.insert(4, ""), (5, "cells"), "0", "2"),
        ],
    )
    def test_exactly_one_action_a_bar(
        self,
        change: Callable[[list[str]], object],
        place: tuple[int, str],
        found: str,
        expected: str,
        desk: Desk,
    ) -> None:
        rows = (desk.folder / ACTIONS).read_text().splitlines()
        if place == (62, "date"):
            rows.append("2020-12-24,hold")  # the last bar's row is allowed and ignored
        change(rows)
        desk.rewrite_actions("\n".join(rows) + "\n")
        own = only([each for each in desk.failures() if each.file == ACTIONS])
        assert ((own.line, own.what), own.found) == (place, found)
        assert own.expected.startswith(expected)

    def test_the_last_bars_row_may_be_there(
        self,
        desk: Desk,
    ) -> None:
        text = (desk.folder / ACTIONS).read_text() + "2020-12-24,hold\n"
        desk.rewrite_actions(text)
        # Another file than the ledger's, with the same figures.
        assert only(desk.failures()).what == "actions_sha256"

    def test_a_percent_of_answers_that_are_no_action_is_too_many(
        self,
        desk: Desk,
    ) -> None:
        rows = (desk.folder / ACTIONS).read_text().splitlines()
        rows[1] = "2020-10-01,unparsed"
        desk.rewrite_actions("\n".join(rows) + "\n")
        none = [each for each in desk.failures() if each.what.startswith("share of answers")]
        assert none == []  # one of 118
        rows[2] = "2020-10-02,unparsed"
        desk.rewrite_actions("\n".join(rows) + "\n")
        found = only([each for each in desk.failures() if each.what.startswith("share of answers")])
        assert (found.found, found.expected) == ("1.69%", "less than 1%")


class TestClaims:
    @pytest.mark.parametrize("metric", ["cumulative_return", "sharpe_ratio", "max_drawdown", "cost_paid"])
    def test_a_figure_that_is_off_by_a_billionth_and_a_bit_is_found(
        self,
        metric: str,
        desk: Desk,
    ) -> None:
        def raised(by: float) -> Edit:
            return lambda manifest: manifest["runs"][0]["metrics"].update(
                {metric: manifest["runs"][0]["metrics"][metric] + by}
            )

        desk.edit(raised(5e-10))
        assert desk.failures() == []
        desk.edit(raised(3e-9))
        found = only([each for each in desk.failures() if each.what.endswith(metric)])
        assert (found.file, found.line) == ("submission.json", desk.line_of_run(0))
        assert float(found.found) - float(found.expected) == pytest.approx(3.5e-9, rel=0.2)

    def test_a_figure_that_no_path_has_is_found_by_the_audit_too(
        self,
        desk: Desk,
    ) -> None:
        desk.edit(lambda manifest: manifest["runs"][0]["metrics"].update(cumulative_return=9.0))
        whats = {each.what: each.found for each in desk.failures()}
        assert whats["runs.0.metrics.cumulative_return"] == "9.0"
        assert whats["runs.0.metrics"] == "unreachable"

    @pytest.mark.parametrize("figure", [1e308, None])
    def test_a_figure_that_no_account_can_have_is_one_failure_more(self, figure: object, desk: Desk) -> None:
        desk.edit(lambda manifest: manifest["runs"][0]["metrics"].update(cumulative_return=figure))
        found = {each.what: each for each in desk.failures()}
        assert set(found) == {"runs.0.metrics.cumulative_return", "runs.0.metrics"}
        assert found["runs.0.metrics"].expected == "a row that can be audited"

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"identical_to": "buy-and-hold"}, "runs.0.identical_to"),
            ({"redundant": 1}, "runs.0.redundant"),
            ({"unparsed": 3}, "runs.0.unparsed"),
            ({"period": ["2023-04-05", "2023-06-02"]}, "runs.0.period"),
            ({"market": {"kind": "market", "sha256": "0" * 64}}, "runs.0.market.sha256"),
            ({"market": {"kind": "market", "sha256": "0" * 64}}, "runs.0.market.kind"),
        ],
    )
    def test_anything_else_that_is_claimed(
        self,
        change: dict[str, Any],
        what: str,
        desk: Desk,
    ) -> None:
        desk.set_run(0, **change)
        found = {each.what: each for each in desk.failures()}
        assert found[what].line == desk.line_of_run(0)

    def test_a_metric_may_be_newer_than_a_submission_but_not_older(
        self,
        desk: Desk,
    ) -> None:
        desk.edit(lambda manifest: manifest["runs"][0]["metrics"].pop("sortino_ratio"))
        assert desk.failures() == []
        desk.edit(lambda manifest: manifest["runs"][0]["metrics"].update(luck=1.0))
        assert only(desk.failures()).expected == "no metric of that name"

    def test_the_four_figures_of_a_row_must_be_claimed(
        self,
        desk: Desk,
    ) -> None:
        desk.edit(lambda manifest: manifest["runs"][0]["metrics"].pop("max_drawdown"))
        assert only(desk.failures()).found == "no max_drawdown"


class TestManifest:
    @pytest.mark.parametrize(
        ("change", "what", "found", "expected"),
        [
            ({"track_version": 2}, "track_version", "2", "1"),
            ({"protocol": "paper"}, "protocol", "paper", "standard"),
            ({"protocol_version": 7}, "protocol_version", "7", "1"),
            ({"date": "2020-01-01"}, "date", "2020-01-01", ""),
            ({"card_sha256": "0" * 64}, "card_sha256", "0" * 64, ""),
        ],
    )
    def test_fields_of_the_whole(
        self,
        change: dict[str, Any],
        what: str,
        found: str,
        expected: str,
        desk: Desk,
    ) -> None:
        desk.edit(lambda manifest: manifest.update(change))
        own = only([each for each in desk.failures() if each.what == what])
        assert (own.file, own.found) == ("submission.json", found)
        assert own.expected.startswith(expected)
        written = (desk.folder / "submission.json").read_text().splitlines()
        assert own.line is not None
        assert f'"{what}"' in written[own.line - 1]

    def test_no_day_that_is_still_to_come(self, desk: Desk) -> None:
        desk.edit(lambda manifest: manifest.update(date="9999-12-31"))
        expected = [each.expected for each in desk.failures() if each.what == "date"]
        assert len(expected) == 2
        assert expected[0].startswith("no day after ")

    def test_a_ledger_is_named_once(self, desk: Desk) -> None:
        desk.edit(lambda manifest: manifest["ledgers"].append(manifest["ledgers"][0]))
        found = only(desk.failures())
        assert (found.what, found.found) == ("ledgers", "ledger.jsonl, ledger.jsonl")
        desk.edit(lambda manifest: manifest["ledgers"].extend(manifest["ledgers"] * 4))
        assert only(desk.failures()).what == "ledgers"

    @pytest.mark.parametrize("version", [0, 2, "1", None])
    def test_another_schema_is_refused_not_guessed_at(
        self,
        version: object,
        desk: Desk,
    ) -> None:
        desk.edit(lambda manifest: manifest.update(schema_version=version))
        found = only(desk.failures())
        assert (found.what, found.expected, found.line) == ("schema_version", "1", 2)

    def test_unknown_and_missing_fields_each_have_a_failure(
        self,
        desk: Desk,
    ) -> None:
        def spoil(manifest: dict[str, Any]) -> None:
            manifest["agent"].pop("ranked")
            manifest["runs"][1]["luck"] = 1

        desk.edit(spoil)
        found = {each.what: each for each in desk.failures()}
        assert set(found) == {"agent.ranked", "runs.1.luck"}
        assert found["agent.ranked"].found == "nothing"
        assert found["runs.1.luck"].line == desk.line_of_run(1)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1, "schema_version": 1}', "\xff"])
    def test_what_is_no_json_is_said_to_be_none(self, text: str, desk: Desk) -> None:
        (desk.folder / "submission.json").write_bytes(text.encode("latin-1"))
        assert only(desk.failures()).file == "submission.json"

    def test_missing_strange_double_and_unordered_runs(
        self,
        desk: Desk,
    ) -> None:
        desk.edit(lambda manifest: manifest["runs"].reverse())
        found = only(desk.failures())
        assert (found.what, found.found, found.expected) == ("order of the runs", "TSLA seed 1", "BTC seed 0")
        desk.edit(lambda manifest: manifest["runs"].reverse())
        desk.edit(lambda manifest: manifest["runs"].append(manifest["runs"].pop(1) | {"seed": 9}))
        found_runs = [each for each in desk.failures() if each.what == "runs"]
        assert [(each.found, each.expected) for each in found_runs] == [
            ("nothing", "BTC seed 1"),
            ("BTC seed 9", "an asset and a seed of track `small`"),
        ]

    def test_another_budget_than_the_tracks(
        self,
        desk: Desk,
    ) -> None:
        setup = {"env_steps": 99, "num_envs": 2, "mixed_precision": "no", "gradient_accumulation_steps": 1}
        desk.edit(lambda manifest: manifest["agent"].update(setup=setup))
        found = [each for each in desk.failures() if each.file == "submission.json"]
        assert [(each.what, each.found, each.expected) for each in found] == [
            ("agent.setup.env_steps", "99", "32"),
            ("agent.setup.mixed_precision", "no", "auto"),
            ("agent.setup", "a set-up", "null: it does not learn"),
        ]

    def test_a_folder_is_named_as_its_manifest_says(self, desk: Desk) -> None:
        desk.folder.rename(desk.folder.with_name("better__2020-01-01"))
        renamed = desk._replace(folder=desk.folder.with_name("better__2020-01-01"))
        found = only(renamed.failures())
        assert (found.file, found.what, found.found) == (".", "name of the folder", "better__2020-01-01")
