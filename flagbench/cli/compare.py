"""`flagbench compare`."""

import argparse
import sys
from pathlib import Path

from flagbench.cli.metric_option import add_metric
from flagbench.errors import ConfigError

FORMATS = ("terminal", "markdown", "latex", "csv", "html", "json")
LAYOUTS = ("full", "paper")
PRIMARY = ("sharpe_ratio", "cumulative_return")


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Flags of `flagbench compare`."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a folder that `flagbench run` printed, a seed's folder in it, or one above it: all runs below",
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="of the tables (terminal)")
    parser.add_argument("--out", metavar="FILE", help="write there instead of to stdout")
    parser.add_argument("--data", metavar="FOLDER", help="a data folder, instead of the one the runs name")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="full",
        help="full, or the FLAG-Trader paper's own columns with the rows it printed (full)",
    )
    parser.add_argument(
        "--primary", choices=PRIMARY, default=PRIMARY[0], help="metric of the primary endpoint (sharpe_ratio)"
    )
    add_metric(parser)


def compare_command(arguments: argparse.Namespace) -> None:
    """Compare runs; the tables, or the file that they were written to."""
    if arguments.layout != LAYOUTS[0] and arguments.format in {"csv", "json"}:
        raise ConfigError(
            f"--format {arguments.format} holds every figure and has no layout", hint="leave out --layout"
        )
    text = _text(arguments)
    if arguments.out is None:
        print(text, end="")
        return
    path = Path(arguments.out)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}", hint="choose another --out") from error
    print(path)


def _text(arguments: argparse.Namespace) -> str:
    from flagbench.comparison.building import compare
    from flagbench.reports.comparison_data import comparison_csv, comparison_json
    from flagbench.reports.comparison_html import tables_html
    from flagbench.reports.comparison_latex import comparison_latex
    from flagbench.reports.comparison_markdown import comparison_markdown
    from flagbench.reports.comparison_paper import paper_tables
    from flagbench.reports.comparison_tables import comparison_tables, said_once
    from flagbench.reports.comparison_terminal import comparison_terminal

    paths = [Path(run) for run in arguments.runs]
    is_paper = arguments.layout == "paper"
    comparison = compare(paths, data=arguments.data, primary=arguments.primary, audited=is_paper)
    if arguments.format == "json":
        return comparison_json(comparison)
    if arguments.format == "csv":
        return comparison_csv(comparison)
    tables = paper_tables(comparison) if is_paper else comparison_tables(comparison)
    if arguments.format == "latex":
        return comparison_latex(tables)  # a float stands alone, with all its caption
    tables = said_once(tables)
    if arguments.format == "markdown":
        return comparison_markdown(tables)
    if arguments.format == "html":
        return tables_html(tables)
    return comparison_terminal(tables, styled=arguments.out is None and sys.stdout.isatty())
