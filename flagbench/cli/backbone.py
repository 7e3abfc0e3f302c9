"""`flagbench backbone build` and `flagbench backbone items`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from flagbench.cli.printing import leave_process_group
from flagbench.cli.seeds import LIMIT
from flagbench.errors import ConfigError
from flagbench.experiment import is_main_process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagbench.pretraining.building import Figures
    from flagbench.pretraining.items import Topic
    from flagbench.pretraining.training import Progress as TrainingProgress

KNOWLEDGE_FILES: "Mapping[Topic, str]" = {
    "finance": "finance_basics.jsonl",
    "general": "general_basics.jsonl",
}


def backbone_command(arguments: argparse.Namespace) -> None:
    """Make the embedded backbone, or the items of the suite `basics`, and print the folder last."""
    out = Path(arguments.out)
    if arguments.backbone_command == "items":
        _write_items(out)
    else:
        _build(out, short=arguments.short, seed=arguments.seed)


def _write_items(out: Path) -> None:
    from flagbench.pretraining.items import make_items, write_items

    lines = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for topic, name in KNOWLEDGE_FILES.items():
            items = make_items(topic)
            write_items(items, out / name)
            lines.append(f"{name}: {len(items)} items")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error}", hint="choose another --out") from error
    print("\n".join([*lines, str(out)]))


def _build(out: Path, *, short: bool, seed: int | None) -> None:
    from flagbench.pretraining.building import build_backbone
    from flagbench.pretraining.recipe import FULL, SHORT

    if seed is not None and not 0 <= seed < LIMIT:
        raise ConfigError(f"`--seed {seed}`: seeds lie between 0 and {LIMIT - 1}")
    recipe = SHORT if short else FULL
    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    bar = Progress(
        TextColumn("backbone"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %, loss {task.fields[loss]:.2f}, left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not (sys.stderr.isatty() and is_main_process()),
        transient=True,
    )
    task = bar.add_task("", total=None, loss=float("nan"))

    def report(progress: "TrainingProgress") -> None:
        bar.update(task, completed=progress.tokens, total=progress.of_tokens, loss=progress.loss)

    try:
        with bar:
            figures = build_backbone(out, recipe, report=report)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; nothing was written") from None
    leave_process_group()
    if figures is not None:
        _print(figures)
        print(out)


def _print(figures: "Figures") -> None:
    print(f"{figures.weights:,} weights, {figures.bytes / 1e6:.1f} MB, sha256 {figures.sha256[:12]}")
    print(f"{figures.tokens:,} tokens in {figures.seconds / 60:.1f} minutes")
    print(f"perplexity on held-out rows {figures.perplexity:.2f}")
    for task, blind in zip(figures.basics.tasks, figures.blind, strict=True):
        print(
            f"{task.task}: {100 * task.accuracy:.1f} % of {len(task.items)} items, "
            f"without the questions {100 * blind.accuracy:.1f} %"
        )
