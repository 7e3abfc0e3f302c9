"""An evaluation that leaves nothing behind: random states, the model's mode, other people's logs and bars.

A run with a knowledge suite must take the same actions as one without it.
"""

import copy
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging


@contextmanager
def undisturbed(model: PreTrainedModel) -> Iterator[None]:
    """Restore the random states and the model's mode and settings on leaving, and keep lm-eval quiet inside.

    Weights are not copied: evaluation does not change them.
    """
    with same_random_states(), _same_mode(model), _quiet():
        yield


@contextmanager
def same_random_states() -> Iterator[None]:
    """Of Python, numpy, torch, and every CUDA device."""
    python, legacy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def _same_mode(model: PreTrainedModel) -> Iterator[None]:
    """Module by module, since parts of a model may be in training while others are not."""
    training = [(module, module.training) for module in model.modules()]
    use_cache = getattr(model.config, "use_cache", None)
    generation_config = copy.deepcopy(model.generation_config)
    try:
        yield
    finally:
        for module, was_training in training:
            module.training = was_training
        if use_cache is not None:
            model.config.use_cache = use_cache
        model.generation_config = generation_config


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars, and of logs the errors only: what lm-eval warns of, such as a cut prompt, is counted by us."""
    logger = logging.getLogger("lm_eval")
    level, verbosity = logger.level, transformers_logging.get_verbosity()
    logger.setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    original = tqdm.__init__

    def without_bar(bar: Any, *args: Any, **kwargs: Any) -> None:
        original(bar, *args, **{**kwargs, "disable": True})

    # lm-eval draws bars unconditionally, and tqdm reads TQDM_DISABLE only while it is imported.
    tqdm.__init__ = without_bar
    try:
        yield
    finally:
        tqdm.__init__ = original
        transformers_logging.set_verbosity(verbosity)
        logger.setLevel(level)
