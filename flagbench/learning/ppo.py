"""Proximal policy optimisation over trading environments: the training loop that policies share.

Source: Schulman et al. (2017), in the order of CleanRL's `ppo.py`. Departures from CleanRL: episodes end by
truncation and bootstrap from their last observation; invalid actions are masked; a KL term to the policy
at the start (arXiv 2502.11433, table 3); each minibatch is one optimiser step, split into
`gradient_accumulation_steps` parts weighted by their size, or more to fit into memory; what precedes the
trained part of a network is computed once at rollout and kept as features.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from flagbench.agents.training import MakeEnvs, Setup, TrainingMonitor
from flagbench.learning.ppo_loss import (
    entropy,
    kl_divergence,
    masked_log_probabilities,
    normalized,
    policy_terms,
    value_loss,
)
from flagbench.learning.ppo_params import PPOParams
from flagbench.learning.rollout_buffer import Batch, Rollout, flattened, iteration_steps
from flagbench.learning.weights import weights_sha256
from flagbench.trading.observation import Observation
from flagbench.trading.vector_environment import VectorTradingEnv, unstack

CheckpointRule = Literal["last", "best_train_return"]


class PolicyModel(Protocol):
    """A policy-and-value network with what comes before its trained part."""

    @property
    def net(self) -> nn.Module:
        """Called as `net(*collate(features))`: logits (B, 3) and values (B,). Only this is trained."""

    def features(self, observations: Sequence[Observation]) -> list[Any]:
        """What the net needs of each observation, without gradient; computed once a step."""

    def collate(self, features: Sequence[Any]) -> tuple[Any, ...]:
        """Features of B observations as the net's arguments."""

    def parts(self, features: Sequence[Any]) -> int:
        """Into how many parts B observations are split at least, for a backward pass to fit into memory."""


class Update(NamedTuple):
    """Figures of one iteration's optimiser steps, averaged over samples."""

    policy_loss: float
    value_loss: float
    entropy: float
    reference_kl: float
    approx_kl: float
    clipfrac: float
    grad_norm: float
    optimiser_steps: int


