import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from flagbench.learning.numeric_networks import QNetwork
from flagbench.learning.q_learner import (
    AutogradLearner,
    ClosedFormLearner,
    QLearner,
    loss_and_slopes,
    q_learner,
)
from flagbench.learning.q_loss import q_loss
from flagbench.learning.q_params import LossName, QParams
from flagbench.learning.replay_buffer import Sample

ROOT = Path(__file__).parents[2]
FEATURES = 14


def accelerator_of() -> Any:
    from accelerate import Accelerator

    return Accelerator(cpu=True, mixed_precision="no")


def sample_of(batches: int, count: int, *, seed: int, dtype: torch.dtype = torch.float32) -> Sample:
    """Random transitions; whether BUY or SELL is valid afterwards is tossed."""
    random = torch.Generator().manual_seed(seed)
    shape = (batches, count)
    chosen = torch.eye(3)[torch.randint(3, shape, generator=random)]
    long = torch.randint(2, (*shape, 1), generator=random).bool()
    barred = torch.where(torch.cat([~long, torch.zeros_like(long), long], 2), -torch.inf, 0.0)
    before, after = (torch.randn(*shape, FEATURES, generator=random) for _ in range(2))
    returns, discounts = 2 * torch.randn(*shape, 1, generator=random), torch.full((*shape, 1), 0.5)
    return Sample(*(field.to(dtype) for field in (before, after, chosen, barred, returns, discounts)))


def network_of(hidden: tuple[int, ...] = (64, 64), *, dueling: bool = True, seed: int = 0) -> QNetwork:
    torch.manual_seed(seed)
    return QNetwork(FEATURES, hidden, dueling=dueling)


def weights_of(network: nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().reshape(-1) for weight in network.parameters()])


def far(one: torch.Tensor, other: torch.Tensor) -> float:
    """‖one − other‖ / ‖other‖"""
    return float((one - other).norm() / other.norm())


def in_plain_torch(network: QNetwork, params: QParams, sample: Sample) -> list[float]:
    """The algorithm as a textbook has it, one minibatch after the other."""
    target = copy.deepcopy(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=params.learning_rate, eps=params.adam_eps)
    losses = []
    for index in range(len(sample.returns)):
        part = Sample(*(field[index] for field in sample))
        valid = part.barred == 0
        with torch.no_grad():
            after = target(part.next_features)
            ranked = network(part.next_features) if params.double else after
            best = ranked.masked_fill(~valid, -torch.inf).argmax(dim=1)
            aims = part.returns[:, 0] + part.discounts[:, 0] * after[torch.arange(len(best)), best]
        taken = network(part.features)[part.chosen.bool()]
        error = nn.functional.huber_loss if params.loss == "huber" else nn.functional.mse_loss
        loss = error(taken, aims)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), params.max_grad_norm)
        optimiser.step()
        losses.append(loss.item())
        if (index + 1) % params.target_every == 0:
            with torch.no_grad():
                for old, new in zip(target.parameters(), network.parameters(), strict=True):
                    old.copy_((1 - params.tau) * old + params.tau * new)
    return losses


SWITCHES = {
    "double": st.booleans(),
    "dueling": st.booleans(),
    "loss": st.sampled_from(["huber", "squared"]),
    "hidden": st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    "count": st.integers(1, 9),
    "batches": st.lists(st.integers(1, 5), min_size=1, max_size=3),
    "target_every": st.integers(1, 6),
    "tau": st.sampled_from([0.25, 1.0]),
    "max_grad_norm": st.sampled_from([0.05, 10.0]),
    "seed": st.integers(0, 2**31),
}


