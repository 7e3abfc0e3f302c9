"""From a `Setup` to a running accelerator, and what was really observed of it."""

import os
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError

PATIENCE = timedelta(days=7)
"""How long processes wait for each other.

The first asks and plays while the others wait, which may take hours with a large model; torch itself gives up
after 10 minutes on GPUs and 30 on CPUs. A launcher ends all when one dies, so nobody waits in vain.
"""


def start(setup: Setup, *, seed: int) -> Accelerator:
    """An accelerator for one training, with every source of chance seeded.

    Accelerate owns device, precision, process count and gradient synchronisation. How a minibatch is
    split is the trainer's (`setup.gradient_accumulation_steps`), since its parts differ in size.

    Args:
        setup: shared by all agents of a comparison.
        seed: of Python, numpy and torch, the same in every process.

    Raises:
        ConfigError: accelerate did not find the processes that a launcher started.
    """
    precision: str = setup.mixed_precision
    if precision == "auto":
        precision = "bf16" if torch.cuda.is_available() else "no"
    # Without cpu=True accelerate overlooks other processes on a machine that has only CPUs.
    accelerator = Accelerator(
        mixed_precision=precision,
        cpu=not torch.accelerator.is_available(),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )
    announced = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != announced:
        raise ConfigError(
            f"a launcher started {announced} processes, accelerate found {accelerator.num_processes}",
            hint="start with torchrun --nproc_per_node N -m flagbench run …",
        )
    set_seed(seed)
    return accelerator


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
