"""`flagbench run`."""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flagbench.agents.agent import LanguageAgent
from flagbench.agents.backbone_name import has_random_weights
from flagbench.cli.printing import leave_process_group, print_json
from flagbench.cli.seeds import parse_seeds
from flagbench.cli.show import print_records
from flagbench.cli.stand_in import check_replica, warn_of_stand_in
from flagbench.experiment import RunMonitor, SilentRun, draw_retention, is_main_process, run_seed
from flagbench.market.period import Period
from flagbench.planning import Plan, RunSpec, plan
from flagbench.records.run_directory import read_run


def run_command(arguments: argparse.Namespace) -> None:
    """Train and score every seed, print the tables, and the run's folder last."""
    planned = plan(_spec(arguments), fallback=not arguments.no_replica)
    check_replica(planned.market, refused=arguments.no_replica)
    if is_main_process():
        warn_of_stand_in(planned.market)
    _say_what_is_random(planned)
    folders: list[Path] = []
    try:
        for seed in planned.spec.seeds:
            with _progress(planned, seed) as monitor:
                folder = run_seed(planned, seed, monitor)
            if folder is not None:
                folders.append(folder)
    except BaseException:
        if folders:
            print(f"note: the seeds that were finished are kept: {planned.folder}", file=sys.stderr)
        raise
    if planned.setup is not None:
        leave_process_group()
    if not folders:
        return
    draw_retention(planned.folder)
    if arguments.json:
        print_json({"runs": [_summary(folder) for folder in folders]})
    else:
        print_records(read_run(planned.folder), planned.folder)


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

    title = f"{Path(planned.agent.name).name} {planned.market.label} seed {seed}"
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
        "record": str(folder / "record.json"),
        "kind": record.market.kind,
        "train": record.scores["train"],
        "test": record.scores["test"],
        "knowledge": record.knowledge,
    }
