from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from flagbench.reports.figure_files import Picture
from flagbench.reports.figure_style import new_figure
from flagbench.reports.page import (
    POLICY,
    Section,
    command_line,
    data_table,
    details,
    facts,
    notes,
    notice,
    page,
    paragraph,
    picture_html,
)
from flagbench.reports.score_table import TableText

EVIL = '<script>alert("1")</script>&\'"'
VOID = {"meta", "link", "img", "br", "source"}


class Outline(HTMLParser):
    """Tags that are open, headings, and addresses of a page; a tag that closes out of turn is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def tags(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.seen if tag in names]


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def empty_picture(alt: str = "nothing", caption: str = "") -> Picture:
    return Picture("empty", lambda width: new_figure(width, 1), alt, caption)


def table(**changes: object) -> TableText:
    given = TableText("scores", ["", "seed 0"], [["return", "1.00 %"], ["trades", "3"]], ["– a note"])
    return given._replace(**changes)  # type: ignore[arg-type]


def test_a_page_has_its_parts_in_order_and_links_to_them() -> None:
    inner = Section("b-one", "Inner", [paragraph("text")])
    html = page("Title", [Section("a", "First", []), Section("b", "Second", [inner])], lead="What it is.")
    found = outline(html)
    headings = [tag for tag, _ in found.seen if tag in ("h1", "h2", "h3")]
    assert headings == ["h1", "h2", "h2", "h3"]
    assert [link["href"] for link in found.tags("a")] == ["#content", "#a", "#b"]
    addresses = {attributes["id"] for _, attributes in found.seen if "id" in attributes}
    assert {"content", "a", "b", "b-one"} <= addresses
    assert all(section["aria-labelledby"] in addresses for section in found.tags("section"))
    assert found.tags("html") == [{"lang": "en"}]


def test_a_page_asks_for_nothing_and_forbids_it_too() -> None:
    html = page("Title", [Section("a", "First", [picture_html(empty_picture())])])
    found = outline(html)
    assert {"http-equiv": "Content-Security-Policy", "content": POLICY} in found.tags("meta")
    assert not found.tags("script")
    loaded = [attributes.get("src") or attributes.get("srcset") for attributes in found.tags("img", "source")]
    assert len(loaded) == 2
    assert all(str(address).startswith("data:image/svg+xml;base64,") for address in loaded)


@pytest.mark.parametrize(
    "part",
    [
        paragraph(EVIL),
        notice(EVIL),
        facts(EVIL, EVIL),
        notes([EVIL]),
        command_line(EVIL, EVIL),
        details(EVIL),
        picture_html(empty_picture(EVIL, EVIL)),
        data_table(TableText(EVIL, [EVIL, EVIL], [[EVIL, EVIL]], [EVIL]), groups={EVIL: [[EVIL, EVIL]]}),
    ],
)
def test_whatever_comes_in_is_text_and_no_markup(part: Markup) -> None:
    found = outline(page(EVIL, [Section("a", EVIL, [part])], lead=EVIL))
    assert not found.tags("script")
    assert found.text.count(EVIL) >= 6  # title, both headings, sentence, link, and what the part shows
    assert not [name for _, attributes in found.seen for name in attributes if "alert" in name]


def test_a_table_says_what_its_cells_belong_to() -> None:
    html = str(data_table(table()))
    found = outline(html)
    assert "<caption>scores</caption>" in html
    assert [heading["scope"] for heading in found.tags("th")] == ["col", "row", "row"]
    assert "<tr><td></td>" in html  # an empty heading would be read out as one
    (region,) = found.tags("div")
    assert (region["role"], region["tabindex"], region["aria-label"]) == ("region", "0", "scores")
    assert "<li>a note</li>" in html


def test_figures_stand_to_the_right_and_words_to_the_left() -> None:
    assert '<table class="figures">' in data_table(table())
    assert "<table>" in data_table(table(numeric=False))


def test_rows_in_groups_have_a_heading_and_empty_groups_none() -> None:
    rows = table().rows
    html = str(data_table(table(), groups={"": rows[:1], "trading": rows[1:], "policy": []}))
    assert html.count("<tbody>") == 2
    assert '<th scope="rowgroup" colspan="2">trading</th>' in html
    assert "policy" not in html


def test_a_cell_that_is_markup_stays_markup() -> None:
    html = data_table(table(rows=[["return", Markup("<strong>1.00 %</strong>")]], notes=[]))
    assert "<td><strong>1.00 %</strong></td>" in html


def test_a_picture_has_words_for_who_cannot_see_it() -> None:
    found = outline(str(picture_html(empty_picture("ends at 1.2", "Equity."))))
    (image,) = found.tags("img")
    assert image["alt"] == "ends at 1.2"
    assert found.text.strip() == "Equity."
    (source,) = found.tags("source")
    assert source["media"] == "(max-width: 40em)"
    assert source["srcset"] != image["src"]


def test_no_notes_leave_nothing() -> None:
    assert notes([]) == ""
