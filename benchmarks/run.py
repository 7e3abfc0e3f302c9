"""The table of docs/benchmarks.md, every row a ratio of two ways timed in turn.

    python benchmarks/run.py --quick  # small sizes: does everything run, are results equal? About two minutes
    python benchmarks/run.py --full --out benchmarks/results.json
    python benchmarks/run.py --full --only flag-embedded --out benchmarks/results.json  # the others are kept
    python benchmarks/run.py --table benchmarks/results.json

Each row runs in a process of its own (`python -m benchmarks.measure`), and each of its two ways in one more
for the peak of its memory. No time is asserted; a result that differs ends the run with exit 1.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.measure import MODULES  # noqa: E402  # found from the root, whatever the working directory

PACKAGES = (
    "torch",
    "transformers",
    "numpy",
    "lm-eval",
    "stable-baselines3",
    "arch",
    "gym-anytrading",
    "empyrical-reloaded",
)


def measure(*arguments: str) -> Any:
    """What one process says, from the root of the checkout; None where it failed, after its own words."""
    command = [sys.executable, "-m", "benchmarks.measure", *arguments]
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **quiet}, stdout=subprocess.PIPE, text=True, check=False
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def measured(slug: str, *, full: bool) -> dict[str, Any] | None:
    """Times of both ways and, at the whole size, the peak of each one's memory."""
    size = ["--full"] if full else []
    result: dict[str, Any] | None = measure(slug, *size)
    if result is None or not full:
        return result
    for way in ("ours", "theirs"):
        peak = measure(slug, *size, "--alone", way)
        result[f"peak_rss_mib_{way}"] = None if peak is None else peak["peak_rss_mib"]
    return {**result, "where": where()}


def where() -> dict[str, Any]:
    """Machine, versions and commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "commit": commit.stdout.strip(),
    }


def median_and_spread(values: list[float], digits: int = 2) -> str:
    """`1.50 (1.40 to 1.62)`."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def line(row: dict[str, Any], result: dict[str, Any]) -> str:
    """A row of the Markdown table."""
    ratios = result["ratios"]["wall"]
    reached = statistics.median(ratios) >= row["at_least"]
    verdict = "yes" if reached else "**no**"
    if reached and min(ratios) < row["at_least"]:
        verdict = "yes, but the spread reaches below"
    times = [[time["wall"] * 1000 for time in result[way]] for way in ("ours", "theirs")]
    memory = " / ".join(
        "–" if (peak := result.get(f"peak_rss_mib_{way}")) is None else f"{peak:.0f}"
        for way in ("ours", "theirs")
    )
    cells = [
        row["loop"],
        row["against"],
        f"{row['at_least']:g}",
        median_and_spread(ratios),
        median_and_spread(result["ratios"]["processor"]),
        verdict,
        " / ".join(f"{statistics.median(values):.3g}" for values in times),
        memory,
        str(len(ratios)),
    ]
    return f"| {' | '.join(cells)} |"


def table(rows: dict[str, Any], results: dict[str, Any]) -> str:
    """All rows that were measured, in Markdown."""
    head = [
        "loop",
        "against",
        "at least",
        "ratio of wall time",
        "of processor time",
        "reached",
        "ms, ours / theirs",
        "peak MiB, ours / theirs",
        "rounds",
    ]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|---|---|---|---|"]
    lines += [line(row, results[slug]) for slug, row in rows.items() if slug in results]
    places = [results[slug]["where"] for slug in rows if "where" in results.get(slug, {})]
    return "\n".join([*lines, "", *dict.fromkeys(map(sentence, places))]).rstrip()


def sentence(place: dict[str, Any]) -> str:
    """Machine, versions and commit in words."""
    packages = ", ".join(f"{name} {number}" for name, number in place["packages"].items())
    return f"Measured on {place['machine']}, Python {place['python']}, {packages}, commit {place['commit']}."


def main() -> int:
    """Measure, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, once each")
    parser.add_argument("--full", action="store_true", help="the whole sizes, with rounds and memory")
    parser.add_argument("--only", action="append", metavar="SLUG", help="only this row; may be repeated")
    parser.add_argument("--out", type=Path, help="JSON file of results, which rows are added to")
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="print the table of such a file and do nothing else"
    )
    arguments = parser.parse_args()
    if arguments.table:
        print(table(measure(), json.loads(arguments.table.read_text(encoding="utf-8"))))
        return 0
    if arguments.quick == arguments.full:
        parser.error("choose --quick or --full")
    slugs = [slug for several in MODULES.values() for slug in several]
    if unknown := set(arguments.only or ()) - set(slugs):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(slugs)}")
    return measure_all(arguments.only or slugs, arguments)


def measure_all(slugs: list[str], arguments: argparse.Namespace) -> int:
    """Every row that was asked for; what was measured is written after each."""
    results: dict[str, Any] = {}
    if arguments.out and arguments.out.exists():
        results = json.loads(arguments.out.read_text(encoding="utf-8"))
    failed = []
    for slug in slugs:
        result = measured(slug, full=arguments.full)
        if result is None:
            failed.append(slug)
            print(f"{slug}: FAILED", flush=True)
            continue
        results[slug] = result
        print(f"{slug}: {median_and_spread(result['ratios']['wall'])}; {result['agreement']}", flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.full:
        print(table(measure(), results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
