"""Values and gradients of a Q network written out by hand, with numpy.

An optimiser step of so small a network is a few hundredths of a millisecond of arithmetic; what torch does
around it takes ten times as long.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from flagbench.learning.numeric_networks import ACTIONS, QNetwork

Array = npt.NDArray[np.floating[Any]]


class Layer(NamedTuple):
    """A linear layer, or the gradient of one; views of one buffer."""

    weight: Array  # (out, in)
    bias: Array  # (out,)


class Layers(NamedTuple):
    """A Q network's layers.

    With dueling the first layers of both streams are one here, of twice the width: they have the same input.
    """

    hidden: list[Layer]
    actions: Layer
    state: Layer | None


class ClosedFormQ:
    """A Q network over one buffer: what `QNetwork` and autograd give, without either.

    Args:
        network: on the CPU. Its parameters become views of the buffer, until `release`.

    Attributes:
        weights: (P,) all of them.
        gradient: (P,) in the same order, what `differentiate` found last.
    """

    def __init__(self, network: QNetwork) -> None:
        self._network = network
        self.weights = _gathered(network)
        self.gradient = np.zeros_like(self.weights)
        self._layers = _layers(self.weights, network)
        self._gradients = _layers(self.gradient, network)
        self._width = network.hidden[-1]
        self._centring = np.eye(ACTIONS, dtype=self.weights.dtype) - self.weights.dtype.type(1 / ACTIONS)

    def hidden(self, features: Array) -> list[Array]:
        """Features (B, F) and what each hidden layer makes of them, (B, width)."""
        states = [features]
        for weight, bias in self._layers.hidden:
            state = states[-1] @ weight.T
            state += bias
            states.append(np.maximum(state, 0, out=state))
        return states

    def values(self, features: Array) -> Array:
        """Values of the actions, (B, 3) from features (B, F)."""
        return self.head(self.hidden(features)[-1])

    def head(self, state: Array) -> Array:
        """Values of the actions, (B, 3), from what the last hidden layer gave."""
        actions, value = self._layers.actions, self._layers.state
        advantages = state[:, : self._width] @ actions.weight.T
        advantages += actions.bias
        if value is None:
            return advantages
        centred: Array = advantages @ self._centring
        centred += state[:, self._width :] @ value.weight.T + value.bias
        return centred

    def differentiate(self, states: list[Array], slopes: Array) -> None:
        """Fill `gradient`.

        Args:
            states: of `hidden`.
            slopes: (B, 3) derivatives of the loss by the values.
        """
        ones = np.ones(len(slopes), dtype=slopes.dtype)
        slope = self._differentiate_heads(states[-1], slopes, ones)
        for index in reversed(range(len(self._layers.hidden))):
            slope *= states[index + 1] > 0
            np.matmul(slope.T, states[index], out=self._gradients.hidden[index].weight)
            # A product with ones takes half the time of a sum along the first axis.
            np.matmul(ones, slope, out=self._gradients.hidden[index].bias)
            if index:
                slope = slope @ self._layers.hidden[index].weight

    def _differentiate_heads(self, state: Array, slopes: Array, ones: Array) -> Array:
        """Gradients of the last layers; the derivatives by what the last hidden layer gave."""
        width, layers, gradients = self._width, self._layers, self._gradients
        by_action = slopes if layers.state is None else slopes @ self._centring
        np.matmul(by_action.T, state[:, :width], out=gradients.actions.weight)
        np.matmul(ones, by_action, out=gradients.actions.bias)
        if layers.state is None or gradients.state is None:
            return by_action @ layers.actions.weight
        by_state = slopes.sum(axis=1, keepdims=True)
        np.matmul(by_state.T, state[:, width:], out=gradients.state.weight)
        np.matmul(ones, by_state, out=gradients.state.bias)
        below = np.empty_like(state)
        np.matmul(by_action, layers.actions.weight, out=below[:, :width])
        np.multiply(by_state, layers.state.weight, out=below[:, width:])
        return below

    def release(self) -> None:
        """Give the network's parameters memory of their own again."""
        for parameter in self._network.parameters():
            parameter.data = parameter.data.clone()


def _ordered(network: QNetwork) -> list[Tensor]:
    """The parameters in the order in which `_layers` cuts them out."""
    streams = [network.actions] if network.state is None else [network.actions, network.state]
    trunk, heads = _linear(network.trunk), [_linear(stream) for stream in streams]
    first, last = [layers[0] for layers in heads], [layers[-1] for layers in heads]
    ordered: list[Tensor] = []
    for layer in trunk:
        ordered += [layer.weight, layer.bias]
    ordered += [layer.weight for layer in first] + [layer.bias for layer in first]
    for layer in last:
        ordered += [layer.weight, layer.bias]
    return ordered


def _linear(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.children() if isinstance(layer, nn.Linear)]


def _gathered(network: QNetwork) -> Array:
    """The weights in one buffer, which the parameters are views of from here on."""
    parameters = _ordered(network)
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
    for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        parameter.data = part.view_as(parameter)
    weights: Array = flat.numpy()
    return weights


def _layers(flat: Array, network: QNetwork) -> Layers:
    """A buffer's layers, as views."""
    place = 0

    def cut(*shape: int) -> Array:
        nonlocal place
        size = int(np.prod(shape))
        place += size
        return flat[place - size : place].reshape(shape)

    streams = 1 if network.state is None else 2
    *trunk, last = network.hidden
    widths = [network.inputs, *trunk, streams * last]
    hidden = [Layer(cut(after, before), cut(after)) for before, after in pairwise(widths)]
    actions = Layer(cut(ACTIONS, last), cut(ACTIONS))
    return Layers(hidden, actions, None if network.state is None else Layer(cut(1, last), cut(1)))
