import torch

from flagbench.agents.prompt import Prompt
from flagbench.flag.adaptation import adapted
from flagbench.flag.network import FlagNet
from flagbench.learning.random_backbone import make_random_backbone


def net_and_split(layers: int = 3) -> FlagNet:
    model, _ = make_random_backbone(seed=0, layers=layers, width=32)
    model.eval()
    torch.manual_seed(0)
    return FlagNet(adapted(model, "top_layers", trainable_layers=None))


def prompts(*lengths: int) -> list[Prompt]:
    random = torch.Generator().manual_seed(0)
    return [
        Prompt(torch.randint(2, 400, (length,), generator=random).tolist(), static=1, daily=2)
        for length in lengths
    ]


def test_a_prompt_gives_the_same_alone_and_beside_longer_ones() -> None:
    net = net_and_split()
    halves = net._backbone[0]
    several = prompts(5, 40, 23)
    with torch.no_grad():
        logits, values = net(*halves.collate(halves.features(several)))
        for row, prompt in enumerate(several):
            alone_logits, alone_values = net(*halves.collate(halves.features([prompt])))
            torch.testing.assert_close(logits[row], alone_logits[0], atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(values[row], alone_values[0], atol=1e-6, rtol=1e-5)


def test_the_heads_read_the_last_real_token_after_the_final_norm() -> None:
    net = net_and_split()
    halves = net._backbone[0]
    (prompt,) = prompts(11)
    ids = torch.tensor([prompt.tokens])
    with torch.no_grad():
        top = halves.model.base_model(input_ids=ids).last_hidden_state[:, -1]
        logits, value = net(*halves.collate(halves.features([prompt])))
        torch.testing.assert_close(logits, net.policy_head(top), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(value, net.value_head(top)[:, 0], atol=1e-6, rtol=1e-5)


def test_the_policy_begins_nearly_uniform() -> None:
    net = net_and_split()
    with torch.no_grad():
        logits, _ = net(*net._backbone[0].collate(net._backbone[0].features(prompts(9, 30))))
    assert float(logits.softmax(-1).max()) < 0.35


def test_the_frozen_half_is_no_part_of_the_network() -> None:
    net = net_and_split(layers=5)
    names = {name.split(".")[0] for name, _ in net.named_parameters()}
    assert names == {"layers", "tail", "policy_head", "value_head"}
    assert len(net.layers) == 1  # a fifth of five layers
    assert all(weight.requires_grad for weight in net.parameters())
    frozen = net._backbone[0].model.get_submodule("model.layers.0")
    assert not any(weight.requires_grad for weight in frozen.parameters())
