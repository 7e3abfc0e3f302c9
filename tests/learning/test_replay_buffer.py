from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ConfigError
from flagbench.learning.replay_buffer import NStep, ReplayBuffer, Sample, Transition

CPU = torch.device("cpu")


def folded(rewards: list[float], *, steps: int, gamma: float, ends: set[int]) -> list[Transition]:
    """One account; the features before step t are t, those after it t + 1, whatever comes next."""
    folding = NStep(steps, gamma=gamma)
    found: list[Transition] = []
    for t, reward in enumerate(rewards):
        found += folding.add(
            np.array([[t]], dtype=np.float32),
            np.array([t % 3]),
            np.array([reward]),
            next_features=np.array([[t + 1]], dtype=np.float32),
            next_masks=np.ones((1, 3), dtype=np.int8),
            ended=t in ends,
        )
    return found


def told(transitions: list[Transition]) -> list[tuple[float, int, float, float, float]]:
    return [
        (
            float(t.features[0, 0]),
            int(t.actions[0]),
            float(t.returns[0]),
            float(t.next_features[0, 0]),
            t.discount,
        )
        for t in transitions
    ]


def test_one_step_is_passed_on_as_it_is() -> None:
    assert told(folded([1, 2], steps=1, gamma=0.5, ends={1})) == [(0, 0, 1, 1, 0.5), (1, 1, 2, 2, 0.5)]


def test_three_steps_are_discounted_and_what_is_left_at_an_end_gets_shorter() -> None:
    assert told(folded([1, 2, 4, 8], steps=3, gamma=0.5, ends={3})) == [
        (0, 0, 1 + 1 + 1, 3, 0.125),
        (1, 1, 2 + 2 + 2, 4, 0.125),
        (2, 2, 4 + 4, 4, 0.25),
        (3, 0, 8, 4, 0.5),
    ]


def test_no_transition_reaches_into_the_next_episode() -> None:
    transitions = told(folded([1, 1, 1, 1], steps=3, gamma=1.0, ends={1, 3}))
    assert [(start, after) for start, _, _, after, _ in transitions] == [(0, 2), (1, 2), (2, 4), (3, 4)]


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=12),
    st.integers(1, 5),
    st.floats(0, 1),
    st.sets(st.integers(0, 11)),
)
def test_returns_and_discounts_follow_from_their_definition(
    rewards: list[float], steps: int, gamma: float, ends: set[int]
) -> None:
    ends = ends | {len(rewards) - 1}
    transitions = folded(rewards, steps=steps, gamma=gamma, ends=ends)
    assert [int(t.features[0, 0]) for t in transitions] == list(range(len(rewards)))
    for start, transition in enumerate(transitions):
        end = min(end for end in ends if end >= start)
        taken = min(steps, end - start + 1)
        expected = sum(gamma**k * rewards[start + k] for k in range(taken))
        assert transition.returns[0] == pytest.approx(expected, abs=1e-9)
        assert transition.discount == pytest.approx(gamma**taken)
        assert transition.next_features[0, 0] == start + taken


def transition(first: int, *, accounts: int = 2) -> Transition:
    numbers = np.arange(first, first + accounts)
    masks = np.ones((accounts, 3), dtype=np.int8)
    masks[:, 0] = 0
    return Transition(
        features=numbers[:, None].astype(np.float32),
        actions=numbers % 3,
        returns=10.0 * numbers.astype(np.float64),
        next_features=numbers[:, None].astype(np.float32) + 0.5,
        next_masks=masks,
        discount=0.25,
    )


def drawn(buffer: ReplayBuffer, count: int, seed: int = 0) -> Any:
    return Sample(*(field[0] for field in buffer.sample(1, count, torch.Generator().manual_seed(seed))))


def test_a_sample_is_what_was_added() -> None:
    buffer = ReplayBuffer(6, 1, accounts=2, device=CPU)
    buffer.add(transition(0))
    buffer.add(transition(2))
    assert len(buffer) == 4
    sample = drawn(buffer, 50)
    numbers = sample.features[:, 0]
    assert set(numbers.tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert torch.equal(sample.next_features[:, 0], numbers + 0.5)
    assert torch.equal(sample.returns[:, 0], 10 * numbers)
    assert torch.equal(sample.chosen.argmax(1), numbers.long() % 3)
    assert torch.equal(sample.chosen.sum(1), torch.ones(50))
    assert sample.barred.tolist() == [[-np.inf, 0.0, 0.0]] * 50
    assert sample.discounts.tolist() == [[0.25]] * 50


def test_the_oldest_give_way_also_where_a_step_does_not_fit_the_end() -> None:
    buffer = ReplayBuffer(5, 1, accounts=2, device=CPU)
    for first in range(0, 8, 2):
        buffer.add(transition(first))
    assert len(buffer) == 5
    assert set(drawn(buffer, 200).features[:, 0].tolist()) == {3.0, 4.0, 5.0, 6.0, 7.0}


def test_every_transition_is_as_likely_as_any_other_and_a_seed_repeats() -> None:
    buffer = ReplayBuffer(8, 1, accounts=2, device=CPU)
    for first in range(0, 8, 2):
        buffer.add(transition(first))
    counts = Counter(drawn(buffer, 8_000).features[:, 0].tolist())
    # Five standard deviations of a count of 8,000 draws at 1/8.
    assert all(abs(count - 1_000) < 5 * np.sqrt(8_000 * 7 / 64) for count in counts.values())
    first, again, other = (drawn(buffer, 20, seed).features.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_buffer_that_cannot_hold_one_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="3 transitions for 4 environments"):
        ReplayBuffer(3, 1, accounts=4, device=CPU)
