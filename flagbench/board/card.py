"""A submitter's card: Markdown from a stranger, as HTML that can do nothing but be read."""

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

SCHEMES = ("https://", "http://", "mailto:")
"""Where a link of a card may lead; any other is shown as the text that it was written as."""

LOWEST = 6
"""HTML has no heading below it."""


def card_html(text: str, *, rank: int) -> Markup:
    """Markdown as HTML: CommonMark and tables.

    HTML in the text is shown as it was written, pictures become their words, links leave the board without
    saying where from, and headings begin below the page's own and never skip a rank.

    Args:
        text: the card's body.
        rank: of its highest heading.
    """
    parser = _parser()
    environment: dict[str, Any] = {}
    tokens = parser.parse(text, environment)
    _step_headings(tokens, rank)
    for token in tokens:
        token.attrs.pop("style", None)  # of a column that stands to the right; the page allows no such style
    html = parser.renderer.render(tokens, parser.options, environment)
    return Markup('<div class="card" dir="auto">\n{}</div>\n').format(Markup(html))  # noqa: S704 escaped by it


def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["html_block", "html_inline"])
    # The parser's own rule forbids some schemes; this one allows a few.
    parser.validateLink = lambda url: url.lower().startswith(SCHEMES)  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _step_headings(tokens: "Sequence[Token]", rank: int) -> None:
    """Headings from `rank` downwards, no step of more than one."""
    before = rank - 1
    for opening, closing in zip(
        (token for token in tokens if token.type == "heading_open"),
        (token for token in tokens if token.type == "heading_close"),
        strict=True,
    ):
        wanted = rank + int(opening.tag[1]) - 1
        before = min(wanted, before + 1, LOWEST)
        opening.tag = closing.tag = f"h{before}"


def _link_open(
    renderer: "RendererProtocol",
    tokens: "Sequence[Token]",
    index: int,
    options: "OptionsDict",
    environment: MutableMapping[str, Any],  # noqa: ARG001
) -> str:
    tokens[index].attrSet("rel", "nofollow noopener noreferrer ugc")
    return str(renderer.renderToken(tokens, index, options, {}))  # type: ignore[attr-defined]


def _image(
    renderer: "RendererProtocol",
    tokens: "Sequence[Token]",
    index: int,
    options: "OptionsDict",
    environment: MutableMapping[str, Any],
) -> str:
    words = renderer.renderInlineAsText(tokens[index].children, options, environment)  # type: ignore[attr-defined]
    return str(Markup.escape(f"[picture: {words}]"))


def _table_open(*_: object) -> str:
    # What scrolls must be within reach of the keyboard.
    return '<div class="table" role="region" tabindex="0" aria-label="Table of the card">\n<table>\n'


def _table_close(*_: object) -> str:
    return "</table>\n</div>\n"
