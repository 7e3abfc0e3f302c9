"""A transformers model taken apart by looking: its decoder layers, and what it runs after them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from flagbench.errors import ConfigError


def probe(model: PreTrainedModel, *, rows: int, length: int) -> Tensor:
    """(rows, length) different token ids, as far as there are so many."""
    ids = torch.arange(rows * length, device=model.device).reshape(rows, length) * 7
    return ids % int(model.config.vocab_size)


def decoder_layers(model: PreTrainedModel, *, trained_layers: int) -> nn.ModuleList:
    """A model's decoder layers, of which so many of the last are to be trained.

    Raises:
        ConfigError: they are not found, or fewer than that.
    """
    body, count = model.base_model, int(model.config.num_hidden_layers)
    lists = [child for child in body.modules() if isinstance(child, nn.ModuleList) and len(child) == count]
    lists = [child for child in lists if all(layer is not other for layer in child for other in lists)]
    if len(lists) != 1:
        raise ConfigError(
            f"`{type(body).__name__}` has no single list of {count} decoder layers",
            hint="choose a decoder-only model such as Llama, Qwen, GPT-2 or GPT-NeoX",
        )
    if not 1 <= trained_layers <= count:
        raise ConfigError(
            f"{trained_layers} trained layers asked for, the backbone has {count}",
            hint=f"choose trainable_layers from 1 to {count}",
        )
    return lists[0]


@torch.no_grad()
def modules_after(model: PreTrainedModel, last_layer: nn.Module) -> list[nn.Module]:
    """What a model runs after its last layer, in order: siblings of the list of layers."""
    body = model.base_model
    parent = next(
        module
        for module in body.modules()
        if any(isinstance(child, nn.ModuleList) and last_layer in child for child in module.children())
    )
    order: list[nn.Module] = []
    siblings = [child for child in parent.children() if not isinstance(child, nn.ModuleList)]

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:  # noqa: ARG001
        order.append(module)

    with hooked([(module, note) for module in (last_layer, *siblings)]):
        body(input_ids=probe(model, rows=2, length=8), use_cache=False)
    return order[order.index(last_layer) + 1 :]


@contextmanager
def hooked(hooks: list[tuple[nn.Module, Callable[..., None]]]) -> Iterator[None]:
    """Call a function before each of these modules' forward passes."""
    with ExitStack() as stack:
        for module, hook in hooks:
            stack.enter_context(_removed(module.register_forward_pre_hook(hook, with_kwargs=True)))
        yield


@contextmanager
def _removed(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
