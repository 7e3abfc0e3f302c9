"""The parts of an HTML page: sections, tables, pictures, notes. All text that comes in is escaped.

A page is one file: style and pictures stand in it, it has no script, and its own policy forbids every
request. `Markup` is HTML that is done; `format` escapes whatever is not.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Union

from markupsafe import Markup

from flagbench.reports.figure_files import Picture, svg_of
from flagbench.reports.figure_style import NARROW, WIDE
from flagbench.reports.page_style import STYLESHEET
from flagbench.reports.score_table import TableText
from flagbench.version import __version__

RowGroups = Mapping[str, Sequence[Sequence[str]]]
"""Rows of a table by the heading above them; no heading stands above the group named by the empty text."""


class Section(NamedTuple):
    """A heading and what stands below it, sections of the next rank among it."""

    key: str
    """Its address in the page; no other section has it."""
    title: str
    content: Sequence[Union[Markup, "Section"]]


def page(title: str, sections: Sequence[Section], *, lead: str = "") -> str:
    """A whole page.

    Args:
        title: the only heading of the first rank.
        sections: of the second rank; a list of links to them stands above.
        lead: a sentence below the title.
    """
    links = _join(
        Markup('<li><a href="#{}">{}</a></li>').format(section.key, section.title) for section in sections
    )
    html = _PAGE.format(
        title=title,
        style=Markup(STYLESHEET),  # noqa: S704 a constant
        lead=paragraph(lead) if lead else "",
        links=links,
        main=_join(section_html(section, rank=2) for section in sections),
        policy=POLICY,
        version=__version__,
    )
    return str(html)  # it is done: joined to plain text, `Markup` would escape that


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a page may load: pictures and style that stand in it, and nothing else."""

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="flagbench {version}">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{title}</h1>
{lead}
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="content" tabindex="-1">
{main}</main>
<footer><p>Made by flagbench {version}. All of the page is in this file.</p></footer>
</body>
</html>
""")


def section_html(section: Section, *, rank: int = 2) -> Markup:
    """A section with all that stands below its heading, which is of that rank."""
    heading = f"h{min(rank, 6)}"
    inner = _join(
        section_html(part, rank=rank + 1) if isinstance(part, Section) else part for part in section.content
    )
    return Markup(
        '<section id="{key}" aria-labelledby="{key}-title">\n'
        '<{heading} id="{key}-title">{title}</{heading}>\n{inner}</section>\n'
    ).format(key=section.key, heading=heading, title=section.title, inner=inner)


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def paragraph(*lines: str) -> Markup:
    """A paragraph; each text begins a line."""
    return Markup("<p>{}</p>\n").format(Markup("<br>").join(lines))


def facts(*lines: str) -> Markup:
    """A small paragraph below a heading: what the section is about."""
    return Markup('<p class="facts">{}</p>\n').format(Markup("<br>").join(lines))


def notice(*lines: str) -> Markup:
    """A paragraph that no reader should miss."""
    return Markup('<p class="notice">{}</p>\n').format(Markup("<br>").join(lines))


def notes(lines: Sequence[str]) -> Markup:
    """A list of remarks, below a table or in the place of a figure; nothing for none."""
    if not lines:
        return Markup("")
    return Markup('<ul class="notes">{}</ul>\n').format(
        _join(Markup("<li>{}</li>").format(line.removeprefix("– ")) for line in lines)
    )


def command_line(label: str, command: str) -> Markup:
    """A command to copy; `label` says what it does."""
    return Markup("<p>{}</p>\n<pre><code>{}</code></pre>\n").format(label, command)


def details(summary: str, *content: Markup) -> Markup:
    """What only some readers want, behind a line that opens it."""
    return Markup("<details>\n<summary>{}</summary>\n{}</details>\n").format(summary, _join(content))


def picture_html(picture: Picture) -> Markup:
    """A picture with its caption, drawn once for a desktop and once for a phone."""
    return Markup(
        '<figure>\n<picture><source media="(max-width: 40em)" srcset="{narrow}">'
        '<img src="{wide}" alt="{alt}"></picture>\n<figcaption>{caption}</figcaption>\n</figure>\n'
    ).format(
        narrow=_data_uri(svg_of(picture, NARROW)),
        wide=_data_uri(svg_of(picture, WIDE)),
        alt=picture.alt,
        caption=picture.caption,
    )


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


def data_table(table: TableText, *, groups: RowGroups | None = None) -> Markup:
    """A table with its caption, and its notes below.

    Args:
        table: header, rows and notes; a cell that is `Markup` is not escaped.
        groups: its rows in groups, where they are more than a list.
    """
    grouped = {"": table.rows} if groups is None else groups
    # A reader without a mouse must be able to scroll, so what scrolls can have the focus.
    return Markup(
        '<div class="table" role="region" tabindex="0" aria-label="{title}">\n<table{kind}>\n'
        "<caption>{title}</caption>\n<thead><tr>{header}</tr></thead>\n{bodies}</table>\n</div>\n{notes}"
    ).format(
        title=table.title,
        kind=Markup(' class="figures"') if table.numeric else "",
        header=_join(_heading(text) for text in table.header),
        bodies=_join(_body(heading, rows, len(table.header)) for heading, rows in grouped.items() if rows),
        notes=notes(table.notes),
    )


def _heading(text: str) -> Markup:
    # An empty heading would be read out as one.
    return Markup('<th scope="col">{}</th>').format(text) if text else Markup("<td></td>")


def _body(heading: str, rows: Sequence[Sequence[str]], columns: int) -> Markup:
    above = Markup('<tr><th scope="rowgroup" colspan="{}">{}</th></tr>\n').format(columns, heading)
    return Markup("<tbody>{}{}</tbody>\n").format(above if heading else "", _join(map(_row, rows)))


def _row(cells: Sequence[str]) -> Markup:
    first, *others = cells
    return Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(
        first, _join(Markup("<td>{}</td>").format(cell) for cell in others)
    )
