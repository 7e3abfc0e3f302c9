import logging
import random
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from tqdm import tqdm
from transformers.utils import logging as transformers_logging

from flagbench.knowledge.undisturbed import same_random_states, undisturbed

if TYPE_CHECKING:
    from flagbench.learning.backbone import Backbone


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(1))  # noqa: S311


def test_chance_goes_on_as_if_nothing_had_been_drawn() -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    expected = [draws() for _ in range(3)]
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    found = [draws()]
    with same_random_states():
        random.seed(9)
        assert draws() not in expected
    found.append(draws())
    with pytest.raises(ZeroDivisionError), same_random_states():
        _ = 1 / (len(draws()) - 3)
    found.append(draws())
    assert found == expected


def test_the_models_mode_is_put_back_part_by_part(tiny: "Backbone") -> None:
    model = tiny.model
    head = model.get_submodule("lm_head")
    model.config.use_cache, generation = False, model.generation_config
    assert generation is not None
    head.train()
    try:
        with undisturbed(model):
            model.eval()
            model.config.use_cache = True
            generation.max_length = 3
        assert head.training
        assert not model.training
        assert model.config.use_cache is False
        assert model.generation_config is not None
        assert model.generation_config.max_length != 3
    finally:
        head.eval()


def test_bars_and_warnings_are_silent_inside_and_only_there(
    tiny: "Backbone", capfd: pytest.CaptureFixture[str]
) -> None:
    lm_eval, transformers = (
        logging.getLogger("lm_eval.tasks"),
        transformers_logging.get_logger("transformers"),
    )
    verbosity = transformers_logging.get_verbosity()
    with undisturbed(tiny.model):
        list(tqdm([1, 2]))
        list(tqdm([1, 2], disable=False))
        lm_eval.warning("lm-eval warns")
        transformers.warning("transformers warns")
    assert capfd.readouterr() == ("", "")
    list(tqdm([1, 2]))
    assert "2/2" in capfd.readouterr().err
    assert logging.getLogger("lm_eval").level == logging.NOTSET
    assert transformers_logging.get_verbosity() == verbosity


def test_errors_are_heard(tiny: "Backbone", caplog: pytest.LogCaptureFixture) -> None:
    with undisturbed(tiny.model):
        logging.getLogger("lm_eval.tasks").error("this went wrong")
        with pytest.warns(UserWarning, match="still there"):
            warnings.warn("still there", stacklevel=1)
    assert "this went wrong" in caplog.text
