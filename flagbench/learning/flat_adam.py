"""Adam over one buffer of weights, with numpy."""

import math

import numpy as np
import numpy.typing as npt

BETAS = (0.9, 0.999)
"""Kingma and Ba (2015), section 2; torch's."""


class FlatAdam:
    """Adam (Kingma and Ba, 2015, algorithm 1), the same steps as `torch.optim.Adam` up to rounding.

    Kept are S = Σ β₁ᵗ⁻ⁱ gᵢ and Q = Σ β₂ᵗ⁻ⁱ gᵢ², the moments without their factors 1 − β, so that a step
    takes fewer passes: w −= (lr·a/c) · S / (√Q + ε/c) with a = (1 − β₁) / (1 − β₁ᵗ) and
    c² = (1 − β₂) / (1 − β₂ᵗ).

    Args:
        weights: (P,), changed in place.
        learning_rate: lr.
        eps: ε.
    """

    def __init__(self, weights: npt.NDArray[np.floating], *, learning_rate: float, eps: float) -> None:
        self._weights, self._learning_rate, self._eps = weights, learning_rate, eps
        self._sums, self._squares = np.zeros_like(weights), np.zeros_like(weights)
        self._scratch = np.empty_like(weights)
        self._steps = 0

    def step(self, gradient: npt.NDArray[np.floating]) -> None:
        """Move the weights against a gradient (P,)."""
        self._steps += 1
        first, second = BETAS
        a = (1 - first) / (1 - first**self._steps)
        c = math.sqrt((1 - second) / (1 - second**self._steps))
        scratch = self._scratch
        self._sums *= first
        self._sums += gradient
        self._squares *= second
        self._squares += np.multiply(gradient, gradient, out=scratch)
        np.sqrt(self._squares, out=scratch)
        scratch += self._eps / c
        np.divide(self._sums, scratch, out=scratch)
        scratch *= self._learning_rate * a / c
        self._weights -= scratch
