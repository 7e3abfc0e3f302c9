"""`flagbench audit`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from flagbench.audit.claim import Claim
    from flagbench.audit.finding import Finding
    from flagbench.market.market import Market
    from flagbench.reports.audit_tables import AuditedRow

FORMATS = ("terminal", "markdown", "html")
POSITIONS = ("long-flat", "long-short")
FIGURES = {
    "cr": "cumulative return, percent",
    "sr": "Sharpe ratio, or nan",
    "av": "annualised volatility, percent",
    "mdd": "maximum drawdown, percent",
}


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Its flags."""
    parser.add_argument("--asset", help="an asset's name, its YAML file, or a CSV of bars")
    parser.add_argument("--start", help="first date of the window (the asset's test window)")
    parser.add_argument("--end", help="last date of the window")
    for name, meaning in FIGURES.items():
        parser.add_argument(f"--{name}", metavar="X", help=f"{meaning}, as printed with all its digits")
    parser.add_argument(
        "--positions", choices=POSITIONS, help="what could be held: 0 and 1, or -1 too (long-flat)"
    )
    parser.add_argument(
        "--table",
        metavar="ROWS",
        help="a CSV of name,asset,start,end,cr,sr,av,mdd[,positions] instead, or an installed table's name",
    )
    parser.add_argument("--data", metavar="SPEC", help="a data folder, or replica[:signal=…,seed=…]")
    parser.add_argument(
        "--certificates",
        default="certificates",
        metavar="FOLDER",
        help="where the paths of reachable rows are written to (certificates)",
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal", help="of the report (terminal)")
    parser.add_argument("--out", metavar="FILE", help="write the report there instead of to stdout")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def audit_command(arguments: argparse.Namespace) -> None:
    """Audit one row, or all of a table; whatever is found, the command has done its work."""
    if arguments.json and (arguments.out is not None or arguments.format != "terminal"):
        raise ConfigError("--json is printed, and has no other format", hint="leave out --format and --out")
    rows = _audited(_claims(arguments), arguments)
    if arguments.json:
        _print_json(rows, is_table=arguments.table is not None)
        return
    _print_report(rows, arguments)
    for row in rows:
        if row.certificate is not None:
            print(row.certificate)
    if arguments.out is not None:
        print(arguments.out)


def _claims(arguments: argparse.Namespace) -> Sequence["Claim"]:
    from flagbench.audit.claim import make_claim, read_claims, read_period
    from flagbench.comparison.printed import printed_claims, printed_tables

    figures = {name: getattr(arguments, name) or "" for name in FIGURES}
    own = ("asset", "start", "end", "positions", *FIGURES)
    if arguments.table is None:
        if arguments.asset is None:
            raise ConfigError(
                "an audit needs a row or a table", hint="--asset with --cr, --sr, --av and --mdd, or --table"
            )
        period = read_period(arguments.start, arguments.end)
        positions = arguments.positions or POSITIONS[0]
        return [make_claim(figures, asset=arguments.asset, period=period, positions=positions)]
    given = [f"--{name}" for name in own if getattr(arguments, name) is not None]
    if given:
        raise ConfigError(f"--table has rows of its own; {', '.join(given)} is of one row")
    if arguments.table in printed_tables():
        return printed_claims(arguments.table)
    return read_claims(Path(arguments.table))


def _audited(claims: Sequence["Claim"], arguments: argparse.Namespace) -> list["AuditedRow"]:
    from flagbench.audit.auditing import audit_claim

    markets: dict[str, Market] = {}
    rows = []
    for claim in claims:
        if claim.asset not in markets:
            markets[claim.asset] = _market(claim, arguments.data)
        begun = time.perf_counter()
        finding = audit_claim(markets[claim.asset], claim)
        rows.append(_kept(finding, markets[claim.asset], arguments))
        if len(claims) > 1:
            seconds = time.perf_counter() - begun
            print(f"{claim.name}: {finding.verdict}, {seconds:.1f} s", file=sys.stderr)
    return rows


def _market(claim: "Claim", data: str | None) -> "Market":
    """The market of a row; no replica stands in, since what was printed was not of one."""
    from flagbench.market.loading import load_csv_market, resolve_market

    if not claim.asset.endswith(".csv"):
        return resolve_market(claim.asset, data=data)
    if claim.period is None:
        raise ConfigError("a CSV as asset needs --start and --end")
    return load_csv_market(Path(claim.asset), train=claim.period, test=claim.period)


def _kept(finding: "Finding", market: "Market", arguments: argparse.Namespace) -> "AuditedRow":
    """A finding with its path written, if it has one."""
    from flagbench.audit.certificate import file_name, replay_command, write_certificate
    from flagbench.reports.audit_tables import AuditedRow

    if finding.certificate is None:
        return AuditedRow(finding)
    path = Path(arguments.certificates) / file_name(finding.claim, finding.period)
    try:
        write_certificate(path, market, finding.claim, finding.certificate)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error}", hint="choose another --certificates"
        ) from error
    command = replay_command(path, finding.claim, finding.certificate, data=arguments.data)
    return AuditedRow(finding, str(path), command)


def _print_json(rows: Sequence["AuditedRow"], *, is_table: bool) -> None:
    from flagbench.cli.printing import print_json
    from flagbench.reports.audit_tables import remarks

    found = [
        row.finding.to_json(certificate=row.certificate, explanation=" ".join(remarks(row))) for row in rows
    ]
    print_json({"rows": found} if is_table else found[0])


def _print_report(rows: Sequence["AuditedRow"], arguments: argparse.Namespace) -> None:
    """Into a file, or to stdout."""
    from flagbench.reports.audit_page import audit_page
    from flagbench.reports.audit_tables import audit_markdown, audit_terminal

    makers = {"terminal": audit_terminal, "markdown": audit_markdown, "html": audit_page}
    text = makers[arguments.format](rows)
    if arguments.out is None:
        print(text, end="")
        return
    path = Path(arguments.out)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}", hint="choose another --out") from error
