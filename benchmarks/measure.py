"""One row of the table, measured in a process of its own: `python -m benchmarks.measure SLUG`.

Prints one JSON object. With `--alone ours` or `--alone theirs` it runs that way once and prints the peak of
its memory instead, which two ways in one process could not tell apart.
"""

import argparse
import importlib
import json
import resource
from typing import Any

from benchmarks.interleaving import Row, interleaved

MODULES = {
    "flag_training": (
        "flag-135m-6",
        "flag-135m-15",
        "flag-135m-8-envs",
        "flag-135m-8-envs-short",
        "flag-135m-8-envs-512",
        "flag-embedded",
    ),
    "matrix_rate": ("flag-135m-floor",),
    "rollout_step": ("flag-overhead",),
    "environments": ("vector-environment",),
    "q_learning": ("dqn",),
    "scores": ("all-metrics", "sharpe-bootstrap-150", "sharpe-bootstrap-2500"),
    "knowledge": ("knowledge-long", "knowledge-short"),
}
"""Each has a tuple `ROWS` of these slugs; only the one that is asked for is loaded."""


def row_of(slug: str) -> Row:
    """The row of a slug."""
    (module,) = (name for name, slugs in MODULES.items() if slug in slugs)
    rows: tuple[Row, ...] = importlib.import_module(f"benchmarks.{module}").ROWS
    return next(row for row in rows if row.slug == slug)


def described() -> dict[str, Any]:
    """Every row by its slug, in the table's order, as plain values."""
    rows = [row_of(slug) for slugs in MODULES.values() for slug in slugs]
    return {row.slug: {"loop": row.loop, "against": row.against, "at_least": row.at_least} for row in rows}


def measured(row: Row, *, full: bool, rounds: int) -> dict[str, Any]:
    """Both ways checked against each other, then timed in turn."""
    contest = row.prepare(full)
    agreement = contest.agree()
    times = interleaved(contest, rounds=rounds, calls=row.calls if full else 1, warm_up=row.warm_up)
    return {"agreement": agreement, **times}


def alone(row: Row, way: str, *, full: bool) -> dict[str, Any]:
    """Peak of this process's memory in MiB, everything it needs included, after running one way once."""
    contest = row.prepare(full)
    getattr(contest, way)()
    return {"peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slug", nargs="?", help="leave out to list them")
    parser.add_argument("--full", action="store_true", help="the whole size; without it a small one")
    parser.add_argument("--rounds", type=int, help="default: the row's own; 1 without --full")
    parser.add_argument("--alone", choices=["ours", "theirs"], help="print the peak of memory of one way")
    arguments = parser.parse_args()
    if arguments.slug is None:
        print(json.dumps(described()))
        return
    row = row_of(arguments.slug)
    import torch

    torch.set_num_threads(row.threads)
    if arguments.alone:
        print(json.dumps(alone(row, arguments.alone, full=arguments.full)))
        return
    rounds = arguments.rounds or (row.rounds if arguments.full else 1)
    print(json.dumps(measured(row, full=arguments.full, rounds=rounds)))


if __name__ == "__main__":
    main()
