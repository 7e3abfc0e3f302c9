import pytest

from flagbench.agents.training import Setup
from flagbench.errors import ConfigError
from flagbench.learning.rollout_buffer import iteration_steps


def test_the_papers_budget_is_347_iterations_and_the_last_has_20_steps() -> None:
    steps = iteration_steps(Setup(env_steps=13_860, num_envs=1), num_steps=40, processes=1)
    assert len(steps) == 347
    assert set(steps[:-1]) == {40}
    assert steps[-1] == 20
    assert sum(steps) == 13_860


def test_the_budget_is_a_total_over_environments_and_processes() -> None:
    steps = iteration_steps(Setup(env_steps=6_400, num_envs=8), num_steps=40, processes=2)
    assert steps == [40] * 10


def test_a_budget_below_one_step_each_is_refused() -> None:
    with pytest.raises(ConfigError, match="7 environment steps for 8 environments"):
        iteration_steps(Setup(env_steps=7, num_envs=8), num_steps=40, processes=1)
