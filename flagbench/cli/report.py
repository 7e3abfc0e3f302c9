"""`flagbench report`."""

import argparse
from pathlib import Path

from flagbench.cli.metric_option import add_metric
from flagbench.errors import ConfigError


def add_report(parser: argparse.ArgumentParser) -> None:
    """The arguments of `flagbench report`."""
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a folder that `flagbench run` printed, a seed's, or one above"
    )
    parser.add_argument(
        "--out", default="report.html", metavar="FILE", help="the page to write (report.html)"
    )
    parser.add_argument(
        "--figures", metavar="FOLDER", help="write the figures there too, as PNG and PDF files"
    )
    parser.add_argument(
        "--data", metavar="FOLDER", help="a data folder for the prices, instead of the one the runs name"
    )
    add_metric(parser)


def report_command(arguments: argparse.Namespace) -> None:
    """Write one page, perhaps its figures, and print the page's path last."""
    out = Path(arguments.out)
    _check_writable(out)
    from flagbench.reports.figure_files import write_pictures
    from flagbench.reports.report import make_report

    report = make_report([Path(run) for run in arguments.runs], data=arguments.data)
    if arguments.figures is not None:
        write_pictures(report.pictures, Path(arguments.figures))
        print(arguments.figures)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report.html, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}", hint="choose another --out") from error
    print(out)


def _check_writable(out: Path) -> None:
    """What cannot be a page is found before anything is drawn; a page that is there is written anew."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"the page `{out}` must end in .html", hint="--out report.html")
    if out.is_dir():
        raise ConfigError(f"{out} is a folder", hint="--out report.html")
