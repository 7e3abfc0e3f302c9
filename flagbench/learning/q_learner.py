"""Optimiser steps of Q-learning: with autograd anywhere, with gradients written out on a CPU."""

import copy
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from flagbench.learning.closed_form import Array, ClosedFormQ
from flagbench.learning.flat_adam import FlatAdam
from flagbench.learning.numeric_networks import QNetwork
from flagbench.learning.q_loss import move_towards, q_loss, td_targets
from flagbench.learning.q_params import LossName, QParams
from flagbench.learning.replay_buffer import Sample
from flagbench.trading.observation import Float32Array

if TYPE_CHECKING:
    from accelerate import Accelerator


def q_learner(network: QNetwork, params: QParams, accelerator: "Accelerator") -> "QLearner":
    """Gradients are written out on a CPU in float32 and one process; anywhere else autograd finds them.

    Both take the same steps but for rounding.
    """
    alone = accelerator.num_processes == 1 and accelerator.device.type == "cpu"
    if alone and accelerator.mixed_precision == "no":
        return ClosedFormLearner(network, params)
    return AutogradLearner(network, params, accelerator)


class QLearner(ABC):
    """Moves a network of action values, and a target network after it.

    A context manager: the learner is used within it, and at its end the network is a plain one again.

    Args:
        network: what is trained, in place.
        params: how.

    Attributes:
        gradients: where they come from, as the record says it.
        optimiser_steps: taken so far.
    """

    gradients: ClassVar[str]

    def __init__(self, network: QNetwork, params: QParams) -> None:
        self._network, self._params = network, params
        self.optimiser_steps = 0

    def learn(self, sample: Sample) -> Tensor:
        """K optimiser steps, one a minibatch and each from where the last one led; their losses, (K,)."""
        every, losses, done = self._params.target_every, [], 0
        while done < len(sample.returns):
            # The target network stands still in between, so that it is asked once.
            count = every - self.optimiser_steps % every
            part = Sample(*(field[done : done + count] for field in sample))
            losses.append(self._descend(part))
            done += count
            self.optimiser_steps += len(part.returns)
            if self.optimiser_steps % every == 0:
                self._move_target()
        return torch.cat(losses)

    @abstractmethod
    def values(self, features: Float32Array) -> Float32Array:
        """The online network's values, (N, 3) from features (N, F)."""

    @abstractmethod
    def _descend(self, sample: Sample) -> Tensor:
        """K optimiser steps with one target network; their losses, (K,)."""

    @abstractmethod
    def _move_target(self) -> None:
        """Move the target network τ of the way."""

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    @abstractmethod
    def __exit__(self, *error: object) -> None:
        """Leave the network behind as a plain one."""


class AutogradLearner(QLearner):
    """Gradients are autograd's; accelerate owns device, precision and the mean over processes."""

    gradients = "autograd"

    def __init__(self, network: QNetwork, params: QParams, accelerator: "Accelerator") -> None:
        super().__init__(network, params)
        self._accelerator = accelerator
        # Copied before `prepare`, which may bind a network's `forward` to its own weights.
        self._target = copy.deepcopy(network).to(accelerator.device)
        self._weights = list(network.parameters())
        optimiser = torch.optim.Adam(self._weights, lr=params.learning_rate, eps=params.adam_eps, fused=True)
        self._prepared, self._optimiser = accelerator.prepare(network, optimiser)

    def values(self, features: Float32Array) -> Float32Array:
        """As `QLearner.values`."""
        found = self._ask(self._network, torch.from_numpy(features).to(self._accelerator.device))
        values: Float32Array = found.cpu().numpy()
        return values

    def _descend(self, sample: Sample) -> Tensor:
        batches, count, _ = sample.returns.shape
        next_values = self._ask(self._target, sample.next_features.flatten(0, 1)).unflatten(
            0, (batches, count)
        )
        losses = [
            self._step(Sample(*(field[index] for field in sample)), next_values[index])
            for index in range(batches)
        ]
        return torch.stack(losses)

    def _step(self, sample: Sample, next_values: Tensor) -> Tensor:
        params, accelerator = self._params, self._accelerator
        chooser = self._ask(self._network, sample.next_features) if params.double else None
        targets = td_targets(
            sample.returns, sample.discounts, next_values=next_values, barred=sample.barred, chooser=chooser
        )
        loss = q_loss(self._prepared(sample.features).float(), sample.chosen, targets, name=params.loss)
        for weight in self._weights:
            weight.grad = None
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self._weights, params.max_grad_norm)
        # Accelerate's optimiser adds a gradient scaler, and costs as much again where there is none.
        (self._optimiser if accelerator.scaler else self._optimiser.optimizer).step()
        return loss.detach()

    def _ask(self, network: QNetwork, features: Tensor) -> Tensor:
        """Values in float32, without gradient."""
        with torch.no_grad(), self._accelerator.autocast():
            values: Tensor = network(features)
        return values.float()

    def _move_target(self) -> None:
        move_towards(self._target, self._network, share=self._params.tau)

    def __exit__(self, *error: object) -> None:
        """Take back the autocast that `prepare` put around the network's forward."""
        self._accelerator.unwrap_model(self._prepared, keep_fp32_wrapper=False)


