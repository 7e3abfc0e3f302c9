import pytest

from flagbench.errors import ConfigError
from flagbench.learning.ppo_params import PRESETS, PPOParams, ppo_params
from flagbench.trading.protocol import load_protocol


def test_the_paper_preset_is_table_3() -> None:
    table = {
        "learning_rate": 5e-4,
        "num_steps": 40,
        "anneal_lr": True,
        "gamma": 0.95,
        "gae_lambda": 0.98,
        "update_epochs": 1,
        "norm_adv": True,
        "clip_coef": 0.2,
        "clip_vloss": True,
        "ent_coef": 0.05,
        "vf_coef": 0.5,
        "kl_coef": 0.05,
        "max_grad_norm": 0.5,
        "target_kl": None,
        "minibatch_size": 32,
        "max_episode_steps": 65,
    }
    assert PRESETS["paper"].model_dump(include=set(table)) == table
    setup = load_protocol("paper").setup
    assert (setup.env_steps, setup.num_envs, setup.gradient_accumulation_steps) == (13_860, 1, 8)


def test_every_hyper_parameter_without_a_default_is_set_by_both_presets_with_a_reason() -> None:
    required = {name for name, field in PPOParams.model_fields.items() if field.is_required()}
    assert required == {
        "learning_rate",
        "gamma",
        "update_epochs",
        "minibatch_size",
        "kl_coef",
        "max_episode_steps",
    }


def test_a_preset_can_be_changed_by_name() -> None:
    assert ppo_params("standard", {"learning_rate": "3e-4"}).learning_rate == 3e-4
    assert ppo_params("standard", {}).learning_rate == 1e-3


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown setting `learning_rat`") as caught:
        ppo_params("paper", {"learning_rat": 1})
    assert "learning_rate" in caught.value.hint


@pytest.mark.parametrize(("name", "value"), [("gamma", 1.5), ("num_steps", 0), ("learning_rate", "fast")])
def test_a_value_that_is_not_allowed_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"`{name}`"):
        ppo_params("standard", {name: value})
