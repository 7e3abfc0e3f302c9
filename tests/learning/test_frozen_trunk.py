import pytest
import torch
from torch import nn

from flagbench.agents.prompt import Prompt
from flagbench.learning.frozen_trunk import FrozenTrunk
from flagbench.learning.model_parts import hooked
from flagbench.learning.split import SplitBackbone
from flagbench.learning.state_cache import StateCache
from tests.learning.test_split import FAMILIES, prompts_of_two_bars, random_model


def split_of(family: str = "llama", *, trained_layers: int = 1) -> SplitBackbone:
    return SplitBackbone(random_model(FAMILIES[family]), trained_layers=trained_layers)


def tokens_run(split: SplitBackbone, prompts: list[Prompt]) -> int:
    """How many tokens go through the first layer while pieces are asked for."""
    counted = 0

    def count(_: nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        nonlocal counted
        hidden = args[0] if args else kwargs["hidden_states"]
        counted += hidden.shape[0] * hidden.shape[1]

    with hooked([(split.model.get_submodule("model.layers.0"), count)]):
        split.trunk.pieces(prompts)
    return counted


@pytest.mark.parametrize("family", FAMILIES)
def test_pieces_joined_are_the_hidden_states_of_the_whole_prompt(family: str) -> None:
    split = split_of(family)
    for prompt, pieces in zip(prompts_of_two_bars(), split.features(prompts_of_two_bars()), strict=True):
        whole = split.lower(torch.tensor([prompt.tokens]))[0]
        torch.testing.assert_close(torch.cat(pieces), whole, atol=2e-6, rtol=1e-5)
        assert [len(piece) for piece in pieces] == [13, prompt.daily - 13, len(prompt.tokens) - prompt.daily]


@pytest.mark.parametrize("trained_layers", [1, 4])
def test_what_prompts_share_is_the_same_tensor(trained_layers: int) -> None:
    pieces = split_of(trained_layers=trained_layers).features(prompts_of_two_bars())
    assert len({id(static) for static, _, _ in pieces}) == 1
    assert len({id(bar) for _, bar, _ in pieces}) == 2
    assert pieces[0][1] is pieces[2][1]


def test_only_tokens_that_are_not_known_are_run() -> None:
    split, prompts = split_of(), prompts_of_two_bars()
    # static 13; bars 9 and 14; accounts padded to the longest of their bar: 3 x 7 and 2 x 11
    assert tokens_run(split, prompts) == 13 + 9 + 14 + 3 * 7 + 2 * 11
    assert tokens_run(split, prompts) == 0
    other = prompts[0]._replace(tokens=[*prompts[0].tokens[:-2], 1, 2])
    assert tokens_run(split, [other]) == 7


def test_a_written_weight_forgets_everything() -> None:
    split, prompts = split_of(), prompts_of_two_bars()
    before = split.features(prompts)
    with torch.no_grad():
        split.model.get_submodule("model.layers.0.mlp.down_proj").weight.mul_(2)  # type: ignore[operator]
    after = split.features(prompts)
    whole = split.lower(torch.tensor([prompts[0].tokens]))[0]
    torch.testing.assert_close(torch.cat(after[0]), whole, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(torch.cat(before[0]), whole, atol=1e-3)


def test_trained_weights_may_change_without_forgetting() -> None:
    split, prompts = split_of(), prompts_of_two_bars()
    split.features(prompts)
    with torch.no_grad():
        for weight in split.upper_layers.parameters():
            weight.add_(1)
    assert tokens_run(split, prompts) == 0


def test_what_went_to_disk_gives_the_same() -> None:
    split, prompts = split_of(), prompts_of_two_bars()
    roomy = split.features(prompts)
    split.trunk = FrozenTrunk(split, cache=StateCache(memory_limit=5_000))
    split.features(prompts)
    assert split.trunk.cache.bytes_on_disk > 0
    for ours, theirs in zip(split.features(prompts), roomy, strict=True):
        assert torch.equal(torch.cat(ours), torch.cat(theirs))


def test_under_autocast_pieces_are_kept_apart() -> None:
    split, prompts = split_of(), prompts_of_two_bars()
    exact = split.features(prompts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = split.features(prompts)
    again = split.features(prompts)
    assert torch.equal(torch.cat(exact[0]), torch.cat(again[0]))
    assert not torch.equal(torch.cat(exact[0]), torch.cat(rounded[0]))
    torch.testing.assert_close(torch.cat(rounded[0]).float(), torch.cat(exact[0]), atol=0.05, rtol=0.05)


def test_layers_that_keep_other_state_run_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed-forward that sums over earlier tokens: what a cache of keys and values does not hold."""
    from transformers.models.llama.modeling_llama import LlamaMLP

    original = LlamaMLP.forward

    def summed(self: LlamaMLP, hidden: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = original(self, hidden)  # type: ignore[no-untyped-call]
        return total.cumsum(1)

    monkeypatch.setattr(LlamaMLP, "forward", summed)
    split, prompts = split_of(), prompts_of_two_bars()
    assert not split.trunk.shares
    pieces = split.features(prompts)
    whole = split.lower(torch.tensor([prompts[1].tokens]))[0]
    torch.testing.assert_close(torch.cat(pieces[1]), whole, atol=1e-6, rtol=1e-5)
    assert len({id(static) for static, _, _ in pieces}) == 1
