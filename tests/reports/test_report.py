import io
import json
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.cli.main import main
from flagbench.comparison.finding import find_seeds
from flagbench.errors import RecordError
from flagbench.reports.report import Report, by_run, forest_rows, make_report, run_titles

if TYPE_CHECKING:
    from tests.reports.conftest import Visit, Visitor

EVIL = "x<b>&'y.py"
"""A file's name that would be markup if it were not escaped."""

AGENT = """
class Alternating:
    '''Buys and sells in turn.'''

    def reset(self, seed):
        self.turn = seed

    def act(self, observation):
        self.turn += 1
        return 2 if self.turn % 2 else 0
"""

SECTIONS = ("equity", "scores", "actions", "training", "knowledge", "provenance")


def run(*arguments: object) -> Path:
    """The folder of a run."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert main(["run", *map(str, arguments)]) == 0
    return Path(out.getvalue().splitlines()[-1])


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Arguments for 70 weekday bars: 20 of history, 25 to train on, 25 to test on."""
    path = tmp_path_factory.mktemp("market") / "TOY.csv"
    dates = np.busday_offset("2020-01-01", np.arange(70), roll="forward").astype("datetime64[D]")
    closes = 100 * np.cumprod(1 + np.random.default_rng(0).normal(0, 0.02, 70))
    rows = [
        f"{day},{close:.4f},{close:.4f},{close:.4f},{close:.4f}"
        for day, close in zip(dates, closes, strict=True)
    ]
    path.write_text("\n".join(["date,open,high,low,close", *rows]) + "\n")
    windows = [f"{dates[first]}:{dates[last]}" for first, last in ((20, 44), (45, 69))]
    return ("--asset", str(path), "--train", windows[0], "--test", windows[1])


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, market: tuple[str, ...], toy_addition: str
) -> Iterator[dict[str, Path]]:
    """FLAG that learns, is asked, and on seed 5 trades; one that never trades; one in a strange file."""
    import torch

    folder = tmp_path_factory.mktemp("runs")
    (folder / EVIL).write_text(AGENT)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    budget = (
        "--env-steps",
        16,
        "--num-envs",
        2,
        "--set",
        "ppo.num_steps=4",
        "--set",
        "max_prompt_tokens=220",
    )
    to = ("--out", folder / "runs")
    flag = ("--agent", "flag", "--backbone", "random", "--knowledge", toy_addition, *budget)
    yield {
        "flag": run(*flag, *market, "--seeds", 5, *to),
        "flat": run("--agent", "always-flat", *market, *to),
        "evil": run("--agent", f"{folder / EVIL}:Alternating", *market, "--seeds", "0,1", *to),
        "all": folder / "runs",
    }
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def report_on_all(runs: dict[str, Path]) -> Report:
    return make_report([runs["all"]])


@pytest.fixture(scope="module")
def page_of_all(report_on_all: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_on_all.html, encoding="utf-8")
    return path


def changed(run_folder: Path, to: Path) -> Path:
    """A copy of a run's only seed."""
    (seed,) = run_folder.glob("seed-*")
    shutil.copytree(seed, to / seed.name)
    return to / seed.name


def test_seeds_of_a_run_stand_together_in_their_order(runs: dict[str, Path]) -> None:
    groups = by_run(find_seeds([runs["all"]]))
    assert [[seed.record.seed for seed in group] for group in groups] == [[0, 1], [0], [5]]
    titles = run_titles(groups)
    assert titles == [
        f"{EVIL}:Alternating on TOY, standard v1",
        *(f"{name} on TOY, standard v1" for name in ("always-flat", "flag")),
    ]


def test_two_runs_of_one_agent_are_told_apart_by_their_id(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(runs["flat"], tmp_path)
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"run_id": "another"}))
    titles = run_titles(by_run(find_seeds([runs["flat"], tmp_path])))
    assert [title.split(", ")[-1] for title in titles] == [f"run {record['run_id']}", "run another"]


