import pytest

from flagbench.board.card import card_html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a <b onclick='x()'>c</b>", "a &lt;b onclick='x()'&gt;c&lt;/b&gt;"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[x](JaVaScRiPt:alert(1))", "[x](JaVaScRiPt:alert(1))"),
        ("[x](data:text/html;base64,AA)", "[x](data:text/html;base64,AA)"),
        ("[x](file:///etc/passwd)", "[x](file:///etc/passwd)"),
        ("<javascript:alert(1)>", "&lt;javascript:alert(1)&gt;"),
        ("![a cat](https://example.org/cat.png)", "[picture: a cat]"),
        ("![<b>](https://example.org/cat.png)", "[picture: &lt;b&gt;]"),
        ("&lt;i&gt;", "&lt;i&gt;"),
    ],
)
def test_what_is_no_text_stays_text(text: str, shown: str) -> None:
    assert f"<p>{shown}</p>" in card_html(text, rank=3).replace("&#x27;", "'")


def test_a_reference_cannot_smuggle_an_address_in() -> None:
    html = card_html("[x]\n\n[x]: javascript:alert(1)", rank=3)
    assert "<a" not in html


def test_a_link_cannot_end_its_attribute() -> None:
    html = card_html('[x](https://example.org/"onmouseover="alert(1))', rank=3)
    assert 'href="https://example.org/%22onmouseover=%22alert(1)"' in html
    assert 'rel="nofollow noopener noreferrer ugc"' in html


def test_code_and_its_language_are_escaped() -> None:
    html = card_html('```"><script>\n</pre><script>\n```', rank=3)
    assert "<script" not in html
    assert "&lt;/pre&gt;&lt;script&gt;" in html


def test_headings_begin_at_the_rank_and_skip_none() -> None:
    html = card_html("# a\n\n#### b\n\n###### c\n\n## d\n\n###### e\n\n###### f", rank=3)
    found = [html[place + 1 : place + 3] for place in range(len(html)) if html.startswith("<h", place)]
    assert found == ["h3", "h4", "h5", "h4", "h5", "h6"]


def test_a_table_can_be_scrolled_with_the_keyboard_and_has_no_style() -> None:
    html = card_html("| a | b |\n|---|--:|\n| 1 | <i> |\n", rank=3)
    assert 'role="region" tabindex="0"' in html
    assert "style=" not in html
    assert "<td>&lt;i&gt;</td>" in html


def test_plain_markdown_is_shown() -> None:
    html = card_html("# New\n\n*one* `two`\n\n- three\n", rank=3)
    assert "<h3>New</h3>" in html
    assert "<em>one</em> <code>two</code>" in html
    assert "<li>three</li>" in html
