"""Markdown of tables and cells."""

from collections.abc import Iterable


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    drawn = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "---|" * len(lines[0]), *drawn[1:]])


def fenced(text: str) -> str:
    """Text as it is."""
    return f"```text\n{text.rstrip()}\n```"


def plain(value: object) -> str:
    """A setting's value as it is written in YAML."""
    words = {None: "none", True: "yes", False: "no"}
    if value is None or isinstance(value, bool):
        return words[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def one_line(text: str | None) -> str:
    """Text without line breaks."""
    return " ".join((text or "").split())