@given(**SWITCHES)
def test_steps_written_out_are_autograds(
    hidden: tuple[int, ...], count: int, batches: list[int], seed: int, *, dueling: bool, **chosen: Any
) -> None:
    """In float64, where nothing but algebra could tell them apart; minibatches come in several samples."""
    params = QParams(**chosen)
    network = network_of(hidden, dueling=dueling, seed=seed).double()
    plain = copy.deepcopy(network)
    sample = sample_of(sum(batches), count, seed=seed, dtype=torch.float64)
    expected = in_plain_torch(plain, params, sample)
    learner = ClosedFormLearner(network, params)
    parts = zip(*(field.split(batches) for field in sample), strict=True)
    losses = torch.cat([learner.learn(Sample(*part)) for part in parts])
    assert learner.optimiser_steps == sum(batches)
    assert losses.tolist() == pytest.approx(expected, rel=1e-9)
    assert far(weights_of(network), weights_of(plain)) < 1e-10


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("loss", ["huber", "squared"])
def test_both_learners_take_the_same_steps_in_float32(loss: LossName, *, double: bool, dueling: bool) -> None:
    params = QParams(double=double, loss=loss, target_every=7)
    one, other = network_of(dueling=dueling), network_of(dueling=dueling)
    sample = sample_of(30, 64, seed=3)
    by_hand = ClosedFormLearner(one, params)
    by_autograd = AutogradLearner(other, params, accelerator_of())
    losses, expected = by_hand.learn(sample), by_autograd.learn(sample)
    assert far(losses, expected) < 1e-6
    assert far(weights_of(one), weights_of(other)) < 1e-6
    features = sample.features[0].numpy()
    np.testing.assert_allclose(by_hand.values(features), by_autograd.values(features), atol=1e-5)
    # And they have gone somewhere.
    assert far(weights_of(one), weights_of(network_of(dueling=dueling))) > 1e-2


@pytest.mark.parametrize("learner", [ClosedFormLearner, None])
def test_steps_do_not_depend_on_how_many_are_asked_for_at_once(
    learner: type[ClosedFormLearner] | None,
) -> None:
    params = QParams(target_every=3)
    found = []
    for batches in ([8], [1] * 8, [2, 5, 1]):
        network = network_of((6, 5))
        taught: QLearner = (learner or AutogradLearner)(
            network, params, *([] if learner else [accelerator_of()])
        )
        for part in zip(*(field.split(batches) for field in sample_of(8, 4, seed=1)), strict=True):
            taught.learn(Sample(*part))
        found.append(weights_of(network))
    assert far(found[1], found[0]) < 1e-6
    assert far(found[2], found[0]) < 1e-6


def test_alone_on_a_cpu_in_float32_gradients_are_written_out() -> None:
    network = network_of()
    learner = q_learner(network, QParams(), accelerator_of())
    assert isinstance(learner, ClosedFormLearner)
    assert learner.gradients == "closed form"
    with learner:
        learner.learn(sample_of(2, 4, seed=0))
    learnt = weights_of(network)
    learner.learn(sample_of(2, 4, seed=1))
    assert torch.equal(weights_of(network), learnt), "the network is its own again"


def blas_threads() -> list[int]:
    found = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert found
    return found


def test_numpys_products_keep_to_one_thread_while_it_learns() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        with ClosedFormLearner(network_of(), QParams()):
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {2}


MIXED = """
import torch
from accelerate import Accelerator
from flagbench.learning.q_learner import AutogradLearner, ClosedFormLearner, q_learner
from flagbench.learning.q_params import QParams
from tests.learning.test_q_learner import far, network_of, sample_of, weights_of

network, plain = network_of(), network_of()
learner = q_learner(network, QParams(), Accelerator(cpu=True, mixed_precision="bf16"))
assert isinstance(learner, AutogradLearner), learner
assert learner.gradients == "autograd"
features = torch.ones(2, 14)
with learner:
    learner.learn(sample_of(8, 64, seed=0))
    rounded = torch.from_numpy(learner.values(features.numpy()))
exact = network(features).detach()
assert exact.dtype == torch.float32
assert not torch.equal(rounded, exact)
torch.testing.assert_close(rounded, exact, atol=0.02, rtol=0.02)
ClosedFormLearner(plain, QParams()).learn(sample_of(8, 64, seed=0))
moved = far(weights_of(plain), weights_of(network_of()))
assert 0 < far(weights_of(network), weights_of(plain)) < 0.5 * moved
"""


def test_in_half_precision_gradients_are_autograds() -> None:
    # A process of its own: accelerate keeps one precision for the whole of a process.
    done = subprocess.run(
        [sys.executable, "-c", MIXED], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=8),
    st.sampled_from(["huber", "squared"]),
    st.integers(0, 9),
)
def test_the_loss_and_its_slopes_are_those_of_q_loss(errors: list[float], name: LossName, seed: int) -> None:
    targets = torch.randn(len(errors), 1, generator=torch.Generator().manual_seed(seed)).double()
    values = (targets + torch.tensor(errors).double()[:, None]).requires_grad_()
    expected = q_loss(values, torch.ones(1, 1), targets, name=name)
    expected.backward()
    loss, slopes = loss_and_slopes((values - targets).detach().numpy(), name=name)
    assert loss == pytest.approx(expected.item(), abs=1e-12)
    assert values.grad is not None
    np.testing.assert_allclose(slopes, values.grad.numpy(), atol=1e-12)
