"""What every page of the board has around its content: style, script, and the way to other pages."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from flagbench.reports.page import Section, paragraph, section_html

POLICY = "default-src 'none'; img-src data:; style-src 'self' file:; script-src 'self' file:"
"""What a page may load: style and scripts that lie beside it, on a server or in a folder. No inline script
runs, so that a text which is not escaped would still do nothing."""

STYLE, SCRIPT = "board.css", "board.js"

INDEX, COMPARE, COLUMNS = "index.html", "compare.html", "columns.html"


class Link(NamedTuple):
    """A page of the board in the line of links that every page has."""

    address: str
    """From the top of the board."""
    text: str


class Shell(NamedTuple):
    """What all pages share."""

    tracks: Sequence[Link]

    def page(
        self,
        address: str,
        title: str,
        content: Sequence[Markup | Section],
        *,
        lead: str = "",
        wide: bool = False,
    ) -> str:
        """A whole page.

        Args:
            address: of the page, from the top of the board.
            title: the only heading of the first rank.
            content: sections of the second rank, or parts that stand in none.
            lead: a sentence below the title.
            wide: whether a table needs all the width of a screen.
        """
        links = [
            Link(INDEX, "Overview"),
            *self.tracks,
            Link(COMPARE, "Compare two"),
            Link(COLUMNS, "Columns"),
        ]
        top = "../" * address.count("/")
        html = _PAGE.format(
            title=title,
            whole=title if address == INDEX else f"{title} · flagbench leaderboard",
            lead=paragraph(lead) if lead else "",
            top=top,
            style=top + STYLE,
            script=top + SCRIPT,
            policy=POLICY,
            kind="wide" if wide else "narrow",
            links=Markup("").join(_link(link, top, here=link.address == address) for link in links),
            main=Markup("").join(
                section_html(part) if isinstance(part, Section) else part for part in content
            ),
        )
        return str(html)


def _link(link: Link, top: str, *, here: bool) -> Markup:
    current = Markup(' aria-current="page"') if here else ""
    return Markup('<li><a href="{}"{}>{}</a></li>').format(top + quote(link.address), current, link.text)


def track_address(track: str) -> str:
    """The page of a track, from the top of the board."""
    return f"{quote(track)}.html"


def entry_address(track: str, name: str) -> str:
    """The page of an entry, from the top of the board."""
    return f"submissions/{quote(track)}/{quote(name)}.html"


def name_html(name: str) -> Markup:
    """A submitter's name; what it does to the direction of writing ends with it."""
    return Markup("<bdi>{}</bdi>").format(name)


_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="flagbench leaderboard build">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
<script src="{script}"></script>
<title>{whole}</title>
</head>
<body class="board {kind}" data-top="{top}">
<a class="skip" href="#content">Skip to the content</a>
<header>
<div class="bar"><nav aria-label="Board"><ul>{links}</ul></nav>
<button type="button" class="theme" hidden>Theme: as the system</button></div>
<h1><bdi>{title}</bdi></h1>
{lead}</header>
<main id="content" tabindex="-1">
{main}</main>
<footer><p>Made by flagbench. Every figure of money is recomputed from the recorded actions.</p></footer>
</body>
</html>
""")
