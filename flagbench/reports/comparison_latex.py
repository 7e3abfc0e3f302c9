r"""A comparison as LaTeX: `table` floats with booktabs, which a paper can `\input`."""

import re
from collections.abc import Sequence

from flagbench.reports.comparison_tables import Cell, PrintedTable

PREAMBLE = "% needs \\usepackage{booktabs} and \\usepackage{graphicx}\n"

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "[": "{[}",  # after a row's end it would be read as an option of the line break
    "]": "{]}",
    "`": r"\textasciigrave{}",
    '"': "''",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "→": r"$\to$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "−": "$-$",
    "·": r"$\cdot$",
    "’": "'",
}


def comparison_latex(tables: Sequence[PrintedTable]) -> str:
    """Every table as a float; one that is wider than the line is shrunk to it."""
    return PREAMBLE + "".join(_float(table) for table in tables)


def escaped(text: str) -> str:
    """Text that LaTeX sets as it stands; a letter outside ASCII that has no command here becomes `?`."""
    letters = "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))
    signed = re.sub(r"(?<![\w$\\-])-(?=\d)", "$-$", letters)
    return "".join(letter if letter.isascii() or letter.isalpha() else "?" for letter in signed)


def _float(table: PrintedTable) -> str:
    columns = "l" + "r" * (len(table.header) - 1)
    caption = " ".join(
        escaped(text) for text in [_sentence(table.title), *table.caption, *map(_sentence, table.notes)]
    )
    rows = [_row([Cell(heading) for heading in table.header]), r"\midrule"]
    rows += [_row(row) for row in table.rows]
    if table.below:
        rows += [r"\midrule", *(_row(row) for row in table.below)]
    body = "\n".join(
        [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *rows, r"\bottomrule", r"\end{tabular}"]
    )
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\footnotesize",
            rf"\caption{{{caption}}}",
            rf"\sbox0{{{body}}}%",
            r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
            r"\end{table}",
            "",
        ]
    )


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _row(row: Sequence[Cell]) -> str:
    cells = [rf"\textbf{{{escaped(cell.text)}}}" if cell.in_set else escaped(cell.text) for cell in row]
    return " & ".join(cells) + r" \\"
