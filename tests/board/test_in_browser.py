"""The board as its readers have it: opened from files, in a real browser."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.drawn_submissions import draw_levels, make_board
from flagbench.board.site import build_board, write_board

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.board.conftest import SmallBoard
    from tests.reports.conftest import Visitor

SHOWN = "[...document.querySelectorAll('#entries tr[data-row]')].filter(r => !r.hidden)"
NAMES = f"{SHOWN}.map(r => r.querySelector('.who bdi, .who a').textContent)"

RANKED = ["above", "buy-and-hold", "below", "always-flat"]
LISTED = ["hindsight", "failed", "strange"]


def names(page: "Page") -> list[str]:
    found: list[str] = page.evaluate(NAMES)
    return found


def entry(site: Path, name: str) -> Path:
    (found,) = site.glob(f"submissions/replica/{name}__*.html")
    return found


def every_kind_of_page(site: Path) -> list[Path]:
    return [*sorted(set(site.glob("*.html")) - {site / "other.html"}), entry(site, "strange")]


def drawn(page: "Page", selector: str) -> None:
    page.wait_for_selector(selector, state="attached", timeout=20_000)


def settled(page: "Page", file: Path) -> None:
    """Waits for what the script draws."""
    if file.parent.name == "replica" or file.name == "compare.html":
        drawn(page, ".curves svg")


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_every_page_opens_from_a_file_without_a_complaint_and_fits(
    visit: "Visitor", small_board: "SmallBoard", width: int, dark: bool
) -> None:
    for file in every_kind_of_page(small_board.site):
        seen = visit(file, width=width, dark=dark)
        settled(seen.page, file)
        assert seen.said == [], file.name
        assert [address for address in seen.asked if not address.startswith(("file:", "data:"))] == []
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width, file.name
        seen.page.close()


def violations(page: "Page", axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map("
        "v => ({id: v.id, impact: v.impact, where: v.nodes.map(n => n.html).slice(0, 2)})))"
    )
    return [f"{each['id']}: {each['where']}" for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_axe_finds_nothing_serious(
    visit: "Visitor", small_board: "SmallBoard", axe: str, width: int, dark: bool
) -> None:
    for file in every_kind_of_page(small_board.site):
        page = visit(file, width=width, dark=dark).page
        settled(page, file)
        assert violations(page, axe) == [], file.name
        page.close()


def test_axe_would_find_something(visit: "Visitor", axe: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text("<!doctype html><html lang=en><title>t</title><img src=data:,><button></button>")
    assert len(violations(visit(file).page, axe)) >= 2


def test_ranked_entries_come_first_and_buy_and_hold_stands_at_its_place(
    visit: "Visitor", small_board: "SmallBoard"
) -> None:
    page = visit(small_board.site / "replica.html").page
    assert names(page) == [*RANKED, *LISTED, "oracle"]
    ranks = page.evaluate(f"{SHOWN}.map(r => r.cells[0].textContent)")
    assert ranks == ["1", "", "2", "–", "–", "–", "–", "–"]  # the third of the ranked never trades
    heading = page.locator("#entries th.primary")
    assert heading.get_attribute("aria-sort") == "descending"


def test_sorting_turns_the_order_and_keeps_the_groups(visit: "Visitor", small_board: "SmallBoard") -> None:
    page = visit(small_board.site / "replica.html").page
    heading = page.locator("#entries thead th").nth(6)
    assert "Return" in heading.inner_text()
    for direction in ("descending", "ascending"):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == direction
        assert (
            page.locator("#entries th[aria-sort=descending], #entries th[aria-sort=ascending]").count() == 1
        )
        shown = names(page)
        assert set(shown[:4]) == set(RANKED)
        assert shown[-1] == "oracle"  # who knows the future earns most, and is never sorted among the ranked
        for group in (shown[:4], shown[4:7]):
            values = [
                page.evaluate(
                    f"name => Number({SHOWN}.find(r => r.querySelector('.who').textContent.startsWith(name))"
                    ".cells[6].dataset.v)",
                    name,
                )
                for name in group
            ]
            assert values == sorted(values, reverse=direction == "descending")


def test_what_is_undefined_stands_last_both_ways(visit: "Visitor", small_board: "SmallBoard") -> None:
    page = visit(small_board.site / "replica.html").page
    for _ in range(2):
        page.locator("#entries thead th").nth(3).locator("button").click()
        assert names(page)[3] == "always-flat"


def test_sorting_by_name_with_the_keyboard(visit: "Visitor", small_board: "SmallBoard") -> None:
    page = visit(small_board.site / "replica.html").page
    button = page.get_by_role("button", name="Agent")
    button.focus()
    page.keyboard.press("Enter")
    assert names(page)[:4] == sorted(RANKED)
    page.keyboard.press("Space")
    assert names(page)[:4] == sorted(RANKED, reverse=True)
    assert page.evaluate("document.activeElement.textContent") == "Agent"


def test_filtering_says_how_many_are_left(visit: "Visitor", small_board: "SmallBoard") -> None:
    page = visit(small_board.site / "replica.html").page
    status = page.locator("p.count")
    assert status.inner_text() == "7 of 7 entries"
    assert status.get_attribute("role") == "status"
    page.get_by_label("Name, author or backbone").fill("ABOVE momentum")
    assert names(page) == ["above", "buy-and-hold"]  # what all are held against always stays
    assert status.inner_text() == "1 of 7 entries"
    page.get_by_label("Name, author or backbone").fill("nobody")
    assert names(page) == ["buy-and-hold"]
    assert page.locator("#entries tr.group:visible").count() == 0
    page.get_by_label("Name, author or backbone").fill("")
    page.get_by_label("Badge").select_option("not-reproduced")
    assert names(page) == ["buy-and-hold", "failed"]
    page.get_by_label("Badge").select_option("")
    page.get_by_label("hide collapsed").check()
    assert "always-flat" not in names(page)
    page.get_by_label("hide inside pre-training").check()
    assert names(page) == ["above", "buy-and-hold", *LISTED, "oracle"]
    assert status.inner_text() == "5 of 7 entries"


def test_without_a_script_the_table_is_whole(small_board: "SmallBoard", browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((small_board.site / "replica.html").as_uri())
    assert page.locator("#entries tr[data-row]:visible").count() == 8
    assert page.locator("form.filters:visible, button:visible").count() == 0
    context.close()


def test_an_entry_opens_from_the_table_and_shows_its_curves(
    visit: "Visitor", small_board: "SmallBoard"
) -> None:
    seen = visit(small_board.site / "replica.html")
    seen.page.locator("#entries").get_by_role("link", name="above").click()
    drawn(seen.page, ".curves svg")
    assert seen.page.locator("h1").inner_text() == "above"
    assert seen.page.locator(".curves figure h3").all_inner_texts() == ["TSLA", "BTC"]
    assert seen.page.locator(".curves svg").first.locator("path").count() == 12  # 5 seeds and held, twice
    assert "deepest drawdown" in (seen.page.locator(".curves svg").first.get_attribute("aria-label") or "")
    assert seen.page.locator(".legend li").count() == 6
    assert seen.said == []
    for key in ("figures", "curves", "assets", "knowledge", "card", "audit", "manifest"):
        assert seen.page.locator(f"#{key}").is_visible(), key


def test_a_curve_ends_where_its_numbers_say(visit: "Visitor", small_board: "SmallBoard") -> None:
    """The last point of buy-and-hold's path, read back from the picture, against the words."""
    page = visit(entry(small_board.site, "buy-and-hold")).page
    drawn(page, ".curves svg")
    words = page.locator(".curves svg").first.get_attribute("aria-label") or ""
    said = float(words.partition("ends at ")[2].partition(",")[0])
    ticks, ends = page.evaluate("""() => {
        const svg = document.querySelector('.curves svg');
        const every = [...svg.querySelectorAll('text[text-anchor=end]')];
        const texts = every.filter(t => !t.textContent.includes('%'));
        const d = svg.querySelector('path.held').getAttribute('d');
        return [texts.map(t => [Number(t.textContent), t.getAttribute('y') - 4]), Number(d.split(' ').pop())];
    }""")
    (low, low_y), (high, high_y) = ticks[0], ticks[-1]
    assert low + (ends - low_y) / (high_y - low_y) * (high - low) == pytest.approx(said, abs=0.002)


