from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran


def test_a_page_is_written_and_its_path_stands_last(
    flagbench: "CommandLine", random_run: "Ran", tmp_path: Path
) -> None:
    out = tmp_path / "new" / "report.html"
    outcome = flagbench("report", random_run.folder, "--out", out)
    assert (outcome.status, outcome.err, outcome.out) == (0, "", f"{out}\n")
    html = out.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    for seed in (0, 1, 12):
        assert f"seed {seed}, test window" in html


def test_without_a_name_it_is_report_html_and_is_written_anew(
    flagbench: "CommandLine", random_run: "Ran", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.html").write_text("old")
    outcome = flagbench("report", random_run.folder / "seed-0")
    assert outcome.last_line == "report.html"
    assert (tmp_path / "report.html").read_text(encoding="utf-8") != "old"


def test_the_figures_are_written_as_png_and_pdf(
    flagbench: "CommandLine", trained_run: "Ran", tmp_path: Path
) -> None:
    figures = tmp_path / "figures"
    outcome = flagbench("report", trained_run.folder, "--out", tmp_path / "a.html", "--figures", figures)
    assert outcome.status == 0, outcome.err
    names = sorted(path.name for path in figures.iterdir())
    stems = sorted({name.rpartition(".")[0] for name in names})
    assert [stem.rpartition("Z-")[2][7:] or stem for stem in stems][:3] == ["actions-3", "equity", "training"]
    assert "sharpe-forest" in stems
    assert len(names) == 2 * len(stems) == 8


@pytest.mark.parametrize("option", [("--out", "page.txt"), ("--out", ".html"), ("--figures", "taken")])
def test_a_place_that_cannot_be_written_is_said_before_or_instead_of_a_page(
    flagbench: "CommandLine",
    random_run: "Ran",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    outcome = flagbench("report", random_run.folder, *option)
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert option[1] in outcome.err
    assert "hint: " in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_a_folder_without_a_run_is_an_error(flagbench: "CommandLine", tmp_path: Path) -> None:
    outcome = flagbench("report", tmp_path, "--out", tmp_path / "a.html")
    assert outcome.status == 2
    assert f"error: {tmp_path} holds no run" in outcome.err
    assert not (tmp_path / "a.html").exists()
