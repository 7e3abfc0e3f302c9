import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flagbench.learning.ppo_loss import (
    entropy,
    kl_divergence,
    masked_log_probabilities,
    normalized,
    policy_terms,
    value_loss,
)

FLAT, LONG = [False, True, True], [True, True, False]


def test_masked_actions_have_no_probability_and_the_others_sum_to_one() -> None:
    logits = torch.tensor([[5.0, 0.0, math.log(3)], [1.0, 1.0, 9.0]])
    chances = masked_log_probabilities(logits, torch.tensor([FLAT, LONG])).exp()
    torch.testing.assert_close(chances, torch.tensor([[0, 0.25, 0.75], [0.5, 0.5, 0]]))


def test_entropy_of_a_fair_coin_is_log_two_and_of_certainty_zero() -> None:
    masks = torch.tensor([FLAT, FLAT])
    chances = masked_log_probabilities(torch.tensor([[7.0, 1.0, 1.0], [0.0, 500.0, 0.0]]), masks)
    torch.testing.assert_close(entropy(chances), torch.tensor([math.log(2), 0.0]))


def test_divergence_is_exact_over_the_valid_actions() -> None:
    masks = torch.tensor([LONG])
    ours = masked_log_probabilities(torch.tensor([[0.0, math.log(3), 0.0]]), masks)
    reference = masked_log_probabilities(torch.zeros(1, 3), masks)
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    torch.testing.assert_close(kl_divergence(ours, reference), torch.tensor([expected]))
    torch.testing.assert_close(kl_divergence(ours, ours), torch.zeros(1))


def test_gradients_stay_finite_through_the_masks() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    chances = masked_log_probabilities(logits, torch.tensor([FLAT, LONG]))
    reference = masked_log_probabilities(torch.ones(2, 3), torch.tensor([FLAT, LONG]))
    (entropy(chances) + kl_divergence(chances, reference)).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0, 0] == 0


def plain_surrogate(new: float, old: float, advantage: float, clip: float) -> float:
    ratio = math.exp(new - old)
    return -min(ratio * advantage, max(min(ratio, 1 + clip), 1 - clip) * advantage)


@given(st.floats(-3, 0), st.floats(-3, 0), st.floats(-5, 5), st.floats(0.01, 0.5))
def test_the_surrogate_equals_its_definition(new: float, old: float, advantage: float, clip: float) -> None:
    tensors = (torch.tensor([value], dtype=torch.float64) for value in (new, old, advantage))
    terms = policy_terms(*tensors, clip_coef=clip)
    assert float(terms.loss) == pytest.approx(plain_surrogate(new, old, advantage, clip), abs=1e-12)


def test_descending_raises_the_chance_of_a_good_action() -> None:
    new = torch.zeros(1, requires_grad=True)
    policy_terms(new, torch.zeros(1), torch.ones(1), clip_coef=0.2).loss.sum().backward()
    assert new.grad is not None
    assert float(new.grad) < 0


@pytest.mark.parametrize(
    ("new", "old", "target", "clip", "expected"),
    [
        (1.0, 0.0, 3.0, None, 0.5 * 4),
        (1.0, 0.0, 3.0, 0.2, 0.5 * (0.2 - 3) ** 2),  # the clipped value is the worse one
        (1.0, 0.0, -3.0, 0.2, 0.5 * 16),  # the plain one is
        (0.1, 0.0, 3.0, 0.2, 0.5 * 2.9**2),  # inside the clip both are the same
    ],
)
def test_value_loss_by_hand(
    new: float, old: float, target: float, clip: float | None, expected: float
) -> None:
    loss = value_loss(torch.tensor([new]), torch.tensor([old]), torch.tensor([target]), clip_coef=clip)
    torch.testing.assert_close(loss, torch.tensor([expected]))


def test_normalized_advantages_have_mean_zero_and_deviation_one() -> None:
    ours: Tensor = normalized(torch.tensor([1.0, 2.0, 6.0]))
    torch.testing.assert_close(ours.mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(ours.std(), torch.tensor(1.0))


def test_a_single_advantage_keeps_its_value() -> None:
    assert normalized(torch.tensor([4.0])).tolist() == [4.0]