def test_two_entries_side_by_side_from_the_address(visit: "Visitor", small_board: "SmallBoard") -> None:
    page = visit(entry(small_board.site, "below")).page
    page.get_by_role("link", name="Hold it against another entry").click()
    drawn(page, ".curves svg")
    first, second = page.get_by_label("First"), page.get_by_label("Second")
    assert first.input_value().startswith("below__")
    second.select_option(label=next(t for t in second.locator("option").all_inner_texts() if "above" in t))
    from playwright.sync_api import expect

    expect(page.locator("[role=status]")).to_contain_text("and above")
    row = page.locator("table.pair").first.locator("tbody tr").first.locator("td").all_inner_texts()
    one, other = (float(text.split("\n")[0].replace("−", "-")) for text in row[:2])
    assert float(row[2].replace("−", "-")) == pytest.approx(one - other, abs=0.011)
    assert other > 0 > one
    assert page.locator("table.pair").nth(1).locator("tbody tr").count() == 4  # two figures of two assets
    assert page.locator(".curves svg").count() == 2


def test_another_track_offers_its_own_entries(visit: "Visitor", small_board: "SmallBoard") -> None:
    seen = visit(small_board.site / "compare.html")
    drawn(seen.page, ".curves svg")
    assert seen.page.get_by_label("First").locator("option").count() == 8
    seen.page.get_by_label("Track").select_option("other")
    from playwright.sync_api import expect

    expect(seen.page.locator(".curves svg")).to_have_count(1)
    assert seen.page.get_by_label("First").locator("option").count() == 1
    assert seen.said == []


