"""From a `Setup` to a running accelerator, and what was really observed of it."""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.learning.allocator import keep_freed_memory
from flagbench.records.trackers import Tracking
from flagbench.records.training_log import Forward

PROJECT = "flagbench"
"""What trackers that sort runs by project call this one."""

PATIENCE = timedelta(days=7)
"""How long processes wait for each other.

The first asks and plays while the others wait, which may take hours with a large model; torch itself gives up
after 10 minutes on GPUs and 30 on CPUs. A launcher ends all when one dies, so nobody waits in vain.
"""


def start(setup: Setup, *, seed: int, tracking: Tracking | None = None) -> Accelerator:
    """An accelerator for one training, with every source of chance seeded.

    Accelerate owns device, precision, process count and gradient synchronisation. How a minibatch is
    split is the trainer's (`setup.gradient_accumulation_steps`), since its parts differ in size.

    Args:
        setup: shared by all agents of a comparison.
        seed: of Python, numpy and torch, the same in every process.
        tracking: trackers that `tracked` will begin; None for none.

    Raises:
        ConfigError: accelerate did not find the processes that a launcher started.
    """
    keep_freed_memory()
    precision: str = setup.mixed_precision
    if precision == "auto":
        precision = "bf16" if torch.cuda.is_available() else "no"
    # Without cpu=True accelerate overlooks other processes on a machine that has only CPUs.
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=not torch.accelerator.is_available(),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        log_with=None if tracking is None else list(tracking.trackers),
        project_dir=None if tracking is None else tracking.folder,
    )
    announced = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != announced:
        raise ConfigError(
            f"a launcher started {announced} processes, accelerate found {accelerator.num_processes}",
            hint="start with torchrun --nproc_per_node N -m flagbench run …",
        )
    set_seed(seed)
    return accelerator


@contextmanager
def tracked(accelerator: Accelerator, tracking: Tracking | None) -> Iterator[Forward | None]:
    """Begin the trackers that an accelerator was started with, and finish them at the end.

    Accelerate's own `end_training` would take the process group down too, which others still wait in.

    Args:
        accelerator: from `start`, with the same tracking.
        tracking: None for none.

    Returns:
        what a training log forwards its figures to; None where nothing is tracked.

    Raises:
        ConfigError: a tracker failed, when it began or later.
    """
    if tracking is None:
        yield None
        return
    named = {"wandb": "name", "mlflow": "run_name", "trackio": "name"}
    own = {tracker: {key: tracking.run} for tracker, key in named.items() if tracker in tracking.trackers}
    tracking.folder.mkdir(parents=True, exist_ok=True)
    with _tracking("begin"):
        accelerator.init_trackers(PROJECT, config=dict(tracking.config), init_kwargs=own)
    # What trackers print when the process ends would stand below the results; the last registered is first.
    atexit.unregister(_talk_on_stderr)
    atexit.register(_talk_on_stderr)

    def forward(figures: dict[str, float], step: int) -> None:
        with _tracking("log"):
            accelerator.log(figures, step=step)

    try:
        yield forward
    finally:
        with _tracking("finish"):
            for tracker in accelerator.trackers:
                tracker.finish()


@contextmanager
def _tracking(what: str) -> Iterator[None]:
    """Around every call of a tracker: what it prints is no data, and what it raises is no agent's fault."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except Exception as error:
        raise ConfigError(
            f"a tracker failed to {what}: {error!r}",
            hint="leave out --track; train.jsonl has the same figures",
        ) from error


def _talk_on_stderr() -> None:
    sys.stdout = sys.stderr


def observed(accelerator: Accelerator) -> dict[str, Any]:
    """Device, precision and number of processes as they are, not as they were asked for."""
    device = accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "processes": accelerator.num_processes,
        "device": device.type,
        "accelerator": name,
        "mixed_precision": str(accelerator.mixed_precision),
        "threads": torch.get_num_threads(),
    }