def test_the_forest_has_each_seed_and_buy_and_hold_once(runs: dict[str, Path]) -> None:
    rows = forest_rows(find_seeds([runs["all"]]))
    assert [row.label for row in rows] == [
        f"{EVIL}:Alternating, seed 0",
        f"{EVIL}:Alternating, seed 1",
        "always-flat, seed 0",
        "flag, seed 5",
        "buy-and-hold",
    ]
    assert len({row.group for row in rows}) == 1
    assert rows[2].interval.value is None
    assert rows[2].undefined == "never held a position"
    assert [row.is_reference for row in rows] == [False] * 4 + [True]


def test_all_pictures_of_all_runs_have_names_of_their_own(report_on_all: Report) -> None:
    names = [picture.name for picture in report_on_all.pictures]
    assert len(names) == len(set(names))
    kinds = sorted(name.rpartition("Z-")[2][7:] for name in names if name != "sharpe-forest")
    flag = ["actions-5", "equity", "knowledge", "training"]
    assert kinds == sorted([*flag, "actions-0", "equity", "actions-0", "actions-1", "equity"])
    assert not [name for name in names if set(name) & set("<>&'/ :")]


def test_the_same_runs_give_the_same_page(runs: dict[str, Path]) -> None:
    first, second = (make_report([runs["flat"]]).html for _ in range(2))
    assert first == second


def test_where_the_prices_are_gone_the_page_says_so(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(runs["flat"], tmp_path)
    record = json.loads((folder / "record.json").read_text())
    record["spec"]["asset"] = str(tmp_path / "gone.csv")
    (folder / "record.json").write_text(json.dumps(record))
    report = make_report([folder])
    assert "The prices are not at hand, so the actions are not drawn on them" in report.html
    assert "These runs are not compared" in report.html
    assert [picture.name.rpartition("-")[2] for picture in report.pictures] == ["forest", "equity"]


def test_a_run_that_walked_forward_has_a_part_for_each_window(runs: dict[str, Path], tmp_path: Path) -> None:
    """Two windows of one seed, made of the files of one run; their pooled score was never written."""
    rules = {"train_bars": 25, "test_bars": 25, "first": "2020-03-04", "min_windows": 2, "max_windows": 2}
    for window in (0, 1):
        to = tmp_path / f"window-{window}"
        to.mkdir()
        path = changed(runs["flat"], to) / "record.json"
        record = json.loads(path.read_text())
        protocol = record["protocol"] | {"id": "mine", "walk_forward": rules}
        path.write_text(json.dumps(record | {"window": window, "protocol": protocol}))
    report = make_report([tmp_path])
    for window in (0, 1):
        assert f'<section id="run-1-window-{window}-equity"' in report.html
    assert report.html.count("<h2") == 3
    assert "cumulative return by test window" in report.html
    assert "seed 0: not all of its windows are there, so it has no pooled score" in report.html
    assert len({picture.name for picture in report.pictures}) == len(report.pictures) == 5


def test_a_file_that_is_missing_is_named(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = changed(runs["flag"], tmp_path)
    for name in ("equity.csv", "train.jsonl"):
        (folder / name).unlink()
    html = make_report([folder]).html
    assert "seed 5 has no equity.csv" in html
    assert "seed 5 has no line in train.jsonl" in html


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("equity.csv", ("window,date", "window,day"), "has not the columns"),
        ("actions.csv", ("sell", "hold"), "actions_sha256"),
        ("train.jsonl", ("{", "["), "is no training log"),
    ],
)
def test_a_file_that_was_changed_is_an_error(
    runs: dict[str, Path], tmp_path: Path, name: str, change: tuple[str, str], says: str
) -> None:
    path = changed(runs["flag"], tmp_path) / name
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    with pytest.raises(RecordError, match=says):
        make_report([path.parent])


# In a browser.


def widths(visit: "Visit") -> tuple[int, int]:
    """Of the page's content and of the window."""
    seen = visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return seen[0], seen[1]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_opens_from_a_file_without_a_complaint(
    visit: "Visitor", page_of_all: Path, width: int, dark: bool
) -> None:
    seen = visit(page_of_all, width=width, dark=dark)
    assert seen.said == []
    assert [address for address in seen.asked if not address.startswith(("file:", "data:"))] == []
    content, window = widths(seen)
    assert content <= window == width