@pytest.mark.parametrize("query", ["?track=replica&a=../../x", "?track=nowhere&a=%3Cscript%3E&b=1", "?a"])
def test_an_address_that_names_nothing_shows_the_first_two(
    visit: "Visitor", small_board: "SmallBoard", query: str, browser: Any
) -> None:
    seen = visit(small_board.site / "compare.html")
    seen.page.goto((small_board.site / "compare.html").as_uri() + query)
    drawn(seen.page, ".curves svg")
    assert seen.page.get_by_label("First").input_value().startswith("above__")
    assert seen.said == []


def test_strangers_words_are_shown_as_they_are(visit: "Visitor", small_board: "SmallBoard") -> None:
    from tests.board.conftest import EVIL

    seen = visit(entry(small_board.site, "strange"))
    drawn(seen.page, ".curves svg")
    assert EVIL in seen.page.locator("header p").inner_text()
    card = seen.page.locator(".card")
    assert card.locator("h3").inner_text() == EVIL
    assert card.locator("h4").count() == 1
    assert card.locator("img, iframe, script, b").count() == 0
    assert card.locator("a").count() == 1
    assert seen.page.locator("script").count() == 3  # the board's own, and two files of data
    assert seen.said == []


def test_the_theme_is_the_systems_until_the_reader_chooses(
    visit: "Visitor", small_board: "SmallBoard"
) -> None:
    page = visit(small_board.site / "index.html", dark=True).page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    button = page.locator("button.theme")
    assert button.inner_text() == "Theme: as the system"
    button.click()
    assert button.inner_text() == "Theme: light"
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    with page.expect_navigation():
        page.locator("nav a").nth(1).click()  # it is kept from page to page
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.locator("button.theme").click()
    assert page.evaluate(ground) == dark


def test_headings_go_down_one_step_at_a_time(visit: "Visitor", small_board: "SmallBoard") -> None:
    for file in every_kind_of_page(small_board.site):
        page = visit(file).page
        settled(page, file)
        ranks = page.evaluate(
            "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"
        )
        assert ranks[0] == 1, file.name
        assert ranks.count(1) == 1, file.name
        assert all(later <= before + 1 for before, later in pairwise(ranks)), file.name
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), file.name
        page.close()


def test_the_first_tab_skips_to_the_content_and_what_scrolls_has_the_focus(
    visit: "Visitor", small_board: "SmallBoard"
) -> None:
    page = visit(small_board.site / "replica.html", width=390).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    unreachable = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"
    )
    assert unreachable == 0


def test_every_link_of_the_board_leads_to_a_file(visit: "Visitor", small_board: "SmallBoard") -> None:
    for file in every_kind_of_page(small_board.site):
        page = visit(file).page
        links = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
        for link in links:
            if link.startswith("file:"):
                address = link.partition("#")[0].partition("?")[0]
                assert Path(address.removeprefix("file://")).is_file(), (file.name, link)
        page.close()


def test_of_many_entries_the_first_hundred_are_laid_out(visit: "Visitor", tmp_path: Path) -> None:
    folders = make_board(tmp_path, 120, assets=("TSLA",))
    draw_levels(tmp_path, folders)
    write_board(build_board(tmp_path), tmp_path / "site")
    page = visit(tmp_path / "site" / "replica.html").page
    assert page.locator("#entries tr[data-row]:visible").count() == 101  # and buy-and-hold
    assert page.locator("p.count").inner_text() == "119 of 119 entries, the first 100 of them shown"
    page.get_by_role("button", name="Show all 119").click()
    assert page.locator("#entries tr[data-row]:visible").count() == 120
    assert page.locator("p.count").inner_text() == "119 of 119 entries"
    assert page.locator(".forest tbody tr").count() <= 60