class PPOTrainer:
    """One training run. Built anew for every seed.

    Args:
        model: what is trained, in place.
        make_envs: environments over the training window.
        params: hyper-parameters.
        setup: the budget, shared by all agents of a comparison.
        seed: of sampling and shuffling; each process adds its rank.
        accelerator: owns device, precision and processes.
        monitor: told how it goes.
        checkpoint_rule: which weights are kept at the end; `last`, or those of the iteration whose
            finished training episodes returned most.
    """

    def __init__(
        self,
        model: PolicyModel,
        make_envs: MakeEnvs,
        params: PPOParams,
        *,
        setup: Setup,
        seed: int,
        accelerator: Accelerator,
        monitor: TrainingMonitor,
        checkpoint_rule: CheckpointRule = "last",
    ) -> None:
        self._model, self._params, self._setup = model, params, setup
        self._accelerator, self._monitor, self._rule = accelerator, monitor, checkpoint_rule
        self._envs: VectorTradingEnv = make_envs(setup.num_envs, max_episode_steps=params.max_episode_steps)
        self._steps = iteration_steps(setup, num_steps=params.num_steps, processes=accelerator.num_processes)
        self._random = torch.Generator().manual_seed(seed + 100_003 * accelerator.process_index)
        self._trained = [weight for weight in model.net.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(
            self._trained,
            lr=params.learning_rate,
            eps=params.adam_eps,
            weight_decay=params.weight_decay,
            fused=True,
        )
        self._net, self._optimiser = accelerator.prepare(model.net, optimiser)
        self._reference = self._weights() if params.kl_coef else {}
        self._observations: list[Observation] = []
        self._episode_returns: list[float] = []
        self._best: tuple[float, dict[str, Tensor]] | None = None

    def train(self) -> dict[str, Any]:
        """Run the whole budget and leave the chosen weights in the model.

        Returns:
            steps, iterations, optimiser steps, seconds, and the final weights' sha256 in each process.
        """
        started = time.perf_counter()
        batch, _ = self._envs.reset()
        self._observations = unstack(batch)
        done = optimiser_steps = 0
        for index, steps in enumerate(self._steps):
            self._set_learning_rate(index)
            rollout, equity = self._collect(steps)
            samples = flattened(rollout, gamma=self._params.gamma, gae_lambda=self._params.gae_lambda)
            update = self._update(samples)
            done += steps * self._setup.num_envs * self._accelerator.num_processes
            optimiser_steps += update.optimiser_steps
            elapsed = time.perf_counter() - started
            self._log(index, done, elapsed, equity=equity, update=update, rollout=rollout, batch=samples)
            self._remember_best()
        if self._best is not None:
            self._restore(self._best[1])
        # `prepare` put autocast around the net's own forward; what was learnt is read in its own precision.
        self._accelerator.unwrap_model(self._net, keep_fp32_wrapper=False)
        return {
            "env_steps": done,
            "iterations": len(self._steps),
            "optimiser_steps": optimiser_steps,
            "seconds": time.perf_counter() - started,
            "weights_sha256": gather_object([weights_sha256(self._weights().items())]),
        }

    def _set_learning_rate(self, iteration: int) -> None:
        left = 1 - iteration / len(self._steps) if self._params.anneal_lr else 1.0
        for group in self._optimiser.param_groups:
            group["lr"] = left * self._params.learning_rate

    @torch.no_grad()
    def _evaluate(self, features: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Logits (B, 3) and values (B,) in float32 on the CPU.

        Without gradients the bare network may be called; with them only the prepared one, or the
        processes' weights would drift apart.
        """
        with self._accelerator.autocast():
            logits, values = self._model.net(*self._model.collate(features))
        return logits.float().cpu(), values.float().cpu()

    @torch.no_grad()
    def _reference_logits(self, features: Sequence[Any]) -> Tensor:
        arguments = self._model.collate(features)
        with self._accelerator.autocast():
            logits, _ = torch.func.functional_call(self._model.net, self._reference, arguments)
        return logits.float().cpu()  # type: ignore[no-any-return]

    def _features(self, observations: Sequence[Observation]) -> list[Any]:
        with torch.no_grad(), self._accelerator.autocast():
            return self._model.features(observations)

    def _collect(self, steps: int) -> tuple[Rollout, float]:
        """Act for so many steps; also the mean equity at the end, in units of the initial."""
        rollout = Rollout()
        features = self._features(self._observations)
        logits, values = self._evaluate(features)
        equity = 1.0
        for _ in range(steps):
            masks = torch.from_numpy(np.stack([o["mask"] for o in self._observations])).bool()
            chances = masked_log_probabilities(logits, masks)
            actions = torch.multinomial(chances.exp(), 1, generator=self._random).squeeze(1)
            if self._reference:
                rollout.reference.append(masked_log_probabilities(self._reference_logits(features), masks))
            batch, rewards, _, ends, info = self._envs.step(actions.numpy())
            rollout.features += features
            rollout.masks.append(masks)
            rollout.actions.append(actions)
            rollout.log_probabilities.append(chances.gather(1, actions[:, None]).squeeze(1))
            rollout.values.append(values)
            rollout.rewards.append(torch.from_numpy(rewards))
            rollout.ends.append(torch.from_numpy(ends))
            self._observations = unstack(batch)
            features = self._features(self._observations)
            logits, values = self._evaluate(features)
            rollout.next_values.append(values)
            if ends.any():
                last = list(info["final_obs"])
                rollout.next_values[-1] = self._evaluate(self._features(last))[1]
                self._episode_returns += [float(o["account"][2]) - 1 for o in last]
                equity = float(np.mean([o["account"][2] for o in last]))
            else:
                equity = float(np.mean([o["account"][2] for o in self._observations]))
            self._monitor.advance(self._setup.num_envs * self._accelerator.num_processes)
        return rollout, equity

    def _update(self, batch: Batch) -> Update:
        """Epochs of minibatches over one rollout; each minibatch is one optimiser step."""
        sums = torch.zeros(6, dtype=torch.float64)
        samples = optimiser_steps = 0
        norms: list[float] = []
        for _ in range(self._params.update_epochs):
            epoch_kl = 0.0
            for indices in self._minibatches(len(batch.actions)):
                figures, norm = self._step(batch, indices)
                sums += figures
                epoch_kl += float(figures[4])
                samples += len(indices)
                optimiser_steps += 1
                norms.append(norm)
            if self._exceeds_target(epoch_kl / len(batch.actions)):
                break
        means = (sums / samples).tolist()
        return Update(*means, float(np.mean(norms)), optimiser_steps)  # type: ignore[call-arg]

    def _exceeds_target(self, approx_kl: float) -> bool:
        """Whether to stop the epochs; decided on the mean over processes, so that all stop together."""
        if self._params.target_kl is None:
            return False
        everyone: list[float] = gather_object([approx_kl])
        return sum(everyone) / len(everyone) > self._params.target_kl

    def _minibatches(self, samples: int) -> Iterator[Tensor]:
        if self._params.shuffle == "samples":
            order = torch.randperm(samples, generator=self._random)
        else:
            steps = torch.arange(samples).view(-1, self._setup.num_envs)
            order = steps[torch.randperm(len(steps), generator=self._random)].flatten()
        yield from order.split(self._params.minibatch_size)

    def _step(self, batch: Batch, indices: Tensor) -> tuple[Tensor, float]:
        """One optimiser step: sums of the loss's parts over the minibatch, and the gradient's norm."""
        advantages = batch.advantages[indices]
        if self._params.norm_adv:
            advantages = normalized(advantages)
        needed = self._model.parts([batch.features[index] for index in indices.tolist()])
        parts = min(max(needed, self._setup.gradient_accumulation_steps), len(indices))
        sums = torch.zeros(6, dtype=torch.float64)
        self._optimiser.zero_grad()
        pieces = list(zip(indices.tensor_split(parts), advantages.tensor_split(parts), strict=True))
        for number, (piece, piece_advantages) in enumerate(pieces, start=1):
            is_last = number == len(pieces)
            with nullcontext() if is_last else self._accelerator.no_sync(self._net):
                loss, figures = self._loss(batch, piece, piece_advantages)
                self._accelerator.backward(loss / len(indices))
            sums += figures
        norm = self._accelerator.clip_grad_norm_(self._trained, self._params.max_grad_norm)
        self._optimiser.step()
        return sums, float(norm)

    def _loss(self, batch: Batch, indices: Tensor, advantages: Tensor) -> tuple[Tensor, Tensor]:
        """The loss summed over samples, and the sums of its parts."""
        params, device = self._params, self._accelerator.device
        features = [batch.features[index] for index in indices.tolist()]
        logits, values = self._net(*self._model.collate(features))
        chances = masked_log_probabilities(logits.float(), batch.masks[indices].to(device))
        new = chances.gather(1, batch.actions[indices].to(device)[:, None]).squeeze(1)
        old = batch.log_probabilities[indices].to(device)
        policy = policy_terms(new, old, advantages.to(device), clip_coef=params.clip_coef)
        values_loss = value_loss(
            values.float(),
            batch.values[indices].to(device),
            batch.targets[indices].to(device),
            clip_coef=params.clip_coef if params.clip_vloss else None,
        )
        spread = entropy(chances)
        loss = policy.loss - params.ent_coef * spread + params.vf_coef * values_loss
        reference_kl = torch.zeros_like(spread)
        if params.kl_coef:
            reference_kl = kl_divergence(chances, batch.reference[indices].to(device))
            loss = loss + params.kl_coef * reference_kl
        # Schulman's estimator of KL(old ‖ new), never negative: (ρ − 1) − log ρ.
        approx_kl = policy.ratio - 1 - (new - old)
        parts = [policy.loss, values_loss, spread, reference_kl, approx_kl, policy.clipped.float()]
        return loss.sum(), torch.stack([part.detach().sum() for part in parts]).double().cpu()

    def _log(
        self,
        index: int,
        done: int,
        elapsed: float,
        *,
        equity: float,
        update: Update,
        rollout: Rollout,
        batch: Batch,
    ) -> None:
        spread = float(batch.targets.var()) if len(batch.targets) > 1 else 0.0
        error = float((batch.targets - batch.values).var()) if len(batch.targets) > 1 else 0.0
        figures: dict[str, Any] = {
            "iteration": index + 1,
            "env_steps": done,
            "steps_per_second": done / elapsed,
            "learning_rate": self._optimiser.param_groups[0]["lr"],
            "return_so_far": equity - 1,
            "episodes": len(self._episode_returns),
            "episode_return": self._recent_return(),
            "mean_reward": float(torch.stack(rollout.rewards).mean()),
            "explained_variance": 1 - error / spread if spread else None,
            "actions": torch.bincount(batch.actions, minlength=3).tolist(),
            **update._asdict(),
        }
        self._monitor.log(figures)

    def _recent_return(self) -> float | None:
        """Mean return of the episodes that ended last, one in each environment."""
        recent = self._episode_returns[-self._setup.num_envs :]
        return float(np.mean(recent)) if recent else None

    def _weights(self) -> dict[str, Tensor]:
        return {
            name: weight.detach().clone()
            for name, weight in self._model.net.named_parameters()
            if weight.requires_grad
        }

    def _remember_best(self) -> None:
        if self._rule == "last":
            return
        returns: list[float | None] = gather_object([self._recent_return()])
        known = [value for value in returns if value is not None]
        mean = sum(known) / len(known) if known else -math.inf
        if known and (self._best is None or mean > self._best[0]):
            self._best = (mean, self._weights())

    @torch.no_grad()
    def _restore(self, weights: Mapping[str, Tensor]) -> None:
        for name, weight in self._model.net.named_parameters():
            if name in weights:
                weight.copy_(weights[name])
