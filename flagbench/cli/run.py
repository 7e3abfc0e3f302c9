"""`flagbench run`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flagbench.agents.agent import LanguageAgent
from flagbench.agents.backbone_name import has_random_weights
from flagbench.cli.printing import leave_process_group, print_json
from flagbench.cli.seeds import parse_seeds
from flagbench.cli.show import print_records
from flagbench.cli.stand_in import check_replica, warn_of_stand_in
from flagbench.experiment import RunMonitor, SilentRun, draw_retention, is_main_process, pool_seed, run_seed
from flagbench.market.period import Period
from flagbench.planning import Plan, RunSpec, plans
from flagbench.records.pooled_record import PooledRecord, pooled_path, read_pooled
from flagbench.records.run_directory import read_run


def run_command(arguments: argparse.Namespace) -> None:
    """Train and score every seed, print the tables, and the run's folder last."""
    planned = plans(_spec(arguments), fallback=not arguments.no_replica)
    first = planned[0]
    check_replica(first.market, refused=arguments.no_replica)
    if is_main_process():
        warn_of_stand_in(first.market)
    _say_what_is_random(first)
    folders: list[Path] = []
    try:
        for seed in first.spec.seeds:
            folders += _run_windows(planned, seed)
    except BaseException:
        if is_main_process() and first.folder.is_dir():
            what = "seeds" if first.window is None else "windows"
            print(f"note: the {what} that were finished are kept: {first.folder}", file=sys.stderr)
        raise
    if first.setup is not None:
        leave_process_group()
    if not folders:
        return
    draw_retention(first.folder)
    if arguments.json:
        pooled = [_pooled_summary(record, first.folder) for record in read_pooled(first.folder)]
        print_json(
            {"runs": [_summary(folder) for folder in folders]} | ({"pooled": pooled} if pooled else {})
        )
    else:
        print_records(read_run(first.folder), first.folder)


def _run_windows(planned: Sequence[Plan], seed: int) -> list[Path]:
    """One seed over every test window, each trained anew; folders in the first process, none in others."""
    folders = []
    for plan in planned:
        with _progress(plan, seed) as monitor:
            folder = run_seed(plan, seed, monitor)
        if folder is not None:
            folders.append(folder)
    if folders and planned[0].window is not None:
        pool_seed(planned, seed)
    return folders


def _spec(arguments: argparse.Namespace) -> RunSpec:
    return RunSpec(
        agent=arguments.agent,
        asset=arguments.asset,
        protocol=arguments.protocol,
        seeds=parse_seeds(arguments.seeds),
        backbone=arguments.backbone,
        data=arguments.data,
        train=Period.parse(arguments.train) if arguments.train else None,
        test=Period.parse(arguments.test) if arguments.test else None,
        periods=arguments.periods,
        env_steps=arguments.env_steps,
        num_envs=arguments.num_envs,
        precision=arguments.precision,
        settings=tuple(arguments.set),
        metrics=tuple(arguments.metric),
        track=tuple(dict.fromkeys(arguments.track)),
        knowledge=arguments.knowledge,
        out=Path(arguments.out),
    )


def _progress(planned: Plan, seed: int) -> Any:
    """Bars in the first process while an agent learns or is asked; else nothing."""
    silent: RunMonitor = SilentRun()
    is_asked = planned.knowledge is not None and issubclass(planned.agent.agent_class, LanguageAgent)
    if not is_main_process() or (planned.setup is None and not is_asked):
        return nullcontext(silent)
    from flagbench.cli.progress import RunProgress

    window = "" if planned.window is None else f" window {planned.window}"
    title = f"{Path(planned.agent.name).name} {planned.market.label} seed {seed}{window}"
    return RunProgress(title, None if planned.setup is None else planned.setup.env_steps)


def _say_what_is_random(planned: Plan) -> None:
    backbone = planned.agent.params.get("backbone")
    if has_random_weights(backbone) and is_main_process():
        print(
            f"note: `{backbone}` has random weights: it has read nothing, and its scores say nothing of FLAG",
            file=sys.stderr,
        )


def _summary(folder: Path) -> dict[str, Any]:
    record = read_run(folder)[0]
    return {
        "seed": record.seed,
        **({} if record.window is None else {"window": record.window}),
        "record": str(folder / "record.json"),
        "kind": record.market.kind,
        "train": record.scores["train"],
        "test": record.scores["test"],
        "knowledge": record.knowledge,
    }


def _pooled_summary(record: PooledRecord, run: Path) -> dict[str, Any]:
    return {
        "seed": record.seed,
        "record": str(pooled_path(run, record.seed)),
        "windows": record.windows,
        "test": record.test,
        "buy_and_hold": record.buy_and_hold,
    }