def test_all_sections_are_there_and_can_be_seen(visit: "Visitor", page_of_all: Path) -> None:
    page = visit(page_of_all).page
    keys = ["comparison", "sharpe", *(f"run-{number}" for number in (1, 2, 3))]
    keys += [f"run-{number}-{part}" for number in (1, 2, 3) for part in SECTIONS]
    for key in keys:
        assert page.locator(f"#{key}").is_visible(), key
    assert page.locator("nav a").count() == 5
    for link in page.locator("nav a").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1
    comparison = page.locator("#comparison table")
    assert comparison.count() >= 4


@pytest.mark.parametrize("width", [390, 1280])
def test_every_picture_is_drawn_has_words_and_fits(visit: "Visitor", page_of_all: Path, width: int) -> None:
    page = visit(page_of_all, width=width).page
    found = page.evaluate(
        "[...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight, i.width, i.alt.length])"
    )
    assert len(found) == 10  # forest; three of equity, four of actions, training, knowledge
    for complete, natural_width, natural_height, shown, words in found:
        assert complete
        assert min(natural_width, natural_height) > 100
        assert shown <= width
        assert words > 40


def test_a_phone_is_given_pictures_of_its_own(visit: "Visitor", page_of_all: Path) -> None:
    shown = {
        width: visit(page_of_all, width=width).page.evaluate("document.images[1].naturalWidth")
        for width in (390, 1280)
    }
    assert shown[390] < 390
    assert shown[1280] > 800


def test_the_colours_follow_the_reader(visit: "Visitor", page_of_all: Path) -> None:
    def brightness(*, dark: bool) -> tuple[float, float]:
        """Of the page's background, and of a picture's upper left corner."""
        page = visit(page_of_all, dark=dark).page
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        corner = page.locator("figure img").first.screenshot(path=None)
        from matplotlib.image import imread

        pixels = imread(io.BytesIO(corner))
        return sum(map(int, ground[4:-1].split(","))) / 765, float(pixels[2, 2, :3].mean())

    assert brightness(dark=False) == pytest.approx((1.0, 1.0))
    assert max(brightness(dark=True)) < 0.15


def test_headings_go_down_one_step_at_a_time(visit: "Visitor", page_of_all: Path) -> None:
    page = visit(page_of_all).page
    ranks = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")
    assert ranks.count(1) == 1
    assert ranks[0] == 1
    assert all(later <= before + 1 for before, later in pairwise(ranks))


def test_what_scrolls_can_be_reached_with_the_keyboard(visit: "Visitor", page_of_all: Path) -> None:
    page = visit(page_of_all, width=390).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    unreachable = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"
    )
    assert unreachable == 0
    wide = page.evaluate(
        "[...document.querySelectorAll('.table')].filter(e => e.scrollWidth > e.clientWidth).length"
    )
    assert wide > 0  # so that the line above has tried something


def test_every_table_has_a_caption_and_scopes(visit: "Visitor", page_of_all: Path) -> None:
    page = visit(page_of_all).page
    without = page.evaluate(
        "[...document.querySelectorAll('table')].filter(t => !t.caption || !t.caption.textContent.trim()"
        " || [...t.querySelectorAll('th')].some(h => !h.scope || !h.textContent.trim())).length"
    )
    assert without == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_a_strange_name_is_shown_as_it_is(visit: "Visitor", page_of_all: Path) -> None:
    page = visit(page_of_all).page
    assert page.locator("#run-1 > h2").inner_text() == f"{EVIL}:Alternating on TOY, standard v1"
    assert page.locator("b").count() == 0


def test_the_rest_of_a_record_opens_with_the_keyboard(visit: "Visitor", page_of_all: Path) -> None:
    page = visit(page_of_all).page
    table = page.locator("#run-3-provenance details table").first
    assert not table.is_visible()
    page.locator("#run-3-provenance summary").press("Enter")
    assert table.is_visible()
    assert "params.ppo.num_steps" in table.inner_text()
