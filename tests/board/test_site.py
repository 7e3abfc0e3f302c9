import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.drawn_results import Kind
from benchmarks.drawn_submissions import draw_levels, make_board, write_entry
from flagbench.board.entry import read_entry
from flagbench.board.site import LISTING, Board, build_board, stale_files, write_board
from flagbench.board.track import read_track
from flagbench.errors import ComparabilityError, RecordError

if TYPE_CHECKING:
    from tests.board.conftest import SmallBoard

FEW = 50
"""Resamples."""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Two entries on one asset."""
    for number, name in enumerate(("one", "two")):
        kind = Kind(name, name, status="reproduced", skill=0.1 * number)
        write_entry(tmp_path, kind, number=number, assets=("TSLA",))
    return tmp_path


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(
    board: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    built = build_board(board, resamples=FEW)
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(board, copy)
    again = build_board(copy, resamples=FEW)
    assert again.site == built.site
    assert list(again.joints.values()) == list(built.joints.values())
    assert str(board) not in "".join(built.site.values())


def test_what_was_written_is_not_stale_and_is_not_written_again(board: Path) -> None:
    out = board / "site"
    built = build_board(board, resamples=FEW)
    assert len(stale_files(built, out)) == len(built.site) + 1  # and what is kept of the track
    assert write_board(built, out)
    again = build_board(board, resamples=FEW)
    assert stale_files(again, out) == []
    assert write_board(again, out) == []


def test_what_differs_is_named(board: Path) -> None:
    out = board / "site"
    write_board(build_board(board, resamples=FEW), out)
    (out / "replica.html").write_text("edited")
    (out / "board.css").unlink()
    stale = stale_files(build_board(board, resamples=FEW), out)
    assert stale == [out / "board.css", out / "replica.html"]


def test_an_entry_that_left_takes_its_files_with_it_and_no_others(board: Path) -> None:
    out = board / "site"
    write_board(build_board(board, resamples=FEW), out)
    (out / "CNAME").write_text("board.example.org")
    (gone,) = (board / "submissions" / "replica").glob("two__*")
    shutil.rmtree(gone)
    built = build_board(board, resamples=FEW)
    page = out / "submissions" / "replica" / f"{gone.name}.html"
    assert page in stale_files(built, out)
    assert page in write_board(built, out)
    assert not page.exists()
    assert (out / "CNAME").exists()
    assert gone.name not in (out / LISTING).read_text()


def test_a_listing_cannot_take_away_what_lies_elsewhere(board: Path) -> None:
    out = board / "site"
    write_board(build_board(board, resamples=FEW), out)
    precious = board / "precious.txt"
    precious.write_text("kept")
    with (out / LISTING).open("a") as stream:
        stream.write(f"../precious.txt\n{precious}\n")
    write_board(build_board(board, resamples=FEW), out)
    assert precious.exists()


def test_a_badge_of_another_content_ranks_nobody(board: Path) -> None:
    (folder,) = (board / "submissions" / "replica").glob("one__*")
    assert read_entry(folder).entry.status == "reproduced"
    with (folder / "card.md").open("a") as stream:
        stream.write("One more word.\n")
    assert read_entry(folder).entry.status == "replayed"


def test_entries_of_other_markets_do_not_share_a_track(board: Path) -> None:
    (path,) = (board / "results" / "replica").glob("two__*")
    values = json.loads(path.read_text())
    values["assets"][0]["market_sha256"] = "1" * 64
    path.write_text(json.dumps(values))
    with pytest.raises(ComparabilityError, match="one track has one market of TSLA: one__2026-11-01 has 000"):
        build_board(board, resamples=FEW)


def test_a_broken_result_is_named(board: Path) -> None:
    (path,) = (board / "results" / "replica").glob("two__*")
    path.write_text("{")
    with pytest.raises(RecordError, match=r"two__2026-11-02\.json cannot be read"):
        build_board(board, resamples=FEW)


def test_an_empty_board_has_an_overview(tmp_path: Path) -> None:
    (tmp_path / "submissions").mkdir()
    assert "No submission yet." in build_board(tmp_path).site["index.html"]


def test_no_page_has_a_script_or_a_style_of_its_own(small_board: "SmallBoard") -> None:
    for page in small_board.site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert html.count("<script") == html.count("board.js") == 1, page.name
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick" not in html


def test_strangers_words_are_escaped_on_every_page(small_board: "SmallBoard") -> None:
    for page in small_board.site.rglob("*.html"):
        html = page.read_text(encoding="utf-8")
        assert "alert(1)</script>" not in html, page.name
        assert "<img" not in html, page.name
        assert "<iframe" not in html, page.name
        assert 'href="javascript' not in html.lower()
    for data in small_board.site.rglob("data/**/*.js"):
        assert data.read_text().isascii()


def test_a_name_that_is_no_name_is_escaped_too(board: Path) -> None:
    """The schema forbids such names; a page would escape them all the same."""
    from flagbench.board.entry_page import entry_page
    from flagbench.board.pages import index_page, track_page
    from flagbench.board.shell import Shell

    folders = sorted((board / "submissions" / "replica").iterdir())
    track = read_track(board, "replica", folders, resamples=FEW)
    entry = track.standing.ranked[0]
    card = entry.submission.card.model_copy(update={"name": '"><script>x</script>\u202e'})
    strange = replace(entry, submission=entry.submission.model_copy(update={"card": card}))
    standing = replace(track.standing, ranked=[strange, *track.standing.ranked[1:]])
    pages = [track_page(Shell([]), standing), index_page(Shell([]), [standing])]
    for html in [*pages, entry_page(Shell([]), standing, strange, track.holm)]:
        assert "&#34;&gt;&lt;script&gt;x&lt;/script&gt;" in html
        assert "<script>x" not in html


def test_a_board_of_forty_would_be_small(board: Path) -> None:
    """One entry on nine assets with five seeds; forty of them have 5 MB."""
    whole = board / "whole"
    folders = make_board(whole, 5)
    draw_levels(whole, folders)
    built: Board = build_board(whole)
    own = {name: len(text.encode()) for name, text in built.site.items() if "__" in name}
    assert sum(own.values()) / len(folders) < 5_000_000 / 40


@pytest.mark.parametrize(("track", "name"), [("replica", "a b__2026-11-01"), ("index", "x"), ("<i>", "x")])
def test_a_folder_whose_name_no_page_can_have_is_refused(tmp_path: Path, track: str, name: str) -> None:
    folder = write_entry(tmp_path, Kind("one", "flag"), assets=("TSLA",))
    (tmp_path / "submissions" / track).mkdir(exist_ok=True)
    folder.rename(tmp_path / "submissions" / track / name)
    with pytest.raises(RecordError, match="cannot be the name of a track or a submission"):
        build_board(tmp_path, resamples=FEW)


def test_a_reason_says_how_many_seeds_it_holds_for(small_board: "SmallBoard") -> None:
    (page,) = small_board.site.glob("submissions/*/always-flat__*.html")
    text = page.read_text(encoding="utf-8")
    assert re.search(r"<li>TSLA: [^<]+ \((\d+) of \1 seeds\)</li>", text)
