"""How near FLAG's update is to the machine's matrix rate: its matrix products and nothing else beside it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.flag_training import TOKENS, shape_135m
from benchmarks.interleaving import Contest, Row
from benchmarks.plain_flag import Training, Workload
from flagbench.flag.agent import FlagAgent

MINIBATCH = 32
"""Prompts of one optimiser step, as in the paper (arXiv 2502.11433, table 3); 4 of a small model."""

Shape = tuple[tuple[int, ...], tuple[int, ...]]
"""Size and stride."""
Product = tuple[Shape, Shape]

aten = torch.ops.aten


class Products(TorchDispatchMode):
    """Notes the matrix products that are run: of `mm` as they are, of attention as two or four of its own."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[Product] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (aten.mm.default, aten.bmm.default):
            self._note(args[0], args[1])
        elif func is aten.addmm.default:
            self._note(args[1], args[2])
        elif func is aten._scaled_dot_product_flash_attention_for_cpu.default:
            self._note_attention(*args[:3], times=1)
        elif func is aten._scaled_dot_product_flash_attention_for_cpu_backward.default:
            self._note_attention(*args[1:4], times=2)  # two products for each of the forward pass
        return func(*args, **(kwargs or {}))

    def _note(self, left: Tensor, right: Tensor, times: int = 1) -> None:
        pair = (tuple(left.shape), tuple(left.stride())), (tuple(right.shape), tuple(right.stride()))
        self.found[pair] += times

    def _note_attention(self, queries: Tensor, keys: Tensor, values: Tensor, *, times: int) -> None:
        groups = queries.shape[1] // keys.shape[1]  # of query heads that read the same keys
        keys, values = (part.repeat_interleave(groups, dim=1) for part in (keys, values))
        queries, keys, values = (part.flatten(0, 1) for part in (queries, keys, values))
        scores = queries.new_empty(len(queries), queries.shape[1], keys.shape[1])
        self._note(queries, keys.transpose(1, 2), times)
        self._note(scores, values, times)


def operations(products: Counter[Product]) -> int:
    """Multiplications and additions."""
    total = 0
    for ((left, _), (right, _)), times in products.items():
        rows = left[0] * left[1] if len(left) == 3 else left[0]
        total += 2 * times * rows * right[-2] * right[-1]
    return total


def bare(products: Counter[Product]) -> Callable[[], None]:
    """Runs the products on matrices of the same sizes and layouts."""
    made = {shape: _laid_out(shape) for pair in products for shape in pair}

    def multiply() -> None:
        for (left, right), times in products.items():
            for _ in range(times):
                torch.matmul(made[left], made[right])

    return multiply


def _laid_out(shape: Shape) -> Tensor:
    """A matrix of this size and stride."""
    size, stride = shape
    extent = 1 + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    return torch.randn(extent).as_strided(size, stride)


def contest(full: bool) -> Contest:
    """An optimiser step on one minibatch, and its matrix products alone."""
    prompts = MINIBATCH if full else 4
    workload = Workload(
        bars=prompts + 1,
        env_steps=prompts,
        num_envs=1,
        params={
            "backbone": f"random:{shape_135m().name}" if full else "random",
            "trainable_layers": 6 if full else 2,
            "prompt": "news",
            "max_prompt_tokens": TOKENS,
            "ppo": {"num_steps": prompts, "minibatch_size": prompts, "update_epochs": 1},
        },
    )
    update = Training(FlagAgent(**workload.params), workload).update()
    with Products() as noted:
        update()
    products = noted.found

    def agree() -> str:
        return (
            f"{sum(products.values())} matrix products of {operations(products) / 1e9:.0f} · 10⁹ operations "
            f"in an optimiser step on {prompts} prompts; the same ones are run bare"
        )

    return Contest(update, bare(products), agree)


ROWS = (
    Row(
        "flag-135m-floor",
        "FLAG's update, 135M shape, T = 256, top 6 layers, minibatch 32 (share of the machine's matrix rate)",
        "the floor: its matrix products and nothing else",
        0.75,
        contest,
        rounds=7,
    ),
)
