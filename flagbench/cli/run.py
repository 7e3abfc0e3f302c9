"""`flagbench run`."""

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flagbench.agents.backbone_name import has_random_weights
from flagbench.agents.training import TrainingMonitor
from flagbench.cli.printing import print_json
from flagbench.cli.seeds import parse_seeds
from flagbench.cli.show import print_records
from flagbench.experiment import is_main_process, run_seed
from flagbench.market.period import Period
from flagbench.planning import Plan, RunSpec, plan
from flagbench.records.run_directory import read_run
from flagbench.records.training_log import Silent


def run_command(arguments: argparse.Namespace) -> None:
    """Train and score every seed, print the tables, and the run's folder last."""
    planned = plan(_spec(arguments))
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
    _leave_process_group(planned)
    if not folders:
        return
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
        out=Path(arguments.out),
    )


def _progress(planned: Plan, seed: int) -> Any:
    """A bar in the first process while an agent learns; else nothing."""
    silent: TrainingMonitor = Silent()
    if planned.setup is None or not is_main_process():
        return nullcontext(silent)
    from flagbench.cli.progress import TrainingProgress

    title = f"{Path(planned.agent.name).name} {planned.market.label} seed {seed}"
    return TrainingProgress(title, planned.setup.env_steps)


def _say_what_is_random(planned: Plan) -> None:
    backbone = planned.agent.params.get("backbone")
    if has_random_weights(backbone) and is_main_process():
        print(
            f"note: `{backbone}` has random weights: it has read nothing, and its scores say nothing of FLAG",
            file=sys.stderr,
        )


def _leave_process_group(planned: Plan) -> None:
    """A launcher's processes must part in order, or torch warns of a leak."""
    if planned.setup is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def _summary(folder: Path) -> dict[str, Any]:
    record = read_run(folder)[0]
    return {
        "seed": record.seed,
        "record": str(folder / "record.json"),
        "kind": record.market.kind,
        "train": record.scores["train"],
        "test": record.scores["test"],
    }