class ClosedFormLearner(QLearner):
    """Gradients are written out; no torch between a sample and the weights."""

    gradients = "closed form"

    def __init__(self, network: QNetwork, params: QParams) -> None:
        super().__init__(network, params)
        self._online, self._target = ClosedFormQ(network), ClosedFormQ(copy.deepcopy(network))
        self._adam = FlatAdam(self._online.weights, learning_rate=params.learning_rate, eps=params.adam_eps)

    def values(self, features: Float32Array) -> Float32Array:
        """As `QLearner.values`."""
        return self._online.values(features)

    def _descend(self, sample: Sample) -> Tensor:
        features, next_features, chosen, barred, returns, discounts = (field.numpy() for field in sample)
        batches, count, _ = returns.shape
        next_values = self._target.values(next_features.reshape(batches * count, -1)).reshape(chosen.shape)
        best = None if self._params.double else (next_values + barred).max(axis=2, keepdims=True)
        losses = np.empty(batches, dtype=returns.dtype)
        for index in range(batches):
            if best is None:
                choice = (self._online.values(next_features[index]) + barred[index]).argmax(axis=1)
                valued = next_values[index][np.arange(count), choice, None]
            else:
                valued = best[index]
            targets = returns[index] + discounts[index] * valued
            losses[index] = self._step(features[index], chosen[index], targets)
        return torch.from_numpy(losses)

    def _step(self, features: Array, chosen: Array, targets: Array) -> float:
        """One optimiser step on features (B, F), one-hot actions (B, 3) and targets (B, 1); its loss."""
        states = self._online.hidden(features)
        errors = (self._online.head(states[-1]) * chosen).sum(axis=1, keepdims=True) - targets
        loss, slopes = loss_and_slopes(errors, name=self._params.loss)
        self._online.differentiate(states, chosen * slopes)
        gradient = self._online.gradient
        # As torch.nn.utils.clip_grad_norm_ does it.
        share = self._params.max_grad_norm / (math.sqrt(gradient @ gradient) + 1e-6)
        if share < 1:
            gradient *= share
        self._adam.step(gradient)
        return loss

    def _move_target(self) -> None:
        target, online = self._target.weights, self._online.weights
        target -= online
        target *= 1 - self._params.tau
        target += online

    def __enter__(self) -> Self:
        """Keep numpy's products to one thread.

        They are too small to share, and threads that spin while they wait for each other made a training on a
        busy two-core machine ten times slower.
        """
        self._limits = threadpool_limits(limits=1, user_api="blas")
        return self

    def __exit__(self, *error: object) -> None:
        """Give numpy its threads back, and the network's parameters memory of their own."""
        self._limits.restore_original_limits()
        self._online.release()


def loss_and_slopes(errors: Array, *, name: LossName) -> tuple[float, Array]:
    """The mean of `q_loss`, and its derivatives by the errors (B, 1), which are values less targets."""
    # Both losses are capped · (error − capped / 2), times two where nothing is capped.
    capped = np.clip(errors, -1, 1) if name == "huber" else errors
    scale = (1 if name == "huber" else 2) / len(errors)
    return scale * float(np.vdot(capped, errors - capped / 2)), scale * capped
